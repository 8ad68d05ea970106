"""Files on the page: every format, dialect and encoding that the command line reads and a browser can."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tables.formulas import neutralized
from tables.known_columns import NAMES
from tables.known_columns import find_column as find_column_of_tables
from tests.browser.conftest import Visit
from tests.browser.test_sheet import download, give

# What the page makes of a text: columns, and of every row its line, cells and fault.
READ_TABLE = """async (text) => {
    const { readTable } = await import("/web/formats.js");
    const { columns, rows } = readTable(text);
    return { columns, rows: rows.map(({ line, cells, fault }) => [line, cells, fault]) };
}"""
# The same for a file: its name and its bytes in hexadecimal; a refusal is its sentence.
READ_FILE = """async ([name, hex]) => {
    const { readTable } = await import("/web/formats.js");
    const { textOf } = await import("/web/file.js");
    const bytes = Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16));
    try {
        return readTable(await textOf(new File([bytes], name))).rows.map(({ cells }) => cells);
    } catch (error) {
        return error.message;
    }
}"""
RECORD = ["Quantum star", "We study stars."]


@pytest.fixture(scope="module")
def read_in_page(browser: Any, service: Any) -> Any:
    """Evaluates a function with one argument in a page of the service."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{service.url}/card")
    yield page.evaluate
    context.close()


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"],
)  # fmt: skip
def test_encodings_are_told_by_their_marks_and_bytes(read_in_page: Any, encoding: str) -> None:
    content = "title,abstract\nQuantum störung,We study stars.\n".encode(encoding)
    assert read_in_page(READ_FILE, ["papers.csv", content.hex()]) == [["Quantum störung", "We study stars."]]


def test_two_byte_order_marks_are_skipped(read_in_page: Any) -> None:
    content = "\ufeff\ufefftitle\tabstract\nQuantum star\tWe study stars.\n".encode()
    assert read_in_page(READ_FILE, ["papers.tsv", content.hex()]) == [RECORD]


@pytest.mark.parametrize("name", ["papers.csv.gz", "PAPERS.CSV.GZ", "papers.csv"])
def test_a_compressed_file_is_decompressed_whatever_its_name(read_in_page: Any, name: str) -> None:
    content = gzip.compress(b"title,abstract\nQuantum star,We study stars.\n")
    assert read_in_page(READ_FILE, [name, content.hex()]) == [RECORD]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"PK\x03\x04 [Content_Types].xml", "is an Excel workbook, which a page cannot read; save it as CSV"),
        (b"PK\x03\x04 mimetypeapplication/vnd.oasis", "is an OpenDocument spreadsheet"),
        (b"PK\x03\x04 papers.csv", "is a zip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an Excel workbook of the old kind (.xls)"),
        (b"PAR1\x15\x04", "is a parquet file, which a page cannot read; the command line reads it"),
        (b"%PDF-1.7\n", "is a PDF"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>", "is XML"),
        (b"\x1f\x8b\x08\x00garbage", "is damaged: it cannot be decompressed"),
    ],
)
def test_files_that_are_no_text_are_refused_by_name(read_in_page: Any, content: bytes, sentence: str) -> None:
    assert f"papers.csv {sentence}" in read_in_page(READ_FILE, ["papers.csv", content.hex()])


def test_a_file_with_one_field_in_each_row_is_refused(read_in_page: Any) -> None:
    content = b'"TITLE","Heart valves"\n"AUTHOR NAMES","Doe J.","Roe R."\n"ABSTRACT","We repair valves."\n'
    assert "has one field in each row" in read_in_page(READ_FILE, ["papers.csv", content.hex()])


