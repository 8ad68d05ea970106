"""Files of every kind that is understood, by the words that docs/tables.md has for them."""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import openpyxl
import pyarrow
import pyarrow.parquet

from tables import Options

TITLE = "Waves, and “rivers”: a study"
ABSTRACT = 'We say "yes"; rivers\nrun in lines.'
# What every one of the files below holds: a paper with everything and one with a title alone.
ROWS = [("1", TITLE, ABSTRACT), ("2", "Second title", "")]
COLUMNS = ("id", "title", "abstract")


class Case(NamedTuple):
    """A file: its name, its bytes, the options to read it with, and what it holds."""

    name: str
    content: bytes
    options: Options | None = None
    rows: Sequence[tuple[str, ...]] = ROWS
    columns: Sequence[str] = COLUMNS
    """Those of the columns that are compared."""
    bad: Sequence[int] = ()
    """Numbers of the rows that cannot be read."""

    def write(self, folder: Path) -> Path:
        path = folder / self.name
        path.write_bytes(self.content)
        return path


def delimited(delimiter: str = ",", *, header: Sequence[str] = COLUMNS, end: str = "\r\n", quote: str = '"') -> str:
    """The rows as a careful program writes them."""
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quotechar=quote, quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    writer.writerows(ROWS)
    return file.getvalue()


def parquet(table: pyarrow.Table) -> bytes:
    sink = io.BytesIO()
    pyarrow.parquet.write_table(table, sink)
    return sink.getvalue()


def text_columns(type_: Any) -> pyarrow.Table:
    arrays = [pyarrow.array(values, pyarrow.string()).cast(type_) for values in zip(*ROWS, strict=True)]
    return pyarrow.table(arrays, names=list(COLUMNS))


