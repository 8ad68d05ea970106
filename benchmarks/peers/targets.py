"""The targets of the service, as ratios to other measurements of the same run."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.peers.peer import LOOP, SERVICE, SERVICE_WITHOUT_EXITS, TORCH_FP32, TORCH_INT8

Value = Callable[..., float]
"""The median of a participant, by its name and the keys of a turn; NaN where it was not measured."""


class Verdict(NamedTuple):
    """A target, and what was measured."""

    target: str
    value: float
    limit: float
    at_least: bool

    @property
    def bound(self) -> str:
        """The limit in words."""
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}"

    @property
    def is_met(self) -> bool:
        """Whether the value is on the right side of the limit."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def verdicts(value: Value, other_servers: Sequence[str], callers: int) -> list[Verdict]:
    """All targets for which there are measurements; the loop has at most `callers`."""
    found = [*_against_torch(value), *_against_others(value, other_servers, callers), *_absolute(value)]
    return [verdict for verdict in found if not math.isnan(verdict.value)]


def _against_torch(value: Value) -> list[Verdict]:
    p50, rate, p99 = ("closed", "1", "p50"), ("closed", "16", "per_second"), ("closed", "16", "p99")
    return [
        Verdict("p50 at 1 client / torch fp32", _ratio(value, p50, TORCH_FP32), 0.25, False),
        Verdict("p50 at 1 client / torch int8", _ratio(value, p50, TORCH_INT8), 0.4, False),
        Verdict("papers/s at 16 clients / torch fp32", _ratio(value, rate, TORCH_FP32), 7, True),
        Verdict("papers/s at 16 clients / torch int8", _ratio(value, rate, TORCH_INT8), 3.5, True),
        Verdict("p99 at 16 clients / torch int8", _ratio(value, p99, TORCH_INT8), 0.25, False),
    ]


def _against_others(value: Value, other_servers: Sequence[str], callers: int) -> list[Verdict]:
    rate, p50 = ("closed", "16", "per_second"), ("closed", "1", "p50")
    fastest = max((value(name, *rate) for name in other_servers), default=math.nan)
    loop = value(LOOP, "closed", str(callers), "per_second")
    return [
        Verdict("papers/s at 16 clients / fastest other server", _quotient(value(SERVICE, *rate), fastest), 2, True),
        Verdict(
            f"papers/s at 16 clients / graph in a loop of {callers}", _quotient(value(SERVICE, *rate), loop), 0.95, True
        ),
        Verdict("p50 at 1 client − graph in a loop of 1, ms", value(SERVICE, *p50) - value(LOOP, *p50), 1, False),
    ]


def _absolute(value: Value) -> list[Verdict]:
    f1_loss = value(SERVICE_WITHOUT_EXITS, "micro_f1") - value(SERVICE, "micro_f1")
    return [
        Verdict("first answer after the start, s", value(SERVICE, "first_answer_s"), 1, False),
        Verdict("resident under load, MB", value(SERVICE, "resident_mb"), 200, False),
        Verdict("installed, MB", value(SERVICE, "installed_mb"), 250, False),
        Verdict("micro-F1 lost by early exits, points", 100 * f1_loss, 0.2, False),
    ]


def _ratio(value: Value, keys: Sequence[str], other: str) -> float:
    """Of this service to another."""
    return _quotient(value(SERVICE, *keys), value(other, *keys))


def _quotient(part: float, whole: float) -> float:
    """NaN where nothing was answered."""
    return part / whole if whole else math.nan
