"""Several processes train one network: the same papers, the same weights, one of them writes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.training import tiny
from training.errors import ConfigError
from training.fitting.distributed import ProcessGroup

# Dropout draws differ between one process and two; without it only rounding does.
WITHOUT_DROPOUT = ("max_tokens = 32\n", "max_tokens = 32\n[head]\ndropout = 0.0\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the same network fitted by one process and by two."""
    folder = tmp_path_factory.mktemp("processes")
    config = tiny.config(folder, epochs=2)
    text = config.read_text().replace(*WITHOUT_DROPOUT)
    source = f"source = {json.dumps(str(folder / 'encoder'))}\n"
    config.write_text(text.replace(source, f"{source}dropout = 0.0\n"))
    fit = ["-m", "training", "fit", str(config), "--runs"]
    launch([], [*fit, str(folder / "one")])
    together = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    launch(together, [*fit, str(folder / "two")])
    return folder


def launch(launcher: list[str], arguments: list[str]) -> None:
    # The processes meet on the loopback device; a host's own name may lead elsewhere.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    done = subprocess.run(
        [sys.executable, *launcher, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_two_processes_end_with_the_weights_of_one(folder: Path) -> None:
    one, two = (load_file(folder / run / "tiny-0.1.0/network.safetensors") for run in ("one", "two"))
    assert one.keys() == two.keys()
    # The loss does not depend on keys' biases: what moves them is rounding alone, which Adam makes a step of.
    for name in one.keys() - {name for name in one if name.endswith("key.bias")}:
        np.testing.assert_allclose(two[name], one[name], atol=1e-5, err_msg=name)


def test_they_agree_on_every_evaluation_and_log_each_step_once(folder: Path) -> None:
    one, two = (figures(folder / run / "tiny-0.1.0/checkpoints/metrics.jsonl") for run in ("one", "two"))
    assert one.keys() == two.keys()
    for step, micro_f1 in one.items():
        assert two[step] == pytest.approx(micro_f1, abs=0.01)


def test_they_keep_the_same_best_checkpoint(folder: Path) -> None:
    one, two = (best(folder / run / "tiny-0.1.0/checkpoints") for run in ("one", "two"))
    assert one == two


@pytest.mark.parametrize(("processes", "share"), [(1, 24), (2, 12), (3, 8)])
def test_a_batch_is_divided_evenly(processes: int, share: int) -> None:
    assert ProcessGroup(processes).per_process(24) == share


def test_a_batch_that_cannot_be_divided_evenly_is_refused() -> None:
    with pytest.raises(ConfigError, match="batch_size 24 cannot be divided evenly among 5 processes"):
        ProcessGroup(5).per_process(24)


def test_only_the_process_of_rank_0_is_the_main_one() -> None:
    assert ProcessGroup.from_environment({}) == ProcessGroup(1, 0)
    assert ProcessGroup.from_environment({}).is_main
    assert not ProcessGroup.from_environment({"WORLD_SIZE": "2", "RANK": "1"}).is_main


def figures(path: Path) -> dict[int, float]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    steps = [(line["step"], line["eval_micro_f1"]) for line in lines if "eval_micro_f1" in line]
    assert len(dict(steps)) == len(steps)
    return dict(steps)


def best(checkpoints: Path) -> int:
    last = max(checkpoints.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    return int(json.loads((last / "trainer_state.json").read_text())["best_global_step"])
