"""The scenarios of the plan, and their tables for docs/scale.md."""

import tomllib
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Self

import numpy as np

from benchmarks.capacity.arrivals import DAY_S, Constant, DailyCurve
from benchmarks.capacity.autoscaler import Autoscaling
from benchmarks.capacity.clients import Outcomes
from benchmarks.capacity.costs import Costs
from benchmarks.capacity.fleet import KUBERNETES_SERVICE, BalancerSettings, Fleet
from benchmarks.capacity.simulation import Backfill, Run, Scenario, simulate
from benchmarks.markdown import table as markdown
from client import Retries

PLAN = Path(__file__).parent / "plan.toml"
_HOUR_S = 3600
_SWEEP_REPLICAS = 4
_SWEEP_S = 60
# Longer than clients retry.
_SETTLE_S = 75
LOADS = (0.5, 0.8, 0.9, 1.0, 1.1, 1.3, 1.6, 2.0)
"""Of the sweep, as shares of the capacity."""
# More than all instances can hold: 256 waiting papers and 300 delayed rejections each.
_ENOUGH_CONNECTIONS = 10_000


@dataclass(frozen=True)
class Plan:
    """The assumptions; see plan.toml."""

    papers_per_day: int
    backfill_papers: int
    backfill_start_h: float
    backfill_clients: int
    peak_h: float
    swing: float
    deadline_papers: int
    deadline_h: float
    deadline_ramp_s: float
    cores_per_instance: float
    requested_cores: float
    smallest_fleet: int
    scheduling_s: float
    new_machine_s: float
    metrics_delay_s: float
    core_hour_price: float

    @classmethod
    def read(cls, path: Path = PLAN) -> Self:
        """Read the two tables of the file."""
        document = tomllib.loads(path.read_text())
        return cls(**document["demand"], **document["platform"])

    @property
    def curve(self) -> DailyCurve:
        """The rate of single papers."""
        usual = self.papers_per_day - self.backfill_papers - self.deadline_papers
        return DailyCurve(
            usual, self.peak_h, self.swing, self.deadline_h, self.deadline_papers, self.deadline_ramp_s
        )  # fmt: skip

    @property
    def backfill(self) -> Backfill:
        """The nightly batches."""
        return Backfill(self.backfill_papers, self.backfill_start_h * _HOUR_S, self.backfill_clients)


def day(plan: Plan) -> Scenario:
    """A whole day behind the autoscaler as it is shipped."""
    return Scenario(
        plan.curve, 0, DAY_S, plan.smallest_fleet, Autoscaling.read(), plan.requested_cores, plan.metrics_delay_s,
        plan.scheduling_s, plan.backfill, balancer=BalancerSettings(max_connections=_ENOUGH_CONNECTIONS),
    )  # fmt: skip


def deadlines(plan: Plan) -> dict[str, Scenario]:
    """The last quarter before the deadline and the five minutes after it, with fleets that grow in different ways."""
    deadline_s = plan.deadline_h * _HOUR_S
    base = replace(
        day(plan), start_s=deadline_s - 900, end_s=deadline_s + 300, settle_s=_SETTLE_S, replicas=4, backfill=None
    )
    autoscaling = Autoscaling.read()
    return {
        "autoscaler as shipped, image on the machines": base,
        "the same, new machines are started first": replace(base, scheduling_s=plan.new_machine_s),
        "at most 16 instances": replace(base, autoscaling=replace(autoscaling, largest=16)),
        f"8 instances, HAProxy with {BalancerSettings().max_connections:,} connections": replace(
            base, autoscaling=None, replicas=8, balancer=BalancerSettings()
        ),
    }


def backfills(plan: Plan) -> dict[str, Scenario]:
    """The first five minutes of a backfill, by as many clients as planned and by four times as many."""
    backfill = plan.backfill
    base = replace(day(plan), start_s=backfill.start_s, end_s=backfill.start_s + 300)
    clients = (plan.backfill_clients, 4 * plan.backfill_clients)
    return {f"{count} clients": replace(base, backfill=replace(backfill, clients=count)) for count in clients}


def losses(costs: Costs) -> dict[str, Scenario]:
    """Four instances at 70 % of their capacity, one of which is lost after half a minute."""
    base = Scenario(
        Constant(0.7 * _SWEEP_REPLICAS * costs.capacity), 0, 120, _SWEEP_REPLICAS, scheduling_s=30, settle_s=_SETTLE_S
    )
    killed = replace(base, failures=[(30, Fleet.kill_process)])
    lost = replace(base, failures=[(30, Fleet.lose_machine)])
    return {
        "nothing": base,
        "process killed": killed,
        "machine lost": lost,
        "process killed, without HAProxy": replace(killed, balancer=KUBERNETES_SERVICE),
        "machine lost, without HAProxy": replace(lost, balancer=KUBERNETES_SERVICE),
    }


