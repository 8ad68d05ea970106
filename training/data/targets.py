"""Labelled papers as arrays of targets."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.config import AuxiliaryConfig
from training.data.papers import LabelledPaper, Papers
from training.errors import DataError


def with_targets(labelled: Sequence[LabelledPaper], labels: Sequence[str], categories: Sequence[str] = ()) -> Papers:
    """Papers with targets in the order of `labels`, and with those of the auxiliary head's `categories`, if any."""
    column = {label: i for i, label in enumerate(labels)}
    targets = np.zeros((len(labelled), len(labels)), dtype=np.float32)
    for row, paper in enumerate(labelled):
        targets[row, [column[label] for label in paper.labels]] = 1
    return Papers(
        [paper.paper for paper in labelled], targets, _category_targets(labelled, categories) if categories else None
    )


def frequent_categories(labelled: Sequence[LabelledPaper], auxiliary: AuxiliaryConfig) -> tuple[str, ...]:
    """The finer categories that enough papers have, in alphabetical order; DataError if there is none."""
    counts = Counter(category for paper in labelled for category in paper.categories or ())
    names = sorted(name for name, papers in counts.items() if papers >= auxiliary.fewest)
    if not names:
        raise DataError(
            f"no category in column {auxiliary.column!r} has {auxiliary.fewest} training papers; name another column "
            "in [auxiliary], or lower `fewest`"
        )
    return tuple(names)


def _category_targets(labelled: Sequence[LabelledPaper], categories: Sequence[str]) -> NDArray[np.float32]:
    """Shape (papers, categories); a row of NaN for a paper whose categories are not known."""
    column = {name: i for i, name in enumerate(categories)}
    targets = np.full((len(labelled), len(column)), np.nan, dtype=np.float32)
    for row, paper in enumerate(labelled):
        if paper.categories is not None:
            targets[row] = 0
            targets[row, [column[name] for name in paper.categories if name in column]] = 1
    return targets
