"""The comparison with the usual training script."""

from pathlib import Path

import pytest

from benchmarks.training_speed import Point, main, table
from tests.training import tiny
from training.config import RunConfig, read_config


def test_the_ratio_is_taken_where_both_have_reached_the_same_figure() -> None:
    curves = {
        "usual script": [Point(100, 10, 0.5), Point(200, 40, 0.8), Point(300, 80, 0.82)],
        "this project": [Point(100, 5, 0.6), Point(150, 10, 0.79), Point(200, 15, 0.8), Point(300, 20, 0.8)],
    }
    text = table(curves)
    assert "seconds to 0.8000" in text
    assert "| usual script | 3.8 | 0.8200 | 40.0 |" in text
    assert "| this project | 15.0 | 0.8000 | 15.0 |" in text
    assert text.endswith(f"300 papers; ratio {40 / 15:.2f}")


@pytest.mark.filterwarnings("ignore::UserWarning:torch")
def test_both_scripts_run_to_their_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    papers = tmp_path / "train.csv"
    assert main([str(tiny.config(tmp_path, epochs=1)), str(papers), "--minutes", "0.01", "--processes", "1"]) == 0
    text = capsys.readouterr().out
    assert "| usual script |" in text
    assert float(text.split()[-1]) > 0


def test_other_processes_get_the_same_configuration(tmp_path: Path) -> None:
    config, _ = read_config(tiny.config(tmp_path))
    assert RunConfig.model_validate_json(config.model_dump_json()) == config
