"""Examines a file of labelled papers: labels and the number of papers with each, other columns, lengths."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tokenizers import Tokenizer

from model_store.papers import InputFormat, Paper, PaperEncoder
from training.data.cleaning import has_text
from training.data.column_roles import ColumnChoice, Columns, find_columns
from training.data.flag_columns import FlagColumns
from training.data.paper_file import PaperFile
from training.data.papers import paper_key
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
    columns, papers, read = FlagColumns(), _Sample(_MEASURED), set[bytes]()
    for row in file:
        key = paper_key(row.paper)
        is_new = has_text(row.paper) and key not in read  # as in a run
        columns.add(row, is_new)
        if is_new:
            read.add(key)
            papers.add(row.paper)
    if not papers.seen:
        raise DataError(f"{path}: no row has a title or an abstract")
    flagged = columns.flagged(path, choice)
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
        others={name: columns.other_cell(name) for name in columns.candidates(choice) if name not in flagged},
        lengths=_lengths(papers.drawn, tokenizer),
    )


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