def sweep(costs: Costs, retries: Retries) -> dict[str, Scenario]:
    """Four instances at rising load."""
    capacity = _SWEEP_REPLICAS * costs.capacity
    balancer = BalancerSettings(max_connections=_ENOUGH_CONNECTIONS)
    return {
        f"{load:.0%}": Scenario(
            Constant(load * capacity),
            0,
            _SWEEP_S,
            _SWEEP_REPLICAS,
            retries=retries,
            balancer=balancer,
            settle_s=_SETTLE_S,
        )
        for load in LOADS
    }


def simulate_all(
    groups: Mapping[str, Mapping[str, Scenario]], costs: Costs, processes: int
) -> dict[str, dict[str, Run]]:
    """Simulate the scenarios of all groups, several at a time; the longest should come first."""
    with ProcessPoolExecutor(processes) as pool:
        scenarios = [scenario for group in groups.values() for scenario in group.values()]
        runs = pool.map(simulate, scenarios, repeat(costs))
        return {name: dict(zip(group, runs, strict=False)) for name, group in groups.items()}


def percentile(outcomes: Outcomes, rank: float) -> float:
    """Seconds from the first try to the answer, of the answered requests."""
    return float(np.percentile(outcomes.seconds, rank)) if outcomes.seconds else float("nan")


def table(runs: Mapping[str, Run]) -> str:
    """What single papers experienced, and with how many instances."""
    header = ("scenario", "papers/s", "p50 s", "p99 s", "slowest s", "429", "given up", "instances", "connections")
    return markdown(header, [_cells(name, run) for name, run in runs.items()])


def _cells(name: str, run: Run) -> list[str]:
    singles, scenario = run.singles, run.scenario
    ready = [sample.ready for sample in run.samples]
    return [
        name,
        f"{(singles.papers + run.batches.papers) / (scenario.end_s - scenario.start_s):.0f}",
        f"{percentile(singles, 50):.3f}",
        f"{percentile(singles, 99):.2f}",
        f"{percentile(singles, 100):.1f}",
        _share(singles.rejections, singles.replies),
        _share(singles.given_up, singles.requests),
        f"{min(ready)}–{max(ready)}" if min(ready) < max(ready) else f"{max(ready)}",
        f"{run.most_connections:,}",
    ]


def sweep_table(patient: Mapping[str, Run], impatient: Mapping[str, Run]) -> str:
    """Waiting and rejections by load, beside clients that do not retry."""
    header = ("load", "p50 s", "p99 s", "429 of replies", "given up", "without retries: p99 s", "given up")
    cells = []
    for load, run in patient.items():
        singles, once = run.singles, impatient[load].singles
        cells.append(
            [
                load,
                f"{percentile(singles, 50):.3f}",
                f"{percentile(singles, 99):.2f}",
                _share(singles.rejections, singles.replies),
                _share(singles.given_up, singles.requests),
                f"{percentile(once, 99):.2f}",
                _share(once.given_up, once.requests),
            ]
        )
    return markdown(header, cells)


def cost_table(run: Run, plan: Plan, costs: Costs) -> str:
    """What the day costs, beside an ideal fleet that is always busy and one that never changes its size."""
    papers = run.singles.papers + run.batches.papers
    largest = max(sample.ready for sample in run.samples)
    hours = {
        "the simulated day": run.instance_hours,
        "ideal: every instance busy all the time": papers / costs.capacity / _HOUR_S,
        f"{largest} instances all day": 24.0 * largest,
    }
    header = ("fleet", "core-hours", "a day", "a million papers", "use of the workers")
    cells = []
    for name, instance_hours in hours.items():
        core_hours = instance_hours * plan.cores_per_instance
        price = core_hours * plan.core_hour_price
        busy = papers / costs.capacity / _HOUR_S / instance_hours
        cells.append([name, f"{core_hours:.0f}", f"${price:.2f}", f"${1e6 * price / papers:.3f}", f"{busy:.0%}"])
    return markdown(header, cells)


def costs_table(costs: Costs) -> str:
    """What was measured, in one line each."""
    seconds = np.array([paper.seconds for paper in costs.papers])
    busy = seconds[:, -1] * 1000
    return markdown(
        ("measured", "value"),
        [
            ["papers/s of one instance, all workers busy", f"{costs.capacity:.1f}"],
            ["ms of a paper, one worker busy: mean", f"{1000 * seconds[:, 0].mean():.1f}"],
            [
                f"ms of a paper, {costs.workers} workers busy: mean, p99",
                f"{busy.mean():.1f}, {np.percentile(busy, 99):.1f}",
            ],
            ["ms of processor for a rejection", f"{1000 * costs.rejection_s:.2f}"],
            ["s from the start of a process until it is ready", f"{costs.start_s:.1f}"],
            ["machine and artefact", f"{costs.machine}; {costs.artefact}"],
            ["command", f"`{costs.command}`"],
        ],
    )


def _share(count: int, total: int) -> str:
    return f"{count / total:.1%}" if count else "0"
