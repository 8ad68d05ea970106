"""The artefact in service, and its replacement by another version."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Literal, Self, TypeVar

from app.inference.classifier import Classifier
from app.inference.errors import ReloadRefused
from app.inference.observer import ReloadOutcome
from model_store.store import Store

_T = TypeVar("_T")
_MAX_THREADS_PER_RUN = 4


class Versions:
    """The classifier in service, and the store from which its successor is loaded."""

    def __init__(
        self,
        current: Classifier,
        store: Store | None = None,
        wanted: str = "latest",
        name: str | None = None,
        workers: int = 1,
        sha256: str | None = None,
    ) -> None:
        self.current = current
        self._store = store
        self._wanted = wanted
        self._name = name
        self._workers = workers
        self._sha256 = sha256

    @classmethod
    def open(
        cls, store: Store, wanted: str, name: str | None = None, workers: int = 1, sha256: str | None = None
    ) -> Self:
        """Start with the wanted version ("latest": the newest) of a model; raises ArtefactError.

        `workers` is the number of threads that will share the classifier. If `sha256` is given, only the
        manifest with this checksum is accepted.
        """
        current = _load(store, name, wanted, workers, sha256)
        # If no name was given, the name of the store's only model is kept for later reloads.
        return cls(current, store, wanted, current.manifest.name, workers, sha256)

    def successor(self) -> Classifier | None:
        """The wanted version, loaded and verified beside the current one; None if that is the current one.

        Takes seconds. Raises ArtefactError.
        """
        if self._store is None:
            return None
        version = self._store.resolve(self._name, self._wanted).version
        if version == self.current.manifest.version:
            return None
        # This version and no other: where it cannot be copied, "latest" would mean an earlier copy.
        return _load(self._store, self._name, version, self._workers, self._sha256)


class ArtefactReloader:
    """Runs one reload at a time; concurrent callers wait for the same one.

    A reload is a separate task: when the request that started it ends early, the loading thread
    continues, since threads cannot be cancelled, and each retry would load one more model. Neither
    functools nor asyncio offers this ("single flight").
    """

    def __init__(self, versions: Versions, on_finished: Callable[[ReloadOutcome, Exception | None], None]) -> None:
        self._versions = versions
        self._on_finished = on_finished
        self._task: asyncio.Task[Literal["switched", "unchanged"] | ReloadRefused] | None = None

    async def reload(self, deadline: float | None) -> Literal["switched", "unchanged", "accepted"]:
        """Load the wanted version and switch to it, or join the reload that is running.

        "accepted" means that it was not finished by the deadline, a time.monotonic(), and continues.
        Raises ReloadRefused if the artefact is unusable; the one in service stays.
        """
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        # asyncio.wait() does not cancel what it waits for, neither at its time-out nor when it is cancelled.
        await asyncio.wait({self._task}, timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
        if not self._task.done():
            return "accepted"
        outcome = self._task.result()
        if isinstance(outcome, ReloadRefused):
            raise outcome
        return outcome

    async def _run(self) -> Literal["switched", "unchanged"] | ReloadRefused:
        try:
            successor = await _in_daemon_thread(self._versions.successor)
        except Exception as error:
            # The outermost frame of this task. The error is returned, not raised, since no caller may be waiting.
            self._on_finished("refused", error)
            version = self._versions.current.manifest.version
            return ReloadRefused(
                f"The artefact was refused, the log gives the reason; version {version} stays in service."
            )
        if successor:
            # Requests that have begun keep the classifier they began with.
            self._versions.current = successor
        outcome: Literal["switched", "unchanged"] = "switched" if successor else "unchanged"
        self._on_finished(outcome, None)
        return outcome


def threads_per_run(workers: int) -> int:
    """How many threads one paper may use within the network when the others are idle.

    All workers share one session. While all of them are busy, each run gets about one core; while
    only one is, its run gets up to four. More than four gain little: a paper of 320 word pieces takes
    some 16 ms on one core, and each operator of the network ends with a barrier.
    """
    return min(workers, _MAX_THREADS_PER_RUN)


async def _in_daemon_thread(function: Callable[[], _T]) -> _T:
    """The result of a function, called in a thread that does not delay the end of the process.

    asyncio.to_thread would: the event loop and the interpreter wait for the threads of its executor.
    """
    future = Future[_T]()
    future.set_running_or_notify_cancel()  # from now on it cannot be cancelled

    def call() -> None:
        try:
            future.set_result(function())
        except Exception as error:
            # The outermost frame of a thread; the error is raised again where the result is awaited.
            future.set_exception(error)

    threading.Thread(target=call, name="reload", daemon=True).start()
    return await asyncio.wrap_future(future)


def _load(store: Store, name: str | None, wanted: str, workers: int, sha256: str | None) -> Classifier:
    return store.open(name, wanted, sha256).verified_classifier(threads=threads_per_run(workers))
