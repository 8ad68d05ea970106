"""The engine: papers in, predictions out."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Literal, NamedTuple

from app.inference.admission import ORDINARY_COST, Admission, Pace, cost_of, cost_of_longest
from app.inference.classifier import Classifier
from app.inference.errors import InferenceError
from app.inference.health import Health
from app.inference.observer import Observer, ReloadOutcome, Scored
from app.inference.options import EngineOptions
from app.inference.queue import FairQueue, OnScored, PricedPaper, Result, WorkRequest, score
from app.inference.versions import ArtefactReloader, Versions
from app.inference.watchdog import Watchdog
from app.inference.workers import Worker, WorkerHooks, WorkerPool
from model_store.errors import PaperError
from model_store.labels import Decision
from model_store.manifest import Manifest
from model_store.papers import Encoding, Paper

_EXIT_S = 1.0
_PROBE_PAPER = Paper("A title that only checks whether the engine works")


class Prediction(NamedTuple):
    """One classified paper."""

    encoding: Encoding
    scored: Scored
    decision: Decision


Outcome = Prediction | PaperError | InferenceError


class Scores(NamedTuple):
    """The results of one request's papers, in their order, and the classifier they come from."""

    classifier: Classifier
    results: list[Result]


class Answer(NamedTuple):
    """For each paper of a request, in order, a prediction or the error in its place; and the artefact that answered."""

    manifest: Manifest
    sha256: str
    outcomes: list[Outcome]

    @property
    def tokenize_s(self) -> float:
        """Seconds that tokenizing all papers took."""
        return sum(outcome.scored.encode_s for outcome in self.outcomes if isinstance(outcome, Prediction))


