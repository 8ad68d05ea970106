"""Files of papers as rows: CSV, parquet and JSON lines, the text ones also gzipped. Knows no labels.

Rows are read as they are asked for, so that a file may be larger than memory.
"""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from model_store.errors import RowError

# Abstracts are a few kB; the csv module's own limit of 128 kB is too small for full texts.
_LARGEST_FIELD = 16 * 1024 * 1024


class Row(NamedTuple):
    """One row; `number` counts from 1 and leaves the header out."""

    number: int
    cells: dict[str, object]


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file, its format told by its name.

    Raises RowError naming the file, and row and column where they are known. Parquet needs pyarrow.
    """
    kind = path.name.removesuffix(".gz").rsplit(".", 1)[-1].lower()
    readers = {"csv": _csv, "jsonl": _json_lines, "json": _json_lines, "ndjson": _json_lines, "parquet": _parquet}
    if kind not in readers:
        raise RowError(f"{path}: unknown format; expected .csv, .jsonl or .json (each also .gz), or .parquet")
    number = 0
    try:
        for number, cells in enumerate(readers[kind](path), start=1):
            yield Row(number, cells)
    except (OSError, EOFError) as error:
        raise RowError(f"{path} cannot be read: {error}") from None
    if number == 0:
        raise RowError(f"{path} has no rows")


def _text(path: Path) -> io.TextIOWrapper:
    # Undecodable bytes become lone surrogates, so that the error can name the row and the column.
    opened = gzip.open(path) if path.name.endswith(".gz") else path.open("rb")  # noqa: SIM115  # the wrapper closes it
    return io.TextIOWrapper(opened, encoding="utf-8-sig", errors="surrogateescape", newline="")


def _csv(path: Path) -> Iterator[dict[str, object]]:
    csv.field_size_limit(_LARGEST_FIELD)
    with _text(path) as file:
        reader = csv.DictReader(file, strict=True)
        try:
            for number, cells in enumerate(reader, start=1):
                if None in cells or None in cells.values():
                    raise RowError(
                        f"{path}, row {number}: has not the {len(reader.fieldnames or ())} cells of the header"
                    )
                yield _decoded(path, number, cells)
        except csv.Error as error:
            raise RowError(f"{path}, line {reader.line_num}: {error}") from None


def _json_lines(path: Path) -> Iterator[dict[str, object]]:
    with _text(path) as file:
        for number, line in enumerate(_filled(file), start=1):
            try:
                cells = json.loads(line)
            except ValueError as error:
                raise RowError(f"{path}, row {number}: is no JSON: {error}") from None
            if not isinstance(cells, dict):
                raise RowError(f"{path}, row {number}: is a JSON {type(cells).__name__}, expected an object")
            yield _decoded(path, number, cells)


def _filled(lines: Iterable[str]) -> Iterator[str]:
    return (line for line in lines if line.strip())


def _parquet(path: Path) -> Iterator[dict[str, object]]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise RowError(f"{path}: reading parquet needs pyarrow; install it, or convert the file to CSV") from None
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches():
                yield from batch.to_pylist()
    except pyarrow.ArrowInvalid as error:
        raise RowError(f"{path} cannot be read: {error}") from None


def _decoded(path: Path, number: int, cells: dict[str, object]) -> dict[str, object]:
    for column, cell in cells.items():
        if isinstance(cell, str) and not _is_unicode(cell):
            raise RowError(f"{path}, row {number}, column {column!r}: holds bytes that are not UTF-8")
    return cells


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
