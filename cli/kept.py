"""What an interrupted run left behind: complete rows are counted, a torn last one is cut off."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from cli.errors import CliError
from cli.table import Cells
from tables.text import LONGEST_LINE


class Kept(NamedTuple):
    """How many rows are complete, the last of them, and the header where the format has one."""

    rows: int = 0
    last: Cells | None = None
    header: list[str] | None = None


class _Lines:
    """The complete lines of a file, and how far they reach."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.end = 0
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            first, self.end = not self.end, self.end + len(line)
            yield line.decode("utf-8-sig" if first else "utf-8", errors="replace")
        self.ended = True


def kept_csv(path: Path) -> Kept:
    """Of a CSV file; a row may span lines."""
    csv.field_size_limit(LONGEST_LINE)
    header: list[str] | None = None
    record: list[str] = []
    rows = end = 0
    with path.open("rb") as file:
        lines = _Lines(file)
        reader = csv.reader(lines, strict=True)
        try:
            for record in reader:
                header, rows, end = header or record, rows + 1, lines.end
        except csv.Error:
            # Anything but a quote left open at the end was not written here, so it is not cut off either.
            if not lines.ended:
                raise CliError(f"{path}, line {reader.line_num}: no such row was ever written here") from None
    _cut(path, end)
    if header is None:
        return Kept()
    return Kept(rows - 1, dict(zip(header, record, strict=False)) if rows > 1 else None, header)


def kept_json_lines(path: Path) -> Kept:
    """Of a file of JSON lines."""
    rows, last = 0, ""
    with path.open("rb") as file:
        lines = _Lines(file)
        for line in lines:
            rows, last = rows + 1, line
    _cut(path, lines.end)
    return Kept(rows, _object(path, rows, last)) if rows else Kept()


def _object(path: Path, number: int, line: str) -> Cells:
    try:
        document = json.loads(line)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise CliError(f"{path}, line {number}: no such row was ever written here")
    return document


def _cut(path: Path, end: int) -> None:
    if path.stat().st_size > end:
        with path.open("rb+") as file:
            file.truncate(end)
