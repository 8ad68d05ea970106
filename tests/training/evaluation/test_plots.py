"""Plots of the report: names stay as they are, whatever letters matplotlib's font has."""

import pytest

from training.evaluation.plots import interval_plot
from training.evaluation.schemas import Estimate

pytestmark = pytest.mark.train


@pytest.mark.parametrize("name", ["物理学", "Физика", "हिन्दी", "C & C++", "$x^2$", "😀"])
def test_names_in_any_script_are_drawn_as_text(name: str) -> None:
    svg = interval_plot([name], [Estimate(value=0.8, low=0.7, high=0.9)], "F1")
    escaped = name.replace("&", "&amp;")
    assert f">{escaped}</text>" in svg
    assert f'aria-label="F1: {escaped} 0.800 (0.700 to 0.900)"' in svg
