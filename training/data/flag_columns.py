"""Which columns of a file hold only 0 and 1; without a configuration, these are its labels."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from training.data.column_roles import ColumnChoice, find_columns, label_columns
from training.data.flags import read_flag
from training.data.paper_file import PaperRow
from training.errors import DataError

# Characters of a cell that a message shows.
_SHOWN = 20


class FlagColumns:
    """Counts the cells of each column, row by row; JSON lines may leave out keys."""

    def __init__(self) -> None:
        self.positives = Counter[str]()
        """Papers by label."""
        self._rows = 0
        self._flags = Counter[str]()
        self._other: dict[str, str] = {}
        self.names: dict[str, None] = {}

    def add(self, row: PaperRow, is_new: bool = True) -> None:
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

    def candidates(self, choice: ColumnChoice) -> tuple[str, ...]:
        """The columns that may be labels: all but id, title and abstract."""
        return label_columns(self.names, find_columns(self.names, choice))

    def flagged(self, path: Path, choice: ColumnChoice) -> tuple[str, ...]:
        """The candidates that are flags; DataError naming the file `path` if there is none."""
        candidates = self.candidates(choice)
        flagged = tuple(name for name in candidates if self.is_flag(name))
        if not flagged:
            raise DataError(
                f"{path}: no column holds only 0 and 1; looked at {self.described(candidates) or 'none'}; expected one "
                "column per label, with 1 where a paper has it and 0 where not"
            )
        return flagged

    def is_flag(self, name: str) -> bool:
        """Whether all cells are 0, 1 or blank, and not all of them blank."""
        return name not in self._other and self._flags[name] > 0

    def other_cell(self, name: str) -> str | None:
        """The first cell that is no flag."""
        return self._other.get(name)

    def described(self, names: Iterable[str]) -> str:
        """These columns, each with its first cell that is no flag."""
        return ", ".join(f"{name!r} ({self.other_cell(name) or 'blank'})" for name in names)

    def blanks(self, name: str) -> int:
        """Rows whose cell is blank or missing."""
        return self._rows - self._flags[name]


def _short(value: object) -> object:
    return value if len(str(value)) <= _SHOWN else f"{str(value)[:_SHOWN]}\u2026"
