"""Measures the calibrated scores of an edition and chooses thresholds and exits by them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_store.labels import Label
from model_store.manifest import Calibration, Quality, TitleQuality
from training.config import RunConfig
from training.evaluation.metrics import mean_average_precision, micro_f1, most_probable_is_right, quality, thresholds
from training.publishing.calibration import (
    Lines,
    calibration,
    calibration_errors,
    fit_lines,
    held_out,
    held_out_by_method,
    mean_error,
)
from training.publishing.early_exit import Decisions, ExitRule, ExitSearch, choose_exits, decisions
from training.publishing.edition import Edition
from training.publishing.measurement import Measurement
from training.publishing.thresholds import choose, held_out_decisions

Scores = NDArray[np.floating]
# With fewer positive validation papers, threshold and calibration of a label are unreliable.
_FEW = 30


class Exits(NamedTuple):
    """The exits that are published."""

    rule: ExitRule
    title_rule: ExitRule | None
    """Of papers without abstract; None if they never exit early."""
    shares: tuple[float, ...]
    """Fractions of the validation papers, by exit, with margins that were chosen on other papers."""

    def exit_heads(self, confidence: NDArray[np.float64], title_only: NDArray[np.bool_]) -> NDArray[np.intp]:
        """The head whose scores count, (papers,), from confidences (heads, papers) and `title_only` (papers,)."""
        of_titles = self.title_rule.exit_heads(confidence) if self.title_rule else len(confidence) - 1
        return np.where(title_only, of_titles, self.rule.exit_heads(confidence))


class Findings(NamedTuple):
    """Everything about the validation papers; arrays have shape (papers, labels)."""

    title_only: NDArray[np.bool_]
    """Papers that have no abstract, (papers,)."""
    lines: list[Lines]
    """Calibration of each head."""
    labels: tuple[Label, ...]
    exits: Exits | None
    scores: Scores
    """Calibrated, as served."""
    title_scores: Scores | None
    """Of the same papers without their abstracts; None if none of them has a title."""
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
    decided_by, titles_decided_by = (thresholds(labels, found.title_only) for found in (whole, titles))
    about, about_titles = decisions(heads, targets, decided_by), decisions(title_heads, targets, titles_decided_by)
    exits = _exits(edition, about, about_titles, whole.title_only, config)
    fold_by_fold = [held_out(targets, scores, lambda t, s: fit_lines(t, s, method), seed) for scores in whole.heads]
    combine = _combination(exits, about.confidence, whole.title_only)
    combine_titles = _combination(exits, about_titles.confidence, titles.title_only)
    predicted = held_out_by_method(targets, whole.scores, seed)
    return Findings(
        title_only=whole.title_only,
        lines=lines,
        labels=labels,
        exits=exits,
        scores=combine(heads),
        title_scores=combine_titles(title_heads) if titles.title_only.any() else None,
        uncalibrated=combine(whole.heads),
        held_out=combine(fold_by_fold),
        calibration=calibration(targets, predicted, edition.ids, method, lines[-1], seed),
        micro_f1_by_head=[micro_f1(targets > 0, scores >= decided_by) for scores in heads],
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
    edition: Edition, about: Decisions, about_titles: Decisions, title_only: NDArray[np.bool_], config: RunConfig
) -> Exits | None:
    if config.exits is None or len(about.right) == 1:
        return None
    layers = (*edition.exit_layers, edition.layers)
    chosen = choose_exits(ExitSearch(about, layers, config.exits, config.seed))
    if chosen is None:
        return None
    rule, figures = chosen
    chosen_for_titles = choose_exits(ExitSearch(about_titles, layers, config.exits, config.seed), rule.heads)
    at = np.where(
        title_only, chosen_for_titles[1].exit_heads if chosen_for_titles else len(layers) - 1, figures.exit_heads
    )
    shares = tuple(float((at == head).mean()) for head in rule.heads)
    return Exits(rule, chosen_for_titles[0] if chosen_for_titles else None, shares)


def _combination(
    exits: Exits | None, confidence: NDArray[np.float64], title_only: NDArray[np.bool_]
) -> Callable[[Sequence[Scores]], Scores]:
    """A function that takes each paper's row from the scores of the head at which it exits."""
    if exits is None:
        return lambda scores: scores[-1]
    at = exits.exit_heads(confidence, title_only)
    return lambda scores: np.stack(scores)[at, np.arange(len(at))]


def title_quality(edition: Edition, findings: Findings, config: RunConfig) -> TitleQuality | None:
    """Quality without abstracts, by thresholds of whole papers and by thresholds of titles; None without titles."""
    if findings.title_scores is None:
        return None
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
    decided = _held_out_decisions(targets, findings, config)
    measured = _with_calibration(
        quality(targets, findings.scores, findings.labels, findings.title_only, config.seed),
        calibration_errors(targets, findings.held_out),
    )
    return measured.model_copy(
        update={
            "baseline": edition.baseline,
            "titles": title_quality(edition, findings, config),
            "micro_f1_held_out": micro_f1(targets > 0, decided),
            **_ranking(findings.scores, targets, edition.validation_primary),
        }
    )


def _held_out_decisions(targets: NDArray[np.float32], findings: Findings, config: RunConfig) -> NDArray[np.bool_]:
    """Decisions by thresholds that were chosen on other papers, with those of titles where these have their own."""
    scores, chosen = findings.scores, config.thresholds
    decided = held_out_decisions(targets, scores, scores, chosen, config.seed)
    if findings.title_scores is None or all(label.title_threshold is None for label in findings.labels):
        return decided
    by_titles = held_out_decisions(targets, findings.title_scores, scores, chosen, config.seed)
    return np.where(findings.title_only[:, None], by_titles, decided)


def test_quality(
    edition: Edition, scores: Scores, title_only: NDArray[np.bool_], labels: Sequence[Label], config: RunConfig
) -> Quality:
    """Quality on the test papers, from their scores (papers, labels) and which have no abstract (papers,)."""
    targets = np.asarray(edition.test.targets if edition.test else [])
    measured = _with_calibration(
        quality(targets, scores, labels, title_only, config.seed), calibration_errors(targets, scores)
    )
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
