"""The cost of a change in `/classify`: this checkout against an older revision, in one run.

    python -m benchmarks.revisions REVISION [--requests 600] [--abstract-words 150]

Both serve the artefacts of the older revision, one thread each, and get requests in short turns, so that changes
of the machine's speed affect both. The table shows wall-clock time and processor time a request, medians over the
turns, and the ratios; an interval that holds 1.00 means that no difference was found.
"""

import argparse
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

_URL = re.compile(r"running on (http://[\d.:]+)")
_WORDS = ("network", "star", "proof", "theorem", "we", "show", "that", "a", "particle", "of", "software", "bounds")
_TURN = 20
_START_S = 60
_RESAMPLES = 2_000


class Service(NamedTuple):
    """A running service."""

    process: subprocess.Popen[bytes]
    client: httpx.Client

    def processor_s(self) -> float:
        """Processor time of the process so far, of all its threads, by the scheduler's clock in nanoseconds."""
        statistics_of_threads = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(path.read_text().split()[0]) for path in statistics_of_threads) / 1e9


class Turn(NamedTuple):
    """Milliseconds a request."""

    wall_ms: float
    processor_ms: float


@contextmanager
def _checkout(revision: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "older"
        subprocess.run(["git", "worktree", "add", "--detach", str(folder), revision], check=True, capture_output=True)  # noqa: S607
        try:
            yield folder
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(folder)], check=True)  # noqa: S607


@contextmanager
def _serving(checkout: Path, artefacts: Path, log: Path) -> Iterator[Service]:
    settings = {"PAPERS_PORT": "0", "PAPERS_THREADS": "1", "PAPERS_ARTEFACTS": str(artefacts)}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "app"], cwd=checkout, env=os.environ | settings, stderr=stream
        )
    try:
        with httpx.Client(base_url=_url(process, log), trust_env=False, timeout=30) as client:
            yield Service(process, client)
    finally:
        process.terminate()
        process.wait(30)


def _url(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        if found := _URL.search(log.read_text()):
            return found.group(1)
        time.sleep(0.1)
    raise SystemExit(f"the service did not start: {log.read_text()}")


def _turn(service: Service, papers: Sequence[dict[str, str]]) -> Turn:
    began, processor = time.perf_counter(), service.processor_s()
    for paper in papers:
        service.client.post("/classify", json=paper).raise_for_status()
    wall, used = time.perf_counter() - began, service.processor_s() - processor
    return Turn(1000 * wall / len(papers), 1000 * used / len(papers))


def _compare(older: Service, newer: Service, papers: Sequence[dict[str, str]]) -> list[tuple[Turn, Turn]]:
    pairs = []
    for number, start in enumerate(range(0, len(papers), _TURN)):
        turn = papers[start : start + _TURN]
        first, second = (older, newer) if number % 2 else (newer, older)
        turns = {id(service): _turn(service, turn) for service in (first, second)}
        pairs.append((turns[id(older)], turns[id(newer)]))
    return pairs[1:]  # the first turn fills caches


def _interval(pairs: Sequence[tuple[Turn, Turn]], value: Callable[[Turn], float]) -> tuple[float, float]:
    """The 95 % bootstrap interval of the ratio of the medians, newer to older."""
    chance = random.Random(7)  # noqa: S311
    ratios = sorted(_ratio(chance.choices(pairs, k=len(pairs)), value) for _ in range(_RESAMPLES))
    return ratios[int(0.025 * _RESAMPLES)], ratios[int(0.975 * _RESAMPLES)]


def _ratio(pairs: Sequence[tuple[Turn, Turn]], value: Callable[[Turn], float]) -> float:
    return statistics.median(value(newer) for _, newer in pairs) / statistics.median(value(older) for older, _ in pairs)


def _report(pairs: Sequence[tuple[Turn, Turn]]) -> str:
    rows = ["| a request | older, ms | this, ms | ratio | 95 % interval |", "|---|---|---|---|---|"]
    measures: dict[str, Callable[[Turn], float]] = {
        "wall-clock time": lambda turn: turn.wall_ms,
        "processor time": lambda turn: turn.processor_ms,
    }
    for name, value in measures.items():
        older, newer = (statistics.median(value(pair[side]) for pair in pairs) for side in (0, 1))
        low, high = _interval(pairs, value)
        rows.append(f"| {name} | {older:.2f} | {newer:.2f} | {_ratio(pairs, value):.3f} | {low:.3f} to {high:.3f} |")
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revision", help="a commit, tag or branch of this repository")
    parser.add_argument("--requests", type=int, default=600, help="to each of the two (default: %(default)s)")
    parser.add_argument("--abstract-words", type=int, default=150, help="length of a paper (default: %(default)s)")
    given = parser.parse_args(arguments)
    chance = random.Random(7)  # noqa: S311
    papers = [
        {"title": "A quantum algorithm", "abstract": " ".join(chance.choices(_WORDS, k=given.abstract_words))}
        for _ in range(given.requests)
    ]
    here = Path(__file__).parents[1]
    with _checkout(given.revision) as there, tempfile.TemporaryDirectory() as logs:
        artefacts = there / "model_store/artefacts"
        with (
            _serving(there, artefacts, Path(logs) / "older.log") as older,
            _serving(here, artefacts, Path(logs) / "newer.log") as newer,
        ):
            print(_report(_compare(older, newer, papers)))


if __name__ == "__main__":
    main()
