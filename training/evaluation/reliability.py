"""Reliability of a label's probabilities, and precision and recall at other thresholds."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, precision_recall_curve

from training.evaluation.schemas import Bin, CurvePoint, Reliability
from training.publishing.calibration import calibration_error

# For plots only: calibration errors have bins of their own.
_BINS = 10
# More points would make the report larger and would not be visible.
_CURVE_POINTS = 200


def reliability(truth: NDArray[np.bool_], scores: NDArray[np.float32]) -> Reliability:
    """Reliability of one label; both arguments have shape (papers,). The ten bins are for plots only."""
    return Reliability(
        brier=float(brier_score_loss(truth, scores, pos_label=True)),
        ece_equal_width=calibration_error(truth, scores),
        ece_equal_mass=calibration_error(truth, scores, equal_mass=True),
        bins=bins(truth, scores),
    )


def curve(truth: NDArray[np.bool_], scores: NDArray[np.float32]) -> list[CurvePoint]:
    """Precision and recall over all thresholds, thinned for plots; empty without positives."""
    if not truth.any():
        return []
    precision, recall, thresholds = precision_recall_curve(truth, scores, drop_intermediate=True)
    shown = np.unique(np.linspace(0, len(thresholds) - 1, _CURVE_POINTS).round().astype(int))
    return [
        CurvePoint(threshold=float(thresholds[i]), precision=float(precision[i]), recall=float(recall[i]))
        for i in shown
    ]


def bins(truth: NDArray[np.bool_], scores: NDArray[np.floating]) -> list[Bin]:
    """Mean probability and observed frequency of one label in ten bins of equal width, without empty bins."""
    numbers = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    return [
        Bin(
            papers=int(members.sum()),
            promised=float(scores[members].mean(dtype=float)),
            observed=float(truth[members].mean()),
        )
        for members in (numbers == number for number in range(_BINS))
        if members.any()
    ]
