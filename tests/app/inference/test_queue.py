"""The fair queue: who is served next, and that nothing dropped stays unanswered."""

import asyncio
import time
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from app.inference.classifier import Classifier
from app.inference.errors import Draining, InferenceFailed
from app.inference.queue import FairQueue, PricedPaper, Result, WorkRequest, score
from model_store.labels import GraphOutput
from model_store.papers import Encoding, Paper
from model_store.store import Store

FAR = time.monotonic() + 3600


@pytest.fixture
def classifier(store: Store) -> Classifier:
    return store.open().classifier()


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


class Waiting:
    """A queue, and requests named by the title of their papers."""

    def __init__(self, classifier: Classifier, ordinary_cost: int = 1) -> None:
        self._classifier = classifier
        self.queue = FairQueue(ordinary_cost)

    def put(self, name: str, *costs: int, urgent_from: float = FAR) -> WorkRequest:
        papers = [PricedPaper(Paper(name), cost) for cost in costs]
        request = WorkRequest(
            self._classifier, papers, urgent_from, lambda cost, scored, worker: None, lambda error: None
        )
        self.queue.put(request)
        return request

    def order(self, count: int) -> str:
        items = [self.queue.take() for _ in range(count)]
        return "".join(item.paper.title for item in items if item)


def served(runner: asyncio.Runner, waiting: Waiting, *requests: tuple[str, list[int], float]) -> str:
    async def scene() -> str:
        for name, costs, urgent_from in requests:
            waiting.put(name, *costs, urgent_from=urgent_from)
        return waiting.order(sum(len(costs) for _, costs, _ in requests))

    return runner.run(scene())


@pytest.mark.parametrize(
    ("requests", "order"),
    [
        ([("a", [1], FAR), ("b", [1], FAR)], "ab"),
        ([("a", [1, 1, 1], FAR), ("b", [1, 1, 1], FAR)], "ababab"),
        ([("a", [1, 1, 1], FAR), ("b", [1], FAR), ("c", [1], FAR)], "abcaa"),
        ([("a", [50, 50], FAR), ("b", [1, 1, 1], FAR)], "bbbaa"),
        ([("a", [1], FAR), ("b", [9, 9], 0.0), ("c", [9], 1.0)], "bbca"),
    ],
    ids=["by arrival", "in turn", "batches last", "long texts last", "urgent first"],
)
def test_the_request_that_received_the_least_work_is_served_next(
    runner: asyncio.Runner, classifier: Classifier, requests: list[tuple[str, list[int], float]], order: str
) -> None:
    assert served(runner, Waiting(classifier), *requests) == order


@pytest.mark.parametrize(
    ("requests", "order"),
    [
        ([("a", [9], FAR), ("b", [1], FAR), ("c", [5], FAR)], "abc"),
        ([("a", [11], FAR), ("b", [10], FAR), ("c", [1], FAR)], "bca"),
        ([("a", [2, 2, 2], FAR), ("b", [9], FAR), ("c", [9], FAR)], "abcaa"),
        ([("a", [3, 3, 3], FAR), ("b", [4, 4], FAR)], "ababa"),
    ],
    ids=["by arrival, whatever the cost", "unusually long ones later", "batches last", "then the least work"],
)
def test_ordinary_first_papers_are_served_in_the_order_of_their_arrival(
    runner: asyncio.Runner, classifier: Classifier, requests: list[tuple[str, list[int], float]], order: str
) -> None:
    assert served(runner, Waiting(classifier, ordinary_cost=10), *requests) == order


def test_a_newcomer_waits_for_no_paper_of_a_request_in_progress(runner: asyncio.Runner, classifier: Classifier) -> None:
    async def scene() -> str:
        waiting = Waiting(classifier)
        waiting.put("a", *[9] * 5)
        before = waiting.order(3)
        waiting.put("b", 9)
        return before + waiting.order(3)

    assert runner.run(scene()) == "aaabaa"


def test_withdrawn_papers_are_not_handed_out(runner: asyncio.Runner, classifier: Classifier) -> None:
    async def scene() -> tuple[str, int]:
        waiting = Waiting(classifier)
        gone = waiting.put("a", 1, 1)
        waiting.put("b", 2)
        waiting.queue.withdraw(gone)
        return waiting.order(1), waiting.queue.papers()

    assert runner.run(scene()) == ("b", 0)


def test_scores_that_are_no_numbers_are_an_error_that_is_reported(store: Store) -> None:
    real = store.open().classifier()

    class WithoutNumbers:
        manifest, sha256 = real.manifest, real.sha256

        def encode(self, papers: Sequence[Paper]) -> list[Encoding]:
            return real.encode(papers)

        def predict(self, encoding: Encoding) -> GraphOutput:
            output = real.predict(encoding)
            return output._replace(scores=np.full_like(output.scores, np.nan))

    reported: list[BaseException] = []
    result = score(WithoutNumbers(), Paper("A star"), time.monotonic(), reported.append)
    assert isinstance(result, InferenceFailed)
    assert reported == [result]


def test_papers_that_still_wait_when_the_queue_closes_are_answered(
    runner: asyncio.Runner, classifier: Classifier
) -> None:
    async def scene() -> list[Result]:
        waiting = Waiting(classifier)
        request = waiting.put("a", 1, 1)
        waiting.queue.close()
        assert waiting.queue.take() is None
        return await request.results()

    assert [type(result) for result in runner.run(scene())] == [Draining, Draining]
