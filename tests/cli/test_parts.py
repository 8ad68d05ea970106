"""Parts of tables: read, labelled and written without a cluster."""

import json
import pickle
from pathlib import Path

import pytest

from cli.added_columns import AddedColumns
from cli.bulk.folder import Folder, find_tables, local_copy
from cli.bulk.parts import Part, PartLabeller, PartResult, Source, read_parts
from cli.errors import CliError
from cli.labellers import LocalLabeller
from cli.text_columns import TextColumns
from tables import Options
from tables.writers import CsvStyle
from tests import builders
from tests.cli.command import Command, read_csv, write_csv

ROWS = [{"id": str(i), "title": "a star" if i % 3 else "", "abstract": "a proof" if i % 2 else ""} for i in range(25)]


def part_labeller(sources: list[Source], folder: Folder, format_: str = "csv") -> PartLabeller:
    """A labeller of parts with the tiny artefact."""
    labeller = LocalLabeller(builders.classifier())
    added = AddedColumns(labeller.labels, labeller.model)
    return PartLabeller(labeller, sources, TextColumns(), added, folder, format_, CsvStyle())


def test_parts_hold_the_rows_that_one_process_writes(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", ROWS)
    table, folder = Source(0, str(source), ["id", "title", "abstract"]), Folder(str(tmp_path / "out"))
    label = part_labeller([table], folder)
    parts = list(read_parts(table, Options(), 10, frozenset()))
    # Made in any order, and one of them twice.
    results = [label(part) for part in (*reversed(parts), parts[1])]
    assert sum(result.labelled + result.bad for result in results[:3]) == 25
    written = [row for part in sorted((tmp_path / "out").glob("part-*.csv")) for row in read_csv(part)]
    papers = Command(builders.publish(tmp_path / "artefacts").root)
    papers("classify", source, "-o", tmp_path / "local.csv")
    # The models have names of their own, since one was never published.
    assert [row | {"model": ""} for row in written] == [row | {"model": ""} for row in read_csv(tmp_path / "local.csv")]
    rejected = "".join(path.read_text() for path in sorted((tmp_path / "out" / "_rejected").iterdir()))
    assert rejected == (tmp_path / "local.csv.errors.jsonl").read_text()
    assert sorted(path.name for path in (tmp_path / "out" / "_done").iterdir()) == [
        f"{part.name}.json" for part in parts
    ]


def test_parts_that_are_done_are_not_read_again(tmp_path: Path) -> None:
    source = Source(3, str(write_csv(tmp_path / "in.csv", ROWS)), ["id", "title", "abstract"])
    done = frozenset({"part-00003-000000", "part-00003-000002"})
    (part,) = read_parts(source, Options(), 10, done)
    assert part.name == "part-00003-000001"
    assert [row.number for row in pickle.loads(part.rows)] == list(range(11, 21))  # noqa: S301


def test_rows_before_a_broken_place_are_labelled(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(json.dumps(ROWS[1:6])[:-1])
    source = Source(0, str(tmp_path / "in.json"), ["id", "title", "abstract"])
    first, second, last = read_parts(source, Options(), 3, frozenset())
    assert [len(pickle.loads(part.rows)) for part in (first, second)] == [3, 2]  # noqa: S301
    assert "is not JSON after row 5" in last.error
    label = part_labeller([source], Folder(str(tmp_path / "out")))
    assert label(last) == PartResult(error=last.error)
    assert not (tmp_path / "out").exists()


def test_a_part_without_a_good_row_leaves_a_marker(tmp_path: Path) -> None:
    source = Source(0, str(write_csv(tmp_path / "in.csv", ROWS[:1])), ["id", "title", "abstract"])
    (part,) = read_parts(source, Options(), 3, frozenset())
    assert part_labeller([source], Folder(str(tmp_path / "out")), "parquet")(part) == PartResult(0, 1)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["_done", "_rejected"]


def test_tables_are_found_in_folders_by_patterns_and_at_addresses(tmp_path: Path) -> None:
    for name in ("b.csv", "a.ris", "_run.json", "notes.docx", "deep/c.jsonl.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    out = f"{tmp_path}/out"
    assert [Path(path).name for path in find_tables(str(tmp_path), out)] == ["a.ris", "b.csv", "c.jsonl.gz"]
    assert [Path(path).name for path in find_tables(f"{tmp_path}/*.csv", out)] == ["b.csv"]
    assert find_tables(f"file://{tmp_path}/a.ris", out) == [f"{tmp_path}/a.ris"]
    with pytest.raises(CliError, match="there is no table"):
        find_tables(f"{tmp_path}/nowhere.csv", out)


def test_an_object_store_is_read_and_written() -> None:
    """By fsspec's store in memory, which is no folder of this machine."""
    folder = Folder("memory://bulk-test/out")
    folder.write("_done/part.json", b"{}")
    assert folder.exists("_done/part.json")
    assert folder.names("_done") == ["part.json"]
    assert folder.names("nowhere") == []
    assert folder.read("_done/part.json") == b"{}"
    folder.write("in.csv", b"title\nx\n")
    assert find_tables("memory://bulk-test/out/*.csv", "memory://bulk-test/labelled") == [
        "memory:///bulk-test/out/in.csv"
    ]
    with local_copy("memory://bulk-test/out/in.csv") as copy:
        assert (copy.name, copy.read_bytes()) == ("in.csv", b"title\nx\n")
    assert not copy.exists()


def test_the_name_of_a_part_gives_its_position() -> None:
    assert Part(2, 31).name == "part-00002-000031"
