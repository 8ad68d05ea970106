"""Opening a table of any supported format."""

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, Self

from tables.bibtex import bibtex_rows
from tables.delimited import DelimitedReader
from tables.dialect import Dialect, detect_dialect
from tables.errors import TableError
from tables.json_rows import json_rows
from tables.parquet import ParquetReader
from tables.rows import BadRow, Row
from tables.signatures import GZIP, foreign_content
from tables.tagged import tag_format, tagged_rows
from tables.text import UTF8, TextFile
from tables.workbook import WorkbookReader

# By the extension of the name. "text" may be any text format.
FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".tab": "csv", ".txt": "text",
    ".jsonl": "json", ".ndjson": "json", ".json": "json",
    ".parquet": "parquet", ".pq": "parquet", ".xlsx": "xlsx", ".xlsm": "xlsx",
    ".ris": "tagged", ".nbib": "tagged", ".enw": "tagged", ".ciw": "tagged", ".bib": "bibtex", ".bibtex": "bibtex",
}  # fmt: skip
# Names that a format may be called by where there is no file name.
BY_NAME = {
    "csv": "csv", "tsv": "csv", "jsonl": "json", "json": "json", "parquet": "parquet", "xlsx": "xlsx",
    "ris": "tagged", "nbib": "tagged", "bibtex": "bibtex", "bib": "bibtex",
}  # fmt: skip


class Options(NamedTuple):
    """What the user specifies about a file; None: detected from its name and content."""

    format: str | None = None
    encoding: str = UTF8
    delimiter: str | None = None


@dataclass(frozen=True)
class Table:
    """A table that has been opened; its rows are read lazily, and once.

    Must be closed, or used in a `with` statement.
    """

    rows: Iterator[Row | BadRow]
    close: Callable[[], None]
    format: str
    columns: list[str] | None = None
    """All columns in their order; None if they are known from the rows only."""
    dialect: Dialect | None = None
    """Of delimited text."""
    notes: list[str] = field(default_factory=list)
    """Notes for the user about how the table is read."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def format_of(path: Path) -> str:
    """The format by the extension of a file name; raises TableError."""
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix not in FORMATS:
        raise TableError(f"{path}: unknown format; expected a name that ends in {', '.join(FORMATS)}")
    return FORMATS[suffix]


def _known_format(path: Path) -> str:
    """As `format_of`, but a file of another kind is recognized by its content, such as an old workbook (.xls)."""
    try:
        return format_of(path)
    except TableError:
        if path.is_dir():
            raise TableError(f"{path} is a folder; name one of the tables in it") from None
        if path.is_file() and (reason := foreign_content(_beginning(path, 4096))):
            raise TableError(f"{path} {reason}") from None
        raise


def open_table(path: Path, options: Options | None = None) -> Table:
    """Open a table; its rows are read later.

    Raises TableError naming the file if it cannot be read at all; so does reading the rows if the file turns
    out to be broken further on.
    """
    options = options or Options()
    with _named_errors(path):
        format_ = BY_NAME[options.format] if options.format else _known_format(path)
        return _guarded(path, _open(path, format_, options))


def scan(path: Path, options: Options | None = None) -> Iterator[Row | BadRow]:
    """The rows of a table, bad ones among them; errors as in `open_table`."""
    with open_table(path, options) as table:
        yield from table.rows


def read(path: Path, options: Options | None = None) -> Iterator[Row]:
    """The rows of a table in which no row may be bad: raises TableError that names file, row and column."""
    for row in scan(path, options):
        if isinstance(row, BadRow):
            raise TableError(f"{path}, {row}; correct the row or delete it")
        yield row


def _open(path: Path, format_: str, options: Options) -> Table:
    if format_ in ("parquet", "xlsx") and path.is_fifo():
        raise TableError(f"{path}: {format_} is read from its end, which a pipe does not allow; name a file")
    if format_ in ("parquet", "xlsx") and _beginning(path, len(GZIP)) == GZIP:
        raise TableError(f"{path}: is compressed with gzip; decompress it, since {format_} is not read while it is")
    if format_ == "parquet":
        parquet = ParquetReader(path)
        return Table(parquet.rows(), parquet.close, format_, parquet.columns)
    if format_ == "xlsx":
        workbook = WorkbookReader(path)
        return Table(workbook.rows(), workbook.close, format_, workbook.columns, notes=workbook.notes)
    file = TextFile(path, options.encoding)
    try:
        return _open_text(file, format_, options)
    except BaseException:
        file.close()
        raise


def _beginning(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def _open_text(file: TextFile, format_: str, options: Options) -> Table:
    if format_ in ("tagged", "text"):
        tags = tag_format(file.sample)
        if tags:
            return Table(tagged_rows(file, tags), file.close, "tagged")
        if format_ == "tagged":
            raise TableError(f"{file.path}: holds no records of RIS, PubMed, Web of Science or EndNote")
    if format_ == "json":
        return Table(json_rows(file), file.close, format_)
    if format_ == "bibtex":
        return Table(bibtex_rows(file), file.close, format_)
    reader = DelimitedReader(file, detect_dialect(file.sample, options.delimiter))
    notes = [f"the names of the columns are on line {reader.header_line}"] if reader.header_line > 1 else []
    return Table(reader.rows(), file.close, "csv", reader.columns, reader.dialect, notes)


def _guarded(path: Path, table: Table) -> Table:
    """The same table; errors while its rows are read become a TableError."""

    def rows() -> Iterator[Row | BadRow]:
        row = None
        with _named_errors(path):
            for row in table.rows:
                yield row
        if row is None:
            raise TableError(f"{path} has no rows")

    return replace(table, rows=rows())


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise TableError(f"{path} cannot be read: {reason}") from None
    except UnicodeError:
        raise TableError(f"{path} ends within a character; was it cut off?") from None
