"""Which columns of a table hold titles, abstracts, ids, dates and labels."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tables.known_columns import find_column
from training.errors import DataError

_ID, _CATEGORIES = "id", "categories"
_DATES = ("update_date", "date", "year")


class ColumnChoice(NamedTuple):
    """Columns named in the configuration; None means that they are recognized by their names."""

    title: str | None = None
    abstract: str | None = None


class Columns(NamedTuple):
    """The names, as the table spells them, of the columns that are not labels; None where there is none."""

    title: str | None
    abstract: str | None
    id: str | None
    date: str | None
    categories: str | None

    @property
    def have_text(self) -> bool:
        """Whether there is at least a title or an abstract."""
        return self.title is not None or self.abstract is not None


def find_columns(names: Iterable[str], choice: ColumnChoice | None = None) -> Columns:
    """Recognize columns by the names that databases give them; a column named in `choice` comes first."""
    choice, names = choice or ColumnChoice(), list(names)
    spelled: dict[str, str] = {}
    for name in names:
        spelled.setdefault(name.strip().lower(), name)
    there = frozenset(spelled.values())
    return Columns(
        title=find_column(names, "title") if choice.title is None else _if_there(choice.title, there),
        abstract=find_column(names, "abstract") if choice.abstract is None else _if_there(choice.abstract, there),
        id=spelled.get(_ID),
        date=next((spelled[date] for date in _DATES if date in spelled), None),
        categories=spelled.get(_CATEGORIES),
    )


def require_text(path: Path, names: Sequence[str], columns: Columns, choice: ColumnChoice) -> None:
    """DataError unless the table has a title or an abstract, and every column that was named."""
    there = ", ".join(repr(name) for name in names)
    for name, found in ((choice.title, columns.title), (choice.abstract, columns.abstract)):
        if name is not None and found is None:
            raise DataError(f"{path}: has no column {name!r}; its columns are {there}")
    if not columns.have_text:
        raise DataError(
            f"{path}: has neither a column of titles nor one of abstracts; its columns are {there}; rename the one "
            "that is meant, or name it: title_column or abstract_column"
        )


def label_columns(names: Iterable[str], columns: Columns) -> tuple[str, ...]:
    """The columns that are labels unless the configuration says otherwise: all but id, title and abstract."""
    return tuple(name for name in names if name not in {columns.id, columns.title, columns.abstract})


def _if_there(name: str, there: frozenset[str]) -> str | None:
    return name if name in there else None
