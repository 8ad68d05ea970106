"""The comparison of revisions: its ratios, and that it finds no difference between equal services."""

import pytest

from benchmarks.revisions import Turn, _interval, _ratio, _report


def test_the_ratio_is_that_of_the_medians_and_lies_in_its_interval() -> None:
    pairs = [(Turn(10.0 + i % 3, 8.0), Turn(11.0 + i % 3, 8.0)) for i in range(30)]
    assert _ratio(pairs, lambda turn: turn.wall_ms) == pytest.approx(12 / 11)
    low, high = _interval(pairs, lambda turn: turn.wall_ms)
    assert low <= 12 / 11 <= high
    assert _interval(pairs, lambda turn: turn.processor_ms) == (1.0, 1.0)


def test_the_report_names_both_times() -> None:
    report = _report([(Turn(10.0, 8.0), Turn(10.2, 8.0))] * 3)
    assert "| wall-clock time | 10.00 | 10.20 | 1.020 | 1.020 to 1.020 |" in report
    assert "| processor time | 8.00 | 8.00 | 1.000 | 1.000 to 1.000 |" in report
