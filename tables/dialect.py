"""The dialect of a delimited file: delimiter, quotation mark, escapes, line terminator, where the header is."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from tables.known_columns import NAMES, find_column, header_place

# In the order in which ties are decided.
_DELIMITERS = (",", ";", "\t", "|", "^", "~", "\x1f", "\x01")
# Excel's first line that names the delimiter; sheets that were saved again fill that line with delimiters.
_SEPARATOR_LINE = re.compile(r'^"?sep=(?P<delimiter>[^"\r\n])(?P=delimiter)*"?(\r\n|\r|\n|$)', re.IGNORECASE)
_TERMINATOR_OR_QUOTE = re.compile(r'"|\r\n|\r|\n')
_SINGLE_QUOTED = re.compile(r"'[^'\r\n]*'(?P<delimiter>[,;\t|])'")
# Reports have a few descriptive lines above the header.
_PREAMBLE = 20
_SAMPLE_RECORDS = 100


@dataclass(frozen=True)
class Dialect:
    """How cells and rows are delimited.

    `escaped` means that a backslash makes a quotation mark or a delimiter literal, as Spark and MySQL write
    them; `padded` that spaces after a delimiter do not belong to the cell; `skipped` is the number of records
    above the header.
    """

    delimiter: str = ","
    quote: str = '"'
    terminator: str = "\n"
    escaped: bool = False
    padded: bool = False
    skipped: int = 0

    def reader_options(self) -> dict[str, Any]:
        """For `csv.reader`."""
        return {"delimiter": self.delimiter, "quotechar": self.quote, "skipinitialspace": self.padded, "strict": True}


def detect_dialect(sample: str, delimiter: str | None = None) -> Dialect:
    """The dialect of a file from its beginning; `delimiter` is one that is known already."""
    separator_line = _SEPARATOR_LINE.match(sample)
    text = sample[separator_line.end() :] if separator_line else sample
    quote = "'" if _SINGLE_QUOTED.match(text) else '"'
    lines = text.splitlines(keepends=True)
    known = delimiter or (separator_line and separator_line["delimiter"])
    delimiter = known or _most_plausible(lines, quote)
    plain, padded = (_records(lines, delimiter, quote, padded=padded) for padded in (False, True))
    # As in: id, "title", "abstract". Detected if more rows fit the header that way.
    is_padded = _plausibility(padded)[1] > _plausibility(plain)[1]
    above = _records_above_header(padded if is_padded else plain)
    return Dialect(delimiter, quote, _terminator(text), padded=is_padded, skipped=above + bool(separator_line))


def _most_plausible(lines: Sequence[str], quote: str) -> str:
    tables = {delimiter: _records(lines, delimiter, quote) for delimiter in _DELIMITERS}
    scores = {delimiter: _plausibility(records) for delimiter, records in tables.items()}
    best = max(_DELIMITERS, key=lambda delimiter: scores[delimiter])
    if scores[best][2] > 1:
        return best
    # One column: a delimiter that occurs nowhere, so that no text is cut at its commas.
    alone = [name for name, records in tables.items() if all(len(record) < 2 for record in records)]
    return alone[0] if alone else "\x1f"


def _plausibility(records: list[list[str]]) -> tuple[int, float, int]:
    """Known columns, the share of records that fit the header, and its width: larger is more plausible."""
    header = records[_records_above_header(records)] if records else []
    if len(header) < 2:
        return 0, 0.0, len(header)
    known = sum(find_column(header, field) is not None for field in NAMES)
    others = [record for record in records if record is not header]
    # Rows may be short, since some programs leave out empty cells at the end.
    fits = mean(2 <= len(record) <= len(header) for record in others) if others else 1.0
    return known, round(fits, 1), len(header)


def _records(lines: Sequence[str], delimiter: str, quote: str, *, padded: bool = False) -> list[list[str]]:
    reader = csv.reader(iter(lines), delimiter=delimiter, quotechar=quote, skipinitialspace=padded)
    records: list[list[str]] = []
    try:
        for record in reader:
            if record:
                records.append(record)
            if len(records) == _SAMPLE_RECORDS:
                break
    except csv.Error:
        # The records read so far are the sample.
        pass
    return records


def _records_above_header(records: Sequence[Sequence[str]]) -> int:
    """The number of records above the one with column names; 0 if none has them."""
    return header_place(records[: _PREAMBLE + 1]) or 0


def _terminator(text: str) -> str:
    """The first line terminator outside quotation marks."""
    quoted = False
    for match in _TERMINATOR_OR_QUOTE.finditer(text):
        if match[0] == '"':
            quoted = not quoted
        elif not quoted:
            return match[0]
    return "\n"
