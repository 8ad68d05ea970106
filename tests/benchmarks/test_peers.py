"""The comparison with other servers: the same network for all of them, honest latencies, a complete table."""

import hashlib
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import sleep

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from benchmarks.peers.derived import in_fp32, without_exits
from benchmarks.peers.measuring import Sample, measure_loop
from benchmarks.peers.model_folder import write_model_folder
from benchmarks.peers.open_loop import open_loop
from benchmarks.peers.peer import SERVICE, TORCH_INT8, peers
from benchmarks.peers.plan import Plan
from benchmarks.peers.report import completed, verdicts_of, write_report
from benchmarks.peers.turns import Participant, Turn, Turns
from model_store.papers import Paper
from model_store.store import Store
from tests import builders
from tests.training import tiny
from training.config import EncoderConfig, FeaturesConfig, HeadConfig, QuantizationConfig
from training.data.papers import Papers
from training.evaluation.metrics import micro_f1
from training.model.network import load_network
from training.publishing.export import export_graph
from training.publishing.quantization_schemes import quantize, schemes

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning:copyreg"),  # torch's exporter uses what torch deprecates
]


@pytest.mark.parametrize("features", [FeaturesConfig(), FeaturesConfig(layers=2, pool="cls+mean")])
def test_peers_get_the_network_of_the_artefact(tmp_path: Path, features: FeaturesConfig) -> None:
    source = EncoderConfig(source=str(tiny.encoder(tmp_path / "encoder")))
    network = load_network(source, HeadConfig(hidden=20), len(builders.LABELS), features).eval()
    graph = quantize(export_graph(network), QuantizationConfig())
    store = Store(tmp_path / "store")
    manifest = builders.manifest()
    store.publish(manifest, builders.files(model=graph))
    artefact = store.open(manifest.name, manifest.version)
    folder = write_model_folder(artefact, tmp_path / "peer")
    served = AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True).eval()
    ids = torch.tensor([[2, 5, 6, 3, 7, 3]])
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": (ids > 5).long()}
    with torch.inference_mode():
        expected = torch.sigmoid(network(**inputs)["logits"])
        actual = torch.sigmoid(served(**inputs).logits)
    # The weights have 7 bits.
    np.testing.assert_allclose(actual, expected, atol=0.02)
    assert list(served.config.id2label.values()) == [label.name for label in builders.LABELS]
    fp32 = in_fp32(artefact, folder, Store(tmp_path / "fp32"))
    papers = list(builders.GOLDEN_PAPERS)
    np.testing.assert_allclose(
        fp32.verified_classifier().scores(papers), artefact.classifier().scores(papers), atol=0.02
    )


@pytest.mark.parametrize("scheme", [0, 1, 2])
def test_weights_of_every_scheme_become_fp32(tmp_path: Path, scheme: int) -> None:
    source = EncoderConfig(source=str(tiny.encoder(tmp_path / "encoder")))
    network = load_network(source, HeadConfig(hidden=20), len(builders.LABELS)).eval()
    graph = schemes(QuantizationConfig())[scheme].quantize(export_graph(network))
    store = Store(tmp_path / "store")
    store.publish(builders.manifest(), builders.files(model=graph))
    folder = write_model_folder(store.open(), tmp_path / "peer")
    inputs = {"input_ids": torch.tensor([[2, 5, 6, 3, 7, 3]]), "token_type_ids": torch.tensor([[0, 0, 0, 0, 1, 1]])}
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    with torch.inference_mode():
        expected = torch.sigmoid(network(**inputs)["logits"])
        served = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        np.testing.assert_allclose(torch.sigmoid(served(**inputs).logits), expected, atol=0.02)


def test_without_exits_every_paper_passes_all_layers(tmp_path: Path) -> None:
    source = Store(tmp_path / "source")
    manifest = builders.manifest(exits=builders.exits(0.0, 0.0))
    source.publish(manifest, {**builders.files(), **builders.parts()})
    complete = without_exits(source.open(), Store(tmp_path / "complete"))
    layers = [
        [artefact.classifier().classify(paper).output.layer for paper in builders.GOLDEN_PAPERS]
        for artefact in (source.open(), complete)
    ]
    assert layers == [[2, 2], [6, 6]]
    # Its golden scores are its own.
    complete.verified_classifier()


def test_a_loop_without_a_server_gives_rates_and_the_scores_of_the_artefact(tmp_path: Path) -> None:
    artefact = builders.publish(tmp_path / "store").open()
    papers = Papers(list(builders.GOLDEN_PAPERS), np.array([[1, 1, 0], [0, 0, 1]], dtype=np.float32))
    sample = Sample.of(papers, tuple(label.name for label in builders.LABELS), builders.LABELS)
    turn = measure_loop(artefact.folder, Path(sys.prefix), sample, Plan(0.2, (), sample=2, answers=2), threads=2)
    assert turn["closed"].keys() == turn["titles"].keys() == {"1", "2"}
    assert min(load["per_second"] for load in turn["closed"].values()) > 0
    assert 0 < turn["first_answer_s"] < 60
    assert turn["answers"] == 2
    decided = artefact.classifier().scores(builders.GOLDEN_PAPERS) >= [label.threshold for label in builders.LABELS]
    assert turn["micro_f1"] == pytest.approx(micro_f1(papers.targets > 0, decided))


