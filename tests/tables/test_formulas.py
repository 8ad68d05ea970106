"""No cell of a CSV is computed by a spreadsheet, whatever its country's list separator."""

import csv

import pytest

from tables.formulas import neutralized
from tables.writers import csv_line


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1", "+SUM(A1)", "-cmd|' /c calc'!A0", "@SUM(1)", " =1+1", "\t=1+1", "\tx", "\rx", "\n=1", "\u200b=1+1",
        "\ufeff=1", "\u00ad\u2060 =1", "\x00=1", "＝1+1", "＋1+A1", "－A1", "＠SUM(1)", "-1+cmd", "=", "--1",
    ],
)  # fmt: skip
def test_cells_that_begin_a_formula_get_an_apostrophe(cell: str) -> None:
    safe = neutralized(cell)
    assert safe.startswith("'")
    assert safe.replace("'", "") == cell.replace("'", "")


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "a star",
        "-5",
        "+3.25",
        "-1,5",
        "-1.5e-3",
        "+10 %",
        "a = b",
        "x - y",
        "e@mail.example",
        "[0,-1]",
        "p; q",
        "'=1",
    ],
)
def test_text_and_numbers_stay_as_they_are(cell: str) -> None:
    assert neutralized(cell) == cell
    assert neutralized(cell, ";") == cell


@pytest.mark.parametrize(
    ("cell", "delimiter", "safe"),
    [
        ("text;=cmd", ",", "text;'=cmd"),
        ("text;\u200b@SUM(1)", ",", "text;\u200b'@SUM(1)"),
        ("text,=cmd", ",", "text,=cmd"),
        ("text,=cmd", ";", "text,'=cmd"),
        ("text\t+SUM(1)", ",", "text\t'+SUM(1)"),
        ("two\n=lines", ",", "two\n'=lines"),
        ("a list\n- of things; -5 of them", ",", "a list\n- of things; -5 of them"),
    ],
)
def test_a_file_is_safe_where_another_list_separator_is_used(cell: str, delimiter: str, safe: str) -> None:
    assert neutralized(cell, delimiter) == safe


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_no_field_is_a_formula_whichever_separator_reads_it(delimiter: str) -> None:
    """Read without regard to quotation marks, as a spreadsheet does where they are not at the start of a field."""
    hostile = ["=1", "a;=2", "b,=3", "c\n=4", 'd";=5', "e\t@6", ";\u200b=7", "f,;=8", "g\r=9"]
    line = csv_line([neutralized(cell, delimiter) for cell in hostile], delimiter)
    other = ";" if delimiter == "," else ","
    for row in csv.reader(line.splitlines(), delimiter=other, quoting=csv.QUOTE_NONE):
        assert not [field for field in row if field.lstrip(' \t\u200b"').startswith(("=", "@", "+"))]
    (row,) = csv.reader([line], delimiter=delimiter) if "\n" not in line[:-1] else [hostile]
    assert len(row) == len(hostile)
