"""The engine is stalled and killed for real: readiness goes off, workers are replaced, liveness follows."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable

import pytest

from model_store.store import Store
from tests.app.doubles import InterceptedClassifier, failing, hanging, hung, short_timeouts
from tests.app.inprocess import InProcess, in_process


async def status(papers: InProcess, path: str) -> int:
    return (await papers.client.get(path)).status_code


async def until(papers: InProcess, path: str, expected: int, within_s: float = 5.0) -> None:
    end = time.monotonic() + within_s
    while await status(papers, path) != expected:
        assert time.monotonic() < end, f"{path} is not {expected}"
        await asyncio.sleep(0.02)


def run(
    store: Store, classifier: InterceptedClassifier, scenario: Callable[[InProcess], Awaitable[None]], **changes: object
) -> None:
    async def main() -> None:
        async with in_process(short_timeouts(store, **changes), classifier) as papers:
            await scenario(papers)

    asyncio.run(main())


def test_a_stalled_worker_is_replaced_and_its_paper_answered_with_503(store: Store) -> None:
    released = threading.Event()

    async def scenario(papers: InProcess) -> None:
        answer = await papers.classify("star")
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (
            503,
            "engine_stalled",
            "1",
        )
        await until(papers, "/readyz", 200)
        assert (await papers.classify("star star")).status_code == 200
        assert papers.metric('papers_workers_replaced_total{reason="stalled"}') >= 1
        released.set()

    run(store, hanging(store, released), scenario)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_worker_is_replaced_and_its_paper_answered_with_503(store: Store) -> None:
    async def scenario(papers: InProcess) -> None:
        assert (await papers.classify("star")).json()["code"] == "engine_stalled"
        await until(papers, "/readyz", 200)
        assert (await papers.classify("star star")).status_code == 200
        assert papers.metric('papers_workers_replaced_total{reason="dead"}') >= 1
        assert await status(papers, "/livez") == 200

    run(store, failing(store, SystemExit()), scenario)


def test_an_engine_that_always_hangs_is_first_not_ready_then_not_alive(store: Store) -> None:
    released = threading.Event()

    async def scenario(papers: InProcess) -> None:
        assert (await status(papers, "/readyz"), await status(papers, "/livez")) == (200, 200)
        await until(papers, "/readyz", 503)
        assert await status(papers, "/livez") == 200
        assert (await papers.classify("star")).json()["code"] == "not_ready"
        await until(papers, "/livez", 503)
        assert papers.metric("papers_ready") == 0
        assert threading.active_count() < 20, "hung threads are not replaced for ever"
        released.set()

    run(store, hung(store, released), scenario)


def test_an_engine_that_recovers_is_ready_again(store: Store) -> None:
    released = threading.Event()

    async def scenario(papers: InProcess) -> None:
        await until(papers, "/readyz", 503)
        released.set()
        await until(papers, "/readyz", 200)
        assert (await papers.classify("star")).status_code == 200

    run(store, hung(store, released), scenario)


def test_an_idle_service_checks_itself_by_real_inferences(store: Store) -> None:
    classifier = failing(store, ValueError())

    async def scenario(papers: InProcess) -> None:
        await asyncio.sleep(1.5)
        assert await status(papers, "/readyz") == 200
        assert 2 <= classifier.scored <= 10
        assert papers.metric('papers_classified_total{status="ok"}') == 0

    run(store, classifier, scenario)
