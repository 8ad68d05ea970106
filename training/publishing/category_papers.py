"""Papers of a file with a `categories` column, with the categories as their targets."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_store.papers import Paper
from tables import read
from training.data.papers import Papers
from training.errors import DataError


class CategoryPapers(NamedTuple):
    """Papers, and which of their categories is the first that is stated: arXiv calls it the primary one."""

    papers: Papers
    primary: NDArray[np.intp]
    """Its column, (papers,); -1 if it is none of the categories that are looked for."""


def read_category_papers(path: Path, categories: Sequence[str]) -> CategoryPapers:
    """The papers of a file in arXiv's layout that have one of `categories`; DataError if there is none."""
    column = {name: i for i, name in enumerate(categories)}
    papers: list[Paper] = []
    found: list[list[int]] = []
    for row in read(path):
        stated = str(row.cells.get("categories") or "").split()
        paper = Paper(str(row.cells.get("title") or ""), str(row.cells.get("abstract") or ""))
        columns = [column.get(name, -1) for name in stated]
        if max(columns, default=-1) >= 0 and "".join(paper).strip():
            papers.append(paper)
            found.append(columns)
    if not papers:
        raise DataError(f"{path}: no paper has one of the {len(categories)} categories in a column `categories`")
    targets = np.zeros((len(papers), len(categories)), dtype=np.float32)
    for i, columns in enumerate(found):
        targets[i, [number for number in columns if number >= 0]] = 1
    return CategoryPapers(Papers(papers, targets), np.array([columns[0] for columns in found]))
