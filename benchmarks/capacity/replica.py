"""One instance of the service: its admission control, its queue and its workers."""

from collections.abc import Generator, Sequence
from functools import partial
from typing import Any, NamedTuple

import simpy

from app.inference.admission import ORDINARY_COST, Admission, Pace
from app.inference.errors import QueueFull, RequestTooLarge
from app.settings import Settings
from benchmarks.capacity.costs import PaperCost
from benchmarks.capacity.waiting import Request, Waiting

# As in app.main and app.api.overload: how long a rejection by a full queue is delayed, and how many at a time.
REJECTION_DELAY_S = 0.5
MAX_DELAYED = 300


class Reply(NamedTuple):
    """The reply to a request; the status is None if the connection was lost."""

    status: int | None
    retry_after_s: float | None = None


Answering = Generator[simpy.Event, Any, Reply]
"""Waits in the simulation, and returns the reply."""


class Replica:
    """An instance with the admission control and the settings of the service."""

    def __init__(
        self, env: simpy.Environment, settings: Settings, rejection_s: float = 0.0, overhead_s: float = 0.0
    ) -> None:
        """`rejection_s` is the processor time of a rejection, which delays the next paper.

        `overhead_s` passes between the end of a worker's work and the answer.
        """
        self._env = env
        self._settings = settings
        self._rejection_s = rejection_s
        self._overhead_s = overhead_s
        self._max_wait_s = settings.request_timeout_s / 2
        self._pace = Pace(settings.threads)
        self._admission = Admission(settings.max_queue, settings.max_queue_tokens, self._max_wait_s, self._pace)
        self._waiting = Waiting(ORDINARY_COST)
        self._accepted: dict[Request, None] = {}
        self._busy = 0
        self._delayed = 0
        self._debt_s = 0.0
        self._lost_after_s: float | None = None
        self.open = 0
        """Requests that the balancer has sent here and that have no reply."""
        self.scored = 0
        """Papers so far."""
        self.processor_s = 0.0
        """Processor seconds so far. A paper that is alone is shared by all processors, and costs as many as others."""

    @property
    def queue_depth(self) -> int:
        """Papers that wait for a worker, which is the metric `papers_queue_depth`."""
        return self._waiting.papers

    def classify(self, papers: Sequence[PaperCost]) -> Answering:
        """Answer a request as the service does."""
        if self._lost_after_s is not None:
            yield self._env.timeout(self._lost_after_s)
            return Reply(None)
        if refusal := self._admission.refusal():
            return (yield from self._reject(refusal))
        try:
            with self._admission.reserve(len(papers), sum(paper.units for paper in papers)):
                reply: Reply = yield self._accept(papers)
        except QueueFull as full:
            self._debt_s += self._rejection_s
            return Reply(429, full.retry_after_s)
        if self._overhead_s:
            yield self._env.timeout(self._overhead_s)
        return reply

    def fail(self, *, lost_after_s: float, answer_after_s: float | None = None) -> None:
        """Lose the instance and its work.

        From now on, connections fail after `lost_after_s`. Requests in progress lose theirs at once, as when a process
        is killed; or, as when its machine is gone, they get 504 from the balancer after waiting for `answer_after_s`.
        """
        self._lost_after_s = lost_after_s
        for request in list(self._accepted):
            if answer_after_s is None:
                self._answer(request, Reply(None))
            else:
                self._env.process(self._answer_later(request, request.created + answer_after_s))
            self._waiting.withdraw(request)

    def _reject(self, refusal: QueueFull | RequestTooLarge) -> Answering:
        self._debt_s += self._rejection_s
        if self._delayed < MAX_DELAYED:
            self._delayed += 1
            yield self._env.timeout(REJECTION_DELAY_S)
            self._delayed -= 1
        return Reply(429, refusal.retry_after_s)

    def _accept(self, papers: Sequence[PaperCost]) -> simpy.Event:
        now = self._env.now
        request = Request(papers, self._env.event(), now, now + self._settings.request_timeout_s - self._max_wait_s)
        self._accepted[request] = None
        self._waiting.put(request)
        self._start_workers()
        return request.done

    def _start_workers(self) -> None:
        now = self._env.now
        while self._busy < self._settings.threads and self._waiting.papers:
            request, paper = self._waiting.take(now)
            if request.created + self._settings.request_timeout_s < now:
                self._waiting.withdraw(request)
                self._answer(request, Reply(504))
                continue
            self._busy += 1
            seconds = paper.seconds[self._busy - 1] + self._debt_s
            self._debt_s = 0.0
            self._env.timeout(seconds).callbacks.append(partial(self._finish, request, paper, seconds))

    def _finish(self, request: Request, paper: PaperCost, seconds: float, _: simpy.Event) -> None:
        if self._lost_after_s is not None:
            return
        self._busy -= 1
        self.scored += 1
        self.processor_s += paper.seconds[-1]
        self._pace.observe(paper.units, seconds)
        request.unfinished -= 1
        if not request.unfinished:
            self._answer(request, Reply(200))
        self._start_workers()

    def _answer(self, request: Request, reply: Reply) -> None:
        if request in self._accepted:
            del self._accepted[request]
            request.done.succeed(reply)

    def _answer_later(self, request: Request, at: float) -> simpy.events.ProcessGenerator:
        yield self._env.timeout(max(0.0, at - self._env.now))
        self._answer(request, Reply(504))
