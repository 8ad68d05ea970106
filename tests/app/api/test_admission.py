"""Admission: work that has no room is rejected before its body is read, counted, and logged in summary."""

import asyncio
import contextlib
import http.client
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.api.errors import ServiceError
from app.api.overload import AdmissionMiddleware
from app.inference.errors import Draining, QueueFull
from app.observability.request_log import open_request_log, request_log_of
from model_store.store import Store
from tests.app.doubles import short_timeouts, slow
from tests.app.inprocess import in_process
from tests.app.load import at_rate, run
from tests.app.running import Running, running

FULL = QueueFull("Too many papers are waiting; try again in 3 s.", limit=2, actual=3, retry_after_s=3)
LENGTH = (b"content-length", b"20")


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def ask(
    rejection: ServiceError | None,
    path: str = "/classify",
    headers: Sequence[tuple[bytes, bytes]] = (LENGTH,),
    delay_s: float = 0,
) -> tuple[list[Message], int, list[str]]:
    """What was sent, how often the body was asked for, and the reasons that will be counted."""
    sent: list[Message] = []
    asked = 0

    async def receive() -> Message:
        nonlocal asked
        asked += 1
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def exchange() -> list[str]:
        scope: Scope = {"type": "http", "method": "POST", "path": path, "headers": list(headers)}
        open_request_log(scope)
        middleware = AdmissionMiddleware(application, lambda: rejection, "/classify".__eq__, 100, delay_s)
        await middleware(scope, receive, send)
        return request_log_of(scope).problems

    reasons = asyncio.run(exchange())
    return sent, asked, reasons


def test_a_full_queue_rejects_without_reading_the_body() -> None:
    sent, asked, reasons = ask(FULL)
    headers = dict(sent[0]["headers"])
    assert (sent[0]["status"], headers[b"retry-after"], asked) == (429, b"3", 0)
    assert b"connection" not in headers
    assert b"queue_full" in sent[1]["body"]
    assert reasons == ["queue_full"]


@pytest.mark.parametrize(
    ("rejection", "is_delayed"), [(FULL, True), (Draining("The service is shutting down."), False)]
)
def test_clients_that_ask_again_at_once_are_slowed_down_while_the_queue_is_full(
    rejection: ServiceError, is_delayed: bool
) -> None:
    start = time.monotonic()
    ask(rejection, delay_s=0.5)
    assert (time.monotonic() - start >= 0.5) == is_delayed


@pytest.mark.parametrize(
    "headers",
    [[], [(b"content-length", b"101")], [(b"transfer-encoding", b"chunked")], [LENGTH, (b"expect", b"100-continue")]],
)
def test_a_connection_whose_body_may_be_long_is_closed(headers: Sequence[tuple[bytes, bytes]]) -> None:
    sent, asked, reasons = ask(FULL, headers=headers)
    assert dict(sent[0]["headers"])[b"connection"] == b"close"
    assert (sent[0]["status"], asked, reasons) == (429, 1, ["queue_full"])


def test_while_draining_the_connection_is_closed() -> None:
    sent, _, reasons = ask(Draining("The service is shutting down.", retry_after_s=1))
    assert (sent[0]["status"], dict(sent[0]["headers"])[b"connection"]) == (503, b"close")
    assert reasons == ["draining"]


def test_with_room_or_without_work_every_request_is_admitted() -> None:
    assert ask(None)[0][0]["status"] == 200
    assert ask(FULL, path="/readyz")[0][0]["status"] == 200


