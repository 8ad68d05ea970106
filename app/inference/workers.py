"""Worker threads, and their replacement when one hangs or dies."""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from app.inference.observer import UnhealthyReason

_PROBE_AGAIN_S = 0.25


class Work(Protocol):
    """One piece of work; `app.inference.queue.WorkItem` is one."""

    def run(self, worker: "Worker") -> None:
        """Do the work and deliver the result; must not raise an Exception."""

    def abandon(self) -> None:
        """Answer that the worker stalled; called from another thread."""


class WorkerHooks(NamedTuple):
    """Callbacks of the engine; called from the workers' threads."""

    take: Callable[[], Work | None]
    """Waits for the next piece of work; None ends the worker."""
    probe: Callable[["Worker"], bool]
    """Whether a small inference on this thread succeeds."""


class Worker:
    """One thread that takes papers from the queue until it is closed or the worker is retired.

    A replacement first scores a probe, repeatedly until one succeeds, so that no client's paper is
    given to a worker that hangs like its predecessor.
    """

    def __init__(self, hooks: WorkerHooks, *, probe_first: bool = False) -> None:
        self._hooks = hooks
        self._probe_first = probe_first
        self._work: Work | None = None
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
        """Abandon the current work; if the thread wakes up again, it ends."""
        self._retired.set()
        if work := self._work:
            work.abandon()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread to end, at most `timeout_s`."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while self._probe_first and not self._retired.is_set() and not self._probe():
            self._retired.wait(_PROBE_AGAIN_S)
        while not self._retired.is_set() and (work := self._hooks.take()) is not None:
            self._work, self._busy_since = work, time.monotonic()
            work.run(self)
            self._work, self._busy_since = None, None

    def _probe(self) -> bool:
        self._busy_since = time.monotonic()
        succeeded = self._hooks.probe(self)
        self._busy_since = None
        return succeeded


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

    def __init__(self, count: int, hooks: WorkerHooks, stall_timeout_s: float) -> None:
        self._hooks = hooks
        self._stall_timeout_s = stall_timeout_s
        self._workers = [Worker(hooks) for _ in range(count)]
        self._hanging: list[Worker] = []
        # A hanging thread holds memory and perhaps a core; beyond this number only a restart helps.
        self._max_hanging = 2 * count

    @property
    def unrecoverable(self) -> bool:
        """Whether so many threads hang that no further one will be replaced."""
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
                self._workers[i] = Worker(self._hooks, probe_first=True)
                replacements.append(Replacement(reason, worker, self._workers[i]))
        return replacements

    def stop(self, timeout_s: float) -> None:
        """Wait for the threads to end, which requires a closed queue; a thread that hangs is abandoned."""
        until = time.monotonic() + timeout_s
        for worker in self._workers:
            worker.join(max(0.0, until - time.monotonic()))
