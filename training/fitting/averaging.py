"""Averages of the weights over training steps, evaluated and saved in place of the last weights."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from transformers import TrainerCallback, TrainingArguments

from training.config import FitConfig

_FILE = "averaged.safetensors"


class Averaging(TrainerCallback):  # type: ignore[misc]  # transformers is untyped
    """Updates an average of the weights after every step, from the share `averaging_start` of the steps on.

    "ema" is an exponential moving average, "swa" the plain mean of all steps (stochastic weight
    averaging, Izmailov et al. 2018). The average is written with each checkpoint and read again when
    training resumes. Before the first averaged step the current weights are used.
    """

    def __init__(self, network: nn.Module, config: FitConfig) -> None:
        self._network = network
        self._config = config
        self._average: AveragedModel | None = None

    def on_train_begin(self, args: TrainingArguments, state: Any, control: Any, **kwargs: object) -> None:
        decay = self._config.averaging_decay
        self._average = AveragedModel(
            self._network, avg_fn=_exponential(decay) if self._config.averaging == "ema" else None
        )
        written = Path(args.output_dir) / f"checkpoint-{state.global_step}" / _FILE
        if written.exists():
            self._average.load_state_dict(load_file(written))

    def on_step_end(self, args: TrainingArguments, state: Any, control: Any, **kwargs: object) -> None:
        if self._average is not None and state.global_step > self._config.averaging_start * state.max_steps:
            self._average.update_parameters(self._network)

    def write(self, folder: Path) -> None:
        """Write the average into the folder of a checkpoint, if a step has been averaged yet."""
        if self._average is not None and self._average.n_averaged:
            save_file(self._average.state_dict(), folder / _FILE)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Give the network the averaged weights while the block runs, if a step has been averaged yet."""
        if self._average is None or not self._average.n_averaged:
            yield
            return
        own = {name: weights.clone() for name, weights in self._network.state_dict().items()}
        self._network.load_state_dict(self._average.module.state_dict())
        try:
            yield
        finally:
            self._network.load_state_dict(own)


def load_average(network: nn.Module, checkpoint: Path) -> None:
    """Load the average of a checkpoint into the network, if the checkpoint has one."""
    if (checkpoint / _FILE).exists():
        average = AveragedModel(network)
        average.load_state_dict(load_file(checkpoint / _FILE))
        network.load_state_dict(average.module.state_dict())


def _exponential(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """An exponential moving average with a shorter memory in the first steps.

    With a constant decay of 0.999 the initial weights would still have a third of the weight after
    1,000 steps, which is a whole run on few papers. (1 + n) / (10 + n) is the ramp of TensorFlow's
    ExponentialMovingAverage.
    """

    def updated(average: Tensor, weights: Tensor, steps: Tensor | int) -> Tensor:
        current_decay = min(decay, (1 + float(steps)) / (10 + float(steps)))
        return torch.lerp(average, weights, 1 - current_decay)

    return updated
