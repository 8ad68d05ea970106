"""Workbooks of several sheets, and what Excel writes into cells."""

from pathlib import Path

import pytest

from tables import TableError, open_table, read
from tests.tables.cases import workbook

HEADER: list[object] = ["Title", "Abstract"]


def written(tmp_path: Path, *sheets: list[list[object]]) -> Path:
    path = tmp_path / "a.xlsx"
    path.write_bytes(workbook(*sheets))
    return path


def test_a_sheet_without_rows_is_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path, [HEADER], [HEADER, ["a", "b"]])
    assert [row.cells for row in read(path)] == [{"Title": "a", "Abstract": "b"}]


def test_papers_on_other_sheets_are_not_left_out_in_silence(tmp_path: Path) -> None:
    path = written(tmp_path, [HEADER, ["a", "b"]], [["note"], ["x"]], [HEADER, ["c", "d"]])
    with open_table(path) as table:
        assert table.notes == [
            "reading the sheet 'Sheet'",
            "WARNING: papers are also on the sheets 'Sheet2', which are not read; save each as a file",
        ]


def test_one_field_in_each_row_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, [["TITLE", "Heart valves"], ["SOURCE", "Surgery"], ["ABSTRACT", "We repair valves."]])
    with pytest.raises(TableError, match="has one field in each row, 'TITLE' and 'ABSTRACT' below each other"):
        list(read(path))


def test_a_header_alone_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="has no rows"):
        list(read(written(tmp_path, [HEADER])))


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("one_x000D_\ntwo", "one\r\ntwo"),
        ("snake_x and x_y", "snake_x and x_y"),
        (1984, "1984"),
        ("007", "007"),
        (True, "True"),
    ],
)
def test_cells_become_text(tmp_path: Path, cell: object, text: str) -> None:
    (row,) = read(written(tmp_path, [HEADER, [cell, "b"]]))
    assert row.cells["Title"] == text
