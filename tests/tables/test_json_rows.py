"""JSON that programs write in other layouts, and JSON that is none."""

import json
from pathlib import Path

import pytest

from tables import BadRow, Row, TableError, scan

PAPERS = [{"title": "one", "abstract": "first"}, {"title": "two", "abstract": "second"}]


def rows_of(path: Path, content: str) -> list[Row | BadRow]:
    path.write_text(content)
    return list(scan(path))


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"title": {"0": "one", "1": "two"}, "abstract": {"0": "first", "1": "second"}}),
        json.dumps({"title": ["one", "two"], "abstract": ["first", "second"]}),
        json.dumps({"title": ["one", "two"], "abstract": ["first", "second"]}, indent=2),
        json.dumps(PAPERS[:1]) + "\n" + json.dumps(PAPERS[1:]) + "\n",
        json.dumps(PAPERS)[:-1] + ",]",
        json.dumps({"results": PAPERS})[:-1] + ",}",
    ],
    ids=["pandas", "lists", "lists over lines", "an array per page", "a last comma", "a last comma in an object"],
)
def test_layouts_of_other_programs_are_read(tmp_path: Path, content: str) -> None:
    rows = rows_of(tmp_path / "a.json", content)
    assert [row.cells for row in rows if isinstance(row, Row)] == PAPERS
    assert [row.number for row in rows] == [1, 2]


@pytest.mark.parametrize(
    "paper",
    [{"title": ["Main", "Other"], "abstract": "text"}, {"title": ["Main"], "abstract": ["text"]}],
    ids=["a list beside a text", "lists of one"],
)
def test_a_title_in_parts_is_one_paper(tmp_path: Path, paper: dict[str, object]) -> None:
    (row,) = rows_of(tmp_path / "a.jsonl", json.dumps(paper))
    assert isinstance(row, Row)
    assert row.cells == paper


def test_lists_in_every_line_are_cells_and_not_columns(tmp_path: Path) -> None:
    papers = [{"title": ["a", "b"], "abstract": ["c", "d"]}] * 2
    rows = rows_of(tmp_path / "a.jsonl", "".join(json.dumps(paper) + "\n" for paper in papers))
    assert [row.cells for row in rows if isinstance(row, Row)] == papers


def test_an_array_may_begin_with_null(tmp_path: Path) -> None:
    bad, good = rows_of(tmp_path / "a.json", '[null, {"title": "one"}]')
    assert isinstance(bad, BadRow)
    assert isinstance(good, Row)


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_control_characters_in_a_text_cost_nothing(tmp_path: Path, name: str) -> None:
    (row,) = rows_of(tmp_path / name, '{"title": "a\tb\x00c"}\n')
    assert isinstance(row, Row)
    assert row.cells == {"title": "a\tb\x00c"}


def test_a_line_that_is_nested_too_deeply_harms_no_other(tmp_path: Path) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    bad, good = rows_of(tmp_path / "a.jsonl", f'{{"title": "a", "x": {deep}}}\n{{"title": "b"}}\n')
    assert isinstance(bad, BadRow)
    assert isinstance(good, Row)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("title,abstract\na,b\n", "holds no JSON; expected an object per line, or an array of objects"),
        ("{'title': 'a'}\n" * 30, "none of its first 20 lines is a JSON object"),
    ],
    ids=["CSV", "Python's own notation"],
)
def test_a_file_without_json_is_refused_once_and_not_row_by_row(tmp_path: Path, content: str, sentence: str) -> None:
    with pytest.raises(TableError, match=sentence):
        rows_of(tmp_path / "a.jsonl", content)
