"""The pictures of the plan."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.capacity.plan import LOADS, percentile
from benchmarks.capacity.simulation import SAMPLE_S, Run

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # the backend is chosen first

_GROUP_S = 120


def draw_day(run: Run, capacity: float, path: Path) -> None:
    """Papers a second beside the fleet's capacity, and the waiting times of single papers."""
    figure, (rates, waits) = plt.subplots(2, 1, figsize=(9, 5.5), sharex=True, height_ratios=(3, 2))
    group = _GROUP_S // SAMPLE_S
    samples = run.samples[::group]
    hours = np.array([sample.at for sample in samples]) / 3600
    answered = np.diff([sample.papers for sample in samples]) / _GROUP_S
    rates.fill_between(hours[1:], answered, step="pre", alpha=0.4, label="papers answered per second")
    seconds = np.array([sample.at for sample in samples])
    rates.plot(hours, run.scenario.rate(seconds), color="black", linewidth=1, label="single papers sent per second")
    rates.step(
        hours,
        [sample.ready * capacity for sample in samples],
        where="post",
        color="tab:orange",
        label="capacity of the fleet",
    )
    rates.set(ylabel="papers per second", ylim=(0, None))
    rates.legend(fontsize="small", loc="upper center")
    for rank in (50, 99):
        times, values = _over_time(run, rank)
        waits.semilogy(times, values, label=f"p{rank}", linewidth=1)
    waits.set(xlabel="hour of the day", ylabel="s until the answer", xlim=(hours[0], hours[-1]))
    waits.legend(fontsize="small", loc="upper center")
    _save(figure, path)


def draw_deadline(runs: Mapping[str, Run], path: Path) -> None:
    """Instances and the p99 of waiting around the deadline, for fleets that grow in different ways."""
    figure, (fleets, waits) = plt.subplots(2, 1, figsize=(9, 6), sharex=True, layout="constrained")
    for name, run in runs.items():
        deadline_s = run.scenario.end_s - 300
        fleets.step([(s.at - deadline_s) / 60 for s in run.samples], [s.ready for s in run.samples], where="post")
        times, values = _over_time(run, 99, 20)
        waits.semilogy(60 * times - deadline_s / 60, values, label=name, linewidth=1)
    fleets.set(ylabel="instances", ylim=(0, None))
    waits.set(xlabel="minutes from the deadline", ylabel="p99 of the answer, s")
    figure.legend(*waits.get_legend_handles_labels(), fontsize="small", loc="outside lower center", ncols=2)
    _save(figure, path)


def draw_sweep(patient: Mapping[str, Run], impatient: Mapping[str, Run], path: Path) -> None:
    """Waiting times and lost requests by load."""
    figure, (waits, shares) = plt.subplots(1, 2, figsize=(9, 3.5))
    for rank in (50, 99):
        waits.semilogy(LOADS, [percentile(run.singles, rank) for run in patient.values()], marker="o", label=f"p{rank}")
    waits.set(xlabel="load, as a share of the capacity", ylabel="s until the answer")
    waits.legend(fontsize="small")
    for label, runs in (("clients that retry", patient), ("clients that do not", impatient)):
        lost = [run.singles.given_up / run.singles.requests for run in runs.values()]
        shares.plot(LOADS, lost, marker="o", label=f"given up, {label}")
    shares.plot(LOADS, [max(0.0, 1 - 1 / load) for load in LOADS], linestyle=":", label="more than the capacity")
    shares.set(xlabel="load, as a share of the capacity", ylabel="share of requests")
    shares.legend(fontsize="small")
    _save(figure, path)


def _over_time(run: Run, rank: float, group_s: float = _GROUP_S) -> tuple[NDArray[np.float64], list[float]]:
    """Hours, and percentiles of the seconds of the single papers that were first sent then."""
    asked_at, seconds = np.array(run.singles.asked_at), np.array(run.singles.seconds)
    groups = ((asked_at - run.scenario.start_s) // group_s).astype(int)
    order = np.argsort(groups, kind="stable")
    found, starts = np.unique(groups[order], return_index=True)
    values = [float(np.percentile(part, rank)) for part in np.split(seconds[order], starts[1:])]
    return (run.scenario.start_s + found * group_s) / 3600, values


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=100, bbox_inches="tight")
    plt.close(figure)
