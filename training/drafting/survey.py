"""Examines a file of labelled papers: labels and the number of papers with each, other columns, lengths."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tokenizers import Tokenizer

from model_store.papers import InputFormat, Paper, PaperEncoder
from training.data.cleaning import has_text
from training.data.column_roles import ColumnChoice, Columns, find_columns, label_columns
from training.data.flags import read_flag
from training.data.paper_file import PaperFile, PaperRow
from training.errors import DataError

# An eighth of the papers is held out: a label of fewer papers would be measured on less than two.
FEWEST = 16
# Papers whose lengths are measured.
_MEASURED = 2000
# The limit of encoders of the BERT family; longer texts count as this long.
_LONGEST = 512


class Survey(NamedTuple):
    """The contents of a file."""

    papers: int
    """Rows with a text."""
    columns: Columns
    labels: dict[str, int]
    """Papers by label; every column of 0 and 1 is one."""
    set_aside: dict[str, int]
    """Labels with too few papers, or too few papers without them."""
    blanks: int
    """Blank cells in the columns of `labels`."""
    others: tuple[str, ...]
    """Columns that are neither text nor label."""
    lengths: Sequence[int]
    """Word pieces of a sample of the papers, special tokens not counted, in ascending order."""

    @property
    def median_tokens(self) -> int:
        """Half of the papers are no longer."""
        return int(np.median(self.lengths))

    @property
    def long_tokens(self) -> int:
        """Nineteen of twenty papers are no longer."""
        return int(np.percentile(self.lengths, 95))


def survey(path: Path, tokenizer: Tokenizer, choice: ColumnChoice = ColumnChoice()) -> Survey:  # noqa: B008
    """Read a file once, row by row, and measure a sample of it with the encoder's tokenizer.

    Raises DataError if it has neither titles nor abstracts, no column of 0 and 1, or no label with
    enough papers.
    """
    file = PaperFile(path, choice)
    columns, papers = _Columns(), _Sample(_MEASURED)
    for row in file:
        columns.add(row)
        if has_text(row.paper):
            papers.add(row.paper)
    if not papers.seen:
        raise DataError(f"{path}: no row has a title or an abstract")
    candidates = label_columns(columns.names, find_columns(columns.names, choice))
    flagged = [name for name in candidates if columns.is_flag(name)]
    if not flagged:
        looked_at = ", ".join(map(repr, candidates)) or "none"
        raise DataError(f"{path}: no column holds only 0 and 1; looked at {looked_at}")
    usable = [name for name in flagged if FEWEST <= columns.positives[name] <= columns.rows - FEWEST]
    if not usable:
        counts = ", ".join(f"{name!r} {columns.positives[name]}" for name in flagged)
        raise DataError(
            f"{path}: no label has enough papers; needed are {FEWEST} with and {FEWEST} without it, of "
            f"{columns.rows} rows have it: {counts}"
        )
    return Survey(
        papers=papers.seen,
        columns=find_columns(columns.names, choice),
        labels={name: columns.positives[name] for name in usable},
        set_aside={name: columns.positives[name] for name in flagged if name not in usable},
        blanks=sum(columns.blanks(name) for name in usable),
        others=tuple(name for name in candidates if name not in flagged),
        lengths=_lengths(papers.drawn, tokenizer),
    )


class _Columns:
    """Counts what the cells of each column are; JSON lines may leave out keys."""

    def __init__(self) -> None:
        self.rows = 0
        self.positives = Counter[str]()
        self._negatives = Counter[str]()
        self._other = set[str]()
        self.names: dict[str, None] = {}

    def add(self, row: PaperRow) -> None:
        """Count the cells of a row."""
        self.rows += 1
        for name, value in row.cells.items():
            self.names.setdefault(name)
            flag = None if name in self._other else read_flag(value)
            if flag is None:
                self._other.add(name)
            elif flag != "blank":
                (self.positives if flag else self._negatives)[name] += 1

    def is_flag(self, name: str) -> bool:
        """Whether all cells are 0, 1 or blank, and not all of them blank."""
        return name not in self._other and self.positives[name] + self._negatives[name] > 0

    def blanks(self, name: str) -> int:
        """Rows whose cell is blank or missing."""
        return self.rows - self.positives[name] - self._negatives[name]


class _Sample:
    """A seeded sample of the papers; the others are only counted."""

    def __init__(self, size: int) -> None:
        self.seen = 0
        self.drawn: list[Paper] = []
        self._size = size
        self._rng = np.random.default_rng(0)

    def add(self, paper: Paper) -> None:
        """Keep the paper with the chance that each has (algorithm R, Vitter 1985)."""
        self.seen += 1
        if len(self.drawn) < self._size:
            self.drawn.append(paper)
        elif (place := int(self._rng.integers(self.seen))) < self._size:
            self.drawn[place] = paper


def _lengths(papers: Sequence[Paper], tokenizer: Tokenizer) -> list[int]:
    return sorted(
        e.tokens
        for e in PaperEncoder(tokenizer, InputFormat(max_tokens=_LONGEST, preparation="plain-text")).encode(papers)
    )
