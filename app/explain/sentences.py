"""Sentences of titles and abstracts in English scholarly prose.

Rules rather than a model: small, the same everywhere, linear in the length of the text. They can
join or split sentences wrongly but never lose a character.
"""

import itertools
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from model_store.papers import Paper

Field = Literal["title", "abstract"]

# A formula is skipped as a whole. It has at most 300 characters and contains no second opening, so
# that a text of nothing but openings is not searched 300 characters ahead from each of them.
_BREAK = re.compile(
    r"""
      (?P<formula> \$\$(?:(?!\$\$).){1,300}\$\$
                 | (?<![\\$])\$(?=\S)[^$]{1,300}(?<=[^\s\\])\$(?!\d)
                 | \\\((?:(?!\\[()]).){1,300}\\\)
                 | \\\[(?:(?!\\[\[\]]).){1,300}\\\] )
    | (?P<blank> \n[ \t]*\n )
    | (?<![.!?…]) (?P<mark> [.!?…]++ ) ["'”’)\]]*+ (?= \s+ ["'“‘(\[]* (?P<next> \S ) )
    """,
    re.VERBOSE | re.DOTALL,
)
_SPACE = re.compile(r"\s*")
_LAST_WORD = re.compile(r"[^\s(\[{\"'“‘~]*$")
_INITIALS = re.compile(r"[A-Z]|(?:[A-Za-z]{1,2}\.)+[A-Za-z]{1,2}")
_ABBREVIATIONS = frozenset({
    "al", "approx", "assoc", "ca", "cf", "chap", "dept", "dr", "ed", "eds", "eq", "eqn", "eqns", "eqs", "esp",
    "fig", "figs", "lem", "mr", "mrs", "ms", "nos", "nr", "pp", "prof", "prop", "ref", "refs", "resp", "sec",
    "sect", "secs", "spp", "st", "subsp", "suppl", "thm", "univ", "viz", "vol", "vols", "vs",
})  # fmt: skip
_MAX_WORD_CHARS = 24


class Passage(NamedTuple):
    """One sentence of a field, or several in a row; offsets in code points of the text as submitted."""

    field: Field
    start: int
    end: int
    sentences: int = 1


def sentence_bounds(text: str) -> list[int]:
    """Where the sentences begin, in code points, and the end of the text: n + 1 numbers for n sentences.

    The white space after a sentence belongs to it. A text of white space only has no sentences and no bounds.
    """
    return [0, *_starts(text), len(text)] if text.strip() else []


def passages(paper: Paper, max_passages: int) -> list[Passage]:
    """The sentences of a paper in order; those that exceed `max_passages` are joined with their neighbours.

    The first three quarters are single sentences, since abstracts state their topic first. A
    passage never spans both fields, so there may be one more than `max_passages`.
    """
    # Bounds are plain integers: a text may have 50,000 sentences, and as many tuples would set off
    # the garbage collector, which stops all threads for as long as it takes.
    fields: list[tuple[Field, list[int]]] = [
        ("title", sentence_bounds(paper.title)),
        ("abstract", sentence_bounds(paper.abstract)),
    ]
    count = sum(max(0, len(bounds) - 1) for _, bounds in fields)
    single = count if count <= max_passages else max_passages * 3 // 4
    size = -(-(count - single) // max(1, max_passages - single)) or 1
    found: list[Passage] = []
    before = 0
    for field, bounds in fields:
        last = max(0, len(bounds) - 1)
        cuts = [i for i in range(last) if i == 0 or before + i <= single or (before + i - single) % size == 0]
        found += [Passage(field, bounds[i], bounds[j], j - i) for i, j in itertools.pairwise([*cuts, last])]
        before += last
    return found


def without(paper: Paper, passage: Passage) -> Paper:
    """The paper with this passage left out."""
    text: str = getattr(paper, passage.field)
    return paper._replace(**{passage.field: text[: passage.start] + text[passage.end :]})


def _starts(text: str) -> Iterator[int]:
    # The end of the last search for white space: no character is searched twice, or a text of line breaks
    # would take quadratic time.
    searched = _after_space(text, 0)
    for match in _BREAK.finditer(text):
        if match.end() > searched and _is_end(text, match):
            searched = _after_space(text, match.end())
            if searched < len(text):
                yield searched


def _after_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _is_end(text: str, match: re.Match[str]) -> bool:
    if match["formula"]:
        return False
    if match["blank"]:
        return True
    if match["next"].islower():
        return False
    return match["mark"] != "." or not _is_abbreviation(text, match.start())


def _is_abbreviation(text: str, dot: int) -> bool:
    """Whether the full stop at `dot` belongs to the word before it, as in `et al.`, `e.g.` or `J. Smith`."""
    match = _LAST_WORD.search(text, max(0, dot - _MAX_WORD_CHARS), dot)
    word = match.group() if match else ""
    return word.lower() in _ABBREVIATIONS or _INITIALS.fullmatch(word) is not None
