"""Cells of label columns."""

import pytest

from training.data.flags import read_flag


@pytest.mark.parametrize(
    "value",
    [
        1, 1.0, True, "1", " 1 ", "1.0", "True", "true", "TRUE", "yes", "Y", "x", " X ", "✓", "1,0",
        "WAHR", "VRAI", "Ja", "Included",
    ],
)  # fmt: skip
def test_flags_that_mean_yes(value: object) -> None:
    assert read_flag(value) is True


@pytest.mark.parametrize(
    "value", [0, 0.0, -0.0, False, "0", "0.0", "False", "no", "N", "FALSCH", "FAUX", "Nein", "Excluded"]
)
def test_flags_that_mean_no(value: object) -> None:
    assert read_flag(value) is False


@pytest.mark.parametrize("value", [None, "", "  ", float("nan"), "NaN", "null", "N/A"])
def test_flags_that_are_blank(value: object) -> None:
    assert read_flag(value) == "blank"


@pytest.mark.parametrize("value", [2, 0.5, -1, "2", "0.7", "maybe", "11", [1], {"a": 1}, float("inf")])
def test_other_values_are_no_flags(value: object) -> None:
    assert read_flag(value) is None
