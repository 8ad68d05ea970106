"""Under load: what is too much is refused, a termination loses nothing, and memory stays level.

The slow test runs on the bundled artefact if there is one, otherwise on the tiny one.
"""

import asyncio
import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings
from model_store.store import Store
from tests.app.load import Caller, Reply, at_rate, one_after_another, run
from tests.app.running import Running, running

SLOW = "tests.app.slow_service"
PAPER = {"title": "A quantum algorithm", "abstract": "We prove a theorem about a particle."}
SOAK_REQUESTS = int(os.environ.get("SOAK_REQUESTS", "50000"))
WORDS = ("network", "star", "proof", "theorem", "we", "show", "that", "a", "particle", "of", "software", "bounds")


def test_beyond_its_capacity_it_answers_what_it_can_and_refuses_the_rest(tmp_path: Path, store: Store) -> None:
    """Neither a 504 nor a lost request; how much and how fast is measured by benchmarks/overload.py."""
    with running(tmp_path, SLOW, "0.04", artefacts=store.root, threads=2) as service:
        replies = run(at_rate(service, 200, 3.0, PAPER))
    assert {reply.status for reply in replies} == {200, 429}


def test_a_termination_under_load_loses_no_request(tmp_path: Path, store: Store) -> None:
    async def scenario() -> list[Reply]:
        asking = asyncio.create_task(one_after_another(service, 16, lambda: True, PAPER))
        await asyncio.sleep(1.0)
        service.signal(signal.SIGTERM)
        return await asking

    with running(tmp_path, SLOW, "0.02", artefacts=store.root, threads=2, drain_notice_s=1) as service:
        replies = run(scenario())
        assert service.process.wait(10) == 0
    statuses = [reply.status for reply in replies]
    assert (statuses.count(503), statuses.count(0)) == (16, 0)
    assert statuses.count(200) == len(statuses) - 16 > 50


@pytest.fixture
def bundled(store: Store) -> Store:
    shipped = Store(Settings().artefacts)
    return shipped if shipped.versions() else store


def requests(count: int) -> list[tuple[str, Any]]:
    """A fixed mixture: single papers short and long, small batches, now and then a full one."""
    chance = random.Random(7)

    def paper(longest: int) -> dict[str, str]:
        words = [chance.choice(WORDS) for _ in range(chance.randint(1, longest))]
        return {"title": " ".join(words[:12]), "abstract": " ".join(words[12:])}

    singles: list[tuple[str, Any]] = [("/classify", paper(250)) for _ in range(60)]
    batches = [("/classify/batch", {"papers": [paper(80) for _ in range(size)]}) for size in (2, 3, 5, 8)]
    full = [("/classify/batch", {"papers": [paper(6) for _ in range(64)]})]
    return chance.choices([*singles, *batches, *full], k=count)


def resident_bytes(service: Running) -> int:
    lines = Path(f"/proc/{service.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


async def soak(service: Running, planned: list[tuple[str, Any]], known: dict[str, bytes]) -> None:
    remaining = iter(planned)

    async def call() -> None:
        caller = Caller(service.port)
        for path, document in remaining:
            reply = await caller.post(path, document)
            assert reply.status == 200
            assert known.setdefault(str(document), reply.body) == reply.body
        caller.close()

    await asyncio.gather(*(call() for _ in range(4)))


@pytest.mark.slow
def test_memory_stays_level_and_no_answer_changes_over_a_long_time(
    tmp_path: Path, bundled: Store, record_property: Any
) -> None:
    planned, known = requests(SOAK_REQUESTS), dict[str, bytes]()
    warm = SOAK_REQUESTS // 10
    with running(tmp_path, artefacts=bundled.root, request_timeout_s=60) as service:
        run(soak(service, planned[:warm], known))
        before = resident_bytes(service)
        run(soak(service, planned[warm:], known))
        after = resident_bytes(service)
    record_property("resident_mib", f"{before / 2**20:.0f} -> {after / 2**20:.0f}")
    assert after <= before * 1.05, f"{before / 2**20:.0f} MiB grew to {after / 2**20:.0f} MiB"