def workbook(rows: Sequence[Sequence[object]], *others: Sequence[Sequence[object]]) -> bytes:
    """A workbook with a sheet per table."""
    book = openpyxl.Workbook()
    for sheet, table in zip([book.active, *(book.create_sheet() for _ in others)], [rows, *others], strict=True):
        for row in table:
            sheet.append(list(row))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def archive(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr(name, "id,title,abstract\n")
    return file.getvalue()


def objects() -> list[dict[str, str]]:
    return [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]


PLAIN = delimited()
_LINES = "".join(json.dumps(row) + "\n" for row in objects())
_FLAT = ABSTRACT.replace("\n", " ")
_ONE_LINE = [("1", TITLE, _FLAT), ("2", "Second title", "")]
_TAGGED = ("title", "abstract")
_TAGGED_ROWS = [(TITLE, _FLAT), ("Second title", "")]
_RIS = (
    f"TY  - JOUR\r\nT1  - {TITLE}\r\nAU  - A, B\r\nAU  - C, D\r\n"
    'N2  - We say "yes"; rivers\r\nrun in lines.\r\nER  - \r\n'
    "\r\nTY  - CONF\r\nTI  - Second title\r\nER  -\r\n"
)
_NBIB = (
    f'\nPMID- 1\nOWN - NLM\nTI  - {TITLE}\nAB  - We say "yes"; rivers\n      run in lines.\nFAU - A, B\n\n'
    "PMID- 2\nTI  - Second title\n"
)
_WOS = (
    f'FN Clarivate Analytics Web of Science\nVR 1.0\nPT J\nAU A, B\n   C, D\nTI {TITLE}\nAB We say "yes"; rivers\n'
    "   run in lines.\nER\n\nPT J\nTI Second title\nER\n\nEF\n"
)
_ENDNOTE = f"%0 Journal Article\n%T {TITLE}\n%A A, B\n%X {_FLAT}\n\n%0 Journal Article\n%T Second title\n"
_BIBTEX = (
    '@string{j = "Journal"}\n@article{1,\n  Title = {Waves, and {“}rivers{”}: {a} study},\n'
    '  abstract = {We say "yes"; rivers\n    run in lines.},\n  journal = j,\n}\n'
    "@comment{nothing}\n@misc{2, title = {Second title}}\n"
)

FORMATS: dict[str, Case] = {
    "`.csv`": Case("a.csv", PLAIN.encode()),
    "`.tsv`, `.tab`": Case("a.tab", delimited("\t").encode()),
    "`.txt`": Case("a.txt", delimited("\t").encode()),
    "`.jsonl`, `.ndjson`": Case("a.ndjson", _LINES.encode()),
    "`.json`, an object per line": Case("a.json", _LINES.encode()),
    "`.json`, an array": Case("a.json", json.dumps(objects()).encode()),
    "`.json`, an array over many lines": Case("a.json", json.dumps(objects(), indent=2).encode()),
    "`.json`, an object that holds one array": Case(
        "a.json", json.dumps({"status": "ok", "message": {"total": 2, "facets": [], "items": objects()}}).encode()
    ),
    "`.json`, objects over many lines": Case(
        "a.json", "\n".join(json.dumps(row, indent=2) for row in objects()).encode()
    ),
    "`.json`, an object of whole columns": Case(
        "a.json",
        json.dumps(
            {column: dict(enumerate(cells)) for column, cells in zip(COLUMNS, zip(*ROWS, strict=True), strict=True)}
        ).encode(),
    ),
    "`.parquet`, `.pq`": Case("a.pq", parquet(text_columns(pyarrow.string()))),
    "`.parquet`, text marked as binary": Case("a.parquet", parquet(text_columns(pyarrow.binary()))),
    "`.parquet`, dictionaries": Case(
        "a.parquet", parquet(text_columns(pyarrow.dictionary(pyarrow.int32(), pyarrow.string())))
    ),
    "`.xlsx`, `.xlsm`": Case("a.xlsx", workbook([COLUMNS, (1, TITLE, ABSTRACT), (2.0, "Second title", None)])),
    "`.xlsx`, the table on a later sheet": Case(
        "a.xlsx", workbook([["About"], ["nothing"]], [["Export of today"], [], COLUMNS, *ROWS])
    ),
    "`.ris`": Case("a.ris", _RIS.encode(), columns=_TAGGED, rows=_TAGGED_ROWS),
    "`.nbib`": Case("a.nbib", _NBIB.encode(), columns=_TAGGED, rows=_TAGGED_ROWS),
    "`.txt`, PubMed": Case("a.txt", _NBIB.encode(), columns=("pmid", *_TAGGED), rows=_ONE_LINE),
    "`.txt`, `.ciw`, Web of Science's plain text": Case("a.txt", _WOS.encode(), columns=_TAGGED, rows=_TAGGED_ROWS),
    "`.enw`": Case("a.enw", _ENDNOTE.encode(), columns=_TAGGED, rows=_TAGGED_ROWS),
    "`.bib`, `.bibtex`": Case("a.bib", _BIBTEX.encode(), columns=("key", *_TAGGED), rows=_ONE_LINE),
    "`.gz` after any ending of text": Case("a.csv.gz", gzip.compress(PLAIN.encode())),
    "endings in capitals": Case("A.CSV.GZ", gzip.compress(PLAIN.encode())),
}

DIALECTS: dict[str, Case] = {
    "commas": Case("a.csv", delimited(",").encode()),
    "semicolons": Case("a.csv", delimited(";").encode()),
    "tabs": Case("a.csv", delimited("\t").encode()),
    "bars": Case("a.csv", delimited("|").encode()),
    "a first line `sep=;`": Case("a.csv", f"sep=;\r\n{delimited(';')}".encode()),
    "lines above the header": Case(
        "a.csv", f'"About: exported today, all of it"\r\n\r\n{PLAIN}'.encode()
    ),
    "single quotation marks": Case("a.csv", delimited(quote="'").encode()),
    "backslashes before quotation marks": Case(
        "a.csv", f'id,title,abstract\n1,x,\n1,"{TITLE}","We say \\"yes\\"; rivers\nrun in lines."\n2,Second title,\n'
        .encode(),
        rows=[("1", "x", ""), *ROWS],
    ),
    "UTF-8 with a byte-order mark": Case("a.csv", PLAIN.encode("utf-8-sig")),
    "UTF-8 with two marks": Case("a.csv", b"\xef\xbb\xbf" + PLAIN.encode("utf-8-sig")),
    "UTF-16 with a mark": Case("a.csv", PLAIN.encode("utf-16")),
    "UTF-16 without a mark": Case("a.txt", delimited("\t").encode("utf-16-le")),
    "UTF-32 with a mark": Case("a.csv", PLAIN.encode("utf-32")),
    "any other encoding, with `--encoding`": Case("a.csv", PLAIN.encode("cp1252"), Options(encoding="cp1252")),
    "lines that end in LF": Case("a.csv", delimited(end="\n").encode()),
    "lines that end in CR": Case("a.csv", delimited(end="\r").encode()),
    "a carriage return in a cell": Case(
        "a.csv", b'id,title,abstract\r\n1,"seen\rtwice",x\r\n2,not\rquoted,y\r\n',
        rows=[("1", "seen\rtwice", "x"), ("2", "not\rquoted", "y")],
    ),
    "rows that are too short": Case(
        "a.csv", b"id,title,abstract,note\n1,one,two\n2,three\n",
        rows=[("1", "one", "two", ""), ("2", "three", "", "")], columns=(*COLUMNS, "note"),
    ),
    "empty cells after the last column": Case(
        "a.csv", b"id,title,abstract\n1,one,two,,\n", rows=[("1", "one", "two")],
    ),
    "columns without a name": Case(
        "a.csv", b"id,title,abstract,,\n1,one,two,,five\n",
        rows=[("1", "one", "two", "", "five")], columns=(*COLUMNS, "column 4", "column 5"),
    ),
    "line breaks in the names of columns": Case(
        "a.csv", b'id,title,abstract,"Author\nKeywords"\n1,one,two,three\n',
        rows=[("1", "one", "two", "three")], columns=(*COLUMNS, "Author\nKeywords"),
    ),
    "empty lines, and rows of empty cells": Case(
        "a.csv", b"id,title,abstract\n\n1,one,two\n,,\n\n2,three,\n", rows=[("1", "one", "two"), ("2", "three", "")],
    ),
    "spaces after delimiters": Case(
        "a.csv", b'id, title, abstract\n1, "one, two", "three"\n2, "four", ""\n',
        rows=[("1", "one, two", "three"), ("2", "four", "")],
    ),
    "tabs without quoting": Case(
        "a.txt", b'id\ttitle\tabstract\n1\t"Smart" rivers\tsay "yes"\t\n2\t"torn\tx\t\n3\ty"\tz\n',
        rows=[("1", '"Smart" rivers', 'say "yes"'), ("2", '"torn', "x"), ("3", 'y"', "z")],
    ),
    "the header repeated": Case(
        "a.csv", b"id,title,abstract\n1,one,two\nid,title,abstract\n2,three,\n",
        rows=[("1", "one", "two"), ("2", "three", "")],
    ),
    "Ctrl-Z at the end": Case("a.csv", b"id,title,abstract\r\n1,one,two\r\n\x1a", rows=[("1", "one", "two")]),
    "one column": Case(
        "a.txt", b"title\nRivers, waves; and seas\nA second\ttitle\n",
        rows=[("Rivers, waves; and seas",), ("A second\ttitle",)], columns=("title",),
    ),
    "a quotation mark that is never closed": Case(
        "a.csv", 'id,title,abstract\n1,one,"torn”\n2,three,four\n3,five,"six"\n'.encode(),
        rows=[("2", "three", "four"), ("3", "five", "six")], bad=[1],
    ),
    "NUL characters": Case("a.csv", b"id,title,abstract\n1,e\x00cient,\n", rows=[("1", "e\x00cient", "")]),
    "`NaN` and `Infinity` in JSON": Case(
        "a.jsonl", b'{"id": "1", "title": "one", "abstract": NaN}\n', rows=[("1", "one", "")],
    ),
    "commas after JSON objects": Case(
        "a.jsonl", b'{"id": "1", "title": "one"},\n{"id": "2", "title": "two"}\n',
        rows=[("1", "one", ""), ("2", "two", "")],
    ),
    "JSON objects that lack a key": Case(
        "a.jsonl", b'{"id": "1", "title": "one"}\n{"id": "2", "abstract": "two"}\n',
        rows=[("1", "one", ""), ("2", "", "two")],
    ),
}  # fmt: skip
