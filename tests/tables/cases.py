"""Files of every kind that is understood, by the words that docs/tables.md has for them."""

import bz2
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


def _columns(type_: Any) -> pyarrow.Table:
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


def _objects() -> list[dict[str, str]]:
    return [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]


_PLAIN = delimited()
_LINES = "".join(json.dumps(row) + "\n" for row in _objects())
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
    "`.csv`": Case("a.csv", _PLAIN.encode()),
    "`.tsv`, `.tab`": Case("a.tab", delimited("\t").encode()),
    "`.txt`": Case("a.txt", delimited("\t").encode()),
    "`.jsonl`, `.ndjson`": Case("a.ndjson", _LINES.encode()),
    "`.json`, an object per line": Case("a.json", _LINES.encode()),
    "`.json`, an array": Case("a.json", json.dumps(_objects()).encode()),
    "`.json`, an array over many lines": Case("a.json", json.dumps(_objects(), indent=2).encode()),
    "`.json`, an object that holds one array": Case(
        "a.json", json.dumps({"status": "ok", "message": {"total": 2, "facets": [], "items": _objects()}}).encode()
    ),
    "`.json`, objects over many lines": Case(
        "a.json", "\n".join(json.dumps(row, indent=2) for row in _objects()).encode()
    ),
    "`.parquet`, `.pq`": Case("a.pq", parquet(_columns(pyarrow.string()))),
    "`.parquet`, text marked as binary": Case("a.parquet", parquet(_columns(pyarrow.binary()))),
    "`.parquet`, dictionaries": Case(
        "a.parquet", parquet(_columns(pyarrow.dictionary(pyarrow.int32(), pyarrow.string())))
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
    "`.gz` after any ending of text": Case("a.csv.gz", gzip.compress(_PLAIN.encode())),
    "endings in capitals": Case("A.CSV.GZ", gzip.compress(_PLAIN.encode())),
}

