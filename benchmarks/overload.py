"""Goodput under overload, at four times the capacity of the service.

    python -m benchmarks.overload [--seconds 20] [--rounds 3] [--papers titles]

For abstracts and for titles alone, in turn and several times, since the speed of a machine drifts: the
peak of sixteen clients in a closed loop, then a closed loop of clients that retry at once when
they are rejected, then an open loop at four times the peak. Prints a Markdown table: goodput as a share
of the peak, requests that were accepted and lost, 99th percentile of the accepted ones. The load
generator shares the cores with the service, which costs it a part of its goodput.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from app.settings import Settings
from tests.app.load import Caller, Reply, at_rate, one_after_another, request, run
from tests.app.running import Running, running

_TITLE = {"title": "A quantum algorithm"}
_ABSTRACT = _TITLE | {"abstract": 16 * "We prove a theorem about a particle in a noisy network of spins. "}
_PAPERS = {"abstracts": _ABSTRACT, "titles": _TITLE}
_OVERLOAD = 4
_PEAK_CLIENTS = 16


class Load(NamedTuple):
    """The replies to one load, and how many seconds it took until the last of them."""

    replies: list[Reply]
    seconds: float

    @property
    def goodput(self) -> float:
        """Accepted requests a second."""
        return sum(reply.status == 200 for reply in self.replies) / self.seconds


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20, help="of each load in each round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--clients", type=int, default=300, help="of the closed overload (default: %(default)s)")
    parser.add_argument("--papers", nargs="+", choices=tuple(_PAPERS), default=list(_PAPERS), help="default: both")
    parser.add_argument("--artefacts", type=Path, default=Settings().artefacts, help="default: the bundled ones")
    options = parser.parse_args(arguments)
    print("| papers | load | peak/s | goodput/s | share | accepted | lost | p99 of accepted, s |")
    print("|---|---|---|---|---|---|---|---|")
    for name in options.papers:
        with tempfile.TemporaryDirectory() as folder, running(Path(folder), artefacts=options.artefacts) as service:
            _measure(service, name, _PAPERS[name], options)


def _measure(service: Running, name: str, paper: Any, options: argparse.Namespace) -> None:
    run(one_after_another(service, _PEAK_CLIENTS, _for_seconds(2), paper))
    peaks: list[float] = []
    loads: dict[str, list[Load]] = {}
    for _ in range(options.rounds):
        peaks.append(_timed(service, paper, options.seconds, _PEAK_CLIENTS).goodput)
        closed = _timed(service, paper, options.seconds, options.clients)
        loads.setdefault(f"closed, {options.clients} clients", []).append(closed)
        began = time.monotonic()
        replies = run(at_rate(service, _OVERLOAD * peaks[-1], options.seconds, paper))
        loads.setdefault(f"open, {_OVERLOAD} × peak", []).append(Load(replies, time.monotonic() - began))
    peak = statistics.fmean(peaks)
    for load, rounds in loads.items():
        print(_row(name, load, peak, rounds), flush=True)


def _row(name: str, load: str, peak: float, rounds: Sequence[Load]) -> str:
    goodput = statistics.fmean(round_.goodput for round_ in rounds)
    replies = [reply for round_ in rounds for reply in round_.replies]
    accepted = sorted(reply.seconds for reply in replies if reply.status == 200)
    lost = sum(reply.status not in (200, 429) for reply in replies)
    p99 = accepted[int(len(accepted) * 0.99)]
    rates = f"{peak:.0f} | {goodput:.0f} | {goodput / peak:.0%}"
    return f"| {name} | {load} | {rates} | {len(accepted)} | {lost} | {p99:.2f} |"


def _timed(service: Running, paper: Any, seconds: float, clients: int) -> Load:
    began = time.monotonic()
    replies = run(_without_back_off(service, clients, _for_seconds(seconds), paper))
    return Load(replies, time.monotonic() - began)


async def _without_back_off(service: Running, clients: int, going: Callable[[], bool], paper: Any) -> list[Reply]:
    """This many clients that send the next request at once, whatever the answer."""
    asked = request("/classify", paper)

    async def call() -> list[Reply]:
        caller, replies = Caller(service.port), []
        while going():
            replies.append(await caller.send(asked))
        caller.close()
        return replies

    return [reply for replies in await asyncio.gather(*(call() for _ in range(clients))) for reply in replies]


def _for_seconds(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


if __name__ == "__main__":
    main()
