"""Classifiers that are slow, hang or fail, to be passed where a real one is expected; settings for tests."""

import threading
import time
from collections.abc import Callable, Sequence

from app.inference.classifier import Classifier
from app.settings import Settings
from model_store.labels import GraphOutput
from model_store.papers import Encoding, Paper
from model_store.store import Store


class InterceptedClassifier:
    """The real classifier of a store, with something done before each run; faults are chosen by the paper's length."""

    def __init__(self, store: Store, before: Callable[[Encoding], None]) -> None:
        self._real: Classifier = store.open().classifier()
        self._before = before
        self.manifest = self._real.manifest
        self.sha256 = self._real.sha256
        self.scored = 0
        self._lock = threading.Lock()

    def encode(self, papers: Sequence[Paper]) -> list[Encoding]:
        return self._real.encode(papers)

    def predict(self, encoding: Encoding) -> GraphOutput:
        self._before(encoding)
        with self._lock:
            self.scored += 1
        return self._real.predict(encoding)


def slow(store: Store, seconds: float) -> InterceptedClassifier:
    """Takes so long for every paper."""
    return InterceptedClassifier(store, lambda encoding: time.sleep(seconds))


def failing(store: Store, error: BaseException) -> InterceptedClassifier:
    """Raises on papers of a single word; the probe and longer papers are scored."""

    def before(encoding: Encoding) -> None:
        if encoding.tokens == 1:
            raise error

    return InterceptedClassifier(store, before)


def hanging(store: Store, until: threading.Event) -> InterceptedClassifier:
    """Hangs on papers of a single word until the event."""

    def before(encoding: Encoding) -> None:
        if encoding.tokens == 1:
            until.wait()

    return InterceptedClassifier(store, before)


def hung(store: Store, until: threading.Event) -> InterceptedClassifier:
    """Hangs on every paper until the event."""

    def before(encoding: Encoding) -> None:
        until.wait()

    return InterceptedClassifier(store, before)


def short_timeouts(store: Store, **changes: object) -> Settings:
    """Settings with short time-outs, for tests of faults."""
    quick: dict[str, object] = {
        "artefacts": store.root,
        "threads": 1,
        "request_timeout_s": 5.0,
        "stall_timeout_s": 0.2,
        "probe_interval_s": 0.2,
        "ready_window_s": 1.0,
        "live_window_s": 2.0,
        "drain_timeout_s": 3.0,
    }
    return Settings.model_validate(quick | changes)
