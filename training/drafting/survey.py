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
from training.data.papers import paper_key
from training.errors import DataError

# An eighth of the papers is held out: a label of fewer papers would be measured on less than two.
FEWEST = 16
# Papers whose lengths are measured.
_MEASURED = 2000
# The limit of encoders of the BERT family; longer texts count as this long.
_LONGEST = 512
# Characters of a cell that a message shows.
_SHOWN = 20


class Survey(NamedTuple):
    """The contents of a file."""

    papers: int
    """Rows with a text, duplicates not counted."""
    columns: Columns
    labels: dict[str, int]
    """Papers by label; every column of 0 and 1 is one."""
    set_aside: dict[str, int]
    """Labels with too few papers, or too few papers without them."""
    blanks: int
    """Blank cells in the columns of `labels`."""
    others: dict[str, str | None]
    """Columns that are neither text nor label, and what their first cell other than 0 and 1 holds; None if all are
    blank."""
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
    columns, papers, read = _Columns(), _Sample(_MEASURED), set[bytes]()
    for row in file:
        key = paper_key(row.paper)
        is_new = has_text(row.paper) and key not in read  # as in a run
        columns.add(row, is_new)
        if is_new:
            read.add(key)
            papers.add(row.paper)
    if not papers.seen:
        raise DataError(f"{path}: no row has a title or an abstract")
    candidates = label_columns(columns.names, find_columns(columns.names, choice))
    flagged = [name for name in candidates if columns.is_flag(name)]
    if not flagged:
        raise _no_labels(path, candidates, columns)
    usable = [name for name in flagged if FEWEST <= columns.positives[name] <= papers.seen - FEWEST]
    if not usable:
        counts = ", ".join(f"{name!r} {columns.positives[name]}" for name in flagged)
        raise DataError(
            f"{path}: no label has enough papers; needed are {FEWEST} with and {FEWEST} without it, of "
            f"{papers.seen} papers have it: {counts}"
        )
    return Survey(
        papers=papers.seen,
        columns=find_columns(columns.names, choice),
        labels={name: columns.positives[name] for name in usable},
        set_aside={name: columns.positives[name] for name in flagged if name not in usable},
        blanks=sum(columns.blanks(name) for name in usable),
        others={name: columns.other_cell(name) for name in candidates if name not in flagged},
        lengths=_lengths(papers.drawn, tokenizer),
    )


def _no_labels(path: Path, candidates: Sequence[str], columns: "_Columns") -> DataError:
    looked_at = ", ".join(f"{name!r} ({columns.other_cell(name) or 'blank'})" for name in candidates) or "none"
    return DataError(
        f"{path}: no column holds only 0 and 1; looked at {looked_at}; expected one column per label, with 1 where a "
        "paper has it and 0 where not"
    )


class _Columns:
    """Counts what the cells of each column are; JSON lines may leave out keys."""

    def __init__(self) -> None:
        self.positives = Counter[str]()
        """Papers by label."""
        self._rows = 0
        self._flags = Counter[str]()
        self._other: dict[str, str] = {}
        self.names: dict[str, None] = {}

    def add(self, row: PaperRow, is_new: bool) -> None:
        """Count the cells of a row; a run reads those of empty and repeated papers too, but learns from new ones."""
        self._rows += 1
        for name, value in row.cells.items():
            self.names.setdefault(name)
            flag = None if name in self._other else read_flag(value)
            if flag is None:
                self._other.setdefault(name, f"row {row.number} holds {_short(value)!r}")
            elif flag != "blank":
                self._flags[name] += 1
                self.positives[name] += flag and is_new

    def is_flag(self, name: str) -> bool:
        """Whether all cells are 0, 1 or blank, and not all of them blank."""
        return name not in self._other and self._flags[name] > 0

    def other_cell(self, name: str) -> str | None:
        """The first cell that is no flag."""
        return self._other.get(name)

    def blanks(self, name: str) -> int:
        """Rows whose cell is blank or missing."""
        return self._rows - self._flags[name]


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


def _short(value: object) -> object:
    return value if len(str(value)) <= _SHOWN else f"{str(value)[:_SHOWN]}\u2026"


def _lengths(papers: Sequence[Paper], tokenizer: Tokenizer) -> list[int]:
    return sorted(
        e.tokens
        for e in PaperEncoder(tokenizer, InputFormat(max_tokens=_LONGEST, preparation="plain-text")).encode(papers)
    )
