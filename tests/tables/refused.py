"""Files that are no tables, by the words that docs/tables.md has for them, and what is said of them."""

import bz2
import gzip
import json

import pyarrow

from tests.tables.cases import COLUMNS, PLAIN, ROWS, Case, archive, objects, parquet, text_columns, workbook

REFUSED: dict[str, tuple[Case, str]] = {
    "a workbook named `.csv`": (Case("a.csv", workbook([COLUMNS, *ROWS])), "is an Excel workbook; rename it"),
    "an old workbook (`.xls`)": (Case("a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)), "of the old kind"),
    "an old or protected workbook named `.xlsx`": (
        Case("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)), "is protected by a password or of the old",
    ),
    "text named `.xlsx`": (Case("a.xlsx", PLAIN.encode()), "its name is that of a workbook, but it is not one"),
    "a damaged workbook": (Case("a.xlsx", workbook([COLUMNS, *ROWS])[:-400]), "is damaged, or a zip archive without"),
    "an OpenDocument spreadsheet": (Case("a.csv", archive("content.xml")), "is a zip archive; extract the table"),
    "a PDF": (Case("a.csv", b"%PDF-1.7\n%\xe2\xe3\n"), "is a PDF; give the table"),
    "a zip archive": (Case("a.jsonl", archive("papers.csv")), "is a zip archive; extract the table from it"),
    "a parquet file of another name": (Case("a.csv", parquet(text_columns(pyarrow.string()))), "is a parquet file"),
    "a file that is not parquet": (Case("a.parquet", b"no parquet"), "cannot be read: "),
    "a corrupt `.gz`": (Case("a.csv.gz", gzip.compress(PLAIN.encode() * 99)[:-20]), "cannot be read: "),
    "text named `.gz`": (Case("a.csv.gz", PLAIN.encode()), "cannot be read: Not a gzipped file"),
    "CSV named `.jsonl` or `.json`": (Case("a.json", PLAIN.encode()), "holds no JSON; expected an object per line"),
    "a workbook or parquet compressed with gzip": (
        Case("a.xlsx.gz", gzip.compress(workbook([COLUMNS, *ROWS]))), "is compressed with gzip; decompress it",
    ),
    "gzip within gzip": (Case("a.csv.gz", gzip.compress(gzip.compress(PLAIN.encode()))), "is compressed twice"),
    "other compressions": (Case("a.csv", bz2.compress(PLAIN.encode())), "is compressed with bzip2; decompress it"),
    "a web page": (Case("a.csv", b"<!DOCTYPE html>\n<html><table>"), "is a web page; save the table as CSV"),
    "XML": (Case("a.txt", b'<?xml version="1.0"?>\n<PubmedArticleSet>'), "is XML; export the papers as CSV, RIS"),
    "several arrays in one JSON object": (
        Case("a.json", json.dumps({"papers": objects(), "people": [{"name": "x"}]}).encode()), "holds several arrays",
    ),
    "a JSON array that breaks off": (Case("a.json", json.dumps(objects())[:-9].encode()), "is not JSON after row 1"),
    "text in another encoding than said": (
        Case("a.csv", "Schlüssel,title\n1,x\n".encode("cp1252")), "are not UTF-8; save it as that, or name",
    ),
    "two columns of one name": (Case("a.csv", b"title,title\na,b\n"), "several columns are named 'title'"),
    "a header that no row fits": (
        Case("a.csv", b"title,us\n" + b"1,one,two\n" * 30), "has 2 cells and all rows below it have more",
    ),
    "one field in each row, as Embase exports it on request": (
        Case("a.csv", b'"title","Heart valves"\n"author names","Doe J.","Roe R."\n"abstract","We repair valves."\n'),
        "has one field in each row, 'title' and 'abstract' below each other",
    ),
    "no rows": (Case("a.csv", b"id,title\n"), "has no rows"),
    "a file that is not there": (Case("../nowhere/a.csv", b""), "cannot be read: No such file"),
    "any other ending": (Case("a.docx", b""), "unknown format; expected a name that ends in .csv"),
}  # fmt: skip
