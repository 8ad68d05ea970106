"""Whether the service is alive and ready. Knows what was observed and the rules; observes nothing itself."""

import time

from app.inference.errors import Draining, InferenceError, NotReady


class Health:
    """Readiness rests on a recent real inference; liveness follows when none has succeeded for long."""

    def __init__(self, ready_window_s: float, live_window_s: float) -> None:
        self._ready_window_s = ready_window_s
        self._live_window_s = live_window_s
        # The golden papers were replayed just now, which is a real inference.
        self._last_success = time.monotonic()
        self._suspect = False
        self.draining = False
        self.beyond_repair = False

    def succeed(self) -> None:
        """A paper was scored."""
        self._last_success = time.monotonic()
        self._suspect = False

    def suspect(self) -> None:
        """A worker was replaced: not ready until an inference has succeeded since."""
        self._suspect = True

    @property
    def quiet_for_s(self) -> float:
        """Seconds since the last inference that succeeded."""
        return time.monotonic() - self._last_success

    @property
    def wants_proof(self) -> bool:
        """Whether only an inference can restore readiness."""
        return self._suspect

    def ailment(self) -> InferenceError | None:
        """Why the service is not ready, None if it is."""
        if self.draining:
            return Draining("The service is shutting down and takes no new work.", retry_after_s=1)
        if self._suspect or self.beyond_repair:
            return NotReady("A part of the engine stalled and has not proven itself again.", retry_after_s=1)
        if self.quiet_for_s > self._ready_window_s:
            return NotReady("No inference has succeeded lately.", retry_after_s=1)
        return None

    def alive(self) -> bool:
        """Whether waiting may still help; if not, the process should be restarted."""
        return not self.beyond_repair and self.quiet_for_s <= self._live_window_s
