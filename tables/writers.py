"""Writing rows as CSV and as JSON lines, one by one."""

import base64
import csv
import io
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, TextIO

from tables.earlier import Earlier
from tables.errors import TableError
from tables.formulas import neutralized
from tables.rows import Cells

# Called with the first row and not before, so that a run without rows touches no file.
Opened = Callable[[], AbstractContextManager[TextIO]]
_FOREIGN = "the output that is there was not written by this command, so it is left alone; use another name"


class CsvStyle(NamedTuple):
    """How a CSV is written; `mark` is the byte-order mark by which Excel recognizes UTF-8."""

    delimiter: str = ","
    decimal: str = "."
    mark: bool = False


class Writer(Protocol):
    """Takes the rows of one table, in order."""

    def begin(self, columns: Sequence[str]) -> None:
        """Receive the columns, once; touches no file. Raises TableError if the existing output has other columns."""
        ...

    def write(self, cells: Cells) -> str | None:
        """Write one row; returns the reason if it does not fit the table."""
        ...

    def is_same(self, written: Mapping[str, object], cells: Mapping[str, object]) -> bool:
        """Whether a row that was read back holds these cells."""
        ...

    def close(self, *, complete: bool) -> None:
        """End the table; `complete` is whether all rows were written."""
        ...


class CsvWriter:
    """CSV with a header; lists of texts are joined by "; ", other values that are not text become JSON."""

    def __init__(self, opened: Opened, style: CsvStyle | None = None, earlier: Earlier | None = None) -> None:
        """`earlier` is what an earlier run left in the file that `opened` opens."""
        self._file = _LateFile(opened)
        self._style = style or CsvStyle()
        self._earlier = earlier or Earlier()
        self._columns: list[str] = []
        self._header = ""

    def begin(self, columns: Sequence[str]) -> None:
        self._columns = list(columns)
        header = [self._cell(column) for column in columns]
        text = "\ufeff" * self._style.mark + self._line(header)
        if self._earlier.header is None:
            self._header = text
            if not text.lstrip("\ufeff").startswith(self._earlier.incomplete.lstrip("\ufeff")):
                raise TableError(_FOREIGN)
        elif self._earlier.header != header:
            raise TableError("the output that is there has other columns than this run would write; use another name")

    def write(self, cells: Cells) -> str | None:
        if unknown := sorted(cells.keys() - set(self._columns)):
            return f"has a column {unknown[0]!r} that the first row has not; JSON lines would take it"
        row = self._line([self._cell(cells.get(column)) for column in self._columns])
        self._file.write(self._header + row)
        self._header = ""
        return None

    def is_same(self, written: Mapping[str, object], cells: Mapping[str, object]) -> bool:
        return all(written.get(self._cell(column)) == self._cell(cell) for column, cell in cells.items())

    def close(self, *, complete: bool) -> None:
        if complete and self._earlier.incomplete:
            self._file.write("")
        self._file.close()

    def _cell(self, cell: object) -> str:
        return neutralized(plain(cell, self._style.decimal), self._style.delimiter)

    def _line(self, cells: Sequence[str]) -> str:
        return csv_line(cells, self._style.delimiter)


class JsonLinesWriter:
    """One JSON object per line."""

    def __init__(self, opened: Opened, earlier: Earlier | None = None) -> None:
        """`earlier` is what an earlier run left in the file that `opened` opens."""
        self._file = _LateFile(opened)
        self._earlier = earlier or Earlier()

    def begin(self, columns: Sequence[str]) -> None:
        incomplete = self._earlier.incomplete
        if self._earlier.rows or not incomplete:
            return
        first = json.dumps({columns[0]: ""}, ensure_ascii=False)[:-3]
        if not first.startswith(incomplete) and not (incomplete.startswith(first) and _lacks_end(incomplete, columns)):
            raise TableError(_FOREIGN)

    def write(self, cells: Cells) -> str | None:
        self._file.write(json_text(cells) + "\n")
        return None

    def is_same(self, written: Mapping[str, object], cells: Mapping[str, object]) -> bool:
        return all(
            column in written and json_text(written[column]) == json_text(cell) for column, cell in cells.items()
        )

    def close(self, *, complete: bool) -> None:
        if complete and self._earlier.incomplete:
            self._file.write("")
        self._file.close()


class _LateFile:
    """A file that is opened when something is written to it for the first time."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._exit = ExitStack()
        self._file: TextIO | None = None

    def write(self, text: str) -> None:
        self._file = self._file or self._exit.enter_context(self._opened())
        self._file.write(text)

    def close(self) -> None:
        self._exit.close()


def open_rows(path: Path, earlier: Earlier | None = None) -> io.TextIOWrapper:
    """A file for rows, each written to the system at once; it continues after the complete rows of `earlier`."""
    if earlier is not None and path.exists():
        os.truncate(path, earlier.end)
    # A lone surrogate in a name becomes its JSON escape.
    mode: Literal["a", "w"] = "w" if earlier is None else "a"
    return path.open(mode, buffering=1, encoding="utf-8", errors="backslashreplace", newline="")


def csv_line(cells: Sequence[str], delimiter: str = ",") -> str:
    """A line of CSV with its end."""
    lines: list[str] = []
    # Some versions of the csv module quote a carriage return only if it is part of their line end.
    csv.writer(_Appender(lines), delimiter=delimiter, lineterminator="\r\n").writerow(cells)
    return lines[0].removesuffix("\r\n") + "\n"


class _Appender:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def write(self, line: str) -> None:
        self._lines.append(line)


def plain(cell: object, decimal: str = ".") -> str:
    """A value as the text of a cell; empty for None and NaN."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, float):
        return repr(cell).replace(".", decimal)
    if isinstance(cell, list) and all(isinstance(part, str) for part in cell):
        return "; ".join(cell)
    text = json_text(cell)
    return text[1:-1] if text.startswith('"') else text


def json_text(value: object) -> str:
    """A value as JSON: numbers that are not finite are null, bytes that are not text are Base64, dates are text."""
    try:
        return json.dumps(value, ensure_ascii=False, default=_json_value, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, default=_json_value)


def _json_value(value: object) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value


def _lacks_end(incomplete: str, columns: Sequence[str]) -> bool:
    """Whether an unterminated line may be of this command: an incomplete object, or a whole one with its columns."""
    try:
        cells = json.loads(incomplete)
    except ValueError:
        return True
    return isinstance(cells, dict) and cells.keys() >= {columns[-1]}
