"""Files of papers as rows: CSV with any usual delimiter, parquet, JSON lines; the text ones also gzipped.

Knows no labels. Rows are read as they are asked for, so that a file may be larger than memory.
"""

import codecs
import csv
import gzip
import io
import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from model_store.errors import RowError

# Abstracts are a few kB; the csv module's own limit of 128 kB is too small for full texts.
LARGEST_FIELD = 16 * 1024 * 1024
UTF8 = "utf-8"
# Rows that are in memory at once.
_PARQUET_BATCH = 1024


class Row(NamedTuple):
    """One row; `number` counts from 1 and leaves the header out."""

    number: int
    cells: dict[str, object]


class BadRow(NamedTuple):
    """A row that cannot be read, and why; never its text."""

    number: int
    reason: str
    column: str | None = None

    def __str__(self) -> str:
        place = "" if self.column is None else f", column {self.column!r}"
        return f"row {self.number}{place}: {self.reason}"


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file, its format told by its name.

    Raises RowError naming the file, and row and column where they are known. Parquet needs pyarrow.
    """
    for row in scan_rows(path):
        if isinstance(row, BadRow):
            raise RowError(f"{path}, {row}")
        yield row


def scan_rows(path: Path, kind: str | None = None, encoding: str = UTF8) -> Iterator[Row | BadRow]:
    """The same for those who go on after a bad row; `kind` is the format where no name tells it.

    `encoding` is of the text formats, by a name that Python knows; a mark at the beginning tells UTF-16
    by itself. Raises RowError for what spoils the whole file.
    """
    kind = kind or path.name.removesuffix(".gz").rsplit(".", 1)[-1].lower()
    readers = {"csv": _csv, "jsonl": _json_lines, "json": _json_lines, "ndjson": _json_lines, "parquet": _parquet}
    if kind not in readers:
        raise RowError(f"{path}: unknown format; expected .csv, .jsonl or .json (each also .gz), or .parquet")
    row = None
    try:
        for row in readers[kind](path, encoding):
            yield row
    except (OSError, EOFError) as error:
        raise RowError(f"{path} cannot be read: {error}") from None
    except UnicodeError:
        raise RowError(f"{path} ends within a character; was it cut off?") from None
    if row is None:
        raise RowError(f"{path} has no rows")


def _text(path: Path, encoding: str) -> io.TextIOWrapper:
    opened = gzip.open(path) if path.name.endswith(".gz") else path.open("rb")  # noqa: SIM115  # the wrapper closes it
    if opened.peek(2)[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        encoding = "utf-16"
    # Undecodable bytes become lone surrogates, so that the error can name the row and the column.
    codec = "utf-8-sig" if encoding == UTF8 else encoding
    return io.TextIOWrapper(opened, encoding=codec, errors="surrogateescape", newline="")


def _csv(path: Path, encoding: str) -> Iterator[Row | BadRow]:
    csv.field_size_limit(LARGEST_FIELD)
    with _text(path, encoding) as file:
        first = file.readline()
        reader = csv.reader(itertools.chain([first], file), delimiter=_delimiter(first), strict=True)
        records = filter(None, reader)
        columns = _header(path, encoding, reader)
        for number in itertools.count(1):
            try:
                cells = next(records)
            except StopIteration:
                return
            except csv.Error as error:
                # The reader goes on with the next line.
                yield BadRow(number, f"{_fault(error)}, up to line {reader.line_num}")
                continue
            if len(cells) != len(columns):
                yield BadRow(number, f"has {len(cells)} cells, the header {len(columns)}")
            else:
                yield _decoded(number, dict(zip(columns, cells, strict=True)), encoding)


def _delimiter(first: str) -> str:
    """The one that cuts the first line into most cells; spreadsheets of half the world write semicolons."""
    cells = {delimiter: len(next(csv.reader([first], delimiter=delimiter), ())) for delimiter in ",;\t"}
    return max(cells, key=lambda delimiter: cells[delimiter])


def _header(path: Path, encoding: str, reader: Iterator[list[str]]) -> list[str]:
    try:
        columns = next(reader, [])
    except csv.Error as error:
        raise RowError(f"{path}, line 1: {_fault(error)}") from None
    if not all(map(_is_unicode, columns)):
        raise RowError(
            f"{path}: the names of its columns are not {encoding.upper()}; "
            "save it as that, or name its encoding (of old spreadsheets: cp1252)"
        )
    if twice := sorted({column for column in columns if columns.count(column) > 1}):
        raise RowError(f"{path}: several columns are named {twice[0]!r}; expected each name once")
    return columns


def _fault(error: csv.Error) -> str:
    # The csv module's words for it tell nobody where to look.
    return "a quotation mark is never closed" if str(error) == "unexpected end of data" else str(error)


def _json_lines(path: Path, encoding: str) -> Iterator[Row | BadRow]:
    with _text(path, encoding) as file:
        for number, line in enumerate(_filled(file), start=1):
            try:
                cells = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield BadRow(number, f"is no JSON: {error}")
                continue
            if isinstance(cells, dict):
                yield _decoded(number, cells, encoding)
            else:
                yield BadRow(number, f"is a JSON {type(cells).__name__}, expected an object")


def _filled(lines: Iterable[str]) -> Iterator[str]:
    return (line for line in lines if line.strip())


def _parquet(path: Path, _: str) -> Iterator[Row | BadRow]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise RowError(f"{path}: reading parquet needs pyarrow; install it, or convert the file to CSV") from None
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            batches = file.iter_batches(batch_size=_PARQUET_BATCH)
            rows = itertools.chain.from_iterable(batch.to_pylist() for batch in batches)
            yield from itertools.starmap(Row, enumerate(rows, start=1))
    except pyarrow.ArrowInvalid as error:
        raise RowError(f"{path} cannot be read: {error}") from None


def _decoded(number: int, cells: dict[str, Any], encoding: str) -> Row | BadRow:
    for column, cell in cells.items():
        if isinstance(cell, str) and not _is_unicode(cell):
            return BadRow(number, f"holds bytes that are not {encoding.upper()}", column)
    return Row(number, cells)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
