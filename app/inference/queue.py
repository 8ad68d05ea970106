"""Papers that wait for a worker, the order in which they get one, and what it does with them."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from app.inference.classifier import Classifier
from app.inference.errors import Draining, EngineStalled, InferenceError, InferenceFailed
from app.inference.observer import Scored
from model_store.errors import PaperError
from model_store.papers import Encoding, Paper

Result = Scored | PaperError | InferenceError
OnScored = Callable[[int, Scored, object], None]
"""Receives cost, result and worker of a paper."""


class PricedPaper(NamedTuple):
    """A paper and its estimated cost."""

    paper: Paper
    cost: int


class WorkRequest:
    """The papers of one caller, handed out one by one, and their results.

    Created and awaited on the event loop. The queue guards what workers take; `deliver` may be
    called from any thread. A concurrent.futures.Future per paper would do the same with one lock
    and one hop to the event loop more for each, and without the order of the results.
    """

    def __init__(
        self,
        classifier: Classifier,
        papers: Sequence[PricedPaper],
        urgent_from: float,
        on_scored: OnScored,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        """From the time.monotonic() `urgent_from` on the request is served first.

        `on_scored` is called for each paper that was scored, on the event loop;
        `on_failure` with what the tokenizer or the network raised, in the worker's thread.
        """
        self.on_failure = on_failure
        self.classifier = classifier
        self.urgent_from = urgent_from
        self.created = time.monotonic()
        self.waiting = deque(enumerate(papers))
        self.cost_taken = 0
        """The cost of the papers taken so far."""
        self._papers = papers
        self._on_scored = on_scored
        self._results: dict[int, Result] = {}
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()

    @property
    def next_cost(self) -> int:
        """The cost of the next paper; there must be one."""
        return self.waiting[0][1].cost

    def take(self) -> "WorkItem":
        """The next paper."""
        position, (paper, cost) = self.waiting.popleft()
        self.cost_taken += cost
        return WorkItem(self, position, paper)

    def deliver(self, position: int, result: Result, worker: object = None) -> None:
        """Hand in the result of one paper; the first one counts."""
        try:
            self._loop.call_soon_threadsafe(self._receive, position, result, worker)
        except RuntimeError:
            # The loop is closed: the service has ended and nobody waits any more.
            return

    async def results(self) -> list[Result]:
        """All results, in the order of the papers."""
        await self._done
        return [self._results[i] for i in range(len(self._papers))]

    def _receive(self, position: int, result: Result, worker: object) -> None:
        if position in self._results:
            # A late result of a worker that was replaced; its duration says nothing about the pace.
            return
        self._results[position] = result
        if isinstance(result, Scored):
            self._on_scored(self._papers[position].cost, result, worker)
        if len(self._results) == len(self._papers) and not self._done.done():
            self._done.set_result(None)


class WorkItem(NamedTuple):
    """One paper that a worker has taken."""

    request: WorkRequest
    position: int
    paper: Paper

    def run(self, worker: object) -> None:
        """Tokenize and score the paper, and deliver the result."""
        request = self.request
        request.deliver(
            self.position, score(request.classifier, self.paper, request.created, request.on_failure), worker
        )

    def abandon(self) -> None:
        """Answer that the worker stalled on the paper."""
        self.request.deliver(self.position, EngineStalled("The engine stalled on this paper.", retry_after_s=1))


class FairQueue:
    """Serves the request that has received the least work so far, its next paper included.

    So neither a large batch nor a few very long texts delay ordinary papers by more than the papers
    that are being scored already ("least attained service"). The first papers of requests are equal
    unless they are unusually long, and the first to arrive is the first to be served: if short
    abstracts went before long ones, these would wait until they are urgent.

    To keep a flood of small requests from starving a large one, requests become urgent after half of
    their time: urgent ones are served first, the oldest before the others; admission accepts no more
    than can be done in the other half.

    asyncio.Queue, queue.PriorityQueue and concurrent.futures.ThreadPoolExecutor support neither
    fairness between producers nor the withdrawal of work that a caller no longer waits for.
    """

    def __init__(self, ordinary_cost: int) -> None:
        """First papers up to `ordinary_cost` are served before all others, in the order of their arrival."""
        self._ordinary_cost = ordinary_cost
        self._requests: list[WorkRequest] = []
        self._changed = threading.Condition()
        self._closed = False

    def put(self, request: WorkRequest) -> None:
        """Add a request that has at least one paper."""
        with self._changed:
            self._requests.append(request)
            self._changed.notify(len(request.waiting))

    def withdraw(self, request: WorkRequest) -> None:
        """Drop the waiting papers of a request; those in a worker's hands are finished."""
        with self._changed:
            request.waiting.clear()
            if request in self._requests:
                self._requests.remove(request)

    def take(self) -> WorkItem | None:
        """The next paper; blocks until there is one, None when the queue is closed."""
        with self._changed:
            while not self._closed:
                if self._requests:
                    return self._next()
                self._changed.wait()
            return None

    def close(self) -> None:
        """End all workers; the papers that still wait are answered with Draining."""
        with self._changed:
            self._closed = True
            for request in self._requests:
                for position, _ in request.waiting:
                    request.deliver(position, Draining("The service is shutting down.", retry_after_s=1))
            self._requests.clear()
            self._changed.notify_all()

    def papers(self) -> int:
        """How many papers wait for a worker."""
        with self._changed:
            return sum(len(request.waiting) for request in self._requests)

    def _next(self) -> WorkItem:
        now = time.monotonic()
        urgent = [request for request in self._requests if request.urgent_from <= now]
        # Requests are in the order of their arrival, and min() takes the first of equals.
        request = urgent[0] if urgent else min(self._requests, key=self._rank)
        item = request.take()
        if not request.waiting:
            self._requests.remove(request)
        return item

    def _rank(self, request: WorkRequest) -> int:
        return rank(request.cost_taken, request.next_cost, self._ordinary_cost)


def rank(cost_taken: int, next_cost: int, ordinary_cost: int) -> int:
    """The rank of a request by the costs of the papers taken so far and of the next one; the lowest is served first.

    All first papers up to `ordinary_cost` have the same rank.
    """
    return cost_taken + next_cost if cost_taken or next_cost > ordinary_cost else 0


def score(classifier: Classifier, paper: Paper, created: float, failed: Callable[[BaseException], None]) -> Result:
    """Tokenize and score one paper; `created` is when its request arrived, `failed` receives unexpected errors."""
    began = time.monotonic()
    encoding = _encode(classifier, paper, failed)
    if not isinstance(encoding, Encoding):
        return encoding
    encoded = time.monotonic()
    try:
        output = classifier.predict(encoding)
    except Exception as error:
        # The outermost frame of a thread: whatever the network raises must reach the caller as an answer.
        failed(error)
        return InferenceFailed("The network failed on this paper.")
    if not np.isfinite(output.scores).all():
        no_numbers = InferenceFailed("The network gave no numbers for this paper.")
        failed(no_numbers)
        return no_numbers
    return Scored(encoding, output, began - created, encoded - began, time.monotonic() - encoded)


def _encode(
    classifier: Classifier, paper: Paper, failed: Callable[[BaseException], None]
) -> Encoding | PaperError | InferenceError:
    try:
        return classifier.encode([paper])[0]
    except PaperError as error:
        return error
    except BaseException as error:
        # A panic in the tokenizer's Rust code is not an Exception; it must not end the worker.
        failed(error)
        return InferenceFailed("The tokenizer failed on this paper.")
