"""Any name can be written to TOML, as a value and in a comment."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.drafting.toml_text import quoted
from training.errors import ConfigError

LETTERS = st.characters(codec="utf-8")


@given(st.text(LETTERS))
def test_a_quoted_name_is_read_back_as_it_was(text: str) -> None:
    document = tomllib.loads(f"# {quoted(text)}\nname = {quoted(text)}\n")
    assert document == {"name": text}


@pytest.mark.parametrize(
    "text", ["papers\N{GRINNING FACE}.csv", "Author\nKeywords", 'a "b" \\ c', "\x7f", "\x00", "物理学"]
)
def test_names_that_people_have_are_read_back(text: str) -> None:
    assert tomllib.loads(f"name = {quoted(text)} # {quoted(text)}") == {"name": text}


def test_a_name_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(ConfigError, match="is not Unicode text"):
        quoted("p\udcffapers.csv")
