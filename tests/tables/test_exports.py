"""Files as databases, reference managers and libraries write them, beyond the cases of docs/tables.md."""

import json
import os
from pathlib import Path

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest

from tables import Options, Row, TableError, open_table, read
from tests.tables.cases import archive, parquet, text_columns, workbook


def test_records_of_web_of_science_need_no_first_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("PT J\nAU A, B\n   C, D\nTI Rivers\n   run\nER\n\nPT J\nTI Waves\nER\n\nEF")
    assert [row.cells["title"] for row in read(tmp_path / "a.txt")] == ["Rivers run", "Waves"]


def test_a_blank_line_within_a_text_of_endnote_ends_no_record(tmp_path: Path) -> None:
    (tmp_path / "a.enw").write_text("%0 Book\n%T Rivers\n%X One.\n\nTwo.\n%D 2020\n\n\n%0 Book\n%T Waves\n\n%T Seas\n")
    rows = list(read(tmp_path / "a.enw"))
    assert [row.cells["title"] for row in rows] == ["Rivers", "Waves", "Seas"]
    assert (rows[0].cells["abstract"], rows[0].cells["year"]) == ("One. Two.", "2020")


def test_headings_between_texts_are_no_columns(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("<1>\nUnique Identifier\n  1\nTitle\n  Rivers\nAbstract\n  They run.\n")
    assert open_table(tmp_path / "a.txt").columns == ["<1>"]


@pytest.mark.parametrize("indent", [None, 2])
def test_the_answer_about_one_paper_is_one_row(tmp_path: Path, indent: int | None) -> None:
    paper = {"license": [{"URL": "x"}], "title": ["Rivers"], "reference": [{"article-title": "Waves"}]}
    (tmp_path / "a.json").write_text(json.dumps({"status": "ok", "message": paper}, indent=indent))
    assert [row.cells for row in read(tmp_path / "a.json")] == [paper]


def test_papers_beside_the_title_of_their_collection_are_rows(tmp_path: Path) -> None:
    items = [{"title": "Rivers"}, {"title": "Waves"}]
    (tmp_path / "a.json").write_text(json.dumps({"items": items, "title": "My library"}, indent=2))
    assert [row.cells for row in read(tmp_path / "a.json")] == items


def test_nul_characters_after_the_last_row_are_no_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"title,abstract\nRivers,run\n" + bytes(512))
    assert [row.cells["title"] for row in read(tmp_path / "a.csv")] == ["Rivers"]


def test_a_sheet_that_can_be_seen_comes_before_a_hidden_one(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Title"])
    book.active.append(["Old"])
    book.active.sheet_state = "hidden"
    shown = book.create_sheet("Papers")
    shown.append(["Title"])
    shown.append(["Rivers"])
    book.active = 1
    book.save(tmp_path / "a.xlsx")
    table = open_table(tmp_path / "a.xlsx")
    assert table.notes[0] == "reading the sheet 'Papers'"
    assert [row.cells["Title"] for row in table.rows if isinstance(row, Row)] == ["Rivers"]


def test_binary_views_of_parquet_are_text(tmp_path: Path) -> None:
    table = pyarrow.table({"title": pyarrow.array([b"Rivers"], pyarrow.binary_view())})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert [row.cells["title"] for row in read(tmp_path / "a.parquet")] == ["Rivers"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "is an Excel workbook of the old kind"),
        ("a.xls", b"<html><table>", "is a web page; save the table as CSV"),
        ("a.xls", archive("xl/workbook.xml"), "is an Excel workbook; rename it so that its name ends in .xlsx"),
        ("a.pdf", b"%PDF-1.7\n", "is a PDF; give the table"),
        ("a.data", parquet(text_columns(pyarrow.string())), "is a parquet file; rename it"),
        ("a.xls", b"title\tabstract\n", "unknown format; expected a name that ends in .csv"),
    ],
)
def test_a_file_of_an_unknown_name_is_recognized_by_its_content(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match=said):
        open_table(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "columns", "papers"),
    [
        ("name,text,x\np1,Rivers,0\nn2,Waves,1\nt1,Seas,1\n", ["name", "text", "x"], 3),
        ("Nr,Paper,Type\n1,Rivers,Note\n2,Waves,Abstract\n", ["Nr", "Paper", "Type"], 2),
        ("Export,of,today\nid,title,abstract\n1,Rivers,run\n", ["id", "title", "abstract"], 1),
        ("Export,,\nby,me,\nid,title,year\n1,Rivers,2020\n", ["id", "title", "year"], 1),
        ("My papers\nTitle\nRivers\nWaves\n", ["Title"], 2),
    ],
)
def test_a_paper_with_a_known_name_in_a_cell_is_no_header(
    tmp_path: Path, content: str, columns: list[str], papers: int
) -> None:
    (tmp_path / "a.csv").write_text(content)
    (tmp_path / "a.xlsx").write_bytes(workbook([line.split(",") for line in content.splitlines()]))
    for path in (tmp_path / "a.csv", tmp_path / "a.xlsx"):
        table = open_table(path)
        assert (table.columns, len(list(table.rows))) == (columns, papers)


def test_a_folder_is_called_one(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="is a folder; name one of the tables in it"):
        open_table(tmp_path)


@pytest.mark.parametrize("name", ["a.xlsx", "a.parquet"])
def test_a_format_that_is_read_from_its_end_cannot_come_through_a_pipe(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(TableError, match="which a pipe does not allow; name a file"):
        open_table(tmp_path / name)


def test_a_workbook_of_another_name_is_read_if_the_format_is_named(tmp_path: Path) -> None:
    (tmp_path / "stdin").write_bytes(workbook([["Title"], ["Rivers"]]))
    (row,) = read(tmp_path / "stdin", Options(format="xlsx"))
    assert row.cells == {"Title": "Rivers"}