DIALECTS: dict[str, Case] = {
    "commas": Case("a.csv", delimited(",").encode()),
    "semicolons": Case("a.csv", delimited(";").encode()),
    "tabs": Case("a.csv", delimited("\t").encode()),
    "bars": Case("a.csv", delimited("|").encode()),
    "a first line `sep=;`": Case("a.csv", f"sep=;\r\n{delimited(';')}".encode()),
    "lines above the header": Case(
        "a.csv", f'"About: exported today, all of it"\r\n\r\n{_PLAIN}'.encode()
    ),
    "single quotation marks": Case("a.csv", delimited(quote="'").encode()),
    "backslashes before quotation marks": Case(
        "a.csv", f'id,title,abstract\n1,x,\n1,"{TITLE}","We say \\"yes\\"; rivers\nrun in lines."\n2,Second title,\n'
        .encode(),
        rows=[("1", "x", ""), *ROWS],
    ),
    "UTF-8 with a byte-order mark": Case("a.csv", _PLAIN.encode("utf-8-sig")),
    "UTF-8 with two marks": Case("a.csv", b"\xef\xbb\xbf" + _PLAIN.encode("utf-8-sig")),
    "UTF-16 with a mark": Case("a.csv", _PLAIN.encode("utf-16")),
    "UTF-16 without a mark": Case("a.txt", delimited("\t").encode("utf-16-le")),
    "UTF-32 with a mark": Case("a.csv", _PLAIN.encode("utf-32")),
    "any other encoding, with `--encoding`": Case("a.csv", _PLAIN.encode("cp1252"), Options(encoding="cp1252")),
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
        "a.txt", b'id\ttitle\tabstract\t\n1\t"Smart" rivers\tsay "yes"\t\n2\t"torn\tx\t\n3\ty"\tz\t\n',
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

REFUSED: dict[str, tuple[Case, str]] = {
    "a workbook named `.csv`": (Case("a.csv", workbook([COLUMNS, *ROWS])), "is an Excel workbook; rename it"),
    "an old workbook (`.xls`)": (Case("a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)), "of the old kind"),
    "an old or protected workbook named `.xlsx`": (
        Case("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)), "is protected by a password or of the old",
    ),
    "text named `.xlsx`": (Case("a.xlsx", _PLAIN.encode()), "its name is that of a workbook, but it is none"),
    "a damaged workbook": (Case("a.xlsx", workbook([COLUMNS, *ROWS])[:-400]), "is damaged, or a zip archive without"),
    "an OpenDocument spreadsheet": (Case("a.csv", archive("content.xml")), "is a zip archive; extract the table"),
    "a PDF": (Case("a.csv", b"%PDF-1.7\n%\xe2\xe3\n"), "is a PDF; give the table"),
    "a zip archive": (Case("a.jsonl", archive("papers.csv")), "is a zip archive; extract the table from it"),
    "a parquet file of another name": (Case("a.csv", parquet(_columns(pyarrow.string()))), "is a parquet file; rename"),
    "a file that is no parquet": (Case("a.parquet", b"no parquet"), "cannot be read: "),
    "a corrupt `.gz`": (Case("a.csv.gz", gzip.compress(_PLAIN.encode() * 99)[:-20]), "cannot be read: "),
    "text named `.gz`": (Case("a.csv.gz", _PLAIN.encode()), "cannot be read: Not a gzipped file"),
    "other compressions": (Case("a.csv", bz2.compress(_PLAIN.encode())), "is compressed with bzip2; decompress it"),
    "a web page": (Case("a.csv", b"<!DOCTYPE html>\n<html><table>"), "is a web page; save the table as CSV"),
    "XML": (Case("a.txt", b'<?xml version="1.0"?>\n<PubmedArticleSet>'), "is XML; export the papers as CSV, RIS"),
    "several arrays in one JSON object": (
        Case("a.json", json.dumps({"papers": _objects(), "people": [{"name": "x"}]}).encode()), "holds several arrays",
    ),
    "a JSON array that breaks off": (Case("a.json", json.dumps(_objects())[:-9].encode()), "is no JSON after row 1"),
    "text in another encoding than said": (
        Case("a.csv", "Schlüssel,title\n1,x\n".encode("cp1252")), "are not UTF-8; save it as that, or name",
    ),
    "two columns of one name": (Case("a.csv", b"title,title\na,b\n"), "several columns are named 'title'"),
    "a header that no row fits": (
        Case("a.csv", b"title,us\n" + b"1,one,two\n" * 30), "has 2 cells and all rows below it have more",
    ),
    "no rows": (Case("a.csv", b"id,title\n"), "has no rows"),
    "a file that is not there": (Case("../nowhere/a.csv", b""), "cannot be read: No such file"),
    "any other ending": (Case("a.docx", b""), "unknown format; expected a name that ends in .csv"),
}  # fmt: skip

# By source: columns of an export, and those of them that hold titles and abstracts.
SOURCES: dict[str, tuple[str, str | None, str | None]] = {
    "Web of Science, Excel and CSV": ("Authors,Article Title,Source Title,Abstract,DOI", "Article Title", "Abstract"),
    "Web of Science, tab-delimited": ("PT,AU,TI,SO,AB,DI", "TI", "AB"),
    "Scopus": ("Authors,Title,Year,Source title,Abstract,Author Keywords", "Title", "Abstract"),
    "IEEE Xplore": ("Document Title,Authors,Publication Title,Abstract", "Document Title", "Abstract"),
    "PubMed, CSV": ("PMID,Title,Authors,Citation,Journal/Book", "Title", None),
    "PubMed, made from XML": ("PMID,ArticleTitle,AbstractText,Journal", "ArticleTitle", "AbstractText"),
    "EBSCO": ("Article Title,Author,Journal Title,ISSN,Abstract", "Article Title", "Abstract"),
    "Embase": ("TITLE,AUTHOR NAMES,SOURCE TITLE,ABSTRACT", "TITLE", "ABSTRACT"),
    "Dimensions": ("Rank,Publication ID,DOI,Title,Abstract,Source title", "Title", "Abstract"),
    "Lens": ("Lens ID,Title,Date Published,Source Title,Abstract", "Title", "Abstract"),
    "OpenAlex": ("id,doi,display_name,abstract_inverted_index", "display_name", "abstract_inverted_index"),
    "Zotero": ("Key,Item Type,Title,Publication Title,Abstract Note", "Title", "Abstract Note"),
    "Crossref": ("DOI,container-title,title,abstract,publisher", "title", "abstract"),
    "Europe PMC": ("id,source,title,journalTitle,abstractText", "title", "abstractText"),
    "arXiv's API": ("id,title,summary,published", "title", "summary"),
    "Semantic Scholar": ("paperId,title,abstract,venue", "title", "abstract"),
    "ProQuest": ("Title,Abstract,StoreId,ArticleType", "Title", "Abstract"),
    "Springer": ("Item Title,Publication Title,Authors,URL", "Item Title", None),
    "DSpace": ("id,dc.title[en_US],dc.description.abstract[en]", "dc.title[en_US]", "dc.description.abstract[en]"),
    "HAL": ("docid,title_s,abstract_s", "title_s", "abstract_s"),
    "CNKI": ("Title-题名,Author-作者,Summary-摘要", "Title-题名", "Summary-摘要"),
    "bioRxiv and medRxiv": ("preprint_doi,preprint_title,preprint_abstract", "preprint_title", "preprint_abstract"),
    "rispy and ASReview": ("record_id,primary_title,notes_abstract", "primary_title", "notes_abstract"),
    "German headings": ("Nr,Titel,Zusammenfassung", "Titel", "Zusammenfassung"),
    "French headings": ("No,Titre,Résumé", "Titre", "Résumé"),
    "Spanish and Portuguese headings": ("Título,Resumen,Año", "Título", "Resumen"),
}  # fmt: skip
