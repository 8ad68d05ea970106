"""Threads that score papers, and their replacement when one hangs or dies."""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from app.inference.classifier import Classifier
from app.inference.errors import EngineStalled, InferenceError, InferenceFailed
from app.inference.observer import Scored, UnhealthyReason
from app.inference.queue import FairQueue, Result, WorkItem
from model_store.errors import PaperError
from model_store.papers import Encoding, Paper

PROBE_PAPER = Paper("A title that only checks whether the engine works")
_PROBE_AGAIN_S = 0.25


class WorkerHooks(NamedTuple):
    """How workers reach the rest of the engine; called from their threads."""

    classifier: Callable[[], Classifier]
    """The one in service, for probes."""
    proven: Callable[["Worker"], None]
    """A replacement has scored its probe."""
    failed: Callable[[BaseException], None]
    """Tokenizer or network raised an error."""


class Worker:
    """One thread that takes papers from the queue until it is closed or the worker is retired.

    A replacement first scores a probe, again and again until that succeeds, so that no paper of a
    client is spent on a worker that hangs like its predecessor.
    """

    def __init__(self, queue: FairQueue, hooks: WorkerHooks, *, probe_first: bool = False) -> None:
        self._queue = queue
        self._hooks = hooks
        self._probe_first = probe_first
        self._item: WorkItem | None = None
        self._busy_since: float | None = None
        self._retired = threading.Event()
        # A daemon: a thread that hangs inside the network cannot be ended and must not delay the exit.
        self._thread = threading.Thread(target=self._run, name="paper-worker", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs, hanging or not."""
        return self._thread.is_alive()

    def unhealthy_reason(self, stall_timeout_s: float) -> UnhealthyReason | None:
        """What is wrong with this worker, None if nothing."""
        if not self.alive:
            return "dead"
        busy_since = self._busy_since
        if busy_since is not None and time.monotonic() - busy_since > stall_timeout_s:
            return "stalled"
        return None

    def retire(self) -> None:
        """Answer the paper in hand with EngineStalled; should the thread wake up again, it ends."""
        self._retired.set()
        if item := self._item:
            item.deliver(EngineStalled("The engine stalled on this paper.", retry_after_s=1))

    def join(self, timeout_s: float) -> None:
        """Wait until the thread has ended, at most so long."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while self._probe_first and not self._retired.is_set() and not self._probe():
            self._retired.wait(_PROBE_AGAIN_S)
        while not self._retired.is_set() and (item := self._queue.take()) is not None:
            self._item, self._busy_since = item, time.monotonic()
            result = _score(item.request.classifier, item.paper, item.request.created, self._hooks.failed)
            self._item, self._busy_since = None, None
            item.deliver(result, self)

    def _probe(self) -> bool:
        self._busy_since = time.monotonic()
        result = _score(self._hooks.classifier(), PROBE_PAPER, self._busy_since, self._hooks.failed)
        self._busy_since = None
        if isinstance(result, Scored) and not self._retired.is_set():
            self._hooks.proven(self)
            return True
        return False


class Replacement(NamedTuple):
    """A worker that was given up, why, and the one in its place."""

    reason: UnhealthyReason
    retired: Worker
    successor: Worker


class WorkerPool:
    """A constant number of workers; unhealthy ones are replaced, up to a limit.

    concurrent.futures.ThreadPoolExecutor cannot do this: it neither notices a thread that hangs in
    native code nor starts another in its place, and its threads keep the interpreter from exiting.
    """

    def __init__(self, count: int, queue: FairQueue, hooks: WorkerHooks, stall_timeout_s: float) -> None:
        self._queue = queue
        self._hooks = hooks
        self._stall_timeout_s = stall_timeout_s
        self._workers = [Worker(queue, hooks) for _ in range(count)]
        self._hanging: list[Worker] = []
        # A hanging thread holds memory and perhaps a core; beyond this number only a restart helps.
        self._max_hanging = 2 * count

    @property
    def unrecoverable(self) -> bool:
        """Whether so many threads hang that no further one is replaced."""
        self._hanging = [worker for worker in self._hanging if worker.alive]
        return len(self._hanging) >= self._max_hanging

    def replace_unhealthy(self) -> list[Replacement]:
        """Replace the workers that are dead or stalled."""
        replacements: list[Replacement] = []
        for i, worker in enumerate(self._workers):
            reason = None if self.unrecoverable else worker.unhealthy_reason(self._stall_timeout_s)
            if reason:
                worker.retire()
                self._hanging.append(worker)
                self._workers[i] = Worker(self._queue, self._hooks, probe_first=True)
                replacements.append(Replacement(reason, worker, self._workers[i]))
        return replacements

    def stop(self, timeout_s: float) -> None:
        """End the threads; one that hangs is left behind after the time-out."""
        self._queue.close()
        until = time.monotonic() + timeout_s
        for worker in self._workers:
            worker.join(max(0.0, until - time.monotonic()))


def _score(classifier: Classifier, paper: Paper, created: float, failed: Callable[[BaseException], None]) -> Result:
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
        return InferenceFailed("The network gave no numbers for this paper.")
    return Scored(encoding, output, began - created, encoded - began, time.monotonic() - encoded)


def _encode(
    classifier: Classifier, paper: Paper, failed: Callable[[BaseException], None]
) -> Encoding | PaperError | InferenceError:
    try:
        return classifier.encode([paper])[0]
    except PaperError as error:
        return error
    except BaseException as error:
        # A panic in the tokenizer's Rust code is no Exception; a text must not cost a worker its life.
        failed(error)
        return InferenceFailed("The tokenizer failed on this paper.")
