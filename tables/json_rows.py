"""JSON as rows: an object per line, an array of objects, an object that holds one, or an object of whole columns."""

import json
import re
from collections.abc import Generator, Iterator
from typing import Any

from tables.errors import TableError
from tables.known_columns import find_column
from tables.rows import BadRow, Cells, Row, is_unicode
from tables.text import LONGEST_LINE, Line, TextFile

_CHUNK = 64 * 1024
_WHITE = re.compile(r"[ \t\r\n]*")
_START_OF_ARRAY = re.compile(r"\s*\[\s*(?:[{\]]|null\b)")
_OPENING = re.compile(r"\s*[{\[]")
_BAD_ROWS_BEFORE_GIVING_UP = 20


def json_rows(file: TextFile) -> Iterator[Row | BadRow]:
    """The rows of a file; its layout is detected from its beginning.

    NaN and Infinity, which Python's json module and pandas write, count as absent. Raises TableError if the
    file is not JSON.
    """
    if file.sample and not any(map(_OPENING.match, file.sample.splitlines())):
        raise TableError(f"{file.path}: holds no JSON; expected an object per line, or an array of objects")
    is_document = _START_OF_ARRAY.match(file.sample) or _is_one_object(file.sample)
    return _unfolded(_Document(file).rows() if is_document else _lines(file))


def _unfolded(rows: Iterator[Row | BadRow]) -> Iterator[Row | BadRow]:
    """The same rows, or those of the columns if the only row holds whole columns, as pandas writes them by default."""
    first = next(rows, None)
    columns = _whole_columns(first.cells) if isinstance(first, Row) else None
    second = next(rows, None) if columns else None
    if columns and second is None:
        for number, cells in enumerate(zip(*columns.values(), strict=True), start=1):
            yield Row(number, dict(zip(columns, cells, strict=True)))
        return
    yield from (row for row in (first, second) if row is not None)
    yield from rows


def _whole_columns(cells: dict[str, Any]) -> dict[str, Any] | None:
    """The values of each column if every cell is a list, or an object with the same keys, and all are equally long."""
    values = list(cells.values())
    if not _is_paper(cells):
        return None
    if all(isinstance(value, dict) and value and value.keys() == values[0].keys() for value in values):
        return {name: list(value.values()) for name, value in cells.items()}
    if all(isinstance(value, list) and len(value) == len(values[0]) > 1 for value in values):
        return cells
    return None


def _is_one_object(sample: str) -> bool:
    """Whether this is an object over several lines, or one around an array of papers, and not a paper per line."""
    first, line_end, others = sample.lstrip().partition("\n")
    if not first.startswith("{"):
        return False
    if line_end and others.strip():
        # Where pretty-printers break the first line.
        end = first.rstrip()[-1]
        return end in "{[" or (end == "," and not others.lstrip().startswith("{"))
    cells = _decoded_or_none(first)
    if cells is None:
        return not line_end and _opens_array(first)
    return _holds_array(cells) and not _is_paper(cells)


def _opens_array(beginning: str) -> bool:
    """Whether an array of objects begins in a line that is longer than the sample, and not within a paper."""
    head, bracket, _ = beginning.partition("[{")
    return bool(bracket) and not _is_paper(dict.fromkeys(re.findall(r'"([^"\\]*)"\s*:', head)))


def _is_paper(cells: Any) -> bool:
    return find_column(cells, "title") is not None or find_column(cells, "abstract") is not None


def _holds_array(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_array, value.values()))
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _decode(text: str) -> Any:
    # JSON does not allow control characters in strings, but they are harmless here.
    return json.loads(text, parse_constant=lambda _: None, strict=False)


def _decoded_or_none(text: str) -> Any:
    try:
        return _decode(text)
    except (ValueError, RecursionError):
        return None


def _lines(file: TextFile) -> Iterator[Row | BadRow]:
    filled = (line for line in file.lines("\n") if line.text is None or line.text.strip())
    bad = 0
    for number, line in enumerate(filled, start=1):
        row = _line(number, line, file.encoding)
        bad += isinstance(row, BadRow) and line.text is not None
        if number == bad == _BAD_ROWS_BEFORE_GIVING_UP:
            raise TableError(f"{file.path}: none of its first {number} lines is a JSON object; the last {row}")
        yield row


def _line(number: int, line: Line, encoding: str) -> Row | BadRow:
    if line.text is None:
        return BadRow(number, f"is longer than {LONGEST_LINE:,} characters", line=line.number)
    try:
        # A comma at the end is left from an array with one element per line.
        cells = _decode(line.text.rstrip().removesuffix(","))
    except (ValueError, RecursionError) as error:
        return BadRow(number, f"is not JSON: {error}", line=line.number)
    return _checked(number, cells, encoding, line.number)


