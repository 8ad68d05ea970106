"""Excel workbooks (.xlsx) as rows; needs openpyxl."""

import datetime
import warnings
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from tables.columns import is_header
from tables.delimited import named_columns
from tables.errors import TableError
from tables.rows import BadRow, Row

# Reports put a few lines about themselves above the header.
_PREAMBLE = 20
_ZIP = b"PK\x03\x04"


class _Header(NamedTuple):
    line: int
    columns: list[str]


class WorkbookReader:
    """The rows of one sheet: of the first that has a column of titles or abstracts, else of the first that has rows.

    All cells become text, as they do in CSV: 2021.0 is "2021", a date is in ISO 8601, an empty cell is "".
    """

    def __init__(self, path: Path) -> None:
        """Raises TableError without openpyxl, or if this is no workbook with a table in it."""
        self._path = path
        self._book = _open(path)
        # Some programs write wrong dimensions; without them all cells are read.
        sheets = [sheet for sheet in self._book.worksheets if hasattr(sheet, "reset_dimensions")]
        for sheet in sheets:
            sheet.reset_dimensions()
        headers = [(sheet, header) for sheet in sheets if (header := _header(sheet))]
        if not headers:
            raise TableError(f"{path} has no rows")
        chosen = next((pair for pair in headers if is_header(pair[1].columns)), headers[0])
        self._sheet, (self._header_line, names) = chosen
        self.sheet: str | None = self._sheet.title if len(headers) > 1 else None
        if twice := sorted({name for name in names if name and names.count(name) > 1}):
            raise TableError(f"{path}: several columns are named {twice[0]!r}; expected each name once")
        self.columns = named_columns(names)

    def rows(self) -> Iterator[Row | BadRow]:
        """The rows under the header that hold anything."""
        filled = _filled(self._sheet, self._header_line + 1)
        for number, (line, cells) in enumerate(filled, start=1):
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
        from openpyxl.utils.exceptions import InvalidFileException
    except ImportError:
        raise TableError(
            f"{path}: reading a workbook needs openpyxl: pip install openpyxl, which is in the extra `tables`, "
            "or save it as CSV"
        ) from None
    with path.open("rb") as file:
        if not (beginning := file.read(8)).startswith(_ZIP):
            kind = "is protected by a password or of the old kind (.xls)" if beginning[:2] == b"\xd0\xcf" else "is none"
            raise TableError(f"{path}: its name is that of a workbook, but it {kind}; save it as .xlsx or CSV")
    try:
        with warnings.catch_warnings():
            # About styles and the like, which are not read.
            warnings.simplefilter("ignore")
            return openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, KeyError, ValueError, OSError, EOFError, SyntaxError, TypeError) as error:
        raise _damaged(path, error) from None
    except Exception as error:
        # A zip file that is cut off raises zipfile.BadZipFile, which has no base but Exception.
        if type(error).__module__ not in ("zipfile", "zlib"):
            raise
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> TableError:
    return TableError(f"{path}: is damaged, or a zip archive without a workbook in it ({type(error).__name__})")


def _header(sheet: Any) -> _Header | None:
    """The first row that holds column names, otherwise the first with anything in it."""
    first = [_Header(line, cells) for line, cells in islice(_filled(sheet, 1), _PREAMBLE + 1)]
    return next((row for row in first if is_header(row.columns)), first[0] if first else None)


def _filled(sheet: Any, first_line: int) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells of the rows that hold anything, without empty cells at their ends."""
    for line, values in enumerate(sheet.iter_rows(min_row=first_line, values_only=True), start=first_line):
        cells = _texts(values)
        while cells and not cells[-1].strip():
            cells.pop()
        if cells:
            yield line, cells


def _texts(values: Iterable[object]) -> list[str]:
    return [_text(value) for value in values]


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)
