"""Excel workbooks (.xlsx) as rows; needs openpyxl."""

import datetime
import io
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from tables.delimited import named_columns, refuse_transposed
from tables.errors import TableError
from tables.known_columns import header_place, is_header
from tables.rows import BadRow, Row

# Reports have a few descriptive lines above the header.
_PREAMBLE = 20
# Texts compress to a third or a tenth; a file that compresses to less than a hundredth is meant to exhaust memory.
_MOST_PACKED = 100
_LARGEST_UNPACKED = 200_000_000
_ZIP = b"PK\x03\x04"


class _Header(NamedTuple):
    line: int
    columns: list[str]
    has_rows: bool
    """Whether there is anything below it."""


class WorkbookReader:
    """The rows of one sheet: the first that has rows of papers, otherwise the first that is not empty.

    Hidden sheets come after all others.

    All cells become text, as they do in CSV: 2021.0 is "2021", a date is in ISO 8601, an empty cell is "".
    """

    def __init__(self, path: Path) -> None:
        """Raises TableError without openpyxl, or if this is not a workbook with a table in it."""
        self._path = path
        self._book = _open(path)
        try:
            with _damage_named(path):
                self._sheet, self._header_line, self.columns, self.notes = self._table()
        except BaseException:
            self.close()
            raise

    def _table(self) -> tuple[Any, int, list[str], list[str]]:
        """The sheet, the line of its header, its columns, and notes on which of several sheets is read."""
        sheets = [sheet for sheet in self._book.worksheets if hasattr(sheet, "reset_dimensions")]
        for sheet in sheets:
            # Some programs write wrong dimensions; without them all cells are read.
            sheet.reset_dimensions()
        sheets.sort(key=lambda sheet: sheet.sheet_state != "visible")
        headers = [(sheet, header) for sheet in sheets if (header := _header(sheet))]
        if not headers:
            raise TableError(f"{self._path} has no rows")
        of_papers = [(sheet, header) for sheet, header in headers if header.has_rows and is_header(header.columns)]
        sheet, (line, names, _) = [*of_papers, *headers][0]
        if twice := sorted({name for name in names if name and names.count(name) > 1}):
            raise TableError(f"{self._path}: several columns are named {twice[0]!r}; expected each name once")
        notes = [f"reading the sheet {sheet.title!r}"] if len(headers) > 1 else []
        if len(of_papers) > 1:
            others = ", ".join(repr(other.title) for other, _ in of_papers[1:])
            notes.append(f"WARNING: papers are also on the sheets {others}, which are not read; save each as a file")
        return sheet, line, named_columns(names), notes

    def rows(self) -> Iterator[Row | BadRow]:
        """The rows below the header that are not empty."""
        filled = _filled(self._sheet, self._header_line + 1)
        with _damage_named(self._path):
            for number, (line, cells) in enumerate(filled, start=1):
                refuse_transposed(self._path, self.columns, number, cells)
                yield self._row(number, line, cells)

    def close(self) -> None:
        """Close the file."""
        self._book.close()

    def _row(self, number: int, line: int, cells: list[str]) -> Row | BadRow:
        if len(cells) > len(self.columns):
            return BadRow(number, f"has {len(cells)} cells, the header {len(self.columns)}", line=line)
        cells += [""] * (len(self.columns) - len(cells))
        return Row(number, dict(zip(self.columns, cells, strict=True)), line)


def _open(path: Path) -> Any:
    try:
        import openpyxl
    except ImportError:
        raise TableError(
            f"{path}: reading a workbook needs openpyxl: pip install openpyxl, which is in the extra `tables`, "
            "or save it as CSV"
        ) from None
    with path.open("rb") as file:
        if not (beginning := file.read(8)).startswith(_ZIP):
            kind = (
                "is protected by a password or of the old kind (.xls)" if beginning[:2] == b"\xd0\xcf" else "is not one"
            )
            raise TableError(f"{path}: its name is that of a workbook, but it {kind}; save it as .xlsx or CSV")
    _refuse_bomb(path)
    with _damage_named(path), warnings.catch_warnings():
        # Its warnings are about styles and the like, which are not read.
        warnings.simplefilter("ignore")
        # openpyxl refuses other names, such as that of standard input.
        source = path if path.suffix.lower() in (".xlsx", ".xlsm") else io.BytesIO(path.read_bytes())
        return openpyxl.load_workbook(source, read_only=True, data_only=True)


def _refuse_bomb(path: Path) -> None:
    """Raise TableError for a small file that unpacks to more than any text would (a zip bomb)."""
    with _damage_named(path), zipfile.ZipFile(path) as archive:
        unpacked = sum(part.file_size for part in archive.infolist())
        if unpacked > max(_LARGEST_UNPACKED, _MOST_PACKED * path.stat().st_size):
            raise TableError(
                f"{path}: unpacks to {unpacked / 1e9:.1f} GB, which no table of texts does; save it as CSV"
            )


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Turn whatever openpyxl and its parsers raise for a damaged file into one sentence; they may raise anything."""
    try:
        yield
    except (TableError, MemoryError):
        raise
    except Exception as error:
        raise TableError(
            f"{path}: is damaged, or a zip archive without a workbook in it ({type(error).__name__})"
        ) from None


def _header(sheet: Any) -> _Header | None:
    """The first row with column names, otherwise the first that is not empty."""
    first = list(islice(_filled(sheet, 1), _PREAMBLE + 2))
    rows = [_Header(line, cells, place < len(first)) for place, (line, cells) in enumerate(first, start=1)]
    place = header_place(row.columns for row in rows[: _PREAMBLE + 1])
    return rows[place or 0] if rows else None


def _filled(sheet: Any, first_line: int) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells of the rows that are not empty, without empty cells at their ends."""
    for line, values in enumerate(sheet.iter_rows(min_row=first_line, values_only=True), start=first_line):
        cells = _texts(values)
        while cells and not cells[-1].strip():
            cells.pop()
        if cells:
            yield line, cells


def _texts(values: Iterable[object]) -> list[str]:
    return [_text(value) for value in values]


def _unescaped(text: str) -> str:
    """The text without Excel's escapes, of which `_x000D_`, a carriage return, is the usual one."""
    if "_x" not in text:
        return text
    from openpyxl.utils.escape import unescape

    unescaped: str = unescape(text)
    return unescaped


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return _unescaped(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)
