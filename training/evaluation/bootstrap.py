"""Metrics of predictions with bootstrap intervals.

Each metric is computed from weights of the papers, so that a resample is only another set of
weights. scikit-learn has all of these metrics, but takes seconds for each of a thousand resamples;
tests compare every metric with scikit-learn's.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from training.evaluation.predictions import Predictions
from training.evaluation.schemas import Estimate

# About the fewest resamples for which the bounds of a 95 % interval are stable.
RESAMPLES = 1000
_BOUNDS = (2.5, 97.5)

HEADLINE = (
    "micro_f1", "macro_f1", "mean_average_precision", "label_ranking_average_precision", "hamming_loss",
    "subset_accuracy", "coverage_error", "cardinality_true", "cardinality_given",
)  # fmt: skip
PER_LABEL = ("precision", "recall", "f1", "average_precision")

Weights = NDArray[np.float64]
"""The weight of each paper, shape (papers,)."""
Samples = NDArray[np.float64]
"""Metrics of each resample, shape (resamples, metrics)."""


class WeightedMetrics:
    """The metrics of predictions: those of HEADLINE, then those of PER_LABEL for each label."""

    def __init__(self, predictions: Predictions) -> None:
        truth, given = predictions.truth, predictions.decisions
        self._truth, self._given, self._both = (part.astype(float) for part in (truth, given, truth & given))
        self._means = np.stack([*_ranking(truth, predictions.scores), *_per_paper(truth, given)], axis=1)
        self._ranked = [_Ranked(truth[:, i], predictions.scores[:, i]) for i in range(truth.shape[1])]

    def __call__(self, weights: Weights) -> NDArray[np.float64]:
        """All metrics with these weights, shape (metrics,); NaN where a metric is undefined."""
        true, given, both = (weights @ part for part in (self._truth, self._given, self._both))
        precision, recall = _ratio(both, given), _ratio(both, true)
        f1 = _ratio(2 * both, true + given)
        average_precision = np.array([ranked.average_precision(weights) for ranked in self._ranked])
        measured = average_precision[np.isfinite(average_precision)]
        lrap, coverage, hamming, exact, true_labels, given_labels = weights @ self._means / weights.sum()
        micro = float(_ratio(2 * both.sum(), true.sum() + given.sum()))
        mean = measured.mean() if measured.size else np.nan
        headline = [micro, f1.mean(), mean, lrap, hamming, exact, coverage, true_labels, given_labels]
        return np.concatenate([headline, np.stack([precision, recall, f1, average_precision], axis=1).ravel()])


def resampled(metrics: WeightedMetrics, papers: int, seed: int) -> tuple[NDArray[np.float64], Samples]:
    """Metrics over all papers, shape (metrics,), and over each resample.

    The same seed draws the same papers, so that two artefacts are compared on the same resamples.
    """
    return metrics(np.ones(papers)), np.stack([metrics(weights) for weights in _resample_weights(papers, seed)])


def estimates(values: NDArray[np.float64], samples: Samples) -> list[Estimate]:
    """Each value with its percentile interval (Efron and Tibshirani 1993, chapter 13)."""
    return [_estimate(value, column) for value, column in zip(values, samples.T, strict=True)]


def headline(all_: list[Estimate]) -> dict[str, Estimate]:
    """The metrics of all labels together."""
    return dict(zip(HEADLINE, all_[: len(HEADLINE)], strict=True))


def per_label(all_: list[Estimate], label: int) -> Mapping[str, Estimate]:
    """The metrics of the label in this column."""
    start = len(HEADLINE) + label * len(PER_LABEL)
    return dict(zip(PER_LABEL, all_[start : start + len(PER_LABEL)], strict=True))


class _Ranked:
    """Papers by falling score of one label."""

    def __init__(self, truth: NDArray[np.bool_], scores: NDArray[np.float32]) -> None:
        self._order = np.argsort(-scores, kind="stable")
        falling = scores[self._order]
        # Papers with equal scores are above or below a threshold together.
        self._ends = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
        self._truth = truth[self._order].astype(float)

    def average_precision(self, weights: Weights) -> float:
        """Average precision; NaN if no paper with the label has a weight."""
        ordered = weights[self._order]
        accepted, right = (np.cumsum(part)[self._ends] for part in (ordered, ordered * self._truth))
        if not right[-1]:
            return float("nan")
        return float((np.diff(right, prepend=0.0) * _ratio(right, accepted)).sum() / right[-1])


def _ranking(truth: NDArray[np.bool_], scores: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each paper: mean precision at its labels, and the rank of the last of them; 1 and 0 if it has none."""
    precision = np.zeros(len(truth))
    coverage = np.zeros(len(truth))
    for label in range(truth.shape[1]):
        above = scores >= scores[:, [label]]
        rank, carries = above.sum(axis=1), truth[:, label]
        precision += carries * (above & truth).sum(axis=1) / rank
        coverage = np.maximum(coverage, carries * rank)
    counts = truth.sum(axis=1)
    return np.where(counts, precision / np.maximum(counts, 1), 1.0), coverage


def _per_paper(truth: NDArray[np.bool_], given: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    wrong = truth != given
    columns = (wrong.mean(axis=1), ~wrong.any(axis=1), truth.sum(axis=1), given.sum(axis=1))
    return [column.astype(float) for column in columns]


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """part / whole, and 0 where `whole` is 0."""
    return np.asarray(np.divide(part, whole, out=np.zeros_like(whole, dtype=float), where=np.greater(whole, 0)))


def _resample_weights(papers: int, seed: int) -> Iterator[Weights]:
    rng = np.random.default_rng(seed)
    for _ in range(RESAMPLES):
        yield np.bincount(rng.integers(0, papers, size=papers), minlength=papers).astype(float)


def _estimate(value: float, column: NDArray[np.float64]) -> Estimate:
    known = column[np.isfinite(column)]
    if not known.size or not np.isfinite(value):
        return Estimate(value=None, low=None, high=None)
    low, high = np.percentile(known, _BOUNDS)
    return Estimate(value=float(value), low=float(low), high=float(high))
