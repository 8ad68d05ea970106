"""The papers of one request on their way through the engine, and the fair queue they wait in.

Knows threads and the event loop; knows no HTTP and no limits.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from app.inference.errors import InferenceError
from app.inference.reload import Classifier
from model_store.labels import Measured
from model_store.papers import Encoding


class Scored(NamedTuple):
    """What the graph measured on one paper, and what that took in seconds."""

    measured: Measured
    queue_s: float
    infer_s: float


Result = Scored | InferenceError


class Job:
    """Papers of one request: handed out one by one, their results collected.

    Made and awaited on the event loop; `Queue` guards `take`, `deliver` may come from any thread.
    """

    def __init__(
        self,
        classifier: Classifier,
        encodings: Sequence[Encoding],
        deadline: float,
        urgent: float,
        observe: Callable[[Encoding, Result], None],
    ) -> None:
        """Both times are time.monotonic(): nobody waits after `deadline`, the job goes first from `urgent` on.

        `observe` is told of every result on the event loop, also of those that come too late.
        """
        self.classifier = classifier
        self._encodings = encodings
        self._observe = observe
        self.deadline = deadline
        self.urgent = urgent
        self.queued = time.monotonic()
        self.waiting = deque(enumerate(encodings))
        self._results: dict[int, Result] = {}
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()

    def take(self) -> "Task":
        """The next paper that nobody works on."""
        position, encoding = self.waiting.popleft()
        return Task(self, position, encoding)

    def deliver(self, position: int, result: Result) -> None:
        """Hand in the result of one paper; the first one counts."""
        try:
            self._loop.call_soon_threadsafe(self._receive, position, result)
        except RuntimeError:
            # The loop is closed: the service has ended and nobody waits.
            return

    async def results(self) -> list[Result]:
        """All results, in the order of the encodings."""
        await self._done
        return [self._results[i] for i in range(len(self._encodings))]

    def _receive(self, position: int, result: Result) -> None:
        self._observe(self._encodings[position], result)
        self._results.setdefault(position, result)
        if len(self._results) == len(self._encodings) and not self._done.done():
            self._done.set_result(None)


class Task(NamedTuple):
    """One paper of a job, in a worker's hands."""

    job: Job
    position: int
    encoding: Encoding


class Queue:
    """Hands out one paper of each waiting job in turn, so that a large batch cannot starve a single paper.

    Nor can a flood of single papers starve a batch: a job that has waited long goes first, the oldest of them
    before the others. Admission lets in no more than can be done in that remaining time.
    """

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, job: Job) -> None:
        """Let a job wait."""
        with self._changed:
            self._jobs.append(job)
            self._changed.notify_all()

    def withdraw(self, job: Job) -> None:
        """Forget what still waits of a job; papers already in a worker's hands are finished."""
        with self._changed:
            job.waiting.clear()
            if job in self._jobs:
                self._jobs.remove(job)

    def take(self) -> Task | None:
        """The next paper; waits for one, None once the queue is closed."""
        with self._changed:
            while not self._closed:
                self._drop_expired()
                if self._jobs:
                    return self._next()
                self._changed.wait()
            return None

    def close(self) -> None:
        """Send all workers home."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def papers(self) -> int:
        """Papers that wait for a worker."""
        with self._changed:
            return sum(len(job.waiting) for job in self._jobs)

    def _next(self) -> Task:
        now = time.monotonic()
        urgent = [job for job in self._jobs if job.urgent <= now]
        job = min(urgent, key=lambda job: job.queued) if urgent else self._jobs[0]
        self._jobs.remove(job)
        task = job.take()
        if job.waiting:
            self._jobs.append(job)
        return task

    def _drop_expired(self) -> None:
        now = time.monotonic()
        for job in [job for job in self._jobs if job.deadline <= now]:
            self._jobs.remove(job)
            job.waiting.clear()
