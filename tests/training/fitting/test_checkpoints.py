"""From which checkpoint an interrupted training loop continues."""

from pathlib import Path

import pytest

from tests.training import tiny
from training.__main__ import main
from training.fitting.checkpoints import last_checkpoint


def checkpoint(folder: Path, step: int, state: str | None = "{}") -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "model.safetensors").touch()
    if state is not None:
        (path / "trainer_state.json").write_text(state)
    return path


@pytest.mark.parametrize("state", [None, "", '{"epoch": '], ids=["no state", "empty state", "cut state"])
def test_checkpoints_that_were_not_written_to_their_end_are_removed(tmp_path: Path, state: str | None) -> None:
    older, last = checkpoint(tmp_path, 9), checkpoint(tmp_path, 20)
    incomplete = checkpoint(tmp_path, 100, state)
    (tmp_path / "runs").mkdir()
    assert last_checkpoint(tmp_path) == last
    assert not incomplete.exists()
    assert older.exists()


def test_without_a_complete_checkpoint_there_is_none(tmp_path: Path) -> None:
    checkpoint(tmp_path, 9, None)
    assert last_checkpoint(tmp_path) is None
    assert last_checkpoint(tmp_path / "absent") is None


@pytest.mark.parametrize(
    ("command", "folder", "extra"),
    [
        ("fit", "checkpoints", ""),
        ("pretrain", "pretraining", "[pretrain]\nepochs = 1\nmax_tokens = 24\nprecision = 'fp32'\n"),
    ],
)
def test_a_run_that_was_killed_while_it_wrote_a_checkpoint_can_be_resumed(
    tmp_path: Path, command: str, folder: str, extra: str
) -> None:
    config = tiny.config(tmp_path, epochs=1, extra=extra)
    checkpoint(tmp_path / "runs/tiny-0.1.0" / folder, 24, None)
    assert main([command, str(config), "--runs", str(tmp_path / "runs"), "--resume"]) == 0
