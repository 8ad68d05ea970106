"""JSON as rows: an object per line, an array of objects, an object that holds one, or an object of whole columns."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tables.errors import TableError
from tables.json_document import JsonDocument, checked_row, is_paper
from tables.rows import BadRow, Row
from tables.text import LONGEST_LINE, Line, TextFile

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
    return _unfolded(JsonDocument(file).rows() if is_document else _lines(file))


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
    if not is_paper(cells):
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
    return _holds_array(cells) and not is_paper(cells)


def _opens_array(beginning: str) -> bool:
    """Whether an array of objects begins in a line that is longer than the sample, and not within a paper."""
    head, bracket, _ = beginning.partition("[{")
    return bool(bracket) and not is_paper(dict.fromkeys(re.findall(r'"([^"\\]*)"\s*:', head)))


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
    return checked_row(number, cells, encoding, line.number)
