"""Measures what papers cost: a real service, real papers, and as many clients as it has workers."""

import asyncio
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from app.inference.admission import cost_of
from benchmarks.capacity.costs import Costs, PaperCost
from cli.text_columns import TextColumns
from model_store.papers import Paper
from model_store.store import Store
from tables import read
from tests.app.load import Caller, Reply, request, run
from tests.app.running import Running, running

_STARTS = 3
_PEAK_CLIENTS_PER_WORKER = 8
# Long enough for many callers to be rejected while one paper is being scored.
_SLOW_PAPER_S = "4"
_REJECTED_CALLERS = 200
_REJECTED_S = 3.0


class Sample(NamedTuple):
    """Papers that are sent, as bytes, and their cost as admission control estimates it."""

    requests: list[bytes]
    units: list[int]


class Measured(NamedTuple):
    """The times of papers, and the part of them outside of the workers."""

    papers: tuple[PaperCost, ...]
    overhead_s: float


def measure(file: Path, size: int, threads: int, service: dict[str, Any], command: str) -> Costs:
    """Measure an instance with these settings."""
    sample = read_sample(file, size, service)
    starts = [_start_s(threads, service) for _ in range(_STARTS)]
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), threads=threads, **service) as instance:
        measured = measure_papers(instance.port, sample, range(1, threads + 1))
        model = httpx.get(f"{instance.url}/model", trust_env=False).raise_for_status().json()
    rejection_s = _rejection_s(sample.requests[0], service)
    artefact = f"{model['name']} {model['version']}"
    return Costs(
        command, _machine(), artefact, statistics.median(starts), rejection_s, measured.overhead_s, measured.papers
    )  # fmt: skip


def read_sample(file: Path, size: int, service: dict[str, Any]) -> Sample:
    """The first papers of a table."""
    store = Store(Path(service["artefacts"]))
    manifest = store.open(service.get("model"), service.get("version", "latest")).manifest
    max_tokens = manifest.input.max_tokens * (manifest.input.chunks or 1)
    columns = TextColumns()
    found = (columns.paper(row.cells) for row in read(file))
    papers = list(islice((paper for paper in found if isinstance(paper, Paper) and paper.title), size))
    requests = [request("/classify", {"title": paper.title, "abstract": paper.abstract}) for paper in papers]
    return Sample(requests, [cost_of(paper, max_tokens) for paper in papers])


def measure_papers(port: int, sample: Sample, clients: Sequence[int]) -> Measured:
    """Send all papers with each number of clients; the last number is that of the workers.

    With no more clients than workers, no paper waits. More clients than that show how many papers a second the workers
    can score; the rest of a paper's time is spent outside of the workers.
    """
    run(_send(port, sample.requests[: 4 * clients[-1]], clients[-1]))
    latencies = [[reply.seconds for reply in run(_send(port, sample.requests, count))] for count in clients]
    began = time.monotonic()
    run(_send(port, sample.requests, _PEAK_CLIENTS_PER_WORKER * clients[-1]))
    worker_s = clients[-1] * (time.monotonic() - began) / len(sample.requests)
    mean_s = statistics.fmean(latencies[-1])
    overhead_s = max(0.0, mean_s - worker_s)
    scale = worker_s / (mean_s - overhead_s)
    papers = [
        PaperCost(units, tuple(scale * max(0.0001, seconds - overhead_s) for seconds in by_clients))
        for units, by_clients in zip(sample.units, zip(*latencies, strict=True), strict=True)
    ]
    return Measured(tuple(papers), overhead_s)


async def _send(port: int, requests: Sequence[bytes], clients: int) -> list[Reply]:
    """The replies to all requests, in their order; each client sends the next one when it has its answer."""
    replies: dict[int, Reply] = {}
    turn = iter(enumerate(requests))

    async def call() -> None:
        caller = Caller(port)
        for number, content in turn:
            reply = await caller.send(content)
            if reply.status != 200:
                raise RuntimeError(f"the service answered with status {reply.status}, expected 200 from an idle one")
            replies[number] = reply
        caller.close()

    await asyncio.gather(*(call() for _ in range(clients)))
    return [replies[number] for number in range(len(requests))]


def _start_s(threads: int, service: dict[str, Any]) -> float:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), threads=threads, **service) as instance:
        while httpx.get(f"{instance.url}/readyz", trust_env=False).status_code != 200:
            time.sleep(0.02)
        return time.monotonic() - began


def _rejection_s(content: bytes, service: dict[str, Any]) -> float:
    """Processor time of a rejection: of many callers, while a single slow paper fills the queue."""
    settings = service | {"threads": 1, "max_queue": 1, "max_papers": 1}
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder), "tests.app.slow_service", _SLOW_PAPER_S, **settings) as instance,
    ):
        while httpx.get(f"{instance.url}/readyz", trust_env=False, timeout=30).status_code != 200:
            time.sleep(0.1)
        return run(_rejections(instance, content))


async def _rejections(instance: Running, content: bytes) -> float:
    first = Caller(instance.port)
    slow = asyncio.create_task(first.send(content))
    await asyncio.sleep(0.2)
    end, before, rejected = time.monotonic() + _REJECTED_S, _processor_s(instance.process.pid), 0

    async def call() -> None:
        nonlocal rejected
        caller = Caller(instance.port)
        while time.monotonic() < end:
            # Not in one line: `rejected += await …` would read the sum before it waits, and lose what other tasks add.
            status = (await caller.send(content)).status
            rejected += status == 429
        caller.close()

    await asyncio.gather(*(call() for _ in range(_REJECTED_CALLERS)))
    used_s = _processor_s(instance.process.pid) - before
    await slow
    first.close()
    return used_s / rejected


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _machine() -> str:
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    return f"{len(os.sched_getaffinity(0))} cores, {(names or [platform.machine()])[0]}"
