"""Writing parquet: row groups, and what does not fit them."""

from pathlib import Path

import pytest

from tables import TableError
from tables.parquet_writer import ParquetWriter


@pytest.mark.parametrize(
    "late", [{"title": "star", "x": "secret"}, {"title": "star", "y": 1}, {"title": "star", "x": 2**70}]
)
def test_a_late_row_that_fits_no_parquet_column_leaves_no_half_a_file(tmp_path: Path, late: dict[str, object]) -> None:
    writer = ParquetWriter(tmp_path / "out.parquet", {"labels": "texts", "status": "text", "model": "text"})
    added = {"labels": ["A"], "status": "ok", "model": "a model"}
    for cells in [{"x": 1}] * 2000 + [late]:
        writer.write({**cells, **added})
    assert (tmp_path / "out.parquet.part").exists()
    with pytest.raises(TableError, match="rows 2001 to 2001 of the output do not fit"):
        writer.close(complete=True)
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_part_file_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "out.parquet.part").write_text("notes")
    ParquetWriter(tmp_path / "out.parquet", {}).close(complete=False)
    assert (tmp_path / "out.parquet.part").read_text() == "notes"
