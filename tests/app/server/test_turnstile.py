"""The turnstile: it says what the door would say, knows when to leave it to the door, and lets in no more than fit."""

import asyncio
import contextlib
import hashlib
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.api.door import Doorkeeper
from app.api.keys import ApiKeys
from app.errors import Draining, QueueFull, ServiceError
from app.inference.admission import Place
from app.inference.reload import Versions
from app.observability.metrics import Telemetry
from app.server.turnstile import Turnstile
from app.service import Service
from app.settings import Settings
from model_store.store import Store
from tests.app.load import Reply, at_rate, played, request
from tests.app.running import Running, running

FULL = QueueFull("Too many papers are waiting; come back in 3 s.", limit=2, actual=3, retry_after_s=3)
PAPER = {"title": "A star"}
PLAIN = request("/classify", PAPER)
SLOW = "tests.app.slow_service"
TINY_HOUSE: dict[str, Any] = {"threads": 1, "max_queue": 1, "max_papers": 1}


def with_header(line: bytes) -> bytes:
    return PLAIN.replace(b"Host: papers\r\n", b"Host: papers\r\n" + line + b"\r\n")


@pytest.fixture
def service(store: Store) -> Service:
    return service_with(store)


def service_with(store: Store, **changes: Any) -> Service:
    settings = Settings.model_validate({"artefacts": store.root, **changes})
    return Service(settings, Versions.open(store, "latest"), ApiKeys(settings.api_key_file), Telemetry())


def look(service: Service, data: bytes, refusal: ServiceError | None = FULL) -> bytes | Place | None:
    keeper = Doorkeeper(lambda: refusal, {"/classify", "/classify/batch"}, most_body_bytes=1000)

    async def seen() -> bytes | Place | None:
        return Turnstile(keeper, service).look(data, [(b"date", b"today")])

    return asyncio.run(seen())


def test_a_request_that_does_not_fit_is_refused_as_it_comes(service: Service) -> None:
    answer = look(service, with_header(b"X-Request-ID: shelf/7"))
    assert isinstance(answer, bytes)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 429 Too Many Requests\r\ndate: today\r\n")
    assert b"\r\nx-request-id: shelf/7\r\n" in head
    assert b"\r\ncontent-length: %d\r\n" % len(body) in head
    document = json.loads(body)
    assert (document["instance"], document["retry_after_seconds"]) == ("shelf/7", 3)
    assert 'papers_rejected_total{reason="queue_full"} 1.0' in service.telemetry.exposition().decode()


def test_every_refusal_has_an_id_of_its_own(service: Service) -> None:
    keeper = Doorkeeper(lambda: FULL, {"/classify"}, most_body_bytes=1000)

    async def seen() -> list[str]:
        turnstile = Turnstile(keeper, service)
        answers = [turnstile.look(PLAIN, []) for _ in range(3)]
        return [json.loads(answer.partition(b"\r\n\r\n")[2])["instance"] for answer in answers if answer]  # type: ignore[union-attr]

    assert len(set(asyncio.run(seen()))) == 3


@pytest.mark.parametrize(
    "data",
    [
        b"", b"POST", PLAIN[:-1], PLAIN + b"G", PLAIN + PLAIN,
        PLAIN.replace(b"POST", b"GET"), PLAIN.replace(b"/classify", b"/model"),
        PLAIN.replace(b"/classify", b"/classify?a=b"), PLAIN.replace(b"/classify", b"http://papers/classify"),
        PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0"), PLAIN.replace(b"Host: papers\r\n", b""),
        PLAIN.replace(b"\r\n", b"\n"), PLAIN.replace(b"Content-Length", b"X"),
        with_header(b"Content-Length: 19"), with_header(b"Transfer-Encoding: chunked"),
        with_header(b"Connection: close"), with_header(b"Expect: 100-continue"),
        with_header(b"Origin: http://elsewhere"), with_header(b"Host: other"),
        with_header(b"X : y"), with_header(b" folded"), with_header(b"X: \x00"), with_header(b"X: " + 40_000 * b"y"),
        request("/classify", {"title": 1000 * "a"}),
    ],
)  # fmt: skip
def test_what_is_not_plain_at_a_glance_is_left_to_the_door(service: Service, data: bytes) -> None:
    assert look(service, data) is None


