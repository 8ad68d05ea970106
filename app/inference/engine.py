"""The async side of the classifier: admission, a hop to the threads, the decision, reload and drain.

Knows papers and versions; knows no HTTP. Deadlines reach it as cancellation: whatever a cancelled
request still had waiting is withdrawn before it costs an inference.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.inference.admission import Admission, Pace, Place
from app.inference.errors import InferenceError, ReloadRefused
from app.inference.health import Health
from app.inference.queue import Job, Queue, Result, Scored
from app.inference.reload import Classifier, Versions
from app.inference.watchdog import Watchdog
from app.inference.workers import Workers
from app.observability import logs
from app.observability.metrics import Telemetry
from app.settings import Settings
from model_store.errors import GoldenMismatch, ModelStoreError, PaperError
from model_store.labels import Decision
from model_store.manifest import Manifest
from model_store.papers import Encoding, Paper

_EXIT_S = 1.0
# Handing a text to another thread takes as long as making word pieces of so many characters.
_HOP_PAYS_FROM_CHARS = 250


class Verdict(NamedTuple):
    """One classified paper."""

    encoding: Encoding
    scored: Scored
    decision: Decision


Outcome = Verdict | PaperError | InferenceError


class Answer(NamedTuple):
    """What became of the papers of one request, in their order, and who answered."""

    manifest: Manifest
    sha256: str
    outcomes: list[Outcome]
    tokenize_s: float


class Engine:
    """Classifies papers, many requests at a time."""

    def __init__(self, settings: Settings, versions: Versions, telemetry: Telemetry) -> None:
        self._settings = settings
        self._versions = versions
        self._telemetry = telemetry
        self._queue = Queue()
        self._pace = Pace(settings.threads)
        # Half of the deadline, so that who was let in is answered in time even if the pace halves meanwhile.
        self._longest_wait_s = settings.request_timeout_s / 2
        self._admission = Admission(settings.max_queue, settings.max_queue_tokens, self._longest_wait_s, self._pace)
        self._tokenizers = ThreadPoolExecutor(settings.threads, thread_name_prefix="tokenizer")
        self._reloading = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None
        self.health = Health(settings.ready_window_s, settings.live_window_s)

    @property
    def current(self) -> Classifier:
        """The classifier that new requests get."""
        return self._versions.current

    def refusal(self) -> InferenceError | None:
        """Why not even one paper would be taken now, None if one would."""
        return self.health.ailment() or self._admission.refusal(papers=1)

    @property
    def alive(self) -> bool:
        """Whether the process can still get well by itself."""
        return self.health.alive() and self._watching is not None and not self._watching.done()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Have workers and a watchdog while the block runs."""
        self._announce()
        workers = Workers(self._settings.threads, self._queue, self._settings.stall_timeout_s)
        watchdog = Watchdog(workers, self._queue, self.health, self._pace, self._telemetry, self._prove)
        self._watching = asyncio.create_task(
            watchdog.watch(self._settings.stall_timeout_s, self._settings.probe_interval_s)
        )
        try:
            yield
        finally:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._tokenizers.shutdown(wait=False, cancel_futures=True)
            await asyncio.to_thread(workers.stop, _EXIT_S)

    def keep_place(self) -> Place:
        """Count on one more paper from now on, or many who come at once would all be let in for the same room."""
        return Place(self._admission)

    async def classify(self, papers: Sequence[Paper], deadline: float, place: Place | None = None) -> Answer:
        """One outcome per paper; `deadline` is a time.monotonic(); `place` is the one that was kept, if any.

        Raises QueueFull, NotReady or Draining if the request as a whole is not taken.
        """
        if ailment := self.health.ailment():
            raise ailment
        classifier = self.current
        with self._admission.permit(len(papers), place) as permit:
            began = time.monotonic()
            encodings = await self._encode(classifier, papers)
            tokenize_s = time.monotonic() - began
            self._telemetry.tokenize.observe(tokenize_s)
            legible = [encoding for encoding in encodings if isinstance(encoding, Encoding)]
            permit.weigh(sum(len(encoding.input_ids) for encoding in legible))
            scored = iter(await self._score(classifier, legible, deadline))
        manifest = classifier.manifest
        outcomes: list[Outcome] = [
            encoding if isinstance(encoding, PaperError) else self._judge(manifest, encoding, next(scored))
            for encoding in encodings
        ]
        return Answer(manifest, classifier.sha256, outcomes, tokenize_s)

    async def score(self, classifier: Classifier, paper: Paper) -> NDArray[np.float32]:
        """Scores of a paper that is no caller's own: not counted as an answer, never urgent, always one at a time.

        Raises QueueFull, PaperError, or what took the place of the scores.
        """
        with self._admission.permit(1) as permit:
            (encoding,) = await self._encode(classifier, [paper])
            if isinstance(encoding, PaperError):
                raise encoding
            permit.weigh(len(encoding.input_ids))
            (result,) = await self._score(classifier, [encoding], deadline=math.inf)
        if isinstance(result, InferenceError):
            raise result
        return result.measured.scores

    async def reload(self) -> Literal["switched", "unchanged"]:
        """Change to the wanted version if it is another one and proves itself; raises ReloadRefused."""
        async with self._reloading:
            try:
                successor = await asyncio.to_thread(self._versions.successor)
            except ModelStoreError as error:
                raise self._refused(error) from None
            if successor is None:
                self._telemetry.reloads.labels("unchanged").inc()
                return "unchanged"
            self._versions.switch(successor)
            self._telemetry.reloads.labels("switched").inc()
            self._announce()
            return "switched"

    async def drain(self, notice_s: float = 0.0) -> bool:
        """Take no new work and wait until what was accepted is done, at most for the drain time-out; whether it was.

        Waits at least for the notice, in which newcomers hear that they have to go elsewhere.
        """
        self.health.draining = True
        self._telemetry.ready.set(0)
        logs.event(logging.INFO, "draining", papers=self._admission.papers)
        began = time.monotonic()
        while (waited := time.monotonic() - began) < self._settings.drain_timeout_s:
            if waited >= notice_s and not self._admission.papers:
                return True
            await asyncio.sleep(0.02)
        if not self._admission.papers:
            return True
        logs.event(logging.WARNING, "drain limit reached", papers_lost=self._admission.papers)
        return False

    async def _encode(self, classifier: Classifier, papers: Sequence[Paper]) -> list[Encoding | PaperError]:
        def encode() -> list[Encoding | PaperError]:
            return [_encode_one(classifier, paper) for paper in papers]

        if sum(len(text) for paper in papers for text in paper) < _HOP_PAYS_FROM_CHARS:
            return encode()
        return await asyncio.get_running_loop().run_in_executor(self._tokenizers, encode)

    async def _score(self, classifier: Classifier, encodings: Sequence[Encoding], deadline: float) -> list[Result]:
        if not encodings:
            return []
        job = Job(classifier, encodings, deadline, deadline - self._longest_wait_s, self._observe)
        self._queue.put(job)
        try:
            return await job.results()
        finally:
            self._queue.withdraw(job)

    async def _prove(self) -> None:
        """One tiny inference on the way that all papers take; readiness hears of it like of any other."""
        classifier = self.current
        encodings = classifier.encode([Paper("A question of health")])
        async with asyncio.timeout(self._settings.ready_window_s):
            await self._score(classifier, encodings, time.monotonic() + self._settings.ready_window_s)

    def _observe(self, encoding: Encoding, result: Result) -> None:
        if isinstance(result, Scored):
            self.health.succeed()
            self._pace.observe(len(encoding.input_ids), result.infer_s)

    def _judge(self, manifest: Manifest, encoding: Encoding, result: Result) -> Outcome:
        if isinstance(result, InferenceError):
            return result
        decision = manifest.decide(result.measured, title_only=encoding.title_only, withdrawn=encoding.withdrawn)
        self._telemetry.paper(encoding.tokens, encoding.truncated, result.queue_s, result.infer_s)
        self._telemetry.answer(
            decision.status,
            [manifest.labels[i].id for i in decision.labels],
            {label.id: float(p) for label, p in zip(manifest.labels, result.measured.scores, strict=True)},
        )
        return Verdict(encoding, result, decision)

    def _announce(self) -> None:
        manifest, threads = self.current.manifest, self._settings.threads
        self._telemetry.in_service(manifest.name, manifest.version, self.current.sha256)
        self._telemetry.threads.set(threads)
        logs.event(logging.INFO, "in service", model=manifest.name, version=manifest.version, threads=threads)

    def _refused(self, error: ModelStoreError) -> ReloadRefused:
        self._telemetry.reloads.labels("refused").inc()
        if isinstance(error, GoldenMismatch):
            self._telemetry.golden_failures.inc()
        kept = self.current.manifest.version
        logs.event(logging.ERROR, "artefact refused", reason=str(error), still_in_service=kept)
        return ReloadRefused(f"The artefact was refused, the log says why; version {kept} keeps answering.")


def _encode_one(classifier: Classifier, paper: Paper) -> Encoding | PaperError:
    try:
        return classifier.encode([paper])[0]
    except PaperError as error:
        return error
