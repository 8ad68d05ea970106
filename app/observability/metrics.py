"""Metrics for Prometheus.

With PROMETHEUS_MULTIPROC_DIR set before the start, several processes share one set of numbers
(prometheus-client's own mechanism); without it each service instance has a registry of its own.
"""

import multiprocessing
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from app.inference.observer import ReloadOutcome, UnhealthyReason
from app.observability.request_log import RequestLog
from model_store.labels import Status

# https://opentelemetry.io/docs/specs/semconv/http/http-metrics/
_HTTP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_STAGE_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_TOKEN_BUCKETS = (16, 32, 64, 128, 192, 256, 320, 384, 512, 1024, 4096)
_PROBABILITY_BUCKETS = tuple(i / 10 for i in range(1, 11))
_METHODS = frozenset({"GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"})
# With more labels there are no histograms of their probabilities, which have thirteen series per label.
_MAX_LABELS_WITH_HISTOGRAM = 50
# With several processes, these metrics are minima over the processes; all others are sums.
_PROCESS_MINIMA = frozenset({"process_start_time_seconds", "process_max_fds"})


class Telemetry:
    """All metrics of one service."""

    def __init__(self, multiprocess: str | None = None, rejection_reasons: Iterable[str] = ()) -> None:
        """`multiprocess` is the directory that processes share, None for one process.

        Counters are exported as 0 before their first event, so that `increase()` includes it.
        """
        self._multiprocess = multiprocess
        registry = CollectorRegistry()
        self._registry = registry
        self._in_service: tuple[str, str, str] | None = None
        if multiprocess is None:
            ProcessCollector(registry=registry)
        self.duration = Histogram(
            "http_server_request_duration_seconds", "Duration of HTTP requests",
            ("http_request_method", "http_route", "http_response_status_code"),
            buckets=_HTTP_BUCKETS, registry=registry,
        )  # fmt: skip
        self.inflight = Gauge(
            "papers_inflight_requests", "Requests being answered", registry=registry, multiprocess_mode="livesum"
        )
        # `labels()` takes longer than counting. The cache stays small because clients cannot choose the values.
        self._duration_of = cache(self.duration.labels)
        self._stages(registry)
        self._answers(registry)
        self._engine(registry)
        self._create_counters(rejection_reasons)

    def _create_counters(self, rejection_reasons: Iterable[str]) -> None:
        for reason in rejection_reasons:
            self.rejected.labels(reason)
        for outcome in get_args(ReloadOutcome):
            self.reloads.labels(outcome)
        for unhealthy in get_args(UnhealthyReason):
            self.workers_replaced.labels(unhealthy)
        for status in get_args(Status):
            self.classified.labels(status)

    def _stages(self, registry: CollectorRegistry) -> None:
        self.tokenize = Histogram(
            "papers_tokenize_seconds", "Tokenization of one paper", buckets=_STAGE_BUCKETS, registry=registry
        )
        self.queue_wait = Histogram(
            "papers_queue_wait_seconds", "One paper's wait for a worker", buckets=_STAGE_BUCKETS, registry=registry
        )
        self.inference = Histogram(
            "papers_inference_seconds", "One paper's run through the network", buckets=_STAGE_BUCKETS, registry=registry
        )
        self.queue_depth = Gauge(
            "papers_queue_depth", "Papers waiting for a worker", registry=registry, multiprocess_mode="livesum"
        )
        self.rejected = Counter("papers_rejected", "Requests and papers refused", ("reason",), registry=registry)

    def _answers(self, registry: CollectorRegistry) -> None:
        self.tokens = Histogram(
            "papers_input_tokens", "Word pieces of one paper", buckets=_TOKEN_BUCKETS, registry=registry
        )
        self.truncated = Counter("papers_truncated", "Papers that were truncated", registry=registry)
        self.classified = Counter("papers_classified", "Papers answered", ("status",), registry=registry)
        self.label_assigned = Counter(
            "papers_label_assigned", "Papers to which a label was assigned", ("label",), registry=registry
        )
        self.label_probability = Histogram(
            "papers_label_probability", "Probabilities by label", ("label",),
            buckets=_PROBABILITY_BUCKETS, registry=registry,
        )  # fmt: skip
        self._probability_of = cache(self.label_probability.labels)

    def _engine(self, registry: CollectorRegistry) -> None:
        self.model_info = Gauge(
            "papers_model_info", "1 for the artefact in service", ("name", "version", "sha256"),
            registry=registry, multiprocess_mode="livemax",
        )  # fmt: skip
        self.threads = Gauge("papers_threads", "Worker threads", registry=registry, multiprocess_mode="livesum")
        self.ready = Gauge("papers_ready", "1 if ready", registry=registry, multiprocess_mode="livemin")
        self.golden_failures = Counter(
            "papers_golden_failures", "Artefacts that did not reproduce their golden papers", registry=registry
        )
        self.reloads = Counter("papers_reloads", "Reloads", ("outcome",), registry=registry)
        self.workers_replaced = Counter(
            "papers_workers_replaced", "Worker threads that were replaced", ("reason",), registry=registry
        )

    def request(self, record: RequestLog, method: str, route: str, status: int, seconds: float) -> None:
        """One request was answered; `route` is the template, so that there are few series."""
        known = method if method in _METHODS else "_OTHER"
        self._duration_of(known, route, str(status)).observe(seconds)
        for reason in record.problems:
            self.rejected.labels(reason).inc()

    def paper(self, tokens: int, truncated: bool, queue_s: float, infer_s: float) -> None:
        """One paper was scored; times in seconds."""
        self.tokens.observe(tokens)
        self.truncated.inc(int(truncated))
        self.queue_wait.observe(queue_s)
        self.inference.observe(infer_s)

    def answer(self, status: str, assigned: Sequence[str], probabilities: Mapping[str, float]) -> None:
        """One paper was answered; labels are given by id."""
        self.classified.labels(status).inc()
        for label in assigned:
            self.label_assigned.labels(label).inc()
        if len(probabilities) > _MAX_LABELS_WITH_HISTOGRAM:
            return
        for label, probability in probabilities.items():
            self._probability_of(label).observe(probability)

    def in_service(self, name: str, version: str, sha256: str) -> None:
        """This artefact is in service from now on; the series of the previous one is set to 0."""
        if self._in_service:
            self.model_info.labels(*self._in_service).set(0)
        self._in_service = (name, version, sha256)
        self.model_info.labels(*self._in_service).set(1)

    def exposition(self) -> bytes:
        """All metrics in the text format of Prometheus."""
        if self._multiprocess is None:
            return generate_latest(self._registry)
        shared = CollectorRegistry()
        MultiProcessCollector(shared, path=self._multiprocess)  # type: ignore[no-untyped-call]
        shared.register(AllProcessesCollector(Path(self._multiprocess)))
        return generate_latest(shared)


class AllProcessesCollector(Collector):
    """Memory, processor time and open files of all processes of a service together."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """The metrics of prometheus-client's ProcessCollector, summed."""
        totals: dict[str, Metric] = {}
        for pid in self._pids():
            for metric in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]
                totals[metric.name] = _added(totals.get(metric.name), metric)
        yield from totals.values()

    def _pids(self) -> set[int]:
        # Only these files of prometheus-client are removed when their process ends.
        workers = {int(path.stem.rpartition("_")[2]) for path in self._folder.glob("gauge_livesum_*.db")}
        parent = multiprocessing.parent_process()
        return workers | {os.getpid()} | ({parent.pid} if parent and parent.pid else set())


def _added(total: Metric | None, metric: Metric) -> Metric:
    if total is not None:
        values = (total.samples[0].value, metric.samples[0].value)
        value = min(values) if metric.name in _PROCESS_MINIMA else sum(values)
        metric.samples = [metric.samples[0]._replace(value=value)]
    return metric
