"""Cells as text and as JSON, and lines that every reader reads back."""

import csv
import datetime
import io
import json
from contextlib import nullcontext
from decimal import Decimal

import pytest

from tables import TableError
from tables.earlier import Earlier
from tables.writers import CsvStyle, CsvWriter, JsonLinesWriter, csv_line, json_text, plain


@pytest.mark.parametrize(
    "cell", ["seen\rtwice", "two\nlines", "two\r\nlines", 'a "b"', "a,b", "a;b", " spaces ", "", "\r"]
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_every_cell_is_read_back_as_it_was(cell: str, delimiter: str) -> None:
    line = csv_line(["1", cell, "end"], delimiter)
    assert list(csv.reader(io.StringIO(line, newline=""), delimiter=delimiter)) == [["1", cell, "end"]]
    assert line.endswith("end\n")
    if "\r" in cell or "\n" in cell:
        assert f'"{cell}"' in line


@pytest.mark.parametrize(
    ("value", "text", "json_"),
    [
        (None, "", "null"),
        (float("nan"), "", "null"),
        (0.5, "0,5", "0.5"),
        (3, "3", "3"),
        (True, "true", "true"),
        (["a", "b"], "a; b", '["a", "b"]'),
        ({"a": [float("inf")]}, '{"a": [null]}', '{"a": [null]}'),
        (b"\xff\x00", "/wA=", '"/wA="'),
        (datetime.date(2020, 1, 2), "2020-01-02", '"2020-01-02"'),
        (Decimal("1.50"), "1.50", '"1.50"'),
    ],
)
def test_values_become_text_and_valid_json(value: object, text: str, json_: str) -> None:
    assert plain(value, ",") == text
    assert json_text(value) == json_
    json.loads(json_text(value), parse_constant=pytest.fail)


def test_a_header_is_written_once_and_unknown_columns_are_reported() -> None:
    file = io.StringIO()
    writer = CsvWriter(lambda: nullcontext(file), CsvStyle(";", ",", mark=True))
    writer.begin(["a", "=b"])
    assert file.getvalue() == ""
    assert writer.write({"a": 0.25, "=b": "x"}) is None
    assert writer.write({"c": 1}) == "has a column 'c' that the first row has not; JSON lines would take it"
    writer.close(complete=True)
    assert file.getvalue() == "\ufeffa;'=b\n0,25;x\n"
    assert writer.is_same({"a": "0,25", "'=b": "x"}, {"a": 0.25, "=b": "x"})


@pytest.mark.parametrize("incomplete", ["", "a,", "\ufeffa,b\n"[:3]])
def test_an_incomplete_header_is_written_again(incomplete: str) -> None:
    CsvWriter(lambda: nullcontext(io.StringIO()), earlier=Earlier(incomplete=incomplete)).begin(["a", "b"])


@pytest.mark.parametrize("incomplete", ['{"a": "x', '{"a": "x", "model": "m"}', '{"', "{"])
def test_an_incomplete_line_is_written_again(incomplete: str) -> None:
    JsonLinesWriter(lambda: nullcontext(io.StringIO()), Earlier(incomplete=incomplete)).begin(["a", "model"])


@pytest.mark.parametrize("incomplete", ['{"b": "x', '{"a": "x"}', "[", "a"])
def test_a_foreign_line_is_refused(incomplete: str) -> None:
    with pytest.raises(TableError, match="not written by this command"):
        JsonLinesWriter(lambda: nullcontext(io.StringIO()), Earlier(incomplete=incomplete)).begin(["a", "model"])
