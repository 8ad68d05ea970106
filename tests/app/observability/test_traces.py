"""Traces, tried against a collector on this machine; spans know paths and times, never a text."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import pytest

from app.main import create_app
from app.settings import Settings, SettingsError
from model_store.store import Store
from tests.app.running import running

INSTALLED = find_spec("opentelemetry.sdk") is not None


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """The address of a collector, and what it was sent so far (OTLP, protobuf)."""
    received: list[bytes] = []

    class Collect(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Collect) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()


@pytest.mark.skipif(not INSTALLED, reason="the extra otel is not installed")
def test_every_request_is_a_span_without_submitted_text(tmp_path: Path, store: Store) -> None:
    came = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    with collector() as (address, received):
        given = {"OTEL_EXPORTER_OTLP_ENDPOINT": address}
        with running(tmp_path, variables=given, artefacts=store.root, traces=True) as service:
            with service.client() as client:
                client.post("/classify", json={"title": "zanzibar star"}, headers=came)
                client.post("/classify/batch", json={"papers": [{"title": ["zanzibar"]}]})
                client.post("/classify?title=zanzibar", json={"title": "star"})
                client.post("/zanzibar")
            service.signal(signal.SIGTERM)
            assert service.process.wait(20) == 0
            logged = [line["trace_id"] for line in service.log() if "trace_id" in line]
    sent = b"".join(received)
    assert (sent.count(b"POST /classify/batch"), sent.count(b"POST /classify")) == (1, 2)
    assert b"zanzibar" not in sent
    assert all(bytes.fromhex(trace_id) in sent for trace_id in logged)
    assert (logged[0], len(logged)) == ("a" * 32, 2)


@pytest.mark.skipif(not INSTALLED, reason="the extra otel is not installed")
def test_traces_without_a_collector_stop_the_start(store: Store) -> None:
    with pytest.raises(SettingsError, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        create_app(Settings(artefacts=store.root, traces=True))


@pytest.mark.skipif(INSTALLED, reason="the extra otel is installed")
def test_traces_without_the_extra_stop_the_start(store: Store) -> None:
    with pytest.raises(SettingsError, match="the extra `otel`"):
        create_app(Settings(artefacts=store.root, traces=True))
