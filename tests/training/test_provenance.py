"""Files of a run are used only by a run of the same configuration and data."""

from pathlib import Path

import pytest

from tests.training import tiny
from training.__main__ import main
from training.run import TrainingRun


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A run whose directory says that it was fitted."""
    path = tiny.config(tmp_path)
    run = TrainingRun.open(path, tmp_path / "runs")
    run.start_over()
    run.dir.weights.write_bytes(b"weights")
    return path


def call(capsys: pytest.CaptureFixture[str], command: str, config: Path, *options: str) -> tuple[int, str]:
    runs = config.parent / "runs"
    code = main([command, str(config), "--runs", str(runs), *options])
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    return code, "\n".join(errors)


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


@pytest.mark.parametrize(
    ("command", "options"),
    [("run", ("--resume",)), ("fit", ("--resume",)), ("publish", ()), ("score", ("--output", "never.npz"))],
)
def test_an_edited_configuration_does_not_take_over_the_old_network(
    config: Path, capsys: pytest.CaptureFixture[str], command: str, options: tuple[str, ...]
) -> None:
    edit(config, "learning_rate = 3e-3", "learning_rate = 1e-3")
    store = () if command in ("fit", "score") else ("--store", str(config.parent / "store"))
    code, said = call(capsys, command, config, *options, *store)
    assert code == 2
    assert "were made from other inputs: fit.learning_rate was 0.003, now 0.001. Undo the changes" in said


def test_changed_papers_are_noticed(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(config.parent / "train.csv", "quantum", "stellar")
    code, said = call(capsys, "fit", config, "--resume")
    assert code == 2
    assert "train.csv has changed" in said


def test_settings_that_only_publishing_reads_may_be_changed(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(config, "micro_f1_loss = 0.1", "micro_f1_loss = 0.2")
    assert call(capsys, "fit", config, "--resume") == (0, "")


def test_a_fit_without_resume_removes_the_files_of_the_run_before(config: Path) -> None:
    run = TrainingRun.open(config, config.parent / "runs")
    (run.dir.checkpoints / "checkpoint-99").mkdir(parents=True)
    run.start_over()
    assert not run.dir.weights.exists()
    assert not run.dir.checkpoints.exists()


def test_a_directory_without_a_record_is_used_as_before(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = TrainingRun.open(config, config.parent / "runs")
    run.dir.inputs.unlink()
    assert call(capsys, "fit", config, "--resume") == (0, "")
