"""The "plain-text" preparation: reduces texts of databases, publishers and PDF files to plain text.

Every step takes time linear in the length of its input, whatever the input is. Regular expressions
have no nested or adjacent unbounded repetitions of the same characters, and `tokenizers` normalizes
Unicode, because `unicodedata.normalize` takes quadratic time on long runs of combining marks.

The scores of an artefact depend on what these functions return. A change of behaviour needs a new
name in `Preparation`. Adding a placeholder or a notice does not, since no paper consists of one.
"""

import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from tokenizers.normalizers import NFKC

from model_store.markup import without_markup

Change = Literal["markup", "characters", "heading", "hyphenation", "placeholder"]

# Control characters except white space, lone surrogates, and the replacement character of a failed decoding.
_UNREADABLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffd]")
# A soft hyphen at the end of a line hides the line break as well.
_SOFT_HYPHEN = re.compile("\u00ad\\s*")
# Zero-width characters, directional marks, variation selectors, tags. Accents that PDF extraction leaves beside
# their letter (Poincar´e) are dropped, too: NFKC would turn them into a space and a combining mark.
_INVISIBLE = re.compile(
    "[\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff\u00a8\u00af\u00b4\u00b8\u02d8-\u02dd]"
)
_HEADING = re.compile(r"^\s*(?:abstract|summary)\s*[:.\u2014\u2013]\s*(?=\S)", re.IGNORECASE)
_HYPHEN_AND_SPACE = re.compile(r"[-\u2010]\s")
# A word, a hyphen, white space, and a word that begins in lower case.
_BROKEN_WORD = re.compile(r"\b([^\W\d_]{2,})[-\u2010](\s+)(?=([^\W\d_]{2,}))")
# "pre- and post-processing" is not a broken word.
_CONJUNCTIONS = frozenset({"and", "or", "to", "vs", "versus", "und", "oder", "bis", "et", "ou"})

# No longer text is a placeholder.
_LONGEST_PLACEHOLDER = 200
_PLACEHOLDERS = frozenset(
    {
        "na", "n a", "nan", "nil", "none", "null", "unknown", "undefined", "missing", "empty", "blank", "tba", "tbd",
        "not available", "not applicable", "not specified", "not provided", "none available", "unavailable", "withheld",
        "abstract", "abstract withheld", "title", "untitled", "no title", "no title available", "title not available",
        "kein abstract", "kein abstract verfügbar", "kein abstract vorhanden", "keine zusammenfassung",
        "keine zusammenfassung verfügbar", "pas de résumé", "pas de résumé disponible", "sans résumé",
        "résumé non disponible", "résumé indisponible", "sin resumen", "sin resumen disponible",
        "resumen no disponible", "sem resumo", "resumo não disponível", "abstract non disponibile",
        "geen abstract beschikbaar", "brak streszczenia",
        "аннотация отсутствует", "无摘要", "暂无摘要", "抄録なし", "要旨なし", "초록 없음",
    }
)  # fmt: skip
_PLACEHOLDER = re.compile(
    r"(?:there is |sorry )?no (?:author )?(?:abstract|summary|description)(?: text)?(?: is| was)?"
    r"(?: (?:available|provided|given|found|supplied|present|included|exists?))?"
    r"(?: (?:for|in|with|from|of) (?:this|the) (?:article|paper|record|document|publication|item|entry|source))?"
    r"|(?:the |an )?(?:abstract|summary|description)(?: text)?(?: (?:of|for) this \w{1,20})?"
    r" (?:is |was |has )?(?:currently )?"
    r"(?:not (?:been )?(?:available|provided|given|found|supplied|included)|unavailable|missing|absent|to follow)"
    r"(?: (?:for|in|from) (?:this|the) (?:article|paper|record|document|publication|item|entry|source|content))?"
    r"|this (?:article|paper|record|document|publication|item|entry)"
    r" (?:has no|contains no|does not (?:have|contain|include) an) (?:abstract|summary)"
    # Cambridge University Press, and PubMed.
    r"|an abstract is not available for this content so a preview has been provided\b.*"
    r"|(?:publisher )?abstract available from (?:the )?publisher"
)
# What a spreadsheet writes for a formula that failed.
_SPREADSHEET_ERROR = re.compile(r"#(?:NAME\?|N/A|REF!|VALUE!|DIV/0!|NUM!|NULL!)")

