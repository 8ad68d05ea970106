"""Papers with categories that are drawn to be kept out of training."""

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from training.data.column_roles import ColumnChoice
from training.data.paper_file import PaperFile, text_of
from training.data.papers import paper_key
from training.data.sampling import reservoir
from training.errors import DataError

COLUMNS = ("id", "title", "abstract", "categories", "update_date")


def hold_out(papers: Path, like: Path | None, count: int, seed: int, output: Path) -> int:
    """Write `count` papers of `papers`, drawn at random, to `output` (CSV, gzip) and return how many there were.

    With `like` only papers are drawn that are in this table too. Raises DataError if `papers` has no column
    `categories`, or no paper can be drawn.
    """
    file = PaperFile(papers, ColumnChoice())
    if file.columns.categories is None:
        raise DataError(f"{papers}: has no column 'categories'; without it there is nothing to hold out for")
    rows = reservoir(_rows(file, None if like is None else _keys(like)), count, np.random.default_rng(seed))
    if not rows:
        raise DataError(f"{like or papers}: holds no paper of {papers}; name a table that shares papers with it")
    with gzip.open(output, "wt", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return len(rows)


def _rows(file: PaperFile, wanted: frozenset[bytes] | None) -> Iterator[tuple[str, ...]]:
    for row in file:
        if wanted is None or paper_key(row.paper) in wanted:
            yield row.id, row.paper.title, row.paper.abstract, text_of(row.cells, file.columns.categories), row.date


def _keys(path: Path) -> frozenset[bytes]:
    return frozenset(paper_key(row.paper) for row in PaperFile(path, ColumnChoice()))
