"""The comparison with the usual training script."""

from pathlib import Path

import pytest

from benchmarks.training_speed import Point, main, table
from tests.training import tiny


def test_the_ratio_is_taken_where_both_have_reached_the_same_figure() -> None:
    curves = {
        "usual script": [Point(10, 0.5), Point(40, 0.8), Point(80, 0.82)],
        "this project": [Point(5, 0.6), Point(10, 0.79), Point(15, 0.8), Point(20, 0.8)],
    }
    said = table(curves)
    assert "seconds to 0.8000" in said
    assert said.endswith(f"ratio {40 / 15:.2f}")


@pytest.mark.filterwarnings("ignore::UserWarning:torch")
def test_both_scripts_run_to_their_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tiny.config(tmp_path, epochs=1)), "--quick"]) == 0
    said = capsys.readouterr().out
    assert "usual script" in said
    assert float(said.split()[-1]) > 0
