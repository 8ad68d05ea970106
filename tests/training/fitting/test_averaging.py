"""Averages of weights: what they are, when they begin, and how they come back."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from torch import nn
from transformers import TrainingArguments

from training.config import FitConfig
from training.fitting.averaging import Averaging, load_average

SWA = FitConfig(averaging="swa")


def weight(network: nn.Linear) -> float:
    return float(network.weight.detach())


def network(value: float = 0.0) -> nn.Linear:
    made = nn.Linear(1, 1, bias=False)
    nn.init.constant_(made.weight, value)
    return made


def begun(averaging: Averaging, folder: Path, step: int = 0) -> Averaging:
    arguments = cast("TrainingArguments", SimpleNamespace(output_dir=str(folder)))
    averaging.on_train_begin(arguments, SimpleNamespace(global_step=step), control=None)
    return averaging


def walk(averaging: Averaging, net: nn.Linear, values: list[float], first: int = 1) -> None:
    """Take steps after which the weight has these values, of ten in all."""
    for step, value in enumerate(values, start=first):
        nn.init.constant_(net.weight, value)
        state: Any = SimpleNamespace(global_step=step, max_steps=10)
        averaging.on_step_end(cast("TrainingArguments", None), state, control=None)


def test_swa_is_the_mean_of_the_weights_after_each_step(tmp_path: Path) -> None:
    net = network()
    averaging = begun(Averaging(net, SWA), tmp_path)
    walk(averaging, net, [1.0, 2.0, 6.0])
    with averaging.in_place():
        assert weight(net) == pytest.approx(3)
    assert weight(net) == 6


def test_averaging_starts_after_its_share_of_the_steps(tmp_path: Path) -> None:
    net = network()
    averaging = begun(Averaging(net, FitConfig(averaging="swa", averaging_start=0.2)), tmp_path)
    walk(averaging, net, [1.0, 2.0])
    with averaging.in_place():
        assert weight(net) == 2
    walk(averaging, net, [4.0, 6.0], first=3)
    with averaging.in_place():
        assert weight(net) == pytest.approx(5)


def test_ema_has_a_shorter_memory_in_the_first_steps(tmp_path: Path) -> None:
    net = network()
    averaging = begun(Averaging(net, FitConfig(averaging="ema", averaging_decay=0.15)), tmp_path)
    walk(averaging, net, [1.0, 2.0, 3.0])
    # The first is taken whole; then 2/11 would be kept of it, were 0.15 not less.
    second = 0.15 * 1 + 0.85 * 2
    with averaging.in_place():
        assert weight(net) == pytest.approx(0.15 * second + 0.85 * 3)


def test_an_average_is_saved_with_a_checkpoint_and_continued_from_it(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint-2"
    checkpoint.mkdir()
    net = network()
    averaging = begun(Averaging(net, SWA), tmp_path)
    walk(averaging, net, [1.0, 2.0])
    averaging.write(checkpoint)
    resumed = begun(Averaging(net, SWA), tmp_path, step=2)
    walk(resumed, net, [6.0], first=3)
    with resumed.in_place():
        assert weight(net) == pytest.approx(3)
    load_average(net, checkpoint)
    assert weight(net) == pytest.approx(1.5)


def test_a_checkpoint_without_an_average_is_used_as_it_is(tmp_path: Path) -> None:
    net = network(7.0)
    begun(Averaging(net, SWA), tmp_path).write(tmp_path)
    load_average(net, tmp_path)
    assert weight(net) == 7
    assert not list(tmp_path.iterdir())