_PUBLICATION = r"(?:paper|article|manuscript|submission|preprint|pre-print|e-?print|work|note|letter|version|report)"
_WITHDRAWAL = re.compile(
    rf"\b(?:this|the|our) (?:[\w-]+ )?{_PUBLICATION}(?: [\w-]+){{0,3}}? (?:is|was|has been|have been|had been|is being)"
    r" (?:[\w-]+ )?(?:withdrawn|retracted)\b"
    rf"|\b{_PUBLICATION} (?:[\w-]+ )?(?:withdrawn|retracted) (?:by|due|because|at)\b"
    r"|\b(?:withdrawn|retracted) (?:by|at the request of) (?:the |all )?(?:[\w-]+ )?"
    r"(?:authors?|editors?|publisher|arxiv)\b"
    r"|\b(?:withdrawn|retracted) (?:by|with) agreement\b"
    r"|[(\[](?:this paper is |paper |article )?(?:withdrawn|retracted)[)\].]\W*$"
    r"|\bthis [(\[](?:withdrawn|retracted)[)\]]"
    rf"|^\W*(?:{_PUBLICATION} )?(?:withdrawn|retracted|retraction|retraction note|withdrawal notice|retraction notice)"
    rf"(?: {_PUBLICATION})?(?:\s?[:.\])\u2013\u2014]|\s-|$)"
    r"|^\W*(?:retraction (?:note |notice )?(?:of|to|for)|(?:notice|statement) of retraction)\s?[:\"\u201c]"
    r"|^\W*(?:retraction statement:|this retracts the article\b)"
    r"|[(\[]retracted (?:article|paper)\b"
    rf"|\b(?:authors?|we|i|publisher|editors?|editors?-in-chief) (?:has|have|had) (?:[\w-]+ )?(?:withdrawn|retracted)"
    rf" (?:this|the|our) (?:[\w-]+ )?{_PUBLICATION}\b",
    re.IGNORECASE,
)


class PreparedText(NamedTuple):
    """A text as the tokenizer gets it, and what was dropped or replaced to make it."""

    content: str
    changes: frozenset[Change] = frozenset()


class PlainText:
    """Reduces a title or an abstract to its plain text; LaTeX is left as it is.

    `is_word` returns whether a word is one piece in the tokenizer's vocabulary. This decides whether a hyphen
    at the end of a line belongs to the word (two-dimensional) or to the line break (classi-fication).
    """

    def __init__(self, is_word: Callable[[str], bool]) -> None:
        self._is_word = is_word
        self._nfkc = NFKC()

    def __call__(self, raw: str) -> PreparedText:
        """The plain text of `raw`, empty for a placeholder such as "[No abstract available]"."""
        steps: tuple[tuple[Change, Callable[[str], str]], ...] = (
            ("markup", without_markup),
            ("characters", self._normalized),
            ("heading", _without_heading),
            ("hyphenation", self._joined),
        )
        text, changes = raw, set[Change]()
        for change, step in steps:
            before, text = text, step(text)
            if text != before:
                changes.add(change)
        text = collapse_whitespace(text)
        if text and is_placeholder(text):
            return PreparedText("", frozenset({*changes, "placeholder"}))
        return PreparedText(text, frozenset(changes))

    def _normalized(self, text: str) -> str:
        text = _UNREADABLE.sub(" ", text)
        if text.isascii():
            return text
        text = _INVISIBLE.sub("", _SOFT_HYPHEN.sub("", text))
        return self._nfkc.normalize_str(text)

    def _joined(self, text: str) -> str:
        # Looking for a hyphen first makes this ten times faster for texts without one.
        return _BROKEN_WORD.sub(self._join, text) if _HYPHEN_AND_SPACE.search(text) else text

    def _join(self, match: re.Match[str]) -> str:
        """The first half of a broken word, with or without its hyphen and the white space."""
        first, space, second = match.groups()
        if not second[0].islower() or second in _CONJUNCTIONS:
            return match[0]
        if self._is_word(first + second):
            return first
        # If lines were joined earlier, only a space is left of the break, and "micro- or" and "2- to" look the same.
        at_line_end = "\n" in space or "\r" in space
        return match[0] if not at_line_end or (self._is_word(first) and self._is_word(second)) else first


def collapse_whitespace(text: str) -> str:
    """The text with white space of any kind and length replaced by one space."""
    return " ".join(text.split())


def is_placeholder(text: str) -> bool:
    """Whether a text only says that there is none: "n/a", "…", "[No abstract available]", "#NAME?"."""
    if len(text) > _LONGEST_PLACEHOLDER:
        return not any(character.isalnum() for character in text)
    if _SPREADSHEET_ERROR.fullmatch(text):
        return True
    words = " ".join(re.findall(r"[^\W_]+", text.casefold()))
    return not words or words in _PLACEHOLDERS or _PLACEHOLDER.fullmatch(words) is not None


def is_withdrawn(*texts: str) -> bool:
    """Whether a title or an abstract holds a notice that the paper was withdrawn or retracted."""
    return any(_holds_notice(text) for text in texts)


def _holds_notice(text: str) -> bool:
    lower = text.lower()
    # Most texts hold neither word, and looking for them is a hundred times faster than the expression.
    if not ("withdraw" in lower or "retract" in lower):
        return False
    return _WITHDRAWAL.search(collapse_whitespace(text)) is not None


def _without_heading(text: str) -> str:
    return _HEADING.sub("", text)
