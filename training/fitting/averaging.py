"""Averages of a network's weights over its training, evaluated and kept in its place."""

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
    """Averages the weights after every step, once `averaging_start` of the steps are taken.

    "ema" lets older weights fade, "swa" counts all alike (Izmailov et al. 2018). The average is
    written with each checkpoint and read again when training resumes; before the first step that
    counts there is none, and the weights stand for themselves.
    """

    def __init__(self, network: nn.Module, config: FitConfig) -> None:
        self._network = network
        self._config = config
        self._average: AveragedModel | None = None

    def on_train_begin(self, args: TrainingArguments, state: Any, control: Any, **kwargs: object) -> None:
        decay = self._config.averaging_decay
        self._average = AveragedModel(self._network, avg_fn=_fading(decay) if self._config.averaging == "ema" else None)
        written = Path(args.output_dir) / f"checkpoint-{state.global_step}" / _FILE
        if written.exists():
            self._average.load_state_dict(load_file(written))

    def on_step_end(self, args: TrainingArguments, state: Any, control: Any, **kwargs: object) -> None:
        if self._average is not None and state.global_step > self._config.averaging_start * state.max_steps:
            self._average.update_parameters(self._network)

    def write(self, folder: Path) -> None:
        """Write the average, if there is one yet, into the folder of a checkpoint."""
        if self._average is not None and self._average.n_averaged:
            save_file(self._average.state_dict(), folder / _FILE)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the network have the average's weights, if there is one yet, while the block runs."""
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
    """Give the network the average written with a checkpoint, if one was."""
    if (checkpoint / _FILE).exists():
        average = AveragedModel(network)
        average.load_state_dict(load_file(checkpoint / _FILE))
        network.load_state_dict(average.module.state_dict())


def _fading(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """The rule of an exponential average whose first steps forget faster, lest the start weigh on short runs."""

    def faded(average: Tensor, weights: Tensor, steps: Tensor | int) -> Tensor:
        kept = min(decay, (1 + float(steps)) / (10 + float(steps)))
        return torch.lerp(average, weights, 1 - kept)

    return faded
