"""Which columns hold titles and abstracts, by the names that databases and reference managers use."""

import ast
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations
from typing import Literal

Field = Literal["title", "abstract"]

# In lower case, words separated by one space; the first name that a table has is taken.
TITLES = (
    "title", "article title", "document title", "paper title", "primary title", "item title", "work title",
    "ti", "t1", "display name", "dc title", "dcterms title", "title s", "en title s",
    "preprint title", "title display", "original title", "english title", "title english", "title en", "title eng",
    "main title", "articletitle", "documenttitle", "papertitle", "dc title en", "题目", "论文题目", "論文名",
    "titel", "titre", "título", "titolo", "название", "заглавие", "题名", "标题", "篇名", "論題", "タイトル", "제목",
    "title 题名", "tytuł", "název", "otsikko", "başlık",
)  # fmt: skip
ABSTRACTS = (
    "abstract", "abstract note", "abstract text", "abstracts", "ab", "n2", "notes abstract", "abstract display",
    "abstract inverted index", "summary", "dc description abstract", "dcterms abstract", "abstract s", "en abstract s",
    "preprint abstract", "english abstract", "abstract english", "abstract en", "abstract eng", "paper abstract",
    "article abstract", "abstracttext", "abstractnote", "abstract summary", "dc description abstract en",
    "dc description", "description abstract", "中文摘要", "英文摘要", "要約", "요약",
    "zusammenfassung", "kurzfassung", "résumé", "resumen", "resumo", "riassunto", "аннотация", "реферат",
    "摘要", "summary 摘要", "抄録", "要旨", "초록", "samenvatting", "sammanfattning", "streszczenie", "abstrakt",
    "tiivistelmä", "özet",
)  # fmt: skip
NAMES: Mapping[Field, tuple[str, ...]] = {"title": TITLES, "abstract": ABSTRACTS}

_SEPARATORS = re.compile(r"[\W_]+")
_LANGUAGE = re.compile(r"\[\w*\]\s*$")  # DSpace writes dc.title[en_US]
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
# The beginning of an index from words to their places: {"We": [0], ...
_INDEX = re.compile(r"""\s*\{\s*["'][^\s"']{1,80}["']\s*:\s*\[\s*\d""")
# Parts of names that people give to such columns.
_HINTS: Mapping[Field, tuple[str, ...]] = {
    "title": ("titl", "titel", "titre", "name", "heading"),
    "abstract": ("abstr", "summ", "descr", "text", "content", "body"),
}


def normalized(name: str) -> str:
    """A column's name in lower case with one space between words: "Article_Title", "articleTitle" → "article title"."""
    visible = "".join(letter for letter in unicodedata.normalize("NFKC", name) if unicodedata.category(letter) != "Cf")
    return _SEPARATORS.sub(" ", _CAMEL.sub(" ", _LANGUAGE.sub("", visible))).strip().casefold()


def find_column(columns: Iterable[str], field: Field) -> str | None:
    """The column that holds titles or abstracts, or None; "title" is preferred to rarer names."""
    by_name: dict[str, str] = {}
    for column in columns:
        by_name.setdefault(normalized(column), column)
    return next((by_name[name] for name in NAMES[field] if name in by_name), None)


def likely_columns(columns: Iterable[str], field: Field) -> list[str]:
    """Columns whose names contain a typical word of the field but are not known names."""
    return [column for column in columns if any(hint in normalized(column) for hint in _HINTS[field])]


def is_header(cells: Iterable[str]) -> bool:
    """Whether a row of cells is the one with the column names."""
    names = list(cells)
    return any(find_column(names, field) for field in NAMES)


def header_place(rows: Iterable[Sequence[str]]) -> int | None:
    """The index of the row with the column names among the first rows of a table; None if no row has a known name."""
    rows = list(rows)
    return next((i for i, row in enumerate(rows) if is_header(row) and (i == 0 or _may_follow(row, rows, i))), None)


def _may_follow(row: Sequence[str], rows: Sequence[Sequence[str]], place: int) -> bool:
    """Whether a row below the first may be the header, and is not a paper or a heading with a known name in it."""
    if all(find_column(row, field) for field in NAMES):
        return True
    if len(row) == 1:
        return place == 1
    # Lines above a table fill fewer cells than its header.
    return len(row) != len(rows[0]) or not all(cell.strip() for cell in rows[0])


def is_transposed(columns: Sequence[str], row: Sequence[str]) -> bool:
    """Whether fields are below each other in the first column, a title's and an abstract's, and not side by side."""
    return any(
        find_column(columns[:1], one) and find_column(row[:1], other) and not find_column(columns, other)
        for one, other in permutations(NAMES, 2)
    )


def cell_text(cell: object) -> str | None:
    """The text of a cell, empty where there is none; None for a value that is not text.

    Crossref gives titles as lists, OpenAlex abstracts as an index from words to their places. In CSV such an index is
    a text, in parquet also a list of pairs, or an object with the words of all papers.
    """
    if cell is None or isinstance(cell, str):
        return _indexed_words(_written_index(cell or "")) or cell or ""
    if isinstance(cell, list) and all(isinstance(part, str) for part in cell):
        return " ".join(cell)
    return _indexed_words(cell)


def _indexed_words(cell: object) -> str | None:
    """The words of an index in their order; None if the cell is no such index."""
    if isinstance(cell, list) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in cell):
        cell = dict(cell)
    if not isinstance(cell, dict) or not cell or not all(isinstance(at, list | None) for at in cell.values()):
        return None
    words = [(place, word) for word, places in cell.items() for place in places or () if isinstance(place, int)]
    return " ".join(word for _, word in sorted(words))


def _written_index(text: str) -> object:
    """The index that a text is, as JSON or as Python writes it; None for any other text."""
    if not _INDEX.match(text):
        return None
    for decode in (json.loads, ast.literal_eval):
        try:
            return decode(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return None
