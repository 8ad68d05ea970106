"""Delimited text (CSV and its relatives) as rows."""

import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tables.dialect import Dialect
from tables.errors import TableError
from tables.known_columns import is_transposed
from tables.rows import BadRow, Row, is_unicode
from tables.text import LONGEST_LINE, Line, TextFile

_UNCLOSED = "a quotation mark is never closed"
_LONG = f"is longer than {LONGEST_LINE:,} characters"
# Characters that must not be seen by the csv module are carried as low surrogates below those of
# `surrogateescape`, which no decoder produces.
_CARRIED = 0xDC00
_BACK = {_CARRIED + code: chr(code) for code in range(0x80)}
_ROWS_BEFORE_GIVING_UP = 20
# Where a table has one field in each row, a paper has no more of them.
_ROWS_OF_A_PAPER = 20


class DelimitedReader:
    """The rows of a delimited file; `columns` are known at once, before any row is read."""

    def __init__(self, file: TextFile, dialect: Dialect) -> None:
        """Raises TableError if there is no header that can be used."""
        csv.field_size_limit(LONGEST_LINE)
        self._file = file
        terminator = "\r" if dialect.terminator == "\r" else "\n"
        self._stray = "\n" if terminator == "\r" else "\r"
        self._lines = file.lines(terminator)
        self._again: deque[Line] = deque()
        self._record: list[Line] = []
        self._suspicious = False
        self._suspicious_until = 0
        self.dialect = dialect
        self.header_line = 1
        self._is_header_quoted = False
        self.columns = self._header()

    def rows(self) -> Iterator[Row | BadRow]:
        """The rows below the header, without empty ones and without the repeated headers of concatenated files."""
        number = too_wide = 0
        while (cells := self._next()) is not None:
            if isinstance(cells, list) and (cells == self.columns or not any(map(_holds_something, cells))):
                continue
            number += 1
            if isinstance(cells, list):
                refuse_transposed(self._file.path, self.columns, number, cells)
            row = self._row(number, cells)
            too_wide += isinstance(cells, list) and self._too_wide(cells)
            if number == too_wide == _ROWS_BEFORE_GIVING_UP:
                raise TableError(
                    f"{self._file.path}: line {self.header_line} has {len(self.columns)} cells and all rows below it "
                    "have more; is the header on another line, or do texts without quotation marks hold delimiters?"
                )
            yield row

    def _header(self) -> list[str]:
        for _ in range(self.dialect.skipped):
            self._read_filled()
        cells = self._read_filled()
        self.header_line = self._record[0].number if self._record else 1
        self._is_header_quoted = bool(self._record) and (self._record[0].text or "").startswith(self.dialect.quote)
        if cells is None:
            raise TableError(f"{self._file.path} has no rows")
        if isinstance(cells, str):
            raise TableError(f"{self._file.path}, line {self.header_line}: {cells}")
        return self._names(cells)

    def _read_filled(self) -> list[str] | str | None:
        cells: list[str] | str | None = []
        while cells == []:
            cells = self._read()
        return cells

    def _names(self, cells: list[str]) -> list[str]:
        path = self._file.path
        if not all(map(is_unicode, cells)):
            raise TableError(
                f"{path}: the names of its columns are not {self._file.encoding.upper()}; "
                "save it as that, or name its encoding (of old spreadsheets: cp1252)"
            )
        names = [cell.strip("\ufeff") for cell in cells]
        if twice := sorted({name for name in names if name.strip() and names.count(name) > 1}):
            raise TableError(f"{path}: several columns are named {twice[0]!r}; expected each name once")
        return named_columns(names)

    def _row(self, number: int, cells: list[str] | str) -> Row | BadRow:
        line, width = self._record[0].number, len(self.columns)
        if isinstance(cells, str):
            self._suspicious = True
            return BadRow(number, cells, line=line)
        if self._suspicious and len(cells) != width:
            return BadRow(number, "may be a part of the broken cell before it, since it lacks cells", line=line)
        self._suspicious = line <= self._suspicious_until
        if self._too_wide(cells):
            return BadRow(number, f"has {len(cells)} cells, the header {width}", line=line)
        cells += [""] * (width - len(cells))
        for column, cell in zip(self.columns, cells, strict=False):
            if not is_unicode(cell):
                return BadRow(number, f"holds bytes that are not {self._file.encoding.upper()}", column, line)
        return Row(number, dict(zip(self.columns, cells, strict=False)), line)

    def _too_wide(self, cells: list[str]) -> bool:
        """Whether there are more cells than columns, and not only empty ones."""
        return any(cell.strip() for cell in cells[len(self.columns) :])

    def _next(self) -> list[str] | str | None:
        """The cells of the next record, or what is wrong with it; None at the end.

        A record that cannot be read ends with its first line, and the lines after it are read again. So a quotation
        mark that is never closed costs one row, and not all rows up to the next quotation mark.
        """
        cells = self._read()
        if cells is None:
            return None
        if self._may_be_escaped(cells):
            cells = self._read_escaped(cells)
        if self.dialect.delimiter == "\t" and self._is_unquoted(cells):
            cells = self._without_quotes()
        if isinstance(cells, str) and len(self._record) > 1:
            last = self._record[-1].number
            cells = f"{_UNCLOSED}, up to line {last}; the lines after this one are read without it"
            self._suspicious_until = max(self._suspicious_until, last)
            self._again.extendleft(reversed(self._record[1:]))
            del self._record[1:]
        return cells

    def _is_unquoted(self, cells: list[str] | str) -> bool:
        """Whether quotation marks are text here: without them, each line of the record has a cell for each column.

        With tabs as delimiters, many programs quote nothing, and a title may begin with a quotation mark. A program
        that quotes the names of columns quotes texts, too.
        """
        if self._is_header_quoted or (isinstance(cells, list) and len(self._record) == 1):
            return False
        widths = [len((line.text or "").rstrip("\r\n\t").split("\t")) for line in self._record]
        # Cells at the end of a row may be left out.
        return 1 < widths[0] <= len(self.columns) and (isinstance(cells, str) or min(widths) == len(self.columns))

    def _without_quotes(self) -> list[str]:
        """The cells of the first line of the record, with quotation marks as text; the other lines are read again."""
        self._again.extendleft(reversed(self._record[1:]))
        del self._record[1:]
        text = self._carried(self._record[0].text or "").rstrip("\r\n")
        return [cell.translate(_BACK) for cell in text.split("\t")]

    def _may_be_escaped(self, cells: list[str] | str) -> bool:
        if self.dialect.escaped or not any("\\" in (line.text or "") for line in self._record):
            return False
        return isinstance(cells, str) or self._too_wide(cells)

    def _read_escaped(self, cells: list[str] | str) -> list[str] | str:
        """The record with backslashes as escapes if it fits the header that way; if so, later ones as well."""
        plain, length = self.dialect, len(self._record)
        self._again.extendleft(reversed(self._record))
        self.dialect = replace(plain, escaped=True)
        escaped = self._read()
        if isinstance(escaped, list) and len(escaped) == len(self.columns):
            return escaped
        self.dialect = plain
        self._again.extendleft(reversed(self._record))
        self._record = [self._again.popleft() for _ in range(length)]
        return cells

    def _read(self) -> list[str] | str | None:
        self._record = []
        reader = csv.reader(self._record_lines(), **self.dialect.reader_options())
        try:
            cells = next(reader, None)
        except csv.Error as error:
            # The csv module's own message does not name the cause.
            return _UNCLOSED if str(error) == "unexpected end of data" else str(error)
        except _LongLine:
            return _LONG
        return None if cells is None else [cell.translate(_BACK) for cell in cells]

    def _record_lines(self) -> Iterator[str]:
        size = 0
        while line := self._again.popleft() if self._again else next(self._lines, None):
            self._record.append(line)
            size += len(line.text or "")
            if line.text is None or size > LONGEST_LINE:
                raise _LongLine
            text = self._carried(line.text)
            if text.endswith(chr(_CARRIED + ord("\n"))):
                continue_with = next(self._record_lines(), "")
                text += continue_with
            yield text

    def _carried(self, text: str) -> str:
        """The line with stray terminators and escaped characters replaced by ones that the csv module ignores."""
        if self._stray in text:
            body = text.removesuffix("\n").removesuffix("\r") if self._stray == "\r" else text
            text = body.replace(self._stray, chr(_CARRIED + ord(self._stray))) + text[len(body) :]
        if self.dialect.escaped and "\\" in text:
            special = re.escape(self.dialect.delimiter + self.dialect.quote) + r"\\\n\r"
            text = re.sub(rf"\\([{special}])", lambda match: chr(_CARRIED + ord(match[1])), text)
        return text


class _LongLine(Exception):
    """A line or a record is longer than in any real table."""


def _holds_something(cell: str) -> bool:
    # Ctrl-Z ends files of old systems; NUL characters fill the end of a file after a power failure.
    return bool(cell.strip().strip("\x1a\0"))


def named_columns(names: list[str]) -> list[str]:
    """The names, with empty ones replaced by their position, such as "column 4"."""
    taken = set(names)
    made = []
    for place, name in enumerate(names, start=1):
        replacement = f"column {place}"
        while not name.strip() and replacement in taken:
            replacement += "_"
        made.append(name if name.strip() else replacement)
    return made


def refuse_transposed(path: Path, columns: list[str], number: int, cells: list[str]) -> None:
    """Raise TableError if row `number` and the header are fields of one paper, below each other."""
    if number <= _ROWS_OF_A_PAPER and is_transposed(columns, cells):
        raise TableError(
            f"{path}: has one field in each row, {columns[0]!r} and {cells[0]!r} below each other; export it with one "
            "paper in each row, or as RIS"
        )
