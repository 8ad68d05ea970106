"""Two real services behind HAProxy, and the simulation of the same requests at the same times."""

import asyncio
import json
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from app.settings import Settings
from benchmarks.capacity.arrivals import Constant, poisson
from benchmarks.capacity.clients import Arrival, Outcomes
from benchmarks.capacity.costs import Costs, PaperCost
from benchmarks.capacity.measure import measure_papers, read_sample
from benchmarks.capacity.simulation import Scenario, simulate
from benchmarks.markdown import table
from client import Retries
from tests.app.load import Caller, run
from tests.app.running import running
from tests.deploy.balancer import balancer, free_ports, wait_until_ready

_REPLICAS = 2
# Load as a share of the capacity, and for which share of the time.
PHASES = ((0.6, 0.3), (1.5, 0.3), (0.6, 0.4))
# Longer than clients retry.
_SETTLE_S = 75.0
_REJECTION_S = 0.0003


class Answer(NamedTuple):
    """One request: when it was first sent, seconds until its answer or None, and how often it got 429."""

    at: float
    seconds: float | None
    rejections: int


def validate(file: Path, size: int, seconds: float, service: dict[str, Any]) -> str:
    """A table of what was measured and what was simulated, for each phase of the load."""
    sample = read_sample(file, size, service)
    with _replicas(service) as port:
        measured = measure_papers(port, sample, [_REPLICAS])
        costs = Costs("validate", "", "", 0.0, _REJECTION_S, measured.overhead_s, measured.papers)
        arrivals = list(_arrivals(_REPLICAS * costs.capacity, seconds, costs.papers))
        answers = run(_send_all(port, arrivals, dict(zip(costs.papers, sample.requests, strict=True))))
    scenario = Scenario(Constant(0.0), 0, seconds, _REPLICAS, settle_s=_SETTLE_S)
    simulated = simulate(scenario, costs, Settings(threads=1), iter(arrivals)).singles
    return _report(answers, simulated, _REPLICAS * costs.capacity, seconds)


@contextmanager
def _replicas(service: dict[str, Any]) -> Iterator[int]:
    """The port of a balancer in front of services of one thread each."""
    port, *ports = free_ports(1 + _REPLICAS)
    with ExitStack() as stack:
        for replica in ports:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            stack.enter_context(running(folder, port=replica, threads=1, **service))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        wait_until_ready(stack.enter_context(balancer(folder, port, ports)))
        yield port


def _phases(seconds: float) -> Iterator[tuple[float, float, float]]:
    """Load, start and end of each phase."""
    start = 0.0
    for load, share in PHASES:
        yield load, start, start + share * seconds
        start += share * seconds


def _arrivals(capacity: float, seconds: float, papers: Sequence[PaperCost]) -> Iterator[Arrival]:
    chance = np.random.default_rng(1)
    for load, start, end in _phases(seconds):
        for at in poisson(Constant(load * capacity), start, end, chance):
            yield Arrival(at, (papers[int(chance.integers(len(papers)))],))


async def _send_all(port: int, arrivals: Sequence[Arrival], requests: dict[PaperCost, bytes]) -> list[Answer]:
    """Send requests when they are due, and repeat them as the client does."""
    retries, idle, answers = Retries(), list[Caller](), list[Answer]()
    began = time.monotonic()

    async def ask(arrival: Arrival) -> None:
        await asyncio.sleep(began + arrival.at - time.monotonic())
        caller = idle.pop() if idle else Caller(port)
        start, rejections, tried = time.monotonic(), 0, 0
        while True:
            reply = await caller.send(requests[arrival.papers[0]])
            tried, spent_s = tried + 1, time.monotonic() - start
            if reply.status == 200:
                answers.append(Answer(arrival.at, spent_s, rejections))
                break
            rejections += reply.status == 429
            asked_s = json.loads(reply.body or b"{}").get("retry_after_seconds")
            pause = retries.pause(tried, spent_s, asked_s, random.random())  # noqa: S311
            if pause is None or not retries.covers(reply.status or None):
                answers.append(Answer(arrival.at, None, rejections))
                break
            await asyncio.sleep(pause)
        idle.append(caller)

    await asyncio.gather(*(ask(arrival) for arrival in arrivals))
    for caller in idle:
        caller.close()
    return answers


def _report(answers: Sequence[Answer], simulated: Outcomes, capacity: float, seconds: float) -> str:
    times, waits = np.array(simulated.asked_at), np.array(simulated.seconds)
    rows = []
    for load, start, end in _phases(seconds):
        real = [one.seconds for one in answers if one.seconds is not None and start <= one.at < end]
        model = waits[(times >= start) & (times < end)]
        percentiles = [f"{np.percentile(found, rank):.3f}" for rank in (50, 99) for found in (real, model)]
        rows.append([f"{load:.0%}", f"{len(real):,}", f"{len(model):,}", *percentiles])
    rejections = sum(one.rejections for one in answers)
    given_up = sum(one.seconds is None for one in answers)
    return "\n".join(
        [
            table(("load", "answered", "simulated", "p50 s", "simulated", "p99 s", "simulated"), rows),
            "",
            f"Two instances of one thread, {capacity:.1f} papers/s together, {seconds:g} s of load. Replies with 429: "
            f"{rejections:,}, simulated {simulated.rejections:,}; requests given up: {given_up:,}, simulated "
            f"{simulated.given_up:,}.",
        ]
    )
