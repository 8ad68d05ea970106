"""Quality of scores against targets, both of shape (papers, labels), with bootstrap intervals."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, f1_score, hamming_loss, precision_recall_fscore_support

from model_store.labels import Label, assigned
from model_store.manifest import LabelQuality, Quality

# About the fewest resamples for which the bounds of a 95 % interval are stable.
_RESAMPLES = 1000
_BOUNDS = (2.5, 97.5)

Metric = Callable[[NDArray[np.bool_], NDArray[np.bool_]], float]


def thresholds(labels: Sequence[Label], title_only: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The thresholds that each paper is decided by, (papers, labels); `title_only` (papers,) as in `Encoding`."""
    whole, titles = ([label.threshold_for(title_only=alone) for label in labels] for alone in (False, True))
    return np.where(title_only[:, None], titles, whole)


def quality(
    targets: NDArray[np.float32],
    scores: NDArray[np.floating],
    labels: Sequence[Label],
    title_only: NDArray[np.bool_],
    seed: int,
) -> Quality:
    """The manifest's figures, decided by `thresholds`; a label without papers has precision 0."""
    truth, decisions = targets > 0, assigned(scores, thresholds(labels, title_only))
    precision, recall, f1, support = precision_recall_fscore_support(truth, decisions, average=None, zero_division=0)
    rng = np.random.default_rng(seed)
    intervals = _f1_intervals(truth, decisions, rng)
    per_label = {
        label.id: LabelQuality(
            support=int(support[i]),
            precision=float(precision[i]),
            recall=float(recall[i]),
            f1=float(f1[i]),
            f1_interval=intervals[i],
            average_precision=_average_precision(truth[:, i], scores[:, i]),
        )
        for i, label in enumerate(labels)
    }
    return Quality(
        papers=len(truth),
        micro_f1=micro_f1(truth, decisions),
        micro_f1_interval=interval(truth, decisions, micro_f1, rng),
        macro_f1=float(f1.mean()),
        mean_average_precision=mean_average_precision(targets, scores),
        subset_accuracy=float((truth == decisions).all(axis=1).mean()),
        hamming_loss=float(hamming_loss(truth, decisions)),
        per_label=per_label,
    )


def headline(targets: NDArray[np.float32], scores: NDArray[np.floating], cuts: Sequence[float]) -> dict[str, float]:
    """The three figures that models are compared by."""
    truth, decisions = targets > 0, assigned(scores, cuts)
    return {
        "micro_f1": micro_f1(truth, decisions),
        "macro_f1": float(f1_score(truth, decisions, average="macro", zero_division=0)),
        "mean_average_precision": mean_average_precision(targets, scores),
    }


def mean_average_precision(targets: NDArray[np.float32], scores: NDArray[np.floating]) -> float:
    """Average precision, averaged over the labels that some paper has."""
    present = (targets > 0).any(axis=0)
    return float(average_precision_score(targets[:, present] > 0, scores[:, present], average="macro"))


def _average_precision(truth: NDArray[np.bool_], scores: NDArray[np.floating]) -> float:
    return float(average_precision_score(truth, scores)) if truth.any() else 0.0


def most_probable_is_right(targets: NDArray[np.float32], scores: NDArray[np.floating]) -> float:
    """Share of papers that have the label of their highest score."""
    return float((targets[np.arange(len(scores)), scores.argmax(axis=1)] > 0).mean())


def micro_f1(truth: NDArray[np.bool_], decisions: NDArray[np.bool_]) -> float:
    """2 TP / (2 TP + FP + FN) over all papers and labels; 0 where there is nothing to find or found."""
    both = int((truth & decisions).sum())
    total = int(truth.sum() + decisions.sum())
    return 2 * both / total if total else 0.0


def interval(
    truth: NDArray[np.bool_], decisions: NDArray[np.bool_], metric: Metric, rng: np.random.Generator
) -> tuple[float, float]:
    """95 % percentile bootstrap over papers (Efron and Tibshirani 1993, chapter 13)."""
    draws = rng.integers(0, len(truth), size=(_RESAMPLES, len(truth)))
    low, high = np.percentile([metric(truth[draw], decisions[draw]) for draw in draws], _BOUNDS)
    return float(low), float(high)


def interval_of_difference(
    truth: NDArray[np.bool_], first: NDArray[np.bool_], other: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[float, float]:
    """95 % interval of micro-F1 of `first` less that of `other`, resampling the same papers for both."""
    weights = _resampled(len(truth), rng)
    values = [
        _f1(weights @ (truth & decisions).sum(axis=1), weights @ (truth.sum(axis=1) + decisions.sum(axis=1)))
        for decisions in (first, other)
    ]
    low, high = np.percentile(values[0] - values[1], _BOUNDS)
    return float(low), float(high)


def _f1_intervals(
    truth: NDArray[np.bool_], decisions: NDArray[np.bool_], rng: np.random.Generator
) -> list[tuple[float, float]]:
    """95 % intervals of the F1 of each label, all from the same resamples."""
    weights = _resampled(len(truth), rng)
    both = weights @ (truth & decisions).astype(np.float32)
    values = _f1(both, weights @ (truth.astype(np.float32) + decisions))
    lows, highs = np.percentile(values, _BOUNDS, axis=0)
    return list(zip(lows.tolist(), highs.tolist(), strict=True))


def _resampled(papers: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """How often each paper is drawn in each resample, (resamples, papers): weights instead of copies of the papers."""
    return rng.multinomial(papers, np.full(papers, 1 / papers), size=_RESAMPLES).astype(np.float32)


def _f1(both: NDArray[np.floating], total: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(2 * both / np.maximum(total, 1))
