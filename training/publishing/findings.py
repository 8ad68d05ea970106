"""Measures the calibrated scores of an edition and chooses thresholds and exits by them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_store.labels import Label
from model_store.manifest import Calibration, Quality, TitleQuality
from training.config import RunConfig
from training.evaluation.metrics import mean_average_precision, micro_f1, most_probable_is_right, quality
from training.publishing.calibration import (
    Lines,
    calibration,
    calibration_errors,
    fit_lines,
    held_out,
    held_out_by_method,
    mean_error,
)
from training.publishing.early_exit import ExitFigures, ExitRule, ExitSearch, choose_exits, decisions
from training.publishing.edition import Edition
from training.publishing.measurement import Measurement
from training.publishing.thresholds import choose, held_out_decisions

Scores = NDArray[np.floating]
# With fewer positive validation papers, threshold and calibration of a label are unreliable.
_FEW = 30


class Exits(NamedTuple):
    """The exits that are published."""

    rule: ExitRule
    title_rule: ExitRule
    figures: ExitFigures
    title_figures: ExitFigures | None
    """None if papers without abstract never exit early."""


class Findings(NamedTuple):
    """Everything about the validation papers; arrays have shape (papers, labels)."""

    lines: list[Lines]
    """Calibration of each head."""
    labels: tuple[Label, ...]
    exits: Exits | None
    scores: Scores
    """Calibrated, as served."""
    title_scores: Scores
    """Of the same papers without their abstracts."""
    uncalibrated: Scores
    held_out: Scores
    """Calibrated on the other folds."""
    calibration: Calibration
    micro_f1_by_head: list[float]


def find(edition: Edition, whole: Measurement, titles: Measurement, config: RunConfig) -> Findings:
    """Calibrate, choose and measure; `titles` are the papers of `whole` without their abstracts."""
    targets, method, seed = edition.validation.targets, config.calibration.method, config.seed
    lines = [fit_lines(targets, scores, method) for scores in whole.heads]
    heads, title_heads = (
        [line(scores) for line, scores in zip(lines, found.heads, strict=True)] for found in (whole, titles)
    )
    labels = _labels(edition, heads[-1], title_heads[-1], config)
    exits = _exits(edition, heads, title_heads, labels, config)
    fold_by_fold = [held_out(targets, scores, lambda t, s: fit_lines(t, s, method), seed) for scores in whole.heads]
    thresholds = [label.threshold for label in labels]
    combine = _combination(exits, heads, targets, thresholds)
    title_thresholds = [label.threshold_for(title_only=True) for label in labels]
    combine_titles = _combination(exits, title_heads, targets, title_thresholds, titles=True)
    predicted = held_out_by_method(targets, whole.scores, seed)
    return Findings(
        lines=lines,
        labels=labels,
        exits=exits,
        scores=combine(heads),
        title_scores=combine_titles(title_heads),
        uncalibrated=combine(whole.heads),
        held_out=combine(fold_by_fold),
        calibration=calibration(targets, predicted, edition.ids, method, lines[-1], seed),
        micro_f1_by_head=[micro_f1(targets > 0, scores >= np.array(thresholds)) for scores in heads],
    )


def _labels(edition: Edition, scores: Scores, title_scores: Scores, config: RunConfig) -> tuple[Label, ...]:
    """Labels with thresholds; titles alone get thresholds of their own only if these are better on held-out papers."""
    targets = edition.validation.targets
    common = choose(targets, scores, config.thresholds)
    own: Sequence[float | None] = [None] * len(common)
    by_common, by_own = _title_micro_f1(targets, scores, title_scores, config)
    if by_own > by_common:
        own = choose(targets, title_scores, config.thresholds)
    papers = (targets > 0).sum(axis=0)
    return tuple(
        Label(
            id=text.id, name=text.name, title=text.title, parent=text.parent,
            threshold=threshold, title_threshold=title_threshold, few_papers=bool(count < _FEW),
        )
        for text, threshold, title_threshold, count in zip(edition.labels, common, own, papers, strict=True)
    )  # fmt: skip


def _title_micro_f1(
    targets: NDArray[np.float32], scores: Scores, title_scores: Scores, config: RunConfig
) -> tuple[float, float]:
    """Micro-F1 of titles by thresholds of whole papers and by their own, both chosen on other folds."""
    common, own = (
        micro_f1(targets > 0, held_out_decisions(targets, chosen_on, title_scores, config.thresholds, config.seed))
        for chosen_on in (scores, title_scores)
    )
    return common, own


def _exits(
    edition: Edition,
    heads: Sequence[Scores],
    title_heads: Sequence[Scores],
    labels: Sequence[Label],
    config: RunConfig,
) -> Exits | None:
    if config.exits is None or len(heads) == 1:
        return None
    targets, layers = edition.validation.targets, (*edition.exit_layers, edition.layers)
    about, about_titles = (
        ExitSearch(decisions(scores, targets, thresholds), layers, config.exits, config.seed)
        for scores, thresholds in (
            (heads, [label.threshold for label in labels]),
            (title_heads, [label.threshold_for(title_only=True) for label in labels]),
        )
    )
    chosen = choose_exits(about)
    if chosen is None:
        return None
    rule, figures = chosen
    chosen_for_titles = choose_exits(about_titles, rule.heads)
    if chosen_for_titles is None:
        return Exits(rule, ExitRule(rule.heads, (np.inf,) * len(rule.heads)), figures, None)
    return Exits(rule, chosen_for_titles[0], figures, chosen_for_titles[1])


def _combination(
    exits: Exits | None,
    heads: Sequence[Scores],
    targets: NDArray[np.float32],
    thresholds: Sequence[float],
    *,
    titles: bool = False,
) -> Callable[[Sequence[Scores]], Scores]:
    """A function that takes each paper's row from the scores of the head at which it exits."""
    if exits is None:
        return lambda scores: scores[-1]
    rule = exits.title_rule if titles else exits.rule
    at = rule.exit_heads(decisions(heads, targets, thresholds).confidence)
    return lambda scores: np.stack(scores)[at, np.arange(len(at))]


