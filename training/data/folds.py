"""Folds for cross-validation: a model trained on some papers is measured on the others."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

# The usual number: each model is trained on four fifths of the papers.
_FOLDS = 5

Rows = NDArray[np.intp]


def folds(papers: int, seed: int) -> Iterator[tuple[Rows, Rows]]:
    """For each of five folds, the rows of the other folds and its own rows; fewer papers make fewer folds."""
    yield from KFold(min(_FOLDS, papers), shuffle=True, random_state=seed).split(np.empty(papers))
