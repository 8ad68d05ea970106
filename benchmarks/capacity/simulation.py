"""Puts arrivals, clients, fleet and autoscaler together, and samples them over time."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np
import simpy

from app.settings import Settings
from benchmarks.capacity.arrivals import Rate, poisson
from benchmarks.capacity.autoscaler import Autoscaler, Autoscaling
from benchmarks.capacity.clients import Arrival, Clients, Outcomes
from benchmarks.capacity.costs import Costs, PaperCost
from benchmarks.capacity.fleet import BalancerSettings, Fleet
from benchmarks.capacity.replica import Replica
from client import Retries

SAMPLE_S = 10


@dataclass(frozen=True)
class Backfill:
    """A collection that is classified in batches, by clients each of which waits for its answer."""

    papers: int
    start_s: float
    clients: int
    batch: int = 64


@dataclass(frozen=True)
class Scenario:
    """What is simulated: demand, platform and failures. Times are seconds since midnight."""

    rate: Rate
    """Of single papers."""
    start_s: float
    end_s: float
    replicas: int
    """At the start; for all the time if there is no autoscaling."""
    autoscaling: Autoscaling | None = None
    requested_cores: float = 1.0
    metrics_delay_s: float = 30.0
    scheduling_s: float = 20.0
    """From the decision to start an instance to the start of its process."""
    backfill: Backfill | None = None
    failures: Sequence[tuple[float, Callable[[Fleet], None]]] = ()
    retries: Retries = field(default_factory=Retries)
    balancer: BalancerSettings = field(default_factory=BalancerSettings)
    settle_s: float = 0.0
    """How long the simulation continues without new single papers, for answers and retries."""
    seed: int = 1


@dataclass(frozen=True)
class Sample:
    """The state at one time; counts are sums since the start."""

    at: float
    ready: int
    requests: int
    answered: int
    rejections: int
    papers: int
    waiting: int
    """Papers that wait for a worker."""


@dataclass(frozen=True)
class Run:
    """The results of a scenario."""

    scenario: Scenario
    singles: Outcomes
    batches: Outcomes
    samples: list[Sample]
    instance_hours: float
    most_connections: int
    scored: int
    """Papers that instances have scored, for all clients."""


def simulate(
    scenario: Scenario, costs: Costs, settings: Settings | None = None, arrivals: Iterator[Arrival] | None = None
) -> Run:
    """Run a scenario with instances that have the measured costs; `arrivals` take the place of the scenario's rate."""
    settings = settings or Settings(threads=costs.workers)
    env = simpy.Environment(scenario.start_s)
    fleet = Fleet(
        env, lambda: Replica(env, settings, costs.rejection_s, costs.overhead_s), scenario.replicas,
        scenario.scheduling_s + costs.start_s, scenario.balancer,
    )  # fmt: skip
    chance = random.Random(scenario.seed)  # noqa: S311
    singles, batches = (Clients(env, fleet, scenario.retries, chance) for _ in range(2))
    env.process(singles.send_all(arrivals or _singles(scenario, costs.papers)))
    if scenario.backfill:
        _start_backfill(env, scenario.backfill, batches, costs.papers, chance)
    if scenario.autoscaling:
        policy, cores, delay_s = scenario.autoscaling, scenario.requested_cores, scenario.metrics_delay_s
        env.process(Autoscaler(env, fleet, policy, cores, delay_s).run())
    for at, fail in scenario.failures:
        env.process(_at(env, at, fail, fleet))
    samples: list[Sample] = []
    env.process(_sample(env, fleet, (singles.outcomes, batches.outcomes), samples))
    env.run(until=scenario.end_s + scenario.settle_s)
    scored = sum(replica.scored for replica in fleet.replicas)
    return Run(
        scenario, singles.outcomes, batches.outcomes, samples, fleet.instance_hours(), fleet.most_connections, scored
    )  # fmt: skip


def _singles(scenario: Scenario, papers: Sequence[PaperCost]) -> Iterator[Arrival]:
    chance = np.random.default_rng(scenario.seed)
    times = poisson(scenario.rate, scenario.start_s, scenario.end_s, chance)
    for at in times:
        yield Arrival(at, (papers[int(chance.integers(len(papers)))],))


def _start_backfill(
    env: simpy.Environment, backfill: Backfill, clients: Clients, papers: Sequence[PaperCost], chance: random.Random
) -> None:
    batches = (chance.choices(papers, k=backfill.batch) for _ in repeat(None, backfill.papers // backfill.batch))

    def start() -> simpy.events.ProcessGenerator:
        yield env.timeout(max(0.0, backfill.start_s - env.now))
        for _ in range(backfill.clients):
            env.process(clients.send_in_turn(batches))

    env.process(start())


def _at(
    env: simpy.Environment, at: float, fail: Callable[[Fleet], None], fleet: Fleet
) -> simpy.events.ProcessGenerator:
    yield env.timeout(at - env.now)
    fail(fleet)


def _sample(
    env: simpy.Environment, fleet: Fleet, kinds: Sequence[Outcomes], samples: list[Sample]
) -> simpy.events.ProcessGenerator:
    while True:
        samples.append(
            Sample(
                env.now,
                len(fleet.ready),
                sum(kind.requests for kind in kinds),
                sum(kind.answered for kind in kinds),
                sum(kind.rejections for kind in kinds),
                sum(kind.papers for kind in kinds),
                sum(replica.queue_depth for replica in fleet.ready),
            )
        )
        yield env.timeout(SAMPLE_S)
