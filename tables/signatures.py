"""Recognizes other formats than the expected one by the first bytes of a file."""

GZIP = b"\x1f\x8b"

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Parts of the names that a zip file begins with.
_OFFICE = (b"[Content_Types].xml", b"_rels/", b"xl/", b"docProps/")
_OTHERS = (
    (b"%PDF-", "is a PDF; give the table that its papers are listed in"),
    (_OLE, "is an Excel workbook of the old kind (.xls); save it as .xlsx or CSV"),
    (b"PAR1", "is a parquet file; rename it so that its name ends in .parquet"),
    (b"ARROW1", "is an Arrow file; write it as parquet or CSV"),
    (GZIP, "is compressed twice; decompress it once"),
    (b"BZh", "is compressed with bzip2; decompress it, or compress it with gzip"),
    (b"\xfd7zXZ\x00", "is compressed with xz; decompress it, or compress it with gzip"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd; decompress it, or compress it with gzip"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive; extract the table from it"),
    (b"Rar!", "is a RAR archive; extract the table from it"),
    (b"SQLite format 3\x00", "is a SQLite database; export the table from it"),
    (b"{\\rtf", "is an RTF document; save the table as CSV"),
    (b"\x89PNG", "is a picture; give the table that the papers are listed in"),
    (b"\xff\xd8\xff", "is a picture; give the table that the papers are listed in"),
)


def foreign_content(beginning: bytes) -> str | None:
    """What the file is instead of text and what to do, or None if it may be text."""
    if beginning.startswith(_ZIP):
        return _zip(beginning)
    for signature, sentence in _OTHERS:
        if beginning.startswith(signature):
            return sentence
    start = beginning.lstrip(b"\xef\xbb\xbf \t\r\n")[:512].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<table")):
        return "is a web page; save the table as CSV"
    if start.startswith((b"<?xml", b"<rdf", b"<modscollection")):
        return "is XML; export the papers as CSV, RIS or BibTeX"
    return None


def _zip(beginning: bytes) -> str:
    if any(name in beginning[:4096] for name in _OFFICE):
        return "is an Excel workbook; rename it so that its name ends in .xlsx, or save it as CSV"
    if b"mimetypeapplication/vnd.oasis" in beginning[:200]:
        return "is an OpenDocument spreadsheet; save it as .xlsx or CSV"
    return "is a zip archive; extract the table from it"
