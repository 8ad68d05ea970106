"""The wiring: what is on by setting, and what happens to a bug."""

import asyncio
import json
from collections.abc import Sequence
from importlib.util import find_spec

import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings, SettingsError
from model_store.errors import ArtefactMissing
from model_store.papers import Encoding, Paper
from model_store.store import Store
from tests.app.doubles import InterceptedClassifier, short_timeouts, slow
from tests.app.inprocess import in_process

ORIGIN = "https://library.example"
PREFLIGHT = {
    "origin": ORIGIN,
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type",
}


@pytest.fixture
def browsers(store: Store) -> TestClient:
    return TestClient(create_app(Settings(artefacts=store.root, cors_origins=(ORIGIN,))))


def test_named_origins_may_ask_and_read_the_headers(browsers: TestClient) -> None:
    with browsers as client:
        assert client.options("/classify", headers=PREFLIGHT).headers["access-control-allow-origin"] == ORIGIN
        answer = client.post("/classify", json={"title": "star"}, headers={"origin": ORIGIN})
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "Server-Timing" in answer.headers["access-control-expose-headers"]


def test_other_origins_are_refused_with_a_problem(browsers: TestClient) -> None:
    with browsers as client:
        refused = client.options("/classify", headers=PREFLIGHT | {"origin": "https://elsewhere.example"})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert refused.json()["detail"] == "PAPERS_CORS_ORIGINS does not list this origin."


@pytest.mark.parametrize(
    ("method", "header", "status"),
    [
        ("HEAD", "x-api-key", 200), ("GET", "if-none-match", 200),
        ("POST", "content-type, traceparent, tracestate", 200),
        ("PUT", "content-type", 403), ("GET", "x-unknown", 403),
    ],
)  # fmt: skip
def test_named_origins_may_use_every_method_and_header_there_is(
    browsers: TestClient, method: str, header: str, status: int
) -> None:
    asked = {"access-control-request-method": method, "access-control-request-headers": header}
    with browsers as client:
        answer = client.options("/model", headers=PREFLIGHT | asked)
        assert answer.status_code == status
        if status == 403:
            assert "may use GET, HEAD, POST with the headers Authorization, " in answer.json()["detail"]


def test_no_artefact_is_an_error_of_the_start(store: Store) -> None:
    with pytest.raises(ArtefactMissing, match=r"no artefact of version '2\.0\.0'"):
        create_app(Settings(artefacts=store.root, version="2.0.0"))


@pytest.mark.skipif(find_spec("opentelemetry.sdk") is not None, reason="the extra `otel` is installed")
def test_traces_without_their_extra_are_an_error_of_the_start(store: Store) -> None:
    with pytest.raises(SettingsError, match="otel"):
        create_app(Settings(artefacts=store.root, traces=True))


class BrokenTokenizer(InterceptedClassifier):
    """Fails in a worker, before the network runs."""

    def encode(self, papers: Sequence[Paper]) -> list[Encoding]:
        raise KeyError("zanzibar")


class BrokenChecksum(str):
    """Fails in a route, where nothing expects it."""

    __slots__ = ()

    def __format__(self, format_spec: str) -> str:
        raise KeyError("zanzibar")


def assert_unexplained(status: int, body: str, caplog: pytest.LogCaptureFixture, message: str) -> None:
    assert (status, json.loads(body)["code"]) == (500, "internal_error")
    assert "zanzibar" not in body + caplog.text + str([vars(record) for record in caplog.records])
    assert message in caplog.messages


def test_an_exception_in_a_worker_is_a_500_and_quoted_nowhere(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    broken = BrokenTokenizer(store, lambda encoding: None)
    with TestClient(create_app(Settings(artefacts=store.root), broken)) as client:
        answer = client.post("/classify", json={"title": "star"})
        assert_unexplained(answer.status_code, answer.text, caplog, "inference failed")


def test_an_exception_in_a_route_is_a_500_and_quoted_nowhere(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    classifier = InterceptedClassifier(store, lambda encoding: None)
    classifier.sha256 = BrokenChecksum("5d" * 32)
    with TestClient(create_app(Settings(artefacts=store.root), classifier)) as client:
        answer = client.get("/model")
        assert_unexplained(answer.status_code, answer.text, caplog, "unexpected exception")


async def drained(store: Store) -> None:
    async with in_process(short_timeouts(store, request_timeout_s=10.0), slow(store, 0.05)) as papers:
        accepted = asyncio.create_task(papers.classify(*["star"] * 10))
        await asyncio.sleep(0.1)
        draining = asyncio.create_task(papers.engine.drain())
        await asyncio.sleep(0.1)
        for answer in (await papers.client.get("/readyz"), await papers.classify("proof")):
            assert (answer.status_code, answer.json()["code"]) == (503, "draining")
            assert answer.headers["connection"] == "close"
        assert (await papers.client.get("/livez")).status_code == 200
        assert len((await accepted).json()["results"]) == 10
        assert await draining


def test_draining_refuses_new_work_and_finishes_what_was_accepted(store: Store) -> None:
    asyncio.run(drained(store))


async def too_late(store: Store) -> None:
    async with in_process(short_timeouts(store, drain_timeout_s=0.2), slow(store, 0.1)) as papers:
        accepted = asyncio.create_task(papers.classify(*["star"] * 20))
        await asyncio.sleep(0.1)
        assert not await papers.engine.drain()
        accepted.cancel()


def test_a_drain_says_when_its_time_was_too_short(store: Store) -> None:
    asyncio.run(too_late(store))
