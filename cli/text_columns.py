"""The columns of a table that titles and abstracts are read from."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cli.errors import CliError
from cli.labellers import Refusal
from model_store.papers import Paper
from tables.known_columns import NAMES, Field, cell_text, find_column, likely_columns

_LONGEST_NAME = 40


class Wanted(NamedTuple):
    """The user's choice for a column: its name, that there is none, or by default to detect it."""

    name: str | None = None
    absent: bool = False


class TextColumns:
    """The columns that titles and abstracts are read from."""

    def __init__(self, title: Wanted | None = None, abstract: Wanted | None = None) -> None:
        self._wanted: dict[Field, Wanted] = {"title": title or Wanted(), "abstract": abstract or Wanted()}

    def check(self, columns: Sequence[str]) -> list[str]:
        """Messages about which columns are read, with a warning if only one of the two was found.

        Raises CliError if a table with these columns cannot be read.
        """
        unknown = [wanted.name for wanted in self._wanted.values() if wanted.name and wanted.name not in columns]
        found = {field: self._find(columns, field) for field in NAMES}
        if unknown or not any(found.values()):
            raise CliError(self._refusal(unknown or list(NAMES), columns))
        told = ", ".join(f"{field}s from {_shown(name)}" for field, name in found.items() if name)
        lines = [f"reading {told}"]
        for field, name in found.items():
            if name is None and not self._wanted[field].absent:
                lines.append(
                    f"WARNING: no column of {field}s was found, so papers are labelled without them. The columns are "
                    f"{_listed(columns)}; name the one with --{field}-column, or use --no-{field} if there is none"
                )
        return lines

    def paper(self, cells: Mapping[str, object]) -> Paper | Refusal:
        """The paper of a row."""
        texts = {}
        for field in NAMES:
            column = self._find(cells, field)
            cell = cells.get(column) if column is not None else None
            if isinstance(cell, bytes):
                return Refusal(f"the {field} holds bytes that are not UTF-8")
            if (text := cell_text(cell)) is None:
                return Refusal(f"the {field} is a {type(cell).__name__}, expected text")
            texts[field] = text
        return Paper(texts["title"], texts["abstract"])

    def _find(self, columns: Sequence[str] | Mapping[str, object], field: Field) -> str | None:
        wanted = self._wanted[field]
        if wanted.absent:
            return None
        return wanted.name or find_column(columns, field)

    def _refusal(self, missing: Sequence[str], columns: Sequence[str]) -> str:
        likely = [
            f"--{field}-column {_shown(names[0])}"
            for field in NAMES
            if not self._wanted[field].absent and (names := likely_columns(columns, field))
        ]
        hint = f", perhaps {' '.join(likely)}" if likely else ""
        return (
            f"no column {' or '.join(map(repr, missing))}; there are {_listed(columns)}. "
            f"Name them with --title-column and --abstract-column{hint}"
        )


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(map(_shown, columns))


def _shown(name: str) -> str:
    # Without a header, the first paper would be shown here as names of columns, so names are truncated.
    return repr(name[:_LONGEST_NAME])
