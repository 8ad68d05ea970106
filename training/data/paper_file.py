"""Reads a file of papers as a stream of rows, and finds their titles and abstracts."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import tables
from model_store.papers import Paper
from tables.known_columns import cell_text
from training.data.column_roles import ColumnChoice, Columns, find_columns, label_columns, require_text

# JSON lines may leave out keys, so columns are looked for in more than the first row.
_HEAD = 100


class PaperRow(NamedTuple):
    """One row of the file; texts are unchanged, since their preparation needs the line breaks."""

    number: int
    """From 1, the header not counted."""
    paper: Paper
    date: str
    id: str
    cells: dict[str, object]


class PaperFile:
    """Reads a file row by row, with one row in memory at a time.

    Raises DataError if there is neither a title nor an abstract, TableError if the file cannot be read.
    """

    def __init__(self, path: Path, choice: ColumnChoice = ColumnChoice()) -> None:  # noqa: B008  # immutable
        self.path = path
        self._choice = choice
        self._declared = _declared_columns(path)
        self.first_names = self._declared or _names(islice(tables.read(path), _HEAD))
        """All columns, or those of the first rows where the file has no header."""
        self.columns = find_columns(self.first_names, choice)
        require_text(path, self.first_names, self.columns, choice)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns of all rows: a label that few papers have may be a key of few JSON lines."""
        return self._declared or _names(tables.read(self.path))

    def label_columns(self) -> tuple[str, ...]:
        """The columns that are labels unless the configuration says otherwise."""
        return label_columns(self.names, find_columns(self.names, self._choice))

    def __iter__(self) -> Iterator[PaperRow]:
        found: dict[tuple[str, ...], Columns] = {}
        for row in tables.read(self.path):
            # Rows of one file mostly share their keys: columns are recognized once per set of keys.
            keys = tuple(row.cells)
            columns = found.get(keys) or found.setdefault(keys, find_columns(keys, self._choice))
            yield PaperRow(
                number=row.number,
                paper=Paper(text_of(row.cells, columns.title), text_of(row.cells, columns.abstract)),
                date=text_of(row.cells, columns.date).strip(),
                id=text_of(row.cells, columns.id).strip(),
                cells=row.cells,
            )


def text_of(cells: dict[str, object], column: str | None) -> str:
    """The cell as text; empty if the row has no such cell."""
    value = None if column is None else cells.get(column)
    # pandas writes a missing cell into JSON as NaN, the only value that differs from itself.
    if value is None or value != value:
        return ""
    text = cell_text(value)
    return str(value) if text is None else text


def _declared_columns(path: Path) -> tuple[str, ...]:
    with tables.open_table(path) as table:
        return tuple(table.columns or ())


def _names(rows: Iterable[tables.Row]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for row in rows for name in row.cells))
