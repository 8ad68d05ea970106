"""Learning rates over a run."""

import math

import pytest

from training.config import FitConfig
from training.fitting.schedule import rate


def rates(steps: int, config: FitConfig) -> list[float]:
    return [rate(step, steps, config) for step in range(steps + 1)]


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant", "slanted"])
def test_every_schedule_rises_once_to_the_full_rate(schedule: str) -> None:
    found = rates(100, FitConfig(schedule=schedule, warmup=0.1))
    assert found[10] == max(found) == 1
    assert found[:11] == sorted(found[:11])
    assert found[10:] == sorted(found[10:], reverse=True)


def test_linear_and_cosine_end_at_0_and_are_equal_half_way() -> None:
    linear, cosine = (rates(110, FitConfig(schedule=kind, warmup=10 / 110)) for kind in ("linear", "cosine"))
    assert linear[60] == pytest.approx(0.5)
    assert cosine[60] == pytest.approx(0.5)
    assert cosine[35] == pytest.approx((1 + math.cos(math.pi / 4)) / 2)
    assert linear[110] == cosine[110] == 0


def test_a_constant_rate_does_not_change() -> None:
    assert set(rates(50, FitConfig(schedule="constant", warmup=0))) == {1.0}


def test_a_slanted_triangle_starts_and_ends_at_its_lowest_rate() -> None:
    # Howard & Ruder 2018, equation 3, with cut_frac 0.1 and ratio 32: at half of the way down p is 1/2.
    found = rates(100, FitConfig(schedule="slanted"))
    assert found[0] == pytest.approx(1 / 32)
    assert found[5] == pytest.approx((1 + 0.5 * 31) / 32)
    assert found[55] == pytest.approx((1 + 0.5 * 31) / 32)
    assert found[100] == pytest.approx(1 / 32)


@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant", "slanted"])
def test_the_shortest_runs_have_valid_rates(steps: int, schedule: str) -> None:
    assert all(0 <= found <= 1 for found in rates(steps, FitConfig(schedule=schedule)))
