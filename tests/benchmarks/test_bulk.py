"""The comparison of bulk labelling: parts are joined as one table, and differing rows are named."""

import gzip
from pathlib import Path

from benchmarks.bulk import WAYS, Labelled, first_rows, joined, report


def test_parts_are_joined_without_their_headers_in_the_order_of_the_table(tmp_path: Path) -> None:
    table, folder = tmp_path / "one.csv", tmp_path / "parts"
    table.write_bytes(b"title,labels\r\na,x\r\nb,y\r\n")
    folder.mkdir()
    (folder / "part-00000-000001.csv").write_bytes(b"title,labels\r\nb,y\r\n")
    (folder / "part-00000-000000.csv").write_bytes(b"title,labels\r\na,x\r\n")
    assert joined(folder) == joined(table) == b"a,x\r\nb,y\r\n"


def test_the_report_has_medians_and_names_rows_that_differ() -> None:
    def labelled(seconds: float, rows: bytes) -> Labelled:
        return Labelled(seconds, 1000, 1000 / seconds, rows)

    rounds = [[labelled(10, b"a"), labelled(5, b"a")], [labelled(20, b"a"), labelled(5, b"b")]]
    lines = report(WAYS[:2], rounds).splitlines()
    assert lines[-2] == "| one process, one thread | 15.0 | 66.7 | 75.0 | the same bytes |"
    assert lines[-1] == "| one process, two threads | 5.0 | 200.0 | 200.0 | DIFFERENT |"


def test_the_first_rows_keep_their_line_breaks(tmp_path: Path) -> None:
    table = tmp_path / "papers.csv.gz"
    table.write_bytes(gzip.compress(b'title,abstract\na,"b\nc"\nd,e\nf,g\n'))
    assert first_rows(table, 2, tmp_path / "first.csv").read_bytes() == b'title,abstract\r\na,"b\nc"\r\nd,e\r\n'
