"""Threads that score papers, and their replacement when one hangs or dies. Knows no HTTP and no limits of requests."""

import threading
import time
from typing import Literal

import numpy as np

from app.inference.errors import EngineStalled, InferenceFailed
from app.inference.queue import Queue, Result, Scored, Task
from app.observability import logs

Ailment = Literal["dead", "stalled"]


class Worker:
    """One thread; takes papers from the queue until it is closed or the worker given up."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._in_hand: tuple[Task, float] | None = None
        self._given_up = False
        # A daemon, since a thread hung inside the network cannot be ended and must not hold up the exit.
        self._thread = threading.Thread(target=self._work, name="paper-worker", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread still runs, hung or not."""
        return self._thread.is_alive()

    def ailment(self, stall_limit_s: float) -> Ailment | None:
        """What is wrong with this worker, None if nothing."""
        if not self.alive:
            return "dead"
        in_hand = self._in_hand
        if in_hand and time.monotonic() - in_hand[1] > stall_limit_s:
            return "stalled"
        return None

    def give_up(self) -> None:
        """Fail the paper in hand; should the thread come back to life, it ends."""
        self._given_up = True
        if in_hand := self._in_hand:
            task, _ = in_hand
            task.job.deliver(task.position, EngineStalled("The engine stalled on this paper.", retry_after_s=1))

    def join(self, timeout_s: float) -> None:
        """Wait until the thread has ended, at most so long."""
        self._thread.join(timeout_s)

    def _work(self) -> None:
        while not self._given_up and (task := self._queue.take()) is not None:
            began = time.monotonic()
            self._in_hand = (task, began)
            result = _score(task, began)
            self._in_hand = None
            task.job.deliver(task.position, result)


class Workers:
    """A constant number of workers; the ailing ones are replaced, up to a bound."""

    def __init__(self, count: int, queue: Queue, stall_limit_s: float) -> None:
        self._queue = queue
        self._stall_limit_s = stall_limit_s
        self._workers = [Worker(queue) for _ in range(count)]
        self._hung: list[Worker] = []
        # Each hung thread holds memory and perhaps a processor; past this many only a restart helps.
        self._most_hung = 2 * count

    @property
    def beyond_repair(self) -> bool:
        """Whether so many threads hang that none is replaced any more."""
        self._hung = [worker for worker in self._hung if worker.alive]
        return len(self._hung) >= self._most_hung

    def heal(self) -> list[Ailment]:
        """Replace what is dead or stalled; says what was found."""
        found: list[Ailment] = []
        for i, worker in enumerate(self._workers):
            ailment = None if self.beyond_repair else worker.ailment(self._stall_limit_s)
            if ailment:
                worker.give_up()
                self._hung.append(worker)
                self._workers[i] = Worker(self._queue)
                found.append(ailment)
        return found

    def stop(self, timeout_s: float) -> None:
        """Let the threads end; one that hangs is left behind after the time-out."""
        self._queue.close()
        until = time.monotonic() + timeout_s
        for worker in self._workers:
            worker.join(max(0.0, until - time.monotonic()))


def _score(task: Task, began: float) -> Result:
    try:
        measured = task.job.classifier.measure(task.encoding)
    except Exception as error:
        # The outermost frame of a thread: whatever the network raises must reach the caller as an answer.
        logs.failure("inference failed", error)
        return InferenceFailed("The network failed on this paper.")
    if not np.isfinite(measured.scores).all():
        return InferenceFailed("The network gave no numbers for this paper.")
    return Scored(measured, began - task.job.queued, time.monotonic() - began)
