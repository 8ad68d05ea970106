"""Labels that are probably wrong, by confident learning (Northcutt, Jiang and Chuang 2021)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class LabelError(NamedTuple):
    """A label of a paper that contradicts a confident score."""

    paper: int
    label: int
    given: bool
    """What the file says."""
    score: float
    """The held-out probability of the label."""
    margin: float
    """The probability of the opposite less that of what is given; the larger, the more likely an error."""


def likely_errors(given: NDArray[np.bool_], scores: NDArray[np.floating]) -> list[LabelError]:
    """Suspicious labels, the most likely errors first; both arguments have shape (papers, labels).

    `scores` must come from a model that has not learned from the paper in question. Each label is a
    task of two classes. A paper is confidently of a class if its probability for that class is at
    least the mean over the papers given to that class (section 3.1 there): a threshold that follows
    how sure the model is of this label, so that rare labels with low scores are judged by their own
    standard. Those confidently of the class that they are not given are ranked by their normalized
    margin (section 3.2).
    """
    return sorted(
        (error for label in range(given.shape[1]) for error in _of_label(given[:, label], scores[:, label], label)),
        key=lambda error: -error.margin,
    )


def _of_label(given: NDArray[np.bool_], scores: NDArray[np.floating], label: int) -> list[LabelError]:
    if given.all() or not given.any():
        return []  # one class alone says nothing of the other
    wrongly_absent = ~given & (scores >= scores[given].mean())
    wrongly_present = given & (1 - scores >= (1 - scores[~given]).mean())
    opposite = np.where(given, 1 - scores, scores)
    return [
        LabelError(int(i), label, bool(given[i]), float(scores[i]), float(2 * opposite[i] - 1))
        for i in np.flatnonzero(wrongly_absent | wrongly_present)
    ]
