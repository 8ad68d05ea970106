"""Papers of a file with a `categories` column, with the categories as their targets."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_store.papers import Paper
from training.data.cleaning import has_text
from training.data.paper_file import PaperFile, text_of
from training.data.papers import Papers
from training.errors import DataError


class CategoryPapers(NamedTuple):
    """Papers, and which of their categories is the first that is stated: arXiv calls it the primary one."""

    papers: Papers
    primary: NDArray[np.intp]
    """Its column, (papers,); -1 if it is none of the categories that are looked for."""


def read_category_papers(path: Path, categories: Sequence[str]) -> CategoryPapers:
    """The papers with a text that have one of `categories`; targets have shape (papers, categories).

    Raises DataError if there is no such paper or no column `categories`, and the errors of PaperFile.
    """
    file = PaperFile(path)
    if file.columns.categories is None:
        there = ", ".join(map(repr, file.first_names))
        raise DataError(f"{path}: has no column 'categories'; its columns are {there}")
    column = {name: i for i, name in enumerate(categories)}
    papers: list[Paper] = []
    found: list[list[int]] = []
    for row in file:
        columns = [column.get(name, -1) for name in text_of(row.cells, file.columns.categories).split()]
        if max(columns, default=-1) >= 0 and has_text(row.paper):
            papers.append(row.paper)
            found.append(columns)
    if not papers:
        raise DataError(f"{path}: no paper has one of the {len(categories)} categories in a column `categories`")
    targets = np.zeros((len(papers), len(categories)), dtype=np.float32)
    for i, columns in enumerate(found):
        targets[i, [number for number in columns if number >= 0]] = 1
    return CategoryPapers(Papers(papers, targets), np.array([columns[0] for columns in found]))