def title_quality(edition: Edition, findings: Findings, config: RunConfig) -> TitleQuality:
    """Quality without abstracts, by thresholds of whole papers and by thresholds of titles."""
    targets = edition.validation.targets
    common, own = _title_micro_f1(targets, findings.scores, findings.title_scores, config)
    return TitleQuality(
        micro_f1=max(common, own),
        micro_f1_common=common,
        micro_f1_own=own,
        mean_average_precision=mean_average_precision(targets, findings.title_scores),
        calibration_error=mean_error(targets, findings.title_scores).equal_width,
    )


def validation_quality(edition: Edition, findings: Findings, config: RunConfig) -> Quality:
    """Quality on the validation papers, which were also used to choose thresholds and calibration."""
    targets = edition.validation.targets
    decided = held_out_decisions(targets, findings.scores, findings.scores, config.thresholds, config.seed)
    measured = _with_calibration(
        quality(targets, findings.scores, findings.labels, config.seed), calibration_errors(targets, findings.held_out)
    )
    return measured.model_copy(
        update={
            "baseline": edition.baseline,
            "titles": title_quality(edition, findings, config),
            "micro_f1_held_out": micro_f1(targets > 0, decided),
            **_ranking(findings.scores, targets, edition.validation_primary),
        }
    )


def test_quality(edition: Edition, scores: Scores, labels: Sequence[Label], config: RunConfig) -> Quality:
    """Quality on the test papers."""
    targets = np.asarray(edition.test.targets if edition.test else [])
    measured = _with_calibration(quality(targets, scores, labels, config.seed), calibration_errors(targets, scores))
    return measured.model_copy(update=_ranking(scores, targets, edition.test_primary))


def _with_calibration(measured: Quality, errors: NDArray[np.float64]) -> Quality:
    by_label = dict(zip(measured.per_label, errors, strict=True))
    per_label = {
        name: found.model_copy(update={"calibration_error": float(by_label[name])})
        for name, found in measured.per_label.items()
    }
    return measured.model_copy(update={"calibration_error": float(errors.mean()), "per_label": per_label})


def _ranking(scores: Scores, targets: NDArray[np.float32], primary: NDArray[np.intp] | None) -> dict[str, float]:
    """How often the right label is the most probable one; of the primary label, if the papers have one."""
    figures = {"most_probable": most_probable_is_right(targets, scores)}
    if primary is not None:
        known = primary >= 0
        ranks = (scores > scores[np.arange(len(scores)), primary][:, None]).sum(axis=1)[known]
        figures |= {
            "primary_first": float((ranks < 1).mean()),
            "primary_among_five": float((ranks < 5).mean()),
        }
    return figures
