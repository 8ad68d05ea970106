"""Metrics and log lines: they are right and complete, and dashboards and alerts ask for nothing that does not exist."""

import io
import json
import logging
import re
import subprocess
import sys
import warnings
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


@pytest.mark.parametrize(
    "sample",
    [
        "papers_reloads_total refused",
        "papers_reloads_total switched",
        "papers_workers_replaced_total stalled",
        "papers_workers_replaced_total dead",
        "papers_rejected_total queue_full",
        "papers_classified_total out_of_scope",
        "papers_golden_failures_total",
    ],
)
def test_counters_exist_before_their_first_event(client: TestClient, sample: str) -> None:
    """A series that begins with 1 is no increase, so that an alert would miss the first event."""
    assert samples(client)[sample] == 0


def test_hundreds_of_labels_do_not_become_hundreds_of_histograms() -> None:
    telemetry = Telemetry()
    before = len(telemetry.exposition().splitlines())
    telemetry.answer("ok", ["label-0"], {f"label-{i}": 0.1 for i in range(500)})
    assert len(telemetry.exposition().splitlines()) < before + 10


def test_contents_of_requests_create_no_new_series(client: TestClient) -> None:
    client.get("/metrics")
    client.get("/nowhere")
    before = client.get("/metrics").text.count("\n")
    for i in range(50):
        client.get(f"/nowhere/{i}?{i}", headers={"x-request-id": f"r-{i}", "host": "papers", f"x-{i}": "1"})
        client.post("/classify", json={"title": "star", f"field-{i}": 1})
        client.request(f"METHOD{i}", "/livez")
        client.get(f"/problems/{'x' * i}")
        client.get("/livez", headers={"authorization": f"Bearer {i}"})
    grown = client.get("/metrics").text.count("\n") - before
    # At most one new histogram for each pair of route and status code.
    assert grown < 6 * 20


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
def test_dashboards_and_alerts_use_only_metrics_that_exist(path: str) -> None:
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
    loggers = [logging.getLogger(name) for name in ("", "papers", "uvicorn")]
    before = [(logger.handlers, logger.level) for logger in loggers]
    yield io.StringIO()
    logging.captureWarnings(False)
    for logger, (handlers, level) in zip(loggers, before, strict=True):
        logger.handlers, logger.level = handlers, level


@pytest.mark.parametrize(
    ("style", "expected"), [("json", '"message": "in service"'), ("human", "info    in service version=1.0.0")]
)
def test_log_lines_are_json_or_short_as_the_style_says(stream: io.StringIO, style: str, expected: str) -> None:
    logs.configure("info", style, stream)
    logs.event(logging.INFO, "in service", version="1.0.0")
    logs.event(logging.DEBUG, "not worth a line")
    assert expected in stream.getvalue()
    assert stream.getvalue().count("\n") == 1


def test_an_exception_is_logged_by_type_and_place_without_its_message(stream: io.StringIO) -> None:
    logs.configure("info", "auto", stream)
    try:
        raise ValueError("zanzibar")
    except ValueError as error:
        logs.failure("a bug", error)
    line = json.loads(stream.getvalue())
    assert line["error"] == "ValueError"
    assert Path(__file__).name in line["where"][-1]
    assert "zanzibar" not in stream.getvalue()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_log_lines_of_libraries_are_json_without_the_messages_of_exceptions(stream: io.StringIO) -> None:
    logs.configure("info", "json", stream)
    try:
        raise ValueError("zanzibar")
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
        logging.getLogger("asyncio").exception("Task exception was never retrieved\nfuture: ValueError('zanzibar')")
    assert [(line["message"], line["error"]) for line in lines(stream)] == [
        ("Exception in ASGI application", "ValueError"),
        ("Task exception was never retrieved", "ValueError"),
    ]
    assert "zanzibar" not in stream.getvalue()


def test_python_warnings_are_lines_of_the_log(stream: io.StringIO) -> None:
    logs.configure("info", "json", stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("this will change", DeprecationWarning, stacklevel=1)
    assert "this will change" in lines(stream)[0]["message"]


def test_long_values_are_cut_in_the_log(stream: io.StringIO) -> None:
    logs.configure("info", "json", stream)
    logs.event(logging.INFO, "m" * 30_000, method="A" * 30_000)
    assert len(stream.getvalue()) < 3_000


def test_exceptions_that_end_a_program_or_a_thread_are_lines_of_the_log(tmp_path: Path) -> None:
    program = (
        "import sys, threading; from app.observability import logs\n"
        "logs.configure('info', 'json', sys.stderr); logs.log_uncaught_exceptions()\n"
        "def fail(): raise ValueError('zanzibar')\n"
        "thread = threading.Thread(target=fail); thread.start(); thread.join(); fail()"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    written = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [(line["message"], line["error"]) for line in written] == [("uncaught exception", "ValueError")] * 2
    assert "zanzibar" not in ended.stderr


def test_an_event_that_repeats_is_logged_once_in_its_interval(stream: io.StringIO) -> None:
    logs.configure("info", "json", stream)
    limit_reached = logs.ThrottledEvent(logging.WARNING, "limit reached", interval_s=60)
    for count in range(3):
        limit_reached(count=count)
    assert [line["count"] for line in lines(stream)] == [0]