async def counted(store: Store) -> None:
    settings = short_timeouts(store, max_queue=1, max_papers=1, stall_timeout_s=2.0, open_inference_api=True)
    async with in_process(settings, slow(store, 1.5)) as papers:
        busy = asyncio.create_task(papers.classify("star"))
        await asyncio.sleep(0.1)
        # No body of these is valid: an answer other than 429 means that the body was read.
        versioned = "/v2/models/tiny-subjects/versions/1.0.0/infer"
        paths = ("/classify", "/classify/batch", "/explain", "/v2/models/tiny-subjects/infer", versioned)
        answers = await asyncio.gather(*(papers.client.post(path, json={}) for path in paths))
        assert [answer.status_code for answer in answers] == [429] * 5
        document = answers[0].json()
        assert (document["instance"], document["limit"]) == (answers[0].headers["x-request-id"], 1)
        assert answers[0].headers["cache-control"] == "no-store"
        assert (await papers.client.get("/model")).status_code == 200
        assert (await busy).status_code == 200
        assert papers.metric('papers_rejected_total{reason="queue_full"}') == 5
        timed = 'http_server_request_duration_seconds_count{http_request_method="POST",'
        assert papers.metric(timed + 'http_response_status_code="429",http_route="/explain"}') == 1


def test_rejected_work_is_counted_and_other_requests_are_answered(store: Store) -> None:
    asyncio.run(counted(store))


def request(body: bytes, length: int) -> bytes:
    return (
        b"POST /classify HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % length
        + body
    )


def full(service: Running) -> socket.socket:
    """A connection whose paper fills the queue for a while."""
    busy = socket.create_connection(("127.0.0.1", service.port), timeout=10)
    body = b'{"title": "star"}'
    busy.sendall(request(body, len(body)))
    time.sleep(0.3)
    return busy


def test_rejected_clients_keep_their_connection_and_are_logged_in_summary(tmp_path: Path, store: Store) -> None:
    small_queue: dict[str, Any] = {"artefacts": store.root, "threads": 1, "max_queue": 1, "max_papers": 1}
    with (
        running(tmp_path, "tests.app.slow_service", "4", **small_queue) as service,
        full(service),
        contextlib.closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)) as connection,
    ):
        connections, answers = set(), []
        for _ in range(5):
            connection.request("POST", "/classify", b'{"title": "star"}', {"Content-Type": "application/json"})
            connections.add(connection.sock)
            with connection.getresponse() as answer:
                answers.append(answer.status)
                answer.read()
        time.sleep(1.5)
        summaries = [line for line in service.log() if line["message"] == "requests rejected"]
        single = [line for line in service.log() if line.get("status") == 429]
    assert (answers, len(connections)) == ([429] * 5, 1)
    assert (sum(line["queue_full"] for line in summaries), single) == (5, [])
    assert len(summaries) < 5


def test_a_body_that_nobody_reads_may_not_trickle_in_for_ever(tmp_path: Path, store: Store) -> None:
    small_queue: dict[str, Any] = {
        "artefacts": store.root,
        "threads": 1,
        "max_queue": 1,
        "max_papers": 1,
        "header_timeout_s": 0.3,
    }
    with (
        running(tmp_path, "tests.app.slow_service", "2", **small_queue) as service,
        full(service),
        socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection,
    ):
        connection.sendall(request(b"{", 1000))
        answer = connection.recv(65536)
        with contextlib.suppress(ConnectionError):
            for _ in range(20):
                connection.sendall(b" ")
                time.sleep(0.1)
            answer += b" and still open"
    assert b" 429 " in answer
    assert not answer.endswith(b" and still open")


def test_no_more_simultaneous_requests_are_admitted_than_there_is_room(tmp_path: Path, store: Store) -> None:
    small_queue: dict[str, Any] = {"artefacts": store.root, "threads": 1, "max_queue": 4, "max_papers": 4}
    with running(tmp_path, "tests.app.slow_service", "0.02", **small_queue) as service:
        replies = run(at_rate(service, 500, 1.0, {"title": "A star"}))
        time.sleep(1.2)
        summarized = sum(int(line.get("queue_full", 0)) for line in service.log())
        single = sum(int(line.get("status") == 429) for line in service.log())
    statuses = [reply.status for reply in replies]
    assert set(statuses) == {200, 429}
    assert statuses.count(429) == summarized + single