def test_whoever_comes_during_a_drain_is_left_to_the_door(service: Service) -> None:
    assert look(service, PLAIN, Draining("Leaving.", retry_after_s=1)) is None


def test_where_requests_are_traced_none_is_missed(store: Store) -> None:
    assert look(service_with(store, traces=True), PLAIN) is None


def test_who_brings_no_key_hears_that_first(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"library:{hashlib.sha256(b'k-first').hexdigest()}\n")
    guarded = service_with(store, api_key_file=file)
    assert look(guarded, PLAIN) is None
    assert look(guarded, with_header(b"X-API-Key: k-wrong")) is None
    assert isinstance(look(guarded, with_header(b"Authorization: Bearer k-first")), bytes)


def test_a_place_is_kept_until_it_is_given_up(store: Store) -> None:
    small = service_with(store, **TINY_HOUSE)
    place = look(small, PLAIN, refusal=None)
    assert isinstance(place, Place)
    assert small.engine.refusal() is not None
    place.give_up()
    place.give_up()
    assert small.engine.refusal() is None
    assert small.engine.keep_place() is not None


@contextlib.contextmanager
def full(service: Running) -> Iterator[None]:
    """A paper fills the house for as long as it takes."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as busy:
        busy.sendall(PLAIN)
        time.sleep(0.3)
        yield


def answer_to(service: Running, *parts: bytes) -> bytes:
    """The answer on a connection of its own, without what differs from one request to the next."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            connection.sendall(part)
            time.sleep(0.1)
        return re.sub(rb"[0-9a-f]{32}|date: .*", b"", connection.recv(65536))


def test_it_says_what_the_door_says(tmp_path: Path, store: Store) -> None:
    with running(tmp_path, SLOW, "3", artefacts=store.root, **TINY_HOUSE) as service, full(service):
        at_a_glance = answer_to(service, PLAIN)
        by_the_door = answer_to(service, PLAIN[:20], PLAIN[20:])
    assert b"429" in at_a_glance
    assert at_a_glance == by_the_door


def test_who_comes_slowly_keeps_nobody_out(tmp_path: Path, store: Store) -> None:
    with running(tmp_path, artefacts=store.root, **TINY_HOUSE) as service:
        with socket.create_connection(("127.0.0.1", service.port), timeout=10) as slow:
            slow.sendall(PLAIN[:-5])
            time.sleep(0.2)
            assert b" 200 " in answer_to(service, PLAIN)
        with service.client() as client:
            refused = [client.post("/classify", json={"title": " "}).status_code for _ in range(5)]
            assert refused == [422] * 5
            assert client.post("/classify", json=PAPER).status_code == 200


def test_of_many_at_once_no_more_are_let_in_than_fit(tmp_path: Path, store: Store) -> None:
    house: dict[str, Any] = {"artefacts": store.root, "threads": 1, "max_queue": 4, "max_papers": 4}
    with running(tmp_path, SLOW, "0.02", **house) as service:
        replies: list[Reply] = played(at_rate(service, 2000, 1.0, PAPER))
        time.sleep(1.2)
        told = counted(service, lambda line: int(line.get("queue_full", 0)))
        read_in_vain = counted(service, lambda line: int(line.get("status") == 429))
    statuses = [reply.status for reply in replies]
    assert set(statuses) == {200, 429}
    assert statuses.count(429) == told
    assert read_in_vain == 0


def counted(service: Running, count: Callable[[dict[str, Any]], int]) -> int:
    return sum(count(line) for line in service.log())
