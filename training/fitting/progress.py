"""The log of a training run: one JSON object per line, to be plotted and compared."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainingArguments


class MetricsFile(TrainerCallback):  # type: ignore[misc]  # transformers is untyped
    """Writes step, seconds of training so far, epoch, loss, learning rate and evaluation figures.

    A resumed run first removes the lines of steps that it will repeat, and adds its seconds to those
    of the last line that remains, so that the file equals that of an uninterrupted run.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before = 0.0
        self._started = 0.0

    def on_train_begin(self, args: TrainingArguments, state: Any, control: Any, **kwargs: object) -> None:
        if not state.is_world_process_zero:
            return
        lines = [line for line in read_metrics(self._path) if line["step"] <= state.global_step]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        self._before = lines[-1].get("seconds", 0.0) if lines else 0.0
        self._started = time.monotonic()

    def on_log(
        self, args: TrainingArguments, state: Any, control: Any, logs: Mapping[str, float], **kwargs: object
    ) -> None:
        if not state.is_world_process_zero:
            return
        seconds = round(self._before + time.monotonic() - self._started, 3)
        with self._path.open("a") as file:
            file.write(json.dumps({"step": state.global_step, "seconds": seconds, **logs}) + "\n")


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The lines of a metrics file in their order; empty if there is no such file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
