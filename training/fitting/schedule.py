"""How the learning rate changes over a run, as a multiple of its highest value."""

import math

from training.config import FitConfig


def rate(step: int, steps: int, config: FitConfig) -> float:
    """What share of the learning rate holds at this step of so many.

    All schedules rise over the first `warmup` of the steps. Then "linear" falls to nothing, "cosine" does so along
    half a wave, "constant" stays, and "slanted" falls as in Howard & Ruder 2018, section 3.2: a triangle that starts
    and ends at 1 / `slant`.
    """
    if config.schedule == "slanted":
        return _slanted(step, steps, config)
    rising = math.ceil(steps * config.warmup)
    if step < rising:
        return step / rising
    left = max(0.0, (steps - step) / max(1, steps - rising))
    return {"linear": left, "cosine": (1 - math.cos(math.pi * left)) / 2, "constant": 1.0}[config.schedule]


def _slanted(step: int, steps: int, config: FitConfig) -> float:
    cut = math.floor(steps * config.warmup)
    height = step / cut if step < cut else (steps - step) / max(1, steps - cut)
    return (1 + max(0.0, height) * (config.slant - 1)) / config.slant