def test_every_peer_takes_a_paper_without_an_abstract(tmp_path: Path) -> None:
    for peer in peers(tmp_path, "tiny", "1.0.0"):
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
    load = open_loop(slow_server, [b"{}"], rate=40, seconds=0.75, timeout_s=30)
    assert load.errors == 10
    assert load.p99 > 500
    assert load.per_second == pytest.approx(20 / 0.75)


def test_an_open_loop_gives_up_on_requests_that_wait_too_long(slow_server: str) -> None:
    load = open_loop(slow_server, [b"{}"], rate=40, seconds=0.75, timeout_s=0.3)
    assert 10 < load.errors <= 30
    assert not load.p99 > 300


def test_an_open_loop_without_a_server_counts_errors() -> None:
    load = open_loop("http://127.0.0.1:9/", [b"{}"], rate=20, seconds=0.2, timeout_s=1)
    assert (load.errors, load.per_second) == (4, 0)


def _participant(name: str, turns: list[Turn]) -> Participant:
    def measure(place: Path) -> Turn:
        turn = turns.pop(0)
        if "failed" in turn:
            raise RuntimeError(turn["failed"])
        return turn

    return Participant(name, "", ("pip",), True, measure)


def test_a_turn_that_failed_is_recorded_and_taken_again(tmp_path: Path) -> None:
    participant = _participant("another", [{"failed": "ended with status 1"}, {"micro_f1": 0.9}])
    place = tmp_path / hashlib.sha256(b"pip").hexdigest()[:12]
    (place / "lib/python3/site-packages").mkdir(parents=True)
    (place / "complete").touch()
    turns = Turns(tmp_path / "turns.jsonl")
    for completed_turns in (0, 1):
        turns.take(participant, tmp_path)
        assert turns.count("another") == completed_turns
    assert [turn.get("failed") for turn in turns.read()] == ["ended with status 1", None]


def test_the_longest_time_holds_all_loads() -> None:
    plan = Plan(4, (10, 20), sample=400, answers=400)
    assert plan.server_limit_s() > 6 * 4 + 2 * 4 + plan.start_s + plan.answers_s
    assert plan.expected_server_s() < plan.server_limit_s()
    assert plan.expected_loop_s() < plan.loop_limit_s()


def _result(name: str, speed: float) -> Turn:
    load = {"p50": 10.0 / speed, "p95": 20.0 / speed, "p99": 30.0 / speed, "per_second": 40.0 * speed, "errors": 1}
    return {
        "peer": name, "note": "", "first_answer_s": 0.9, "resident_at_start_mb": 150.0, "resident_mb": 210.0,
        "closed": dict.fromkeys(("1", "4", "16", "64"), load), "titles": dict.fromkeys(("1", "16"), load),
        "open": {"20.0": load}, "installed_mb": 200.0, "micro_f1": 0.9, "answers": 400,
    }  # fmt: skip


def test_the_table_has_a_row_for_every_peer_and_names_those_that_are_missing(tmp_path: Path) -> None:
    turns = [
        _result(SERVICE, 8),
        _result(SERVICE, 8),
        _result(TORCH_INT8, 2),
        {"peer": "another", "failed": "no wheel"},
    ]
    (tmp_path / "turns.jsonl").write_text("\n".join(map(json.dumps, turns)))
    (tmp_path / "machine.json").write_text(json.dumps({"processor": "a processor", "date": "2026-01-01"}))
    write_report(tmp_path)
    table = (tmp_path / "table.md").read_text()
    rates = "320.0 | 320.0 | 320.0 | 320.0"
    assert f"| {SERVICE} | 1.2 | 4 | {rates} | 1.2 | 320 | 0.9 | 150 | 210 | 200 | 0.900 | 12 |" in table
    assert "another: not measured (no wheel)." in table
    assert f"| {SERVICE} | 1 / 4 (320) |" in table
    # 320 papers a second are 4 times the 80 of torch int8.
    assert "| papers/s at 16 clients / torch int8 | ≥ 3.5 | 4.000 | met |" in table
    assert "| resident under load, MB | ≤ 200 | 210.000 | missed |" in table
    # Nothing is said about what was not measured.
    assert "torch fp32" not in table
    for name in ("closed.png", "open.png"):
        assert 0 < (tmp_path / name).stat().st_size < 150_000


def test_a_server_that_answered_nothing_makes_no_ratio(tmp_path: Path) -> None:
    stuck = _result(TORCH_INT8, 1)
    nothing = {"p50": 0, "p95": 0, "p99": 0, "per_second": 0, "errors": 64}
    stuck["closed"] = dict.fromkeys(stuck["closed"], nothing)
    found = verdicts_of(completed([_result(SERVICE, 8), stuck]))
    assert [verdict.target for verdict in found if "int8" in verdict.target] == []
