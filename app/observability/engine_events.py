"""Metrics and log lines for what happens inside the engine."""

import logging

from app.inference.observer import ReloadOutcome, Scored, UnhealthyReason
from app.observability import logs
from app.observability.metrics import Telemetry
from model_store.errors import GoldenMismatch, ModelStoreError
from model_store.labels import Decision
from model_store.manifest import Manifest


class EngineEvents:
    """Implements the engine's Observer."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def in_service(self, manifest: Manifest, sha256: str, workers: int) -> None:
        """This artefact answers new requests from now on."""
        self._telemetry.in_service(manifest.name, manifest.version, sha256)
        self._telemetry.threads.set(workers)
        logs.event(logging.INFO, "in service", model=manifest.name, version=manifest.version, threads=workers)

    def classified(self, manifest: Manifest, scored: Scored, decision: Decision) -> None:
        """One paper of a client was answered."""
        encoding = scored.encoding
        self._telemetry.tokenize.observe(scored.encode_s)
        self._telemetry.paper(encoding.tokens, encoding.truncated, scored.queue_s, scored.infer_s)
        self._telemetry.answer(
            decision.status,
            [manifest.labels[i].id for i in decision.labels],
            {label.id: float(p) for label, p in zip(manifest.labels, scored.output.scores, strict=True)},
        )

    def state(self, waiting_papers: int, ready: bool) -> None:
        """The current length of the queue and readiness."""
        self._telemetry.queue_depth.set(waiting_papers)
        self._telemetry.ready.set(int(ready))

    def worker_replaced(self, reason: UnhealthyReason) -> None:
        """A worker thread was given up and replaced."""
        self._telemetry.workers_replaced.labels(reason).inc()
        logs.event(logging.ERROR, "worker replaced", reason=reason)

    def inference_failed(self, error: BaseException) -> None:
        """The tokenizer or the network raised an error."""
        logs.failure("inference failed", error)

    def probe_failed(self, error: Exception) -> None:
        """The periodic probe of the engine failed."""
        if isinstance(error, TimeoutError):
            logs.event(logging.WARNING, "no inference succeeded in time")
        else:
            logs.failure("the probe failed", error)

    def reload_finished(self, outcome: ReloadOutcome, version: str, error: Exception | None = None) -> None:
        """A reload ended; why a new artefact was refused goes to the log, not to the client."""
        self._telemetry.reloads.labels(outcome).inc()
        if isinstance(error, GoldenMismatch):
            self._telemetry.golden_failures.inc()
        if isinstance(error, ModelStoreError):
            logs.event(logging.ERROR, "artefact refused", reason=str(error), still_in_service=version)
        elif error:
            logs.failure("reload failed", error, still_in_service=version)

    def draining(self, papers: int) -> None:
        """Shutdown began."""
        self._telemetry.ready.set(0)
        logs.event(logging.INFO, "draining", papers=papers)

    def drain_timed_out(self, papers: int) -> None:
        """Shutdown continues although papers have no answer."""
        logs.event(logging.WARNING, "drain limit reached", papers_lost=papers)