def test_titles_alone_that_are_names_of_columns_are_no_fields(read_in_page: Any) -> None:
    assert read_in_page(READ_FILE, ["papers.csv", b"title,year\nTitle,2020\n".hex()]) == [["Title", "2020"]]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("title,abstract\nQuantum star,We study stars.\n", id="commas"),
        pytest.param("title;abstract\nQuantum star;We study stars.\n", id="semicolons"),
        pytest.param("title|abstract\nQuantum star|We study stars.\n", id="bars"),
        pytest.param("sep=;\ntitle;abstract\nQuantum star;We study stars.\n", id="sep= with two columns"),
        pytest.param('"sep=;"\r\ntitle;abstract\r\nQuantum star;We study stars.\r\n', id="sep= quoted"),
        pytest.param("title,abstract\rQuantum star,We study stars.\r", id="carriage returns"),
        pytest.param("Export of today\n\ntitle,abstract\nQuantum star,We study stars.\n", id="a line above"),
        pytest.param(json.dumps([{"title": RECORD[0], "abstract": RECORD[1]}]), id="a JSON array"),
        pytest.param(json.dumps([{"title": RECORD[0], "abstract": RECORD[1]}], indent=2), id="a pretty JSON array"),
        pytest.param(
            json.dumps({"hits": 1, "items": [{"title": RECORD[0], "abstract": RECORD[1]}]}), id="in an object"
        ),
        pytest.param(json.dumps({"title": RECORD[0], "abstract": RECORD[1]}), id="JSON lines"),
        pytest.param('{"title": ["Quantum star"], "abstract": {"stars.": [2], "We": [0], "study": [1]}}', id="indexed"),
        pytest.param("TY  - JOUR\nTI  - Quantum star\nAB  - We study\n  stars.\nER  - \n", id="RIS"),
        pytest.param("PMID- 1\nTI  - Quantum star\nAB  - We study\n      stars.\n", id="PubMed"),
        pytest.param(
            "FN Clarivate\nVR 1.0\nPT J\nTI Quantum star\nAB We study stars.\nER\n\nEF\n", id="Web of Science"
        ),
        pytest.param("%0 Journal Article\n%T Quantum star\n%X We study stars.\n", id="EndNote"),
        pytest.param("@article{a, title = {Quantum star}, abstract = {We study stars.}}", id="BibTeX"),
        pytest.param(
            '@Article(a,\n title = "{Q}uantum " # {star},\n abstract = {We study stars.}\n)', id="BibTeX joined"
        ),
    ],
)
def test_titles_and_abstracts_are_found_in(read_in_page: Any, text: str) -> None:
    table = read_in_page(READ_TABLE, text)
    assert len(table["rows"]) == 1
    _, cells, fault = table["rows"][0]
    columns = table["columns"]
    found = [cells[columns.index(find_column_of_tables(columns, field))] for field in ("title", "abstract")]
    assert (found, fault) == (RECORD, "")


def test_a_quotation_mark_that_is_never_closed_costs_one_row(read_in_page: Any) -> None:
    text = 'title,abstract\nfirst,"never closed\nsecond,text\nthird,text\n'
    found = [[line, fault] for line, _, fault in read_in_page(READ_TABLE, text)["rows"]]
    reason = "a quotation mark is never closed, up to line 5; the lines after this one are read without it"
    assert found == [[2, reason], [3, ""], [4, ""]]


def test_a_row_that_may_be_part_of_a_torn_one_is_left_out(read_in_page: Any) -> None:
    text = 'title,abstract\nfirst,"never closed\nstill the abstract\nsecond,text\n'
    faults = [fault for _, _, fault in read_in_page(READ_TABLE, text)["rows"]]
    assert faults[1:] == ["may be a part of the torn row before it, since it lacks cells", ""]


@pytest.mark.parametrize("cell", ['"seen\rtwice"', "seen\rtwice"])
def test_a_lone_carriage_return_is_a_part_of_its_cell(read_in_page: Any, cell: str) -> None:
    rows = read_in_page(READ_TABLE, f"title,note\r\nstar,{cell}\r\nproof,fine\r\n")["rows"]
    assert rows == [[2, ["star", "seen\rtwice"], ""], [3, ["proof", "fine"], ""]]


def test_missing_cells_and_names_at_the_end_are_filled_up(read_in_page: Any) -> None:
    table = read_in_page(READ_TABLE, "id,title,abstract,,\n1,star\n2,star,text,,\n3,a,b,c,d,e\n")
    assert table["columns"] == ["id", "title", "abstract", "column 4", "column 5"]
    assert [row[1] for row in table["rows"][:2]] == [["1", "star", "", "", ""], ["2", "star", "text", "", ""]]
    assert table["rows"][2][2] == "6 cells, where the first line has 5"


def test_quotation_marks_escaped_by_backslashes_are_read(read_in_page: Any) -> None:
    text = 'title,abstract\n"A \\"quantum\\" star","We, as ever, study \\\\ stars."\nplain,text\n'
    rows = read_in_page(READ_TABLE, text)["rows"]
    assert [row[1] for row in rows] == [['A "quantum" star', "We, as ever, study \\ stars."], ["plain", "text"]]


