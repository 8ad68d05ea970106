"""JATS, HTML and MathML reduced to their text.

Only elements of these vocabularies count as markup. `a < b`, `x<y>z`, `<k>`, `vector<int>` and LaTeX
are text. Publishers' namespaces (jats:, mml:, ce:) always count; element names of one letter, and
those that are common words, count only where the element is also closed: `<p>` is a mean momentum, too.
"""

import html
import re
from html.entities import html5

# Twice escaped and once in a CDATA section: the most that a real export needed.
_ROUNDS = 3

# Names end where attributes, or the tag, do. Each repetition ends before the next "<".
_TAG = re.compile(
    r"<(?P<close>/?)(?:(?P<prefix>[A-Za-z][\w-]{0,15}):)?(?P<name>[A-Za-z][\w.-]{0,40})"
    r"(?P<attributes>\s+[\w:.-]+\s*=[^<>]*+)?\s*(?P<empty>/?)>"
)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_DECLARATION = re.compile(r"<!--[^<>]*-->|<\?xml[^<>]*>|<!DOCTYPE[^<>]*>|<!\[CDATA\[|\]\]>", re.IGNORECASE)
# IOP Publishing writes its formulas in processing instructions.
_FORMULA_INSTRUCTION = re.compile(r"<\?CDATA\b|\?>")
# The heading that publishers put before the text itself.
_HEADING = re.compile(
    r"<(?P<tag>(?:\w{1,15}:)?(?:title|h[1-6]|b|bold|strong))>\s*+(?:abstract|summary)\s*+(?:[:.]\s*+)?</(?P=tag)>",
    re.IGNORECASE,
)
# The document that Springer wraps around each formula.
_LATEX_DOCUMENT = re.compile(r"\\documentclass[^<>]{0,600}?\\begin\{document\}|\\end\{document\}")
# Namespaces of publishers, by their usual prefixes; those that a program made up are numbered.
_PREFIX = re.compile(
    r"jats|mml|m|math|ce|xhtml|html|h|xocs|sb|tp|nlm|ja|dc|dcterms|tei|xlink|ns[0-9]{0,3}", re.IGNORECASE
)


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Elements whose content is not part of the text, or repeats a formula.
_DROPPED = _names("annotation annotation-xml script style")
# Elements whose content belongs to the word that they stand in: H<sub>2</sub>O.
_INLINE = _names("""
    a abbr acronym b bdi bdo bi big bold cite code del dfn em emph ext-link font i inf ins it ital italic kbd mark
    monospace named-content q roman rp rt ruby s samp sans-serif sc scp small smallcaps span strike strong
    styled-content sub sup tt u underline uri var xref
""")
_BLOCK = _names("""
    abstract abstracttext alternatives article articletitle blockquote body br break caption center dd def-item def-list
    disp-formula disp-quote div dl dt fig figcaption figure fn footer formula graphic h1 h2 h3 h4 h5 h6 head header hr
    html img inline-formula inline-graphic label li list list-item nav ol p para pre sec section simple-para summary
    table table-wrap tbody td term tex tex-math tfoot th thead title tr ul
""")
_MATHML = _names("""
    maction maligngroup malignmark math menclose merror mfenced mfrac mglyph mi mlabeledtr mmultiscripts mn mo mover
    mpadded mphantom mprescripts mroot mrow ms mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder
    munderover semantics
""")
_KNOWN = _INLINE | _BLOCK | _MATHML | _DROPPED
# Names that occur in angle brackets for other reasons, too: means, types, tokens, pages of a site.
_NEED_CLOSING = _names("""
    abstract article body big bold break caption center cite code del emph figure font footer formula graphic head
    header html inf label list mark math nav para pre roman section semantics script small span style summary table
    term tex title uri var
""")


def without_markup(text: str) -> str:
    """The text without its tags and with its entities replaced by their characters."""
    for _ in range(_ROUNDS):
        before = text
        if "<?CDATA" in text:
            text = _FORMULA_INSTRUCTION.sub("", text)
        if "<" in text:
            text = _without_tags(_DECLARATION.sub("", _HEADING.sub(" ", text)))
        if "&" in text:
            text = _ENTITY.sub(_character, text)
        if text == before:
            break
    return _LATEX_DOCUMENT.sub(" ", text) if "\\documentclass" in text else text


def _character(entity: re.Match[str]) -> str:
    known = entity[0][1] == "#" or entity[0][1:] in html5
    return html.unescape(entity[0]) if known else entity[0]


def _without_tags(text: str) -> str:
    """One pass over the text: tags become nothing or a space; dropped elements are removed with their content."""
    tags = [tag for tag in _TAG.finditer(text) if _is_known(tag)]
    closed = {_name(tag) for tag in tags if tag["close"]}
    beginning = len(text) - len(text.lstrip())
    kept: list[str] = []
    end = 0
    dropped: str | None = None
    formula_read = False
    for tag in tags:
        name = _name(tag)
        # An abstract that was cut off keeps the tag that it began with.
        begins_text = name == "p" and tag.start() == beginning
        if not (begins_text or _is_markup(tag, closed)):
            continue
        if dropped is None:
            kept += [text[end : tag.start()], "" if name in _INLINE else " "]
            # Of several forms of one formula, the first is read.
            formula_read = formula_read and name != "alternatives"
            if name in _DROPPED or (name == "math" and formula_read):
                opens = not tag["close"] and not tag["empty"]
                # Of an element that is never closed only the tag is removed, not the rest of the text.
                dropped = name if opens and name in closed else None
            formula_read = formula_read or (name == "tex-math" and "alternatives" in closed)
        elif name == dropped and tag["close"]:
            dropped = None
        end = tag.end()
    return "".join([*kept, text[end:]])


def _name(tag: re.Match[str]) -> str:
    return tag["name"].lower()


def _is_known(tag: re.Match[str]) -> bool:
    prefix = tag["prefix"]
    return _PREFIX.fullmatch(prefix) is not None if prefix else _name(tag) in _KNOWN


def _is_markup(tag: re.Match[str], closed: set[str]) -> bool:
    """Whether a tag of a known name is markup rather than a word in angle brackets."""
    name = _name(tag)
    if tag["prefix"] or tag["close"] or tag["attributes"] or name in closed:
        return True
    return len(name) > 1 and name not in _NEED_CLOSING
