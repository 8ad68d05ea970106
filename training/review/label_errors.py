"""Labels that are probably wrong, by confident learning (Northcutt, Jiang and Chuang 2021)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class LabelError(NamedTuple):
    """A label of a paper that contradicts a confident score."""

    paper: int
    label: int
    given: bool
    """Whether the paper has the label in the file."""
    score: float
    """The held-out probability of the label."""
    margin: float
    """The probability of the opposite minus that of the given value; the larger, the more likely an error."""


def likely_errors(given: NDArray[np.bool_], scores: NDArray[np.floating]) -> list[LabelError]:
    """Suspicious labels, the most likely errors first; both arguments have shape (papers, labels).

    `scores` must come from a model that was not trained on the paper in question. Each label is
    treated as a task of two classes: papers with and without it. A label is suspicious if the
    probability of the opposite class is at least the mean of that probability over the papers of the
    opposite class (section 3.1 there). This threshold depends on the label, so that labels whose
    scores are low in general are not all suspicious. Suspicious labels are ranked by their
    normalized margin (section 3.2).
    """
    return sorted(
        (error for label in range(given.shape[1]) for error in _of_label(given[:, label], scores[:, label], label)),
        key=lambda error: -error.margin,
    )


def _of_label(given: NDArray[np.bool_], scores: NDArray[np.floating], label: int) -> list[LabelError]:
    if given.all() or not given.any():
        return []  # no class to compare with
    wrongly_absent = ~given & (scores >= scores[given].mean())
    wrongly_present = given & (1 - scores >= (1 - scores[~given]).mean())
    opposite = np.where(given, 1 - scores, scores)
    return [
        LabelError(int(i), label, bool(given[i]), float(scores[i]), float(2 * opposite[i] - 1))
        for i in np.flatnonzero(wrongly_absent | wrongly_present)
    ]
