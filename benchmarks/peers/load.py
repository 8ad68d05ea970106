"""The result of a load."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Load(NamedTuple):
    """The result of some seconds of load; latencies in milliseconds, of the requests that were answered with 200."""

    p50: float
    p95: float
    p99: float
    per_second: float
    errors: int


def load_of(latencies_s: Sequence[float], seconds: float, errors: int = 0) -> Load:
    """Percentiles and rate of these latencies; NaN where nothing was answered."""
    p50, p95, p99 = 1000 * np.percentile(latencies_s or [float("nan")], [50, 95, 99])
    return Load(float(p50), float(p95), float(p99), len(latencies_s) / seconds, errors)
