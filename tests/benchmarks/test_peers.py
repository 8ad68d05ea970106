"""The comparison with other servers: the same network for all of them, honest latencies, a complete table."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import sleep

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from benchmarks.peers.load import open_loop
from benchmarks.peers.model_folder import write_model_folder
from benchmarks.peers.peer import peers
from benchmarks.peers.report import write_report
from model_store.papers import Paper
from model_store.store import Store
from tests import builders
from tests.training import tiny
from training.config import EncoderConfig, HeadConfig, QuantizationConfig
from training.model.network import load_network
from training.publishing.export import export_graph
from training.publishing.quantization_schemes import quantize

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def test_peers_get_the_network_of_the_artefact(tmp_path: Path) -> None:
    source = EncoderConfig(source=str(tiny.encoder(tmp_path / "encoder")))
    network = load_network(source, HeadConfig(hidden=20), len(builders.LABELS)).eval()
    graph = quantize(export_graph(network), QuantizationConfig())
    store = Store(tmp_path / "store")
    manifest = builders.manifest()
    store.publish(manifest, builders.files(model=graph))
    folder = write_model_folder(store.open(manifest.name, manifest.version), tmp_path / "peer")
    served = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    ids = torch.tensor([[2, 5, 6, 3, 7, 3]])
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": (ids > 5).long()}
    with torch.inference_mode():
        expected = torch.sigmoid(network(**inputs)["logits"])
        actual = torch.sigmoid(served(**inputs).logits)
    # The weights have 7 bits.
    np.testing.assert_allclose(actual, expected, atol=0.02)
    assert list(served.config.id2label.values()) == [label.name for label in builders.LABELS]


def test_every_peer_takes_a_paper_without_an_abstract() -> None:
    for peer in peers("tiny", "1.0.0", threads=2):
        assert b"Spin waves" in peer.request(Paper("Spin waves"))


class _SlowHandler(BaseHTTPRequestHandler):
    """Answers one request at a time, each after 50 ms; every third with 503."""

    lock = threading.Lock()
    count = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        with self.lock:
            sleep(0.05)
            type(self).count += 1
            status = 503 if self.count % 3 == 0 else 200
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # the parent's name
        pass


@pytest.fixture
def slow_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _SlowHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_open_loop_counts_the_time_that_requests_had_to_wait(slow_server: str) -> None:
    # Twice as many requests as the server can answer: the last of 30 waits for some 15 others.
    load = open_loop(slow_server, [b"{}"], rate=40, seconds=0.75)
    assert load.errors == 10
    assert load.p99 > 500
    assert load.per_second == pytest.approx(20 / 0.75)


def test_the_table_has_a_row_for_every_peer_and_names_those_that_are_missing(tmp_path: Path) -> None:
    load = {"p50": 1.0, "p95": 2.0, "p99": 3.0, "per_second": 40.0, "errors": 1}
    result = {
        "peer": "this service", "note": "", "first_answer_s": 0.9, "resident_at_start_mb": 150.0, "resident_mb": 190.0,
        "closed": dict.fromkeys(("1", "4", "16", "64"), load), "titles": {"16": load},
        "open": {"20.0": load}, "installed_mb": 200.0, "micro_f1": 0.9,
    }  # fmt: skip
    (tmp_path / "results.jsonl").write_text(f"{json.dumps(result)}\n{json.dumps(result)}\n")
    (tmp_path / "machine.json").write_text(json.dumps({"processor": "a processor", "date": "2026-01-01"}))
    (tmp_path / "missing.json").write_text(json.dumps({"another": "pip ended with status 1"}))
    write_report(tmp_path)
    table = (tmp_path / "table.md").read_text()
    assert "| this service | 1.0 | 3 | 40.0 | 40.0 | 40.0 | 40.0 | 40 | 0.9 | 150 | 190 | 200 | 0.900 | 8 |" in table
    assert "another: not measured (pip ended with status 1)." in table
    assert "| this service | 3 (40, 2) |" in table
    assert (tmp_path / "throughput.png").stat().st_size > 0
