"""Folds for figures that are held out: what is learned from some papers is measured on others."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

_FOLDS = 5

Rows = NDArray[np.intp]


def folds(papers: int, seed: int) -> Iterator[tuple[Rows, Rows]]:
    """Rows of the others and its own, for each of five folds of so many papers; fewer papers make fewer folds."""
    yield from KFold(min(_FOLDS, papers), shuffle=True, random_state=seed).split(np.empty(papers))
