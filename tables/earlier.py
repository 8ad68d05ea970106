"""The complete rows in the output of an interrupted run. The files are only read here."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tables.errors import TableError
from tables.rows import Cells
from tables.text import LONGEST_LINE

_TORN = 64 * 1024


class Earlier(NamedTuple):
    """How many rows are complete, the last of them, and the header where the format has one."""

    rows: int = 0
    last: Cells | None = None
    header: list[str] | None = None
    end: int = 0
    """Where the complete rows end, in bytes."""
    incomplete: str = ""
    """The text after that, or its beginning."""


def earlier_rows(path: Path, format_: str, delimiter: str = ",") -> Earlier:
    """The complete rows of a file; none if there is no file.

    Raises TableError if it holds what this program does not write.
    """
    if not path.exists():
        return Earlier()
    return earlier_csv(path, delimiter) if format_ == "csv" else earlier_json_lines(path)


def earlier_csv(path: Path, delimiter: str = ",") -> Earlier:
    """The complete rows of a CSV file; a row may span lines."""
    csv.field_size_limit(LONGEST_LINE)
    header: list[str] | None = None
    record: list[str] = []
    rows = end = 0
    with path.open("rb") as file:
        lines = _Lines(file)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            for record in reader:
                header, rows, end = header or record, rows + 1, lines.end
        except csv.Error:
            # A quotation mark that is open at the end means that the run was interrupted there.
            if not lines.ended:
                raise TableError(f"{path}, line {reader.line_num}: this command writes no such row") from None
        incomplete = _rest(file, end)
    if header is None:
        return Earlier(incomplete=incomplete)
    last: Cells | None = dict(zip(header, record, strict=False)) if rows > 1 else None
    return Earlier(rows - 1, last, header, end, incomplete)


def earlier_json_lines(path: Path) -> Earlier:
    """The complete rows of a file of JSON lines."""
    rows, last = 0, ""
    with path.open("rb") as file:
        lines = _Lines(file)
        for line in lines:
            rows, last = rows + 1, line
        incomplete = _rest(file, lines.end)
    return Earlier(rows, _object(path, rows, last) if rows else None, end=lines.end, incomplete=incomplete)


class _Lines:
    """The complete lines of a file, and the offset at which they end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.end = 0
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        while (line := self._file.readline(LONGEST_LINE)).endswith(b"\n"):
            codec = "utf-8" if self.end else "utf-8-sig"
            self.end += len(line)
            yield line.decode(codec, errors="replace")
        self.ended = True


def _rest(file: BinaryIO, end: int) -> str:
    file.seek(end)
    return file.read(_TORN).decode(errors="ignore")


def _object(path: Path, number: int, line: str) -> Cells:
    try:
        document = json.loads(line)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise TableError(f"{path}, line {number}: this command writes no such row")
    return document
