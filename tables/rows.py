"""Rows as every reader yields them: a good one with its cells, a bad one with the reason."""

from typing import NamedTuple

Cells = dict[str, object]


class Row(NamedTuple):
    """One row; `number` counts rows from 1 without the header, `line` is where it begins in the file."""

    number: int
    cells: Cells
    line: int | None = None


class BadRow(NamedTuple):
    """A row that cannot be read, and the reason; never its text."""

    number: int
    reason: str
    column: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        column = "" if self.column is None else f", column {self.column!r}"
        line = "" if self.line is None else f" (line {self.line})"
        return f"row {self.number}{column}: {self.reason}{line}"


def is_unicode(text: str) -> bool:
    """Whether a text contains no lone surrogate, which stands for an undecodable byte."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
