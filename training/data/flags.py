"""Cells of label columns: 0 and 1 in the spellings that spreadsheets, pandas and databases give them."""

from typing import Literal

Flag = bool | Literal["blank"] | None

# pandas writes 1.0 for a column that once had a missing value, and True for booleans. People tick cells. Spreadsheets
# write true and false in the language of their country, programs for screening write decisions.
_TRUE = frozenset(
    {
        "1", "1.0", "true", "t", "yes", "y", "x", "\u2713", "\u2714", "included", "include",
        "wahr", "ja", "vrai", "oui", "verdadero", "sí", "verdadeiro", "sim", "vero",
    }
)  # fmt: skip
_FALSE = frozenset(
    {
        "0", "0.0", "false", "f", "no", "n", "excluded", "exclude",
        "falsch", "nein", "faux", "non", "falso", "não",
    }
)  # fmt: skip
_BLANK = frozenset({"", "nan", "na", "n/a", "null", "none"})

EXPECTED = "expected 0 or 1, or their spellings 1.0, true, yes, x"


def read_flag(value: object) -> Flag:
    """True or False as the cell says, "blank" for an empty one (None and NaN too), None for anything else."""
    if value is None:
        return "blank"
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        # NaN is the only value that differs from itself.
        return "blank" if value != value else {0.0: False, 1.0: True}.get(value)
    if not isinstance(value, str):
        return None
    word = value.strip().lower().replace(",", ".")  # spreadsheets may have decimal commas
    return True if word in _TRUE else False if word in _FALSE else "blank" if word in _BLANK else None