def test_json_lines_may_hold_nan_and_lack_keys(read_in_page: Any) -> None:
    text = '{"title": "star", "abstract": NaN}\n{"abstract": "text, NaN"}\nbroken\n[1]\n'
    rows = read_in_page(READ_TABLE, text)["rows"]
    assert [(cells, fault) for _, cells, fault in rows] == [
        (["star", ""], ""), (["", "text, NaN"], ""), (["", ""], "no valid JSON"),
        (["", ""], "a JSON array, expected an object"),
    ]  # fmt: skip


def test_tex_accents_of_bibtex_become_letters(read_in_page: Any) -> None:
    text = r"@article{a, title = {G\"odel and Erd{\H o}s: {\ss}, \'{\i}, $\alpha$ \& 5\%}, abstract = {x}}"
    (row,) = read_in_page(READ_TABLE, text.replace("\\\\", "\\"))["rows"]
    assert row[1][2] == "Gödel and Erdős: ß, í, $\\alpha$ & 5%"


def test_the_names_of_columns_are_those_of_the_command_line(read_in_page: Any) -> None:
    names = read_in_page('async () => (await import("/web/known_columns.js")).NAMES', None)
    assert {field: tuple(known) for field, known in names.items()} == dict(NAMES)
    find = 'async ([columns, field]) => (await import("/web/known_columns.js")).findColumn(columns, field)'
    for columns in (
        ["Article Title", "Abstract"], ["Document Title", "Authors"], ["documentTitle"], ["dc.title[en_US]", "TI"],
        ["\ufeffTitle"], ["Title/题名", "Abstract Note"], ["notes"], ["TITRE", "Résumé"],
    ):  # fmt: skip
        for field in ("title", "abstract"):
            known = find_column_of_tables(columns, field)
            assert read_in_page(find, [columns, field]) == (-1 if known is None else columns.index(known))


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_formulas_are_neutralized_as_by_the_command_line(read_in_page: Any, delimiter: str) -> None:
    cells = [
        "=1", "\u200b=1+1", "\ufeff@SUM(1)", "-5", "+3,25", "-1+cmd", "text;=cmd", "text,=cmd", "two\n=lines", "a=b",
        "text\t+SUM(1)", "\tx", "＝1+1", "e@mail.example", "a list\n- of things; -5 of them",
    ]  # fmt: skip
    write = """async ([cells, delimiter]) => {
        const { neutralized } = await import("/web/csv_writer.js");
        return cells.map((cell) => neutralized(cell, delimiter));
    }"""
    assert read_in_page(write, [cells, delimiter]) == [neutralized(cell, delimiter) for cell in cells]


def test_a_german_spreadsheet_comes_back_as_excel_opens_it_there(visit: Visit, tmp_path: Path) -> None:
    visitor = visit()
    give(visitor, "Titel;Zusammenfassung\nstar;Sterne, über alles\n".encode("cp1252"))
    visitor.press("Label the papers")
    expect(visitor.page.get_by_label("Decimal mark")).to_have_value(",")
    (row,) = download(visitor, tmp_path / "german.csv", delimiter=";")
    assert row["Zusammenfassung"] == "Sterne, über alles"
    assert row["Physics"].startswith("0,")
    visitor.page.get_by_label("Decimal mark").select_option(".")
    (row,) = download(visitor, tmp_path / "german.csv", delimiter=";")
    assert row["Physics"].startswith("0.")


def test_a_workbook_dropped_on_the_page_is_refused_with_an_explanation(visit: Visit) -> None:
    visitor = visit()
    give(visitor, b"PK\x03\x04 [Content_Types].xml", "papers.xlsx")
    expect(visitor.page.locator("#sheet-note")).to_contain_text("papers.xlsx is an Excel workbook")
    expect(visitor.page.locator("#columns")).to_be_hidden()


def test_a_missing_column_is_reported_before_anything_is_labelled(visit: Visit) -> None:
    visitor = visit()
    give(visitor, b"Abstract,Year\nstar,2026\n")
    expect(visitor.page.locator("#sheet-note")).to_contain_text("No column has a known name for titles")
    give(visitor, b"a,b\nstar,proof\n")
    expect(visitor.page.locator("#sheet-note")).to_contain_text("choose the columns")
