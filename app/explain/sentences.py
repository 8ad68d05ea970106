"""Where sentences end in a title or an abstract. Knows English scholarly prose; knows no papers and no labels.

Rules rather than a model: small, the same everywhere, linear in the text, and wrong only by joining
or splitting, never by losing a character: the spans follow each other and cover the text.
"""

import re
from collections.abc import Iterator

# Formulas are stepped over whole, and bounded: a text of nothing but openings must not cost the square of its length.
_BREAK = re.compile(
    r"""
      (?P<formula> \$\$.{1,300}?\$\$ | (?<![\\$])\$(?=\S)[^$]{1,300}(?<=[^\s\\])\$(?!\d)
                 | \\\(.{1,300}?\\\) | \\\[.{1,300}?\\\] )
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
_LONGEST_WORD = 24


def sentences(text: str) -> list[tuple[int, int]]:
    """Start and end of each sentence, in code points; they cover the text, the white space behind each included.

    A text of white space only has none.
    """
    if not text.strip():
        return []
    starts = [0, *_starts(text)]
    return list(zip(starts, [*starts[1:], len(text)], strict=True))


def _starts(text: str) -> Iterator[int]:
    latest = _after_space(text, 0)
    for match in _BREAK.finditer(text):
        start = _after_space(text, match.end())
        if latest < start < len(text) and _ends(text, match):
            latest = start
            yield start


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _ends(text: str, match: re.Match[str]) -> bool:
    if match["formula"]:
        return False
    if match["blank"]:
        return True
    if match["next"].islower():
        return False
    return match["mark"] != "." or not _abbreviates(text, match.start())


def _abbreviates(text: str, dot: int) -> bool:
    """Whether the full stop at `dot` belongs to the word before it, as in `et al.`, `e.g.` or `J. Smith`."""
    found = _LAST_WORD.search(text, max(0, dot - _LONGEST_WORD), dot)
    word = found.group() if found else ""
    return word.lower() in _ABBREVIATIONS or _INITIALS.fullmatch(word) is not None
