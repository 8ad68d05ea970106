"""Quality of scores against targets, both of shape (papers, labels), with bootstrap intervals."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, f1_score, hamming_loss, precision_recall_fscore_support

from model_store.labels import Label, assigned
from model_store.manifest import LabelQuality, Quality

_RESAMPLES = 1000
_BOUNDS = (2.5, 97.5)

Metric = Callable[[NDArray[np.bool_], NDArray[np.bool_]], float]


def quality(targets: NDArray[np.float32], scores: NDArray[np.floating], labels: Sequence[Label], seed: int) -> Quality:
    """Everything the manifest says about quality, decided by the labels' own thresholds."""
    truth, decisions = targets > 0, assigned(scores, [label.threshold for label in labels])
    precision, recall, f1, support = precision_recall_fscore_support(truth, decisions, average=None, zero_division=0)
    rng = np.random.default_rng(seed)
    per_label = {
        label.id: LabelQuality(
            support=int(support[i]),
            precision=float(precision[i]),
            recall=float(recall[i]),
            f1=float(f1[i]),
            f1_interval=interval(truth[:, [i]], decisions[:, [i]], micro_f1, rng),
            average_precision=float(average_precision_score(truth[:, i], scores[:, i])),
        )
        for i, label in enumerate(labels)
    }
    return Quality(
        papers=len(truth),
        micro_f1=micro_f1(truth, decisions),
        micro_f1_interval=interval(truth, decisions, micro_f1, rng),
        macro_f1=float(f1.mean()),
        mean_average_precision=float(np.mean([label.average_precision for label in per_label.values()])),
        subset_accuracy=float((truth == decisions).all(axis=1).mean()),
        hamming_loss=float(hamming_loss(truth, decisions)),
        per_label=per_label,
    )


def headline(targets: NDArray[np.float32], scores: NDArray[np.floating], cuts: Sequence[float]) -> dict[str, float]:
    """The three figures two models are compared by."""
    truth, decisions = targets > 0, assigned(scores, cuts)
    return {
        "micro_f1": micro_f1(truth, decisions),
        "macro_f1": float(f1_score(truth, decisions, average="macro", zero_division=0)),
        "mean_average_precision": mean_average_precision(targets, scores),
    }


def mean_average_precision(targets: NDArray[np.float32], scores: NDArray[np.floating]) -> float:
    """Average precision, averaged over labels."""
    return float(average_precision_score(targets > 0, scores, average="macro"))


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
