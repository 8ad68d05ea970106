"""Numbers and log lines: right, complete, and what dashboards and alerts ask for exists."""

import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from app.observability import logs
from app.observability.metrics import Telemetry
from tests.app.running import ROOT, environment

_NAME = re.compile(r"\b(?:papers|http_server|process)_[a-z0-9_]+\b")


def samples(client: TestClient) -> dict[str, float]:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        sample.name + "".join(f" {value}" for _, value in sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def known_names() -> set[str]:
    families = text_string_to_metric_families(Telemetry().exposition().decode())
    suffixes = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",)}
    return {family.name + suffix for family in families for suffix in suffixes.get(family.type, ("",))}


def test_a_classified_paper_is_counted_in_every_stage(client: TestClient) -> None:
    client.post("/classify", json={"title": "star " * 40})
    found = samples(client)
    assert found["papers_classified_total ok"] == 1
    assert found["papers_label_assigned_total physics"] == 1
    assert found["papers_label_probability_count mathematics"] == 1
    assert (found["papers_input_tokens_sum"], found["papers_truncated_total"]) == (40, 1)
    for stage in ("tokenize", "queue_wait", "inference"):
        assert found[f"papers_{stage}_seconds_count"] == 1
    assert found["http_server_request_duration_seconds_count POST 200 /classify"] == 1
    assert (found["papers_threads"], found["papers_ready"]) == (2, 1)
    assert found["process_resident_memory_bytes"] > 1e6


def test_routes_are_templates_also_when_refused_early(client: TestClient) -> None:
    client.get("/nowhere/at/all")
    client.get("/problems/not_json")
    client.post("/classify", content=b"", headers={"content-encoding": "gzip"})
    client.request("BREW", "/livez")
    found = samples(client)
    for labels in ("GET 404 unmatched", "GET 200 /problems/{code}", "POST 415 /classify", "_OTHER 405 /livez"):
        assert found[f"http_server_request_duration_seconds_count {labels}"] == 1
    assert found["papers_rejected_total unsupported_media_type"] == 1


def test_refused_papers_of_a_batch_are_counted_by_reason(client: TestClient) -> None:
    client.post("/classify/batch", json={"papers": [{}, {"title": "star"}, 7]})
    assert samples(client)["papers_rejected_total invalid_request"] == 2


def test_requests_are_timed_in_opentelemetrys_buckets(client: TestClient) -> None:
    client.get("/livez")
    text = client.get("/metrics").text
    bounds = re.findall(r'http_server_request_duration_seconds_bucket\{.*/livez",le="([^"]+)"', text)
    assert [float(bound) for bound in bounds] == [
        0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, float("inf"),
    ]  # fmt: skip


def test_several_processes_share_one_set_of_numbers(tmp_path: Path) -> None:
    program = (
        "import os, sys; from app.observability.metrics import Telemetry\n"
        "t = Telemetry(os.environ['PROMETHEUS_MULTIPROC_DIR']); t.threads.set(2); t.classified.labels('ok').inc()\n"
        "t.in_service('a', '1.0.0', 'f'); t.in_service('a', '1.1.0', 'e')\n"
        "sys.stdout.write(t.exposition().decode()) if len(sys.argv) > 1 else None"
    )
    shared = environment() | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], env=shared, cwd=ROOT, check=True)
    said = subprocess.check_output([sys.executable, "-c", program, "tell"], env=shared, cwd=ROOT).decode()
    assert 'papers_classified_total{status="ok"} 2.0' in said
    assert 'papers_model_info{name="a",sha256="e",version="1.1.0"} 1.0' in said


@pytest.mark.parametrize("path", ["deploy/grafana.json", "deploy/alerts.yml"])
def test_dashboards_and_alerts_ask_only_for_metrics_that_exist(path: str) -> None:
    asked = set(_NAME.findall((ROOT / path).read_text()))
    assert len(asked) >= 8
    assert asked <= known_names()


def test_every_panel_of_the_dashboard_has_a_query_and_a_title() -> None:
    dashboard: dict[str, Any] = json.loads((ROOT / "deploy/grafana.json").read_text())
    for panel in dashboard["panels"]:
        assert panel["title"]
        assert all(target["expr"] for target in panel["targets"])


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the log goes within a test; afterwards it goes where it went."""
    loggers = [logging.getLogger(name) for name in ("papers", "uvicorn")]
    before = [(logger.handlers, logger.level, logger.propagate) for logger in loggers]
    yield io.StringIO()
    for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
        logger.handlers, logger.level, logger.propagate = handlers, level, propagate


@pytest.mark.parametrize(
    ("style", "expected"), [("json", '"message": "in service"'), ("human", "info    in service version=1.0.0")]
)
def test_log_lines_are_json_or_short_as_the_style_says(stream: io.StringIO, style: str, expected: str) -> None:
    logs.configure("info", style, stream)
    logs.event(logging.INFO, "in service", version="1.0.0")
    logs.event(logging.DEBUG, "not worth a line")
    assert expected in stream.getvalue()
    assert stream.getvalue().count("\n") == 1


def test_a_failure_is_logged_by_type_and_place_without_its_words(stream: io.StringIO) -> None:
    logs.configure("info", "auto", stream)
    try:
        raise ValueError("zanzibar")
    except ValueError as error:
        logs.failure("a bug", error)
    line = json.loads(stream.getvalue())
    assert line["error"] == "ValueError"
    assert Path(__file__).name in line["where"][-1]
    assert "zanzibar" not in stream.getvalue()
