"""Rarer names of columns."""

import pytest

from tables.known_columns import Field, find_column


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
