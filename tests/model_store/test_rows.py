"""Files of papers in every format, good and bad."""

import csv
import gzip
import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from model_store.errors import RowError
from model_store.rows import read_rows


def test_all_formats_give_the_same_rows(tmp_path: Path) -> None:
    rows = [{"ID": str(i), "TITLE": f"title {i}", "ABSTRACT": "two\nlines, a comma"} for i in range(5)]
    lines = "\n".join(json.dumps(row) for row in rows)
    (tmp_path / "a.jsonl").write_text(lines)
    (tmp_path / "a.json.gz").write_bytes(gzip.compress((lines + "\n\n").encode()))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    for path in (tmp_path / "a.csv", tmp_path / "a.csv.gz"):
        with gzip.open(path, "wt", newline="") if path.suffix == ".gz" else path.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    for name in ("a.jsonl", "a.json.gz", "a.parquet", "a.csv", "a.csv.gz"):
        assert [row.cells for row in read_rows(tmp_path / name)] == rows, name


def test_a_byte_order_mark_and_line_breaks_in_cells_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'\xef\xbb\xbfTITLE,ABSTRACT\r\n"a\nb","c ""d"""\r\n')
    assert next(read_rows(tmp_path / "a.csv")).cells == {"TITLE": "a\nb", "ABSTRACT": 'c "d"'}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"TITLE,ABSTRACT\nfine,fine\ncaf\xe9,b\n", r"row 2, column 'TITLE': holds bytes that are not UTF-8"),
        ("a.csv", b"TITLE,ABSTRACT\na\n", "row 1: has 1 cells, the header 2"),
        ("a.csv", b"TITLE,ABSTRACT\na,b,c\n", "row 1: has 3 cells, the header 2"),
        ("a.csv", b'TITLE,ABSTRACT\n"a\nb",c\nd,"e\n\n', "row 2: a quotation mark is never closed, up to line 5"),
        ("a.csv", b"caf\xe9,b\n1,2\n", "the names of its columns are not UTF-8; save it as that, or name"),
        ("a.csv", "a\tb\n".encode("utf-16") + b"x", "ends within a character"),
        ("a.csv", b"TITLE,ABSTRACT\n", "has no rows"),
        ("a.csv", b"", "has no rows"),
        ("a.csv", b"TITLE,TITLE\na,b\n", "TITLE"),
        ("a.jsonl", b'{"title": "a"}\n{"title"', "row 2: is no JSON"),
        ("a.jsonl", b"[1]\n", "row 1: is a JSON list"),
        ("a.jsonl", b'{"title": "\xff"}\n', "row 1, column 'title'"),
        ("a.csv.gz", b"no gzip", "cannot be read"),
        ("a.csv.gz", gzip.compress(b"TITLE\na\n" * 999)[:-20], "cannot be read"),
        ("a.parquet", b"no parquet", "cannot be read"),
        ("a.xlsx", b"", "unknown format; expected .csv"),
    ],
)
def test_a_bad_file_is_named_with_the_place(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RowError, match=said) as caught:
        list(read_rows(tmp_path / name))
    assert name in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RowError, match=r"nowhere\.csv cannot be read"):
        list(read_rows(tmp_path / "nowhere.csv"))
