"""Thresholds and the uncertain rule, from validation scores alone."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import precision_recall_curve

from model_store.labels import UncertainRule, assigned, closeness, log_odds
from training.config import ThresholdsConfig
from training.data.folds import folds
from training.publishing.calibration import fit_lines, logistic

Scores = NDArray[np.floating]
Targets = NDArray[np.floating]

# Bounds of thresholds, which a rare label's few positives could otherwise make extreme.
_LOWEST, _HIGHEST = 0.05, 0.95
_LOWEST_SLOPE = 1e-3


def best_thresholds(targets: Targets, scores: Scores) -> list[float]:
    """Per label the threshold of highest F1; both arguments have shape (papers, labels).

    All thresholds between two neighbouring scores decide alike; the middle is chosen, as the one that scores of new
    papers are least likely to be on the wrong side of.
    """
    return [_best_threshold(targets[:, i], scores[:, i]) for i in range(targets.shape[1])]


def _best_threshold(targets: Targets, scores: Scores) -> float:
    precision, recall, cuts = precision_recall_curve(targets, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    best = int(f1[:-1].argmax())
    return float(np.clip(_middle_below(cuts, best), _LOWEST, _HIGHEST))


def choose(targets: Targets, scores: Scores, config: ThresholdsConfig) -> list[float]:
    """The threshold of each label, as configured; both arrays have shape (papers, labels).

    For F1, it lies halfway, in log-odds, between the threshold of highest F1 of this label, on which macro-F1 depends,
    and that of all labels together, on which micro-F1 depends. A label without positive papers gets the latter. If no
    threshold reaches the configured precision, the one of highest precision is returned; see `out_of_reach`.
    """
    if config.at_least is not None:
        return [_precise_threshold(targets[:, i], scores[:, i], config.at_least) for i in range(targets.shape[1])]
    if not targets.any():
        return [0.5] * targets.shape[1]
    lines = fit_lines(targets, scores, "platt")
    probabilities = lines(scores)
    pooled = log_odds(_half_of_best_f1(probabilities.ravel()))
    own = log_odds(np.array([_half_of_best_f1(probabilities[:, i]) for i in range(targets.shape[1])]))
    odds = np.where(targets.any(axis=0), (own + pooled) / 2, pooled)
    # Back from calibrated log-odds to those of the scores. A slope is not positive only where scores mean nothing.
    odds = (odds - lines.intercepts) / np.maximum(lines.slopes, _LOWEST_SLOPE)
    return [float(threshold) for threshold in np.clip(logistic(odds), _LOWEST, _HIGHEST)]


def _half_of_best_f1(probabilities: Scores) -> NDArray[np.float64]:
    """The threshold of highest F1, for calibrated probabilities of shape (papers,).

    It is half of the highest F1 (Lipton, Elkan and Narayanaswamy 2014, theorem 1). This F1 is the one that the
    probabilities predict: that of the targets would let a few papers decide where the label is rare.
    """
    falling = np.sort(probabilities)[::-1].astype(np.float64)
    f1 = 2 * falling.cumsum() / (np.arange(1, len(falling) + 1) + falling.sum())
    return np.asarray(f1.max() / 2)


def out_of_reach(targets: Targets, scores: Scores, config: ThresholdsConfig) -> dict[int, float]:
    """The labels that no threshold gives the configured precision, with the best that one gives."""
    if config.at_least is None:
        return {}
    best = {i: _best_precision(targets[:, i], scores[:, i]) for i in range(targets.shape[1])}
    return {i: precision for i, precision in best.items() if precision < config.at_least}


def _best_precision(targets: Targets, scores: Scores) -> float:
    return float(precision_recall_curve(targets, scores)[0][:-1].max()) if targets.any() else 0.0


def _precise_threshold(targets: Targets, scores: Scores, at_least: float) -> float:
    if not targets.any():
        return _HIGHEST
    precision, _, cuts = precision_recall_curve(targets, scores)
    reached = np.flatnonzero(precision[:-1] >= min(at_least, precision[:-1].max()))
    return float(np.clip(_middle_below(cuts, int(reached[0])), _LOWEST, 1 - 1e-6))


def _middle_below(cuts: Scores, chosen: int) -> float:
    """The middle between the chosen score and the one below it; on a score, rounding would decide."""
    below = cuts[chosen - 1] if chosen > 0 else 0.0
    return float((below + cuts[chosen]) / 2)


def held_out_decisions(
    targets: Targets, chosen_on: Scores, scores: Scores, config: ThresholdsConfig, seed: int
) -> NDArray[np.bool_]:
    """Decisions on each paper by thresholds chosen on the other folds; shape (papers, labels).

    Thresholds are chosen on `chosen_on` and decide on `scores`: the same, or those of titles alone.
    """
    found = np.zeros(targets.shape, dtype=np.bool_)
    for others, fold in folds(len(scores), seed):
        found[fold] = assigned(scores[fold], choose(targets[others], chosen_on[others], config))
    return found


def uncertain_rule(targets: Targets, scores: Scores, thresholds: ArrayLike, share: float) -> UncertainRule:
    """The rule that marks about `share` of the validation papers, with its error rates on them.

    Thresholds are those of the labels, (labels,), or those of each paper, (papers, labels).
    """
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
