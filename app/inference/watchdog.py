"""Looks after the workers: replaces the ailing, asks for proof when it has been quiet, notes how late the loop is.

Knows no requests.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from app.inference.admission import Pace
from app.inference.health import Health
from app.inference.queue import Queue
from app.inference.workers import Workers
from app.observability import logs
from app.observability.metrics import Telemetry

_LONGEST_TICK_S = 0.25


class Watchdog:
    """Ticks several times within a stall limit, so that nothing hangs unseen for much longer."""

    def __init__(
        self,
        workers: Workers,
        queue: Queue,
        health: Health,
        pace: Pace,
        telemetry: Telemetry,
        prove: Callable[[], Awaitable[None]],
    ) -> None:
        """`prove` runs one inference through the workers."""
        self._workers = workers
        self._queue = queue
        self._health = health
        self._pace = pace
        self._telemetry = telemetry
        self._prove = prove
        self._proof: asyncio.Task[None] | None = None

    async def watch(self, stall_timeout_s: float, probe_interval_s: float) -> None:
        """Tick until cancelled."""
        tick_s = min(_LONGEST_TICK_S, stall_timeout_s / 4, probe_interval_s / 4)
        try:
            while True:
                self.tick(probe_interval_s)
                due = time.monotonic() + tick_s
                await asyncio.sleep(tick_s)
                self._pace.lag_s = max(0.0, time.monotonic() - due)
        finally:
            if self._proof:
                self._proof.cancel()

    def tick(self, probe_interval_s: float) -> None:
        """Look once."""
        for ailment in self._workers.heal():
            self._health.suspect()
            self._telemetry.workers_replaced.labels(ailment).inc()
            logs.event(logging.ERROR, "worker replaced", reason=ailment)
        self._health.beyond_repair = self._workers.beyond_repair
        self._telemetry.queue_depth.set(self._queue.papers())
        self._telemetry.ready.set(int(self._health.ailment() is None))
        if self._health.wants_proof or self._health.quiet_for_s > probe_interval_s:
            self._ask_for_proof()

    def _ask_for_proof(self) -> None:
        if self._proof is None or self._proof.done():
            self._proof = asyncio.create_task(self._attempt())

    async def _attempt(self) -> None:
        try:
            await self._prove()
        except TimeoutError:
            logs.event(logging.WARNING, "no inference succeeded in time")
        except Exception as error:
            # The watchdog is the last to look: a failed proof must not end it.
            logs.failure("the probe failed", error)
