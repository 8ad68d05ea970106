"""Where rows go: CSV and JSON lines, row by row. Knows no papers."""

import csv
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Literal, Protocol, TextIO

from cli.errors import CliError
from cli.kept import Kept, kept_csv, kept_json_lines
from cli.labellers import Refusal
from cli.table import Cells

# Called with the first row and not before: a run that finds nothing to label touches no file.
Opened = Callable[[], AbstractContextManager[TextIO]]


class Sink(Protocol):
    """Takes the rows of one table, in order."""

    def begin(self, columns: Sequence[str]) -> None:
        """Told once, the columns of the first row."""
        ...

    def write(self, cells: Cells) -> Refusal | None:
        """One row; a refusal if it does not fit the table."""
        ...

    def same(self, written: Cells, cells: Cells) -> bool:
        """Whether a row that was read back is the one with these cells."""
        ...

    def close(self, complete: bool) -> None:
        """No more rows; `complete` says whether these were all."""
        ...


class CsvSink:
    """CSV with a header; lists are joined by "; ", other values that are no text become JSON."""

    def __init__(self, opened: Opened, header: Sequence[str] | None = None, *, mark: bool = False) -> None:
        """`header` is the one that an earlier run wrote; `mark` is whether a new file begins with a byte-order mark."""
        self._opened = opened
        self._header = header
        self._mark = mark
        self._columns: list[str] = []
        self._exit = ExitStack()
        self._writer: Any = None

    def begin(self, columns: Sequence[str]) -> None:
        self._columns = list(columns)
        if self._header is not None and self._header != self._columns:
            raise CliError("the output that is there has other columns than this run would write; use another name")
        file = self._exit.enter_context(self._opened())
        self._writer = csv.writer(file, lineterminator="\n")
        if self._header is None:
            file.write("\ufeff" if self._mark else "")
            self._writer.writerow(columns)

    def write(self, cells: Cells) -> Refusal | None:
        if strange := sorted(cells.keys() - set(self._columns)):
            return Refusal(f"has a column {strange[0]!r} that the first row has not; JSON lines would take it")
        self._writer.writerow([_plain(cells.get(column)) for column in self._columns])
        return None

    def same(self, written: Cells, cells: Cells) -> bool:
        return all(written.get(column) == _plain(cell) for column, cell in cells.items())

    def close(self, complete: bool) -> None:
        self._exit.close()


class JsonLinesSink:
    """One JSON object per line."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._exit = ExitStack()
        self._file: TextIO | None = None

    def begin(self, columns: Sequence[str]) -> None:
        self._file = self._exit.enter_context(self._opened())

    def write(self, cells: Cells) -> Refusal | None:
        if self._file is not None:
            self._file.write(_line(cells))
        return None

    def same(self, written: Cells, cells: Cells) -> bool:
        # Compared as text: NaN is not equal to itself.
        return all(column in written and _line(written[column]) == _line(cell) for column, cell in cells.items())

    def close(self, complete: bool) -> None:
        self._exit.close()


def kept(path: Path, kind: str) -> Kept:
    """What of an earlier run can be kept; nothing if there was none."""
    if not path.exists():
        return Kept()
    return kept_csv(path) if kind == "csv" else kept_json_lines(path)


def writer(path: Path, *, append: bool) -> TextIO:
    """A file for rows, each of them handed to the system at once."""
    # Half a surrogate pair in a name becomes the escape that JSON has for it.
    mode: Literal["a", "w"] = "a" if append else "w"
    return path.open(mode, buffering=1, encoding="utf-8", errors="backslashreplace", newline="")


def _plain(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, list) and all(isinstance(part, str) for part in cell):
        return "; ".join(cell)
    return json.dumps(cell, ensure_ascii=False, default=str)


def _line(cells: object) -> str:
    # Dates and decimals of parquet become text.
    return json.dumps(cells, ensure_ascii=False, default=str) + "\n"
