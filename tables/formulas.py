"""Cells that a spreadsheet would evaluate as formulas."""

import re

# Invisible characters that may precede a formula: white space, controls, zero-width and direction marks.
_UNSEEN = "[\\s\\x00-\\x1f\\x7f-\\x9f\\xad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]*"
_FORMULA = re.compile(rf"{_UNSEEN}[=+\-@＝＋－＠]|[\t\r]")
_NUMBER = re.compile(r"\s*[+-]?[\d.,]+(?:[eE][+-]?\d+)?\s*%?\s*")
# Where another country's list separator or a line break begins a cell, a minus before a word may be text.
_INNER_FORMULA = "(?=[=@＝＠]|[+\\-＋－][A-Za-z(\"'])"
_LIST_SEPARATORS = ",;\t"


def neutralized(text: str, delimiter: str = ",") -> str:
    """The text of a cell with an apostrophe before anything that a spreadsheet would evaluate as a formula.

    Plain numbers stay as they are. A file with commas may be opened where the list separator is a semicolon, and
    vice versa. Quotation marks then have no effect, so the text after such a separator or a line break is
    neutralized, too. See OWASP, CSV Injection.
    """
    if not any(sign in text for sign in "=+-@\t\r＝＋－＠"):
        return text
    begins_formula = _FORMULA.match(text) and not _NUMBER.fullmatch(text)
    others = re.escape(_LIST_SEPARATORS.replace(delimiter, ""))
    text = re.sub(rf"([{others}\r\n]{_UNSEEN}){_INNER_FORMULA}", r"\1'", text)
    return f"'{text}" if begins_formula else text