def _checked(number: int, cells: Any, encoding: str, line: int | None) -> Row | BadRow:
    if not isinstance(cells, dict):
        return BadRow(number, f"is a JSON {type(cells).__name__}, expected an object", line=line)
    for column, cell in cells.items():
        if isinstance(cell, str) and any("\udc80" <= letter <= "\udcff" for letter in cell) and not is_unicode(cell):
            return BadRow(number, f"holds bytes that are not {encoding.upper()}", column, line)
    return Row(number, cells, line)


class _Document:
    """One JSON document, read value by value, so that an array of any length needs the memory of one element."""

    def __init__(self, file: TextFile) -> None:
        self._file = file
        self._chunks = iter(self._read_chunks())
        self._decoder = json.JSONDecoder(parse_constant=lambda _: None, strict=False)
        self._text = ""
        self._at = 0
        self._number = 0
        self._array: str | None = None

    def rows(self) -> Iterator[Row | BadRow]:
        """The objects of one or several arrays in a row; an object without an array is a row itself."""
        while self._peek() == "[":
            yield from self._elements("the array")
        while self._array is None and self._peek() == "{":
            cells = yield from self._members("")
            if self._array is None:
                self._number += 1
                yield _checked(self._number, cells, self._file.encoding, None)
        if self._peek():
            raise self._broken("more follows after its end")

    def _elements(self, name: str) -> Iterator[Row | BadRow]:
        self._array = name
        for _ in self._items("[", "]"):
            value = self._value()
            self._number += 1
            yield _checked(self._number, value, self._file.encoding, None)

    def _members(self, name: str) -> Generator[Row | BadRow, None, Cells]:
        """Yields the rows of the array within an object, and returns the other members of the object."""
        cells: Cells = {}
        for _ in self._items("{", "}"):
            key = str(self._value())
            self._expect(":")
            if self._peek() == "{" and not name.count("."):
                cells[key] = yield from self._members(f"{name}{key}.")
            elif self._peek() == "[" and self._holds_objects() and not _is_paper(cells):
                if self._array is not None:
                    raise TableError(
                        f"{self._file.path}: holds several arrays, {self._array!r} and {name + key!r}; "
                        "make a file of the one with the papers"
                    )
                yield from self._elements(name + key)
            else:
                cells[key] = self._value()
        return cells

    def _items(self, opening: str, closing: str) -> Iterator[None]:
        """Yields once per item of an object or array, which the caller then reads; ignores a comma at the end."""
        self._expect(opening)
        while self._peek() != closing:
            yield
            if self._peek() == ",":
                self._at += 1
            elif self._peek() != closing:
                raise self._broken(f"expected ',' or {closing!r}")
        self._at += 1

    def _holds_objects(self) -> bool:
        """Whether the array that begins here holds objects."""
        while not (rest := self._text[self._at + 1 : self._at + 1 + _CHUNK].lstrip()) and self._fill():
            pass
        return rest.startswith("{")

    def _value(self) -> Any:
        """The whole next value; raises TableError if it is invalid or too long."""
        self._peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except RecursionError:
                raise self._broken("is nested too deeply") from None
            except ValueError as error:
                if len(self._text) - self._at > LONGEST_LINE or not self._fill():
                    raise self._broken(getattr(error, "msg", str(error))) from None
                continue
            # A number may continue in the part that has not been read yet.
            if end < len(self._text) or not self._fill():
                self._at = end
                return value

    def _expect(self, mark: str) -> None:
        if self._peek() != mark:
            raise self._broken(f"expected {mark!r}")
        self._at += 1

    def _peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            white = _WHITE.match(self._text, self._at)
            self._at = white.end() if white else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._fill():
                return ""

    def _fill(self) -> bool:
        """Double what has been read, so that long values are not decoded too often."""
        wanted, parts = max(_CHUNK, len(self._text) - self._at), [self._text[self._at :]]
        self._at = 0
        while wanted > 0 and (chunk := next(self._chunks, "")):
            parts.append(chunk)
            wanted -= len(chunk)
        self._text = "".join(parts)
        return len(parts) > 1

    def _read_chunks(self) -> Iterator[str]:
        with self._file.stream() as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk

    def _broken(self, reason: str) -> TableError:
        place = f"after row {self._number}" if self._number else "at its beginning"
        return TableError(f"{self._file.path}: is not JSON {place}: {reason}")
