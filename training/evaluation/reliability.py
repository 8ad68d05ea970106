"""How far a label's probabilities can be believed, and what other thresholds would give."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, precision_recall_curve

from training.evaluation.figures import Bin, CurvePoint, Reliability

_BINS = 10
_CURVE_POINTS = 200


def reliability(truth: NDArray[np.bool_], scores: NDArray[np.float32]) -> Reliability:
    """Of one label; both arguments have shape (papers,).

    The expected calibration error is the mean gap between promise and truth over ten bins, weighted
    by papers: bins of equal width (Naeini et al. 2015), or of equally many papers, where the many
    scores near zero do not drown the rest (Nixon et al. 2019).
    """
    width = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    mass = np.empty(len(scores), dtype=int)
    for number, members in enumerate(np.array_split(np.argsort(scores, kind="stable"), _BINS)):
        mass[members] = number
    bins = _bins(truth, scores, width)
    return Reliability(
        brier=float(brier_score_loss(truth, scores, pos_label=True)),
        ece_equal_width=_error(bins),
        ece_equal_mass=_error(_bins(truth, scores, mass)),
        bins=bins,
    )


def curve(truth: NDArray[np.bool_], scores: NDArray[np.float32]) -> list[CurvePoint]:
    """Precision and recall over all thresholds, thinned to what a picture can show; empty without positives."""
    if not truth.any():
        return []
    precision, recall, thresholds = precision_recall_curve(truth, scores, drop_intermediate=True)
    shown = np.unique(np.linspace(0, len(thresholds) - 1, _CURVE_POINTS).round().astype(int))
    return [
        CurvePoint(threshold=float(thresholds[i]), precision=float(precision[i]), recall=float(recall[i]))
        for i in shown
    ]


def _bins(truth: NDArray[np.bool_], scores: NDArray[np.float32], numbers: NDArray[np.int64]) -> list[Bin]:
    return [
        Bin(
            papers=int(members.sum()),
            promised=float(scores[members].mean(dtype=float)),
            observed=float(truth[members].mean()),
        )
        for members in (numbers == number for number in range(_BINS))
        if members.any()
    ]


def _error(bins: list[Bin]) -> float:
    papers = sum(found.papers for found in bins)
    return sum(found.papers * abs(found.promised - found.observed) for found in bins) / papers
