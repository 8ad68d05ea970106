"""Plots of a comparison of servers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # the backend is chosen first

from benchmarks.peers.plan import CLIENTS


def draw_closed(rates: Mapping[str, Sequence[tuple[int, float]]], path: Path) -> None:
    """Papers a second by the number of clients."""
    figure, axes = plt.subplots(figsize=(8, 4.5))
    for name, points in rates.items():
        # A loop has as many callers as there are processors: a level that servers can reach.
        alone = len(points) < len(CLIENTS)
        axes.plot(*zip(*points, strict=True), marker="x" if alone else "o", label=name)
    axes.set(xscale="log", xlabel="clients", ylabel="papers per second", ylim=(0, None))
    axes.set_xticks(CLIENTS, map(str, CLIENTS))
    _save(figure, axes, path)


def draw_open(loads: Mapping[str, Sequence[tuple[float, float, float, float]]], path: Path) -> None:
    """99th percentile of latency by the rate of arrivals."""
    figure, axes = plt.subplots(figsize=(8, 4.5))
    for name, points in loads.items():
        if points:
            axes.plot([point[0] for point in points], [point[2] for point in points], marker="o", label=name)
    axes.set(xscale="log", yscale="log", xlabel="requests per second", ylabel="99th percentile, ms")
    _save(figure, axes, path)


def _save(figure: Figure, axes: Axes, path: Path) -> None:
    if axes.lines:
        axes.legend(fontsize="x-small")
    figure.savefig(path, dpi=100, bbox_inches="tight")
    plt.close(figure)
