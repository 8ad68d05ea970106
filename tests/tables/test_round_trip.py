"""Whatever text a table holds, it is read as it was written, in any dialect, and nothing is lost on broken input."""

import csv
import io
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tables import BadRow, Row, TableError, open_table, scan
from tests.tables.cases import FORMATS

# Letters, delimiters, quotation marks, line ends, and characters that spreadsheets and databases leave behind.
TEXTS = st.text(st.sampled_from("ab é“”,;|\t\"'\n\r\\={}[]\u200b\ufeff"), max_size=12)
ROWS = st.lists(st.tuples(st.integers(1, 9).map(str), TEXTS, TEXTS), min_size=1, max_size=6)
PIECES = [
    b"title", b",", b";", b"\t", b'"', b"\n", b"\r", b"\\", b"\x00", b"\xff", b"{", b"}", b"[", b"]", b":", b"1",
    b"TY  - JOUR\n", b"TI  - x\n", b"ER  - \n", b"@misc{a, title={", b"PMID- 1\n", b'{"title": "x"}', b"\x1f\x8b",
]  # fmt: skip
ANY_BYTES = st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=ROWS,
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_written_tables_are_read_back(
    tmp_path: Path, rows: list[tuple[str, str, str]], delimiter: str, end: str, encoding: str
) -> None:
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([("id", "title", "abstract"), *rows])
    path = tmp_path / "a.csv"
    path.write_bytes(file.getvalue().encode(encoding))
    read = list(scan(path))
    assert [tuple(row.cells.values()) for row in read if isinstance(row, Row)] == rows
    assert len(read) == len(rows)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=ANY_BYTES,
    name=st.sampled_from(["a.csv", "a.txt", "a.jsonl", "a.json", "a.ris", "a.nbib", "a.bib", "a.tsv"]),
)
def test_any_bytes_give_rows_or_one_sentence(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    rows, sentence = _read(path)
    assert sentence is None or (str(path) in sentence and "\n" not in sentence)
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert all("\n" not in row.reason for row in rows if isinstance(row, BadRow))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.data(), words=st.sampled_from(["`.xlsx`, `.xlsm`", "`.parquet`, `.pq`", "`.gz` after any ending of text"])
)
def test_a_damaged_file_gives_rows_or_one_sentence(tmp_path: Path, data: st.DataObject, words: str) -> None:
    case = FORMATS[words]
    content = bytearray(case.content[: data.draw(st.integers(1, len(case.content)))])
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=9)):
        content[place] = data.draw(st.integers(0, 255))
    (tmp_path / case.name).write_bytes(content)
    _, sentence = _read(tmp_path / case.name)
    assert sentence is None or (case.name in sentence and "\n" not in sentence)


def _read(path: Path) -> tuple[list[Row | BadRow], str | None]:
    """The rows up to the error that ended reading, and what it said."""
    rows: list[Row | BadRow] = []
    try:
        with open_table(path) as table:
            rows.extend(table.rows)
    except TableError as error:
        return rows, str(error)
    return rows, None
