"""Schedules of the learning rate, as a factor of its highest value."""

import math

from training.config import FitConfig


def rate(step: int, steps: int, config: FitConfig) -> float:
    """The factor, from 0 to 1, by which the learning rate is multiplied at `step` of `steps`.

    All schedules rise linearly over the first `warmup` of the steps. After that "linear" falls to 0, "cosine" falls
    to 0 along half a cosine wave, "constant" stays at 1, and "slanted" is the slanted triangle of Howard and Ruder
    2018, section 3.2, which starts and ends at 1 / `slant`.
    """
    if config.schedule == "slanted":
        return _slanted(step, steps, config)
    warmup_steps = math.ceil(steps * config.warmup)
    if step < warmup_steps:
        return step / warmup_steps
    remaining = max(0.0, (steps - step) / max(1, steps - warmup_steps))
    return {"linear": remaining, "cosine": (1 - math.cos(math.pi * remaining)) / 2, "constant": 1.0}[config.schedule]


def _slanted(step: int, steps: int, config: FitConfig) -> float:
    cut = math.floor(steps * config.warmup)
    height = step / cut if step < cut else (steps - step) / max(1, steps - cut)
    return (1 + max(0.0, height) * (config.slant - 1)) / config.slant
