"""Tagged records as rows: RIS, PubMed's format (.nbib) and Web of Science's plain text.

A line begins with a tag or continues the one before it. Read by hand, since rispy and nbib hold the whole
file in memory, lose a record whose end is missing, and drop or nest tags that they do not know.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from tables.rows import BadRow, Row, is_unicode
from tables.text import LONGEST_LINE, Line, TextFile


class TagFormat(NamedTuple):
    """How one kind of tagged file is written."""

    line: re.Pattern[str]
    """Matches a line with a tag; groups: tag, value."""
    first: str
    """The tag that begins a record."""
    names: dict[str, str]
    """Names for tags; others keep their own."""
    last: str | None = "ER"
    """The tag that ends a record; None: a blank line before a tag does."""
    lists: frozenset[str] = frozenset()
    """Tags of which each continued line is another value."""


_RIS_NAMES = {
    "TY": "type", "TI": "title", "T1": "title", "AB": "abstract", "N2": "abstract", "AU": "authors", "A1": "authors",
    "PY": "year", "Y1": "year", "DO": "doi", "JO": "journal", "JF": "journal", "T2": "journal", "KW": "keywords",
    "UR": "url", "SN": "issn", "ID": "id", "AN": "accession_number", "DP": "database", "LA": "language",
}  # fmt: skip
_NBIB_NAMES = {
    "PMID": "pmid", "TI": "title", "AB": "abstract", "FAU": "authors", "DP": "date", "JT": "journal", "LID": "doi",
    "MH": "mesh_terms", "OT": "keywords", "LA": "language", "PT": "type",
}  # fmt: skip
_WOS_NAMES = {
    "PT": "type", "TI": "title", "AB": "abstract", "AU": "authors", "PY": "year", "SO": "journal", "DI": "doi",
    "DE": "keywords", "UT": "id", "LA": "language",
}  # fmt: skip
_ENDNOTE_NAMES = {
    "%T": "title", "%X": "abstract", "%A": "authors", "%D": "year", "%J": "journal", "%R": "doi", "%K": "keywords",
    "%U": "url", "%0": "type",
}  # fmt: skip
RIS = TagFormat(re.compile(r"\s?([A-Z][A-Z0-9])(?:  -| -(?= |$)) ?(.*)$"), "TY", _RIS_NAMES)
NBIB = TagFormat(re.compile(r"([A-Z][A-Z0-9]{1,3}) *- ?(.*)$"), "PMID", _NBIB_NAMES, last=None)
WEB_OF_SCIENCE = TagFormat(
    re.compile(r"([A-Z][A-Z0-9])(?: (.*)|)$"), "PT", _WOS_NAMES, lists=frozenset({"AU", "AF", "CR", "C1"})
)
ENDNOTE = TagFormat(re.compile(r"(%[0-9A-Z@!#$&()*+<=>?\[\]^~]) (.*)$"), "%0", _ENDNOTE_NAMES, last=None)
# Around the records of a file from Web of Science.
_FRAME = frozenset({"FN", "VR", "EF"})
_LIST = "; "


def tag_format(sample: str) -> TagFormat | None:
    """The format of a file from its beginning, or None if its lines have no tags."""
    lines = [line.rstrip() for line in sample.splitlines()[:200] if line.strip()]
    # Without the first line where files were cut or concatenated.
    if lines and re.match(r"FN (Clarivate|Thomson|ISI)|PT [A-Z]$", lines[0]):
        return WEB_OF_SCIENCE
    for format_ in (RIS, NBIB, ENDNOTE):
        tags = {match[1] for line in lines if (match := format_.line.match(line))}
        if format_.first in tags and len(tags) > 1:
            return format_
    return None


def tagged_rows(file: TextFile, format_: TagFormat) -> Iterator[Row | BadRow]:
    """The records of a file; values of repeated tags are joined by "; ", continued lines by a space."""
    for number, record in enumerate(_records(file, format_), start=1):
        yield _row(number, record, file, format_)


@dataclass
class _Record:
    line: int
    tags: list[tuple[str, list[str]]]
    """Each tag with the lines of its value."""
    reason: str | None = None
    size: int = 0


def _records(file: TextFile, format_: TagFormat) -> Iterator[_Record]:
    """The records; one without an end ends where the next one begins, one without a beginning is a bad row."""
    record: _Record | None = None
    after_blank = False
    for line in file.lines():
        tag, value = _split(line, format_)
        if record and _ends(record, tag, format_, after_blank=after_blank):
            yield record
            record = None
        after_blank = not tag and not value
        if tag == format_.first and record is None:
            record = _Record(line.number, [(tag, [value])])
        elif record is not None:
            _extend(record, line, tag, value)
        elif tag and tag not in _FRAME and tag != format_.last:
            orphan = None if format_.last is None else f"has no line with the tag {format_.first} at its beginning"
            record = _Record(line.number, [(tag, [value])], orphan)
    if record:
        yield record


def _ends(record: _Record, tag: str, format_: TagFormat, *, after_blank: bool) -> bool:
    """Whether the record before a line with this tag, or none, is complete."""
    if tag == format_.first:
        return format_.last is not None or after_blank or any(tag == format_.first for tag, _ in record.tags)
    return tag == format_.last if format_.last else bool(tag) and after_blank


def _split(line: Line, format_: TagFormat) -> tuple[str, str]:
    text = (line.text or "").rstrip()
    if match := format_.line.match(text):
        return match[1], (match[2] or "").strip()
    return "", text.strip()


def _extend(record: _Record, line: Line, tag: str, value: str) -> None:
    record.size += LONGEST_LINE if line.text is None else len(value)
    if record.size >= LONGEST_LINE:
        record.reason = f"is longer than {LONGEST_LINE:,} characters"
        record.tags.clear()
    elif tag:
        record.tags.append((tag, [value]))
    elif value and record.tags:
        record.tags[-1][1].append(value)


def _row(number: int, record: _Record, file: TextFile, format_: TagFormat) -> Row | BadRow:
    if record.reason:
        return BadRow(number, record.reason, line=record.line)
    cells: dict[str, object] = {}
    for tag, lines in record.tags:
        name = format_.names.get(tag, tag)
        value = (_LIST if tag in format_.lists else " ").join(filter(None, lines))
        if not is_unicode(value):
            return BadRow(number, f"holds bytes that are not {file.encoding.upper()}", name, record.line)
        if not value:
            continue
        before = cells.get(name)
        cells[name] = value if before in (None, value) else f"{before}{_LIST}{value}"
    return Row(number, cells, record.line)
