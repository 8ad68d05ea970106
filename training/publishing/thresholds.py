"""Thresholds and the uncertain rule, from validation scores alone."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve

from model_store.labels import UncertainRule, assigned, closeness
from training.config import ThresholdsConfig
from training.data.folds import folds
from training.errors import GateError

Scores = NDArray[np.floating]
Targets = NDArray[np.floating]

# Between these a threshold stays meaningful; outside, a rare label's few positives dictate it.
_LOWEST, _HIGHEST = 0.05, 0.95


def best_thresholds(targets: Targets, scores: Scores) -> list[float]:
    """Per label the threshold of highest F1; both arguments have shape (papers, labels).

    Between two scores any threshold does the same; the middle is taken, since it is the one that
    new papers are least likely to fall on the wrong side of.
    """
    return [_best_threshold(targets[:, i], scores[:, i]) for i in range(targets.shape[1])]


def _best_threshold(targets: Targets, scores: Scores) -> float:
    precision, recall, cuts = precision_recall_curve(targets, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    best = int(f1[:-1].argmax())
    return float(np.clip(_middle_below(cuts, best), _LOWEST, _HIGHEST))


def choose(targets: Targets, scores: Scores, wanted: ThresholdsConfig) -> list[float]:
    """Per label the threshold that is asked for; raises GateError where no threshold reaches the precision."""
    if wanted.at_least is None:
        return best_thresholds(targets, scores)
    return [_precise_threshold(targets[:, i], scores[:, i], wanted.at_least, i) for i in range(targets.shape[1])]


def _precise_threshold(targets: Targets, scores: Scores, at_least: float, label: int) -> float:
    precision, _, cuts = precision_recall_curve(targets, scores)
    reached = np.flatnonzero(precision[:-1] >= at_least)
    if not reached.size:
        raise GateError(
            f"not published: no threshold gives label {label} (counted from 0) a precision of {at_least}, "
            f"the best is {precision[:-1].max():.3f}; lower [thresholds] at_least"
        )
    return float(np.clip(_middle_below(cuts, int(reached[0])), _LOWEST, 1 - 1e-6))


def _middle_below(cuts: Scores, chosen: int) -> float:
    """The middle between the score that was chosen and the one below it, or none: on a score, rounding would decide."""
    below = cuts[chosen - 1] if chosen > 0 else 0.0
    return float((below + cuts[chosen]) / 2)


def held_out_decisions(
    targets: Targets, chosen_on: Scores, scores: Scores, wanted: ThresholdsConfig, seed: int
) -> NDArray[np.bool_]:
    """Decisions on each paper by thresholds chosen on the other folds; shape (papers, labels).

    Thresholds are chosen on `chosen_on` and decide on `scores`: the same, or those of titles alone.
    """
    found = np.zeros(targets.shape, dtype=np.bool_)
    for others, fold in folds(len(scores), seed):
        found[fold] = assigned(scores[fold], choose(targets[others], chosen_on[others], wanted))
    return found


def uncertain_rule(targets: Targets, scores: Scores, thresholds: list[float], share: float) -> UncertainRule:
    """The rule that marks about `share` of the validation papers, with what it meant on them."""
    decisions = assigned(scores, thresholds)
    wrong = (decisions != (targets > 0)).any(axis=1)
    unlabelled = ~decisions.any(axis=1)
    distance = np.where(unlabelled, 0.0, closeness(scores, thresholds))
    margin = float(np.quantile(distance, share))
    marked = unlabelled | (distance < margin)
    return UncertainRule(
        margin=margin,
        share=float(marked.mean()),
        error_rate_uncertain=_rate(wrong[marked]),
        error_rate_ok=_rate(wrong[~marked]),
    )


def _rate(wrong: NDArray[np.bool_]) -> float:
    return float(wrong.mean()) if wrong.size else 0.0
