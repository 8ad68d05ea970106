"""Supervises the workers: replaces unhealthy ones, and probes the engine when it has been idle."""

import asyncio
import time
from collections.abc import Awaitable, Callable

_MAX_TICK_S = 0.25


class Watchdog:
    """Checks several times within the stall time-out, so that a hang is detected soon after it.

    asyncio has no supervisor for threads: a Future whose thread hangs in native code stays pending for ever.
    """

    def __init__(
        self,
        check: Callable[[float], bool],
        probe: Callable[[], Awaitable[None]],
        on_probe_failure: Callable[[Exception], None],
    ) -> None:
        """`check` replaces unhealthy workers and returns whether a probe is due, `probe` runs one inference.

        `check` receives how many seconds late the event loop woke up the last time.
        """
        self._check = check
        self._probe = probe
        self._on_probe_failure = on_probe_failure
        self._probing: asyncio.Task[None] | None = None

    async def run(self, stall_timeout_s: float, probe_interval_s: float) -> None:
        """Check until cancelled."""
        tick_s = min(_MAX_TICK_S, stall_timeout_s / 4, probe_interval_s / 4)
        loop_delay_s = 0.0
        try:
            while True:
                if self._check(loop_delay_s) and (self._probing is None or self._probing.done()):
                    self._probing = asyncio.create_task(self._attempt())
                due = time.monotonic() + tick_s
                await asyncio.sleep(tick_s)
                loop_delay_s = max(0.0, time.monotonic() - due)
        finally:
            if self._probing:
                self._probing.cancel()

    async def _attempt(self) -> None:
        try:
            await self._probe()
        except Exception as error:
            # A failed probe must not end the supervision.
            self._on_probe_failure(error)
