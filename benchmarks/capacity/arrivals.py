"""When papers arrive: a daily curve with a deadline, and Poisson arrivals that follow any rate."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rate = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Arrivals a second at these seconds since midnight."""

DAY_S = 86_400
_HOUR_S = 3600
_CHUNK_S = 60


@dataclass(frozen=True)
class Constant:
    """The same rate at all times."""

    rate: float

    def __call__(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.full(seconds.shape, self.rate)


@dataclass(frozen=True)
class DailyCurve:
    """Single papers over a day: a cosine with its peak in the afternoon, and a rush before a deadline.

    The rush grows exponentially, e-fold in `ramp_s`, and ends at the deadline: most people submit in the last minutes.
    """

    papers: float
    """In one day, without those of the rush."""
    peak_h: float
    swing: float
    """How far the rate rises above its mean and falls below it, as a share of the mean."""
    deadline_h: float
    deadline_papers: float
    ramp_s: float

    def __call__(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        phase = 2 * np.pi * (seconds / DAY_S - self.peak_h / 24)
        usual = self.papers / DAY_S * (1 + self.swing * np.cos(phase))
        left_s = self.deadline_h * _HOUR_S - seconds
        rush = self.deadline_papers / self.ramp_s * np.exp(-np.maximum(left_s, 0) / self.ramp_s)
        return np.asarray(usual + np.where(left_s > 0, rush, 0.0))


def poisson(rate: Rate, start_s: float, end_s: float, chance: np.random.Generator) -> Iterator[float]:
    """Times of arrivals, in order; the rate is taken as constant within each second."""
    for first in np.arange(start_s, end_s, _CHUNK_S):
        last = min(first + _CHUNK_S, end_s)
        starts = np.arange(first, last)
        lengths = np.minimum(starts + 1, last) - starts
        counts = chance.poisson(rate(starts) * lengths)
        times = np.repeat(starts, counts) + np.repeat(lengths, counts) * chance.random(counts.sum())
        times.sort()
        yield from times.tolist()
