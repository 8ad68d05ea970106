"""BibTeX files as rows; needs bibtexparser.

The file is read entry by entry, so that it may be larger than memory. Accents in TeX notation are converted
to letters here, since bibtexparser's own conversion cuts a text at a percent sign.
"""

import logging
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from tables.errors import TableError
from tables.rows import BadRow, Cells, Row, is_unicode
from tables.text import LONGEST_LINE, TextFile

# A percent sign turns an entry into a comment, as in TeX.
_BLOCK = re.compile(r"\s*(%?)\s*@\s*(\w+)\s*[{(]")
_ACCENTS = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", "=": "\u0304", "u": "\u0306", ".": "\u0307",
    '"': "\u0308", "r": "\u030a", "H": "\u030b", "v": "\u030c", "d": "\u0323", "c": "\u0327", "k": "\u0328",
    "b": "\u0331",
}  # fmt: skip
# Stands for a backslash of the text while commands are replaced.
_BACKSLASH = "\ufdd0"
_LETTERS = {
    "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "aa": "å",
    "AA": "Å", "i": "ı", "j": "ȷ", "dh": "ð", "DH": "Ð", "th": "þ", "TH": "Þ", "dj": "đ", "DJ": "Đ",
    "textless": "<", "textgreater": ">", "textbar": "|", "textendash": "–", "textemdash": "—", "textdegree": "°",
    "textmu": "µ", "textcopyright": "©", "copyright": "©", "textregistered": "®", "texttrademark": "™",
    "textquoteleft": "‘", "textquoteright": "’", "textquotesingle": "'", "textquotedbl": '"', "textquotedblleft": "“",
    "textquotedblright": "”", "textasciitilde": "~", "textasciicircum": "^", "textunderscore": "_",
    "textbackslash": _BACKSLASH, "textellipsis": "…", "ldots": "…", "dots": "…", "textpm": "±", "texttimes": "×",
}  # fmt: skip
# \"o, \"{o}, \'\i, \v{s}, \c c; an accent that is a letter needs a brace or a space before its letter.
_ACCENT = re.compile(
    r"""\\(?:([`'^~=."])\s*|([uvHtcdbrk])(?=[\s{])\s*)(?:\{\s*(\\?[A-Za-z])\s*\}|(\\[ij](?![A-Za-z])|[A-Za-z]))"""
)
_LETTER = re.compile(r"\\(" + "|".join(sorted(_LETTERS, key=len, reverse=True)) + r")(?![A-Za-z])(?:\{\}|\s+|)")
_STYLE = re.compile(r"\\(?:(?:emph|text[a-z]+|url)\s*(?=\{)|(?:it|bf|em|rm|sc|sf|sl|tt|itshape|bfseries)\b\s*)")
_ESCAPED = re.compile(r"\\([&%$#_{}])")
_MATHS = re.compile(r"(?<!\\)(\$[^$]*\$)")
_STRINGS_AT_MOST = 64 * 1024


def bibtex_rows(file: TextFile) -> Iterator[Row | BadRow]:
    """The entries of a file; columns are the names of the fields in lower case, with `type` and `key` before them.

    Raises TableError without bibtexparser.
    """
    bibtexparser = _import_bibtexparser(file)
    strings, number = "", 0
    for line, kind, text in _blocks(file):
        if kind == "string" and len(strings) < _STRINGS_AT_MOST:
            strings += text
        elif kind not in ("comment", "preamble", "string"):
            library = bibtexparser.parse_string(strings + text)
            # Usually one; entries that share a line are in one block.
            for entry in _entries(library) or [None]:
                number += 1
                yield _row(number, line, entry, text, file.encoding)


def _import_bibtexparser(file: TextFile) -> Any:
    try:
        import bibtexparser
    except ImportError:
        raise TableError(
            f"{file.path}: reading BibTeX needs bibtexparser: pip install 'bibtexparser>=2', which is in the extra "
            "`tables`, or export the papers as RIS or CSV"
        ) from None
    # It logs what it cannot parse; here that becomes a bad row.
    logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)
    return bibtexparser


def _blocks(file: TextFile) -> Iterator[tuple[int, str, str]]:
    """Line, kind and text of each block; an incomplete block ends where the next one begins."""
    first, kind, parts, size = 0, "", list[str](), 0
    for line in file.lines():
        text = line.text or ""
        if match := _BLOCK.match(text):
            if kind:
                yield first, kind, "".join(parts)
            first, kind, parts, size = line.number, "comment" if match[1] else match[2].lower(), [], 0
        size += len(text)
        if kind and size <= LONGEST_LINE:
            parts.append(text)
    if kind:
        yield first, kind, "".join(parts)


def _entries(library: Any) -> list[Any]:
    return [*library.entries, *(block.ignore_error_block for block in library.failed_blocks if _has_entry(block))]


def _row(number: int, line: int, entry: Any, text: str, encoding: str) -> Row | BadRow:
    if entry is None:
        return BadRow(number, "is not a complete BibTeX entry; is a brace or a comma missing?", line=line)
    if not is_unicode(text):
        return BadRow(number, f"holds bytes that are not {encoding.upper()}", line=line)
    cells: Cells = {"type": entry.entry_type, "key": entry.key}
    for field in entry.fields:
        cells.setdefault(field.key.lower(), plain_text(str(field.value)))
    return Row(number, cells, line)


def _has_entry(block: Any) -> bool:
    return hasattr(block.ignore_error_block, "fields")


def plain_text(value: str) -> str:
    """A value without braces and with accents as letters; formulas between dollar signs stay as they are."""
    parts = _MATHS.split(value)
    return " ".join("".join(part if part.startswith("$") else _without_tex(part) for part in parts).split())


def _without_tex(text: str) -> str:
    if "\\" in text:
        text = _LETTER.sub(lambda match: _LETTERS[match[1]], _ACCENT.sub(_accented, text))
        text = _STYLE.sub("", text)
    # Remove braces that protect capitals, keep escaped ones.
    text = re.sub(r"(?<!\\)[{}]", "", text)
    return _ESCAPED.sub(r"\1", text).replace(_BACKSLASH, "\\")


def _accented(match: re.Match[str]) -> str:
    letter = (match[3] or match[4]).removeprefix("\\")
    return unicodedata.normalize("NFC", letter + _ACCENTS.get(match[1] or match[2], ""))
