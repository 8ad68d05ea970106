"""The comparison of two graphs runs end to end; how fast they are is not asserted."""

from pathlib import Path

import pytest

from benchmarks.graph import main
from tests import builders
from tests.training import tiny


def test_a_row_for_each_number_of_threads_and_callers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    artefact = str(builders.publish(tmp_path / "store").resolve().folder)
    papers = tiny.write_csv(tmp_path / "papers.csv", tiny.papers(5))
    quick = ["--threads", "1", "2", "--callers", "1", "3", "--rounds", "2"]
    main([artefact, artefact, str(papers), *quick])
    header, _, *rows = capsys.readouterr().out.splitlines()
    cells = [[float(cell) for cell in row.strip("|").split("|")] for row in rows]
    assert header.count("|") == 6
    assert [row[:2] for row in cells] == [[1, 1], [1, 3], [2, 1], [2, 3]]
    assert all(rate > 0 for row in cells for rate in row[2:])
