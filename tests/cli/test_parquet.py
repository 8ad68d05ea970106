"""`papers classify` to parquet."""

from pathlib import Path

import pyarrow
import pyarrow.parquet

from tests.cli.command import Command, write_lines


def test_parquet_keeps_its_types(papers: Command, tmp_path: Path) -> None:
    typed = pyarrow.table({"year": pyarrow.array([1999, None], pyarrow.int16()), "title": ["a star", "a proof"]})
    pyarrow.parquet.write_table(typed, tmp_path / "in.parquet")
    assert papers("classify", tmp_path / "in.parquet", "-o", tmp_path / "out.parquet").status == 0
    table = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert table.schema.field("year").type == pyarrow.int16()
    assert table.schema.field("labels").type == pyarrow.list_(pyarrow.string())
    assert not (tmp_path / "out.parquet.part").exists()


def test_mixed_types_for_parquet_are_refused_without_quoting_them(papers: Command, tmp_path: Path) -> None:
    source = write_lines(tmp_path / "in.jsonl", [{"title": "star", "x": 1}, {"title": "star", "x": "secret"}])
    ran = papers("classify", source, "-o", tmp_path / "out.parquet")
    assert ran.status == 2
    assert "JSON lines would take them" in ran.err
    assert "secret" not in ran.err
    assert [path.name for path in tmp_path.glob("out*")] == []


def test_an_empty_column_becomes_text_in_parquet(papers: Command, tmp_path: Path) -> None:
    source = write_lines(tmp_path / "in.jsonl", [{"title": "star", "note": None}] * 2)
    papers("classify", source, "-o", tmp_path / "out.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert (table.schema.field("note").type, table.num_rows) == (pyarrow.string(), 2)
