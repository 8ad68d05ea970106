"""Replacement workers prove themselves, and late results of given-up workers count for nothing."""

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from app.inference.errors import Draining, EngineStalled, NotReady
from app.inference.health import Health
from app.inference.observer import Scored
from app.inference.queue import FairQueue, PricedPaper, Result, WorkRequest, score
from app.inference.workers import Worker, WorkerHooks, WorkerPool
from model_store.papers import Encoding, Paper
from model_store.store import Store
from tests.app.doubles import InterceptedClassifier, failing, hanging

PROBE = Paper("A title of several words")


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


class Bench:
    """A queue and a pool of workers, and what they reported."""

    def __init__(self, classifier: InterceptedClassifier, workers: int) -> None:
        self.classifier = classifier
        self.queue = FairQueue(ordinary_cost=1)
        self.proven: list[Worker] = []
        self.failures: list[BaseException] = []
        self.scored: list[object] = []
        self.pool = WorkerPool(workers, WorkerHooks(self.queue.take, self._probe), stall_timeout_s=0.1)

    def put(self, *titles: str) -> WorkRequest:
        papers = [PricedPaper(Paper(title), 1) for title in titles]
        request = WorkRequest(self.classifier, papers, time.monotonic() + 60, self._note, self.failures.append)
        self.queue.put(request)
        return request

    async def stop(self) -> None:
        self.queue.close()
        await asyncio.to_thread(self.pool.stop, 1.0)

    def _probe(self, worker: Worker) -> bool:
        result = score(self.classifier, PROBE, time.monotonic(), self.failures.append)
        if isinstance(result, Scored):
            self.proven.append(worker)
        return isinstance(result, Scored)

    def _note(self, cost: int, scored: object, worker: object) -> None:
        self.scored.append(worker)


def test_a_late_result_of_a_replaced_worker_is_ignored(store: Store) -> None:
    released = threading.Event()

    async def scene() -> list[Result]:
        bench = Bench(hanging(store, released), workers=1)
        request = bench.put("star")
        while not (replaced := bench.pool.replace_unhealthy()):
            await asyncio.sleep(0.02)
        results = await request.results()
        released.set()
        await asyncio.to_thread(until, lambda: not replaced[0].retired.alive)
        await asyncio.sleep(0.01)
        assert bench.scored == []
        await bench.stop()
        return results

    assert [type(result) for result in asyncio.run(scene())] == [EngineStalled]


def test_a_replacement_takes_no_paper_before_its_probe_succeeds(store: Store) -> None:
    released, probes_fail = threading.Event(), threading.Event()
    probes_fail.set()

    def before(encoding: Encoding) -> None:
        if encoding.tokens == 1:
            released.wait()
        elif encoding.tokens > 3 and probes_fail.is_set():
            raise ValueError

    async def scene() -> None:
        bench = Bench(InterceptedClassifier(store, before), workers=1)
        bench.put("star")
        while not (replaced := bench.pool.replace_unhealthy()):
            await asyncio.sleep(0.02)
        request = bench.put("star star")
        await asyncio.to_thread(until, lambda: len(bench.failures) >= 2)
        assert (bench.queue.papers(), bench.proven) == (1, [])
        probes_fail.clear()
        await request.results()
        assert bench.proven == bench.scored == [replaced[0].successor]
        released.set()
        await bench.stop()

    asyncio.run(scene())


def test_a_panic_of_the_tokenizer_does_not_end_a_worker(store: Store) -> None:
    class Panic(BaseException):
        """Like pyo3_runtime.PanicException, which is not an Exception."""

    class Panicking(InterceptedClassifier):
        def encode(self, papers: object) -> list[Encoding]:
            raise Panic

    async def scene() -> None:
        bench = Bench(Panicking(store, lambda encoding: None), workers=1)
        await bench.put("star", "star star").results()
        assert bench.pool.replace_unhealthy() == []
        await bench.stop()

    asyncio.run(scene())


def test_readiness_returns_with_a_success_of_the_replacement_and_not_of_another_worker() -> None:
    health = Health(ready_window_s=60, live_window_s=60)
    stalled, successor, another = object(), object(), object()
    health.replaced(stalled, successor)
    health.succeeded(another)
    assert isinstance(health.unready_reason(), NotReady)
    health.succeeded(successor)
    assert health.unready_reason() is None


def test_a_replacement_that_is_replaced_itself_is_waited_for_no_more() -> None:
    health = Health(ready_window_s=60, live_window_s=60)
    first, second, third = object(), object(), object()
    health.replaced(first, second)
    health.replaced(second, third)
    health.succeeded(third)
    assert health.unready_reason() is None
    health.draining = True
    assert isinstance(health.unready_reason(), Draining)


@pytest.mark.parametrize("error", [ValueError(), MemoryError()])
def test_an_error_of_the_network_is_answered_and_reported(store: Store, error: Exception) -> None:
    async def scene() -> None:
        bench = Bench(failing(store, error), workers=1)
        await bench.put("star", "star star").results()
        assert (bench.failures, len(bench.scored)) == ([error], 1)
        await bench.stop()

    asyncio.run(scene())
