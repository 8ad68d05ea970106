"""One JSON document as rows: an array of objects, an object that holds one, or an object that is a paper."""

import json
import re
from collections.abc import Generator, Iterator
from typing import Any

from tables.errors import TableError
from tables.known_columns import find_column
from tables.rows import BadRow, Cells, Row, is_unicode
from tables.text import LONGEST_LINE, TextFile

_CHUNK = 64 * 1024
_WHITE = re.compile(r"[ \t\r\n]*")


class JsonDocument:
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
                yield checked_row(self._number, _paper_in(cells), self._file.encoding, None)
        if self._peek():
            raise self._broken("more follows after its end")

    def _elements(self, name: str) -> Iterator[Row | BadRow]:
        self._array = name
        for _ in self._items("[", "]"):
            value = self._value()
            self._number += 1
            yield checked_row(self._number, value, self._file.encoding, None)

    def _members(self, name: str) -> Generator[Row | BadRow, None, Cells]:
        """Yields the rows of the array within an object, and returns the other members of the object."""
        cells: Cells = {}
        whole = self._buffered()
        for _ in self._items("{", "}"):
            key = str(self._value())
            self._expect(":")
            if self._peek() == "{" and not name.count("."):
                cells[key] = yield from self._members(f"{name}{key}.")
            elif self._peek() == "[" and self._holds_objects() and not (is_paper(cells) or _is_part(whole, key)):
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

    def _buffered(self) -> Any:
        """The object that begins here if all of it has been read, otherwise None."""
        self._peek()
        try:
            return self._decoder.raw_decode(self._text, self._at)[0]
        except (ValueError, RecursionError):
            return None

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


def checked_row(number: int, cells: Any, encoding: str, line: int | None) -> Row | BadRow:
    """The row of an object; a bad one for any other value, or where bytes could not be decoded."""
    if not isinstance(cells, dict):
        return BadRow(number, f"is a JSON {type(cells).__name__}, expected an object", line=line)
    for column, cell in cells.items():
        if isinstance(cell, str) and any("\udc80" <= letter <= "\udcff" for letter in cell) and not is_unicode(cell):
            return BadRow(number, f"holds bytes that are not {encoding.upper()}", column, line)
    return Row(number, cells, line)


def is_paper(cells: Any) -> bool:
    """Whether an object has the key of a title or an abstract."""
    return find_column(cells, "title") is not None or find_column(cells, "abstract") is not None


def _is_part(whole: Any, key: str) -> bool:
    """Whether an array of objects belongs to the paper that holds it, as in Crossref's answer about one DOI."""
    return whole is not None and is_paper(whole) and not is_paper(whole[key][0])


def _paper_in(cells: Cells) -> Cells:
    """The paper within the answer of a service, or the object itself."""
    papers = (value for value in cells.values() if isinstance(value, dict) and is_paper(value))
    return cells if is_paper(cells) else next(papers, cells)
