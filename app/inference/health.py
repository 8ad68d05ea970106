"""Whether the engine is ready and alive."""

import time

from app.inference.errors import Draining, InferenceError, NotReady


class Health:
    """The engine is ready after a recent successful inference, and no longer alive if there was none for a long time.

    After a worker was replaced, the engine is ready again once the replacement has scored a paper.
    """

    def __init__(self, ready_window_s: float, live_window_s: float) -> None:
        self._ready_window_s = ready_window_s
        self._live_window_s = live_window_s
        # The golden papers were replayed just now, and those are real inferences.
        self._last_success = time.monotonic()
        self._unproven: set[object] = set()
        self.draining = False
        self.unrecoverable = False

    def succeeded(self, worker: object) -> None:
        """This worker has scored a paper."""
        self._last_success = time.monotonic()
        self._unproven.discard(worker)

    def replaced(self, worker: object, successor: object) -> None:
        """The engine is not ready until the successor has scored a paper."""
        self._unproven.discard(worker)
        self._unproven.add(successor)

    @property
    def idle_s(self) -> float:
        """Seconds since the last inference that succeeded."""
        return time.monotonic() - self._last_success

    def unready_reason(self) -> InferenceError | None:
        """Why the engine takes no new work, None if it does."""
        if self.draining:
            return Draining("The service is shutting down and takes no new work.", retry_after_s=1)
        if self._unproven or self.unrecoverable:
            return NotReady("A worker stalled, and its replacement has not scored a paper yet.", retry_after_s=1)
        if self.idle_s > self._ready_window_s:
            return NotReady("No inference has succeeded lately.", retry_after_s=1)
        return None

    def alive(self) -> bool:
        """Whether the engine may recover by itself; if not, the process has to be restarted."""
        return not self.unrecoverable and self.idle_s <= self._live_window_s
