"""Rarer names of columns, and tables that lie on their side."""

import pytest

from tables.known_columns import Field, find_column, is_transposed


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("title_en", "title"), ("Title (EN)", "title"), ("articletitle", "title"), ("论文题目", "title"),
        ("paperAbstract", "abstract"), ("Abstract (en)", "abstract"), ("abstracttext", "abstract"),
        ("Article Abstract", "abstract"), ("中文摘要", "abstract"), ("要約", "abstract"),
    ],
)  # fmt: skip
def test_rarer_names_of_columns_are_known(column: str, field: Field) -> None:
    assert find_column(["id", column], field) == column
    assert find_column(["Source title", "Publication Title", "Abstract type"], field) is None


@pytest.mark.parametrize(
    ("columns", "row", "expected"),
    [
        (["TITLE", "Heart valves"], ["ABSTRACT", "We repair them."], True),
        (["Abstract", "We repair them."], ["Title", "Heart valves"], True),
        (["TITLE", "Heart valves"], ["TITLE", "Kidneys"], False),
        (["title", "abstract"], ["Abstract", "A title that is a name of a column."], False),
        (["id", "title"], ["Abstract", "Heart valves"], False),
        (["title"], ["Heart valves"], False),
    ],
)
def test_fields_below_each_other_are_recognized(columns: list[str], row: list[str], expected: bool) -> None:
    assert is_transposed(columns, row) is expected