class Engine:
    """Classifies papers for many requests at a time.

    A request passes one admission decision and waits in one queue; a worker thread then tokenizes and
    scores its papers one by one. When the request's task is cancelled, at its deadline or because the
    client went away, the papers that still wait are withdrawn.
    """

    def __init__(self, options: EngineOptions, versions: Versions, observer: Observer) -> None:
        self._options = options
        self._versions = versions
        self._observer = observer
        self._queue = FairQueue(ORDINARY_COST)
        self._pace = Pace(options.threads)
        # Half of the deadline, so that accepted work is done in time even if the pace halves meanwhile.
        self._max_wait_s = options.request_timeout_s / 2
        self._admission = Admission(options.max_queue, options.max_queue_tokens, self._max_wait_s, self._pace)
        self._reloader = ArtefactReloader(versions, self._reload_finished)
        self._supervision: asyncio.Task[None] | None = None
        self.health = Health(options.ready_window_s, options.live_window_s)

    @property
    def current(self) -> Classifier:
        """The classifier that new requests get."""
        return self._versions.current

    @property
    def alive(self) -> bool:
        """Whether the engine may recover by itself."""
        return self.health.alive() and self._supervision is not None and not self._supervision.done()

    def refusal(self) -> InferenceError | None:
        """Why not even one more paper would be accepted now, None if it would."""
        return self.health.unready_reason() or self._admission.refusal()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the workers and their supervision while the block runs."""
        self._announce()
        loop = asyncio.get_running_loop()
        hooks = WorkerHooks(self._queue.take, partial(self._probe_worker, loop))
        workers = WorkerPool(self._options.threads, hooks, self._options.stall_timeout_s)
        watchdog = Watchdog(partial(self._check, workers), self._probe, self._observer.probe_failed)
        self._supervision = asyncio.create_task(
            watchdog.run(self._options.stall_timeout_s, self._options.probe_interval_s)
        )
        try:
            yield
        finally:
            self._supervision.cancel()
            await asyncio.gather(self._supervision, return_exceptions=True)
            self._queue.close()
            await asyncio.to_thread(workers.stop, _EXIT_S)

    async def classify(self, papers: Sequence[Paper], deadline: float) -> Answer:
        """Score and decide; see `score` for the deadline and the errors."""
        return self.answer(await self.score(papers, deadline))

    async def score(self, papers: Sequence[Paper], deadline: float) -> Scores:
        """One result per paper.

        `deadline` is the time.monotonic() at which the caller will cancel: half of the time-out before
        it, the request becomes urgent. Raises NotReady, Draining, QueueFull or RequestTooLarge if the
        request is not accepted.
        """
        if reason := self.health.unready_reason():
            raise reason
        classifier = self.current
        max_tokens = _max_tokens(classifier.manifest)
        priced = [PricedPaper(paper, cost_of(paper, max_tokens)) for paper in papers]
        with self._admission.reserve(len(papers), sum(paper.cost for paper in priced)):
            return Scores(classifier, await self._run(classifier, priced, deadline, self._scored))

    def answer(self, scores: Scores) -> Answer:
        """Decide which labels the scored papers get, and count the papers as answered."""
        classifier, results = scores
        outcomes = [
            self._predict(classifier.manifest, result) if isinstance(result, Scored) else result for result in results
        ]
        return Answer(classifier.manifest, classifier.sha256, outcomes)

    async def reload(self, deadline: float | None = None) -> Literal["switched", "unchanged", "accepted"]:
        """See ArtefactReloader.reload."""
        return await self._reloader.reload(deadline)

    async def drain(self, notice_s: float = 0.0) -> bool:
        """Accept no new work and wait until the accepted work is done; whether it was, within the drain time-out.

        The time-out begins after `notice_s`, during which new requests still get a 503 instead of a refused
        connection. uvicorn's own graceful shutdown closes the port first, so new requests get no answer.
        """
        self.health.draining = True
        self._observer.draining(self._admission.papers)
        await asyncio.sleep(notice_s)
        try:
            async with asyncio.timeout(self._options.drain_timeout_s):
                await self._admission.empty()
        except TimeoutError:
            if self._admission.papers:
                self._observer.drain_timed_out(self._admission.papers)
                return False
        return True

    async def _run(
        self, classifier: Classifier, papers: Sequence[PricedPaper], deadline: float, on_scored: OnScored
    ) -> list[Result]:
        if not papers:
            return []
        request = WorkRequest(
            classifier, papers, deadline - self._max_wait_s, on_scored, self._observer.inference_failed
        )
        self._queue.put(request)
        try:
            return await request.results()
        finally:
            self._queue.withdraw(request)

    def _scored(self, cost: int, scored: Scored, worker: object) -> None:
        self._probed(cost, scored, worker)
        self._pace.observe(cost, scored.encode_s + scored.infer_s)

    def _probed(self, cost: int, scored: Scored, worker: object) -> None:
        # A probe says nothing about the pace: nearly all of its time is overhead.
        self.health.succeeded(worker)

    def _predict(self, manifest: Manifest, scored: Scored) -> Prediction:
        encoding = scored.encoding
        decision = manifest.decide(scored.output, title_only=encoding.title_only, withdrawn=encoding.withdrawn)
        self._observer.classified(manifest, scored, decision)
        return Prediction(encoding, scored, decision)

    def _check(self, workers: WorkerPool, loop_delay_s: float) -> bool:
        """Replace unhealthy workers and report the state; returns whether a probe is due."""
        for reason, retired, successor in workers.replace_unhealthy():
            self.health.replaced(retired, successor)
            self._observer.worker_replaced(reason)
        self.health.unrecoverable = workers.unrecoverable
        self._admission.loop_delay_s = loop_delay_s
        self._observer.state(self._queue.papers(), ready=self.health.unready_reason() is None)
        return self.health.idle_s > self._options.probe_interval_s

    async def _probe(self) -> None:
        """Run one small inference through the queue, as for any paper; raises TimeoutError."""
        async with asyncio.timeout(self._options.ready_window_s):
            await self._run(self.current, [PricedPaper(_PROBE_PAPER, 1)], time.monotonic(), self._probed)

    def _probe_worker(self, loop: asyncio.AbstractEventLoop, worker: Worker) -> bool:
        """Run one in the thread of a replacement, before it takes papers; returns whether it succeeded."""
        result = score(self.current, _PROBE_PAPER, time.monotonic(), self._observer.inference_failed)
        if not isinstance(result, Scored):
            return False
        with suppress(RuntimeError):  # the loop is closed, the service has ended
            loop.call_soon_threadsafe(self.health.succeeded, worker)
        return True

    def _reload_finished(self, outcome: ReloadOutcome, error: Exception | None) -> None:
        self._observer.reload_finished(outcome, self.current.manifest.version, error)
        if outcome == "switched":
            self._announce()

    def _announce(self) -> None:
        manifest = self.current.manifest
        full_batch = self._options.max_papers * cost_of_longest(_max_tokens(manifest))
        self._admission.max_cost = max(self._options.max_queue_tokens, full_batch)
        self._observer.in_service(manifest, self.current.sha256, self._options.threads)


def _max_tokens(manifest: Manifest) -> int:
    """The greatest number of word pieces that the network reads of one paper."""
    return manifest.input.max_tokens * (manifest.input.chunks or 1)
