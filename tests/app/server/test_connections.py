"""Limits of a connection: slow senders, clients that do not read, idle connections, sizes of headers."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.main import create_app
from app.settings import Settings
from tests import builders
from tests.app.served import Served, read_to_end, served

GET = b"GET /livez HTTP/1.1\r\nHost: papers\r\n\r\n"
CLOSE = b"GET /livez HTTP/1.1\r\nHost: papers\r\nConnection: close\r\n\r\n"
POST = b"POST /classify HTTP/1.1\r\nHost: papers\r\nContent-Type: application/json\r\n"
MAX_CONNECTIONS = 30
# Enough for a busy machine; each limit under test is below half a second.
SOON_S = 8.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    store = builders.publish(Path(tmp_path_factory.mktemp("connections")) / "artefacts")
    settings = Settings(
        artefacts=store.root,
        threads=1,
        header_timeout_s=0.4,
        body_timeout_s=0.4,
        write_timeout_s=0.4,
        max_connections=MAX_CONNECTIONS,
        drain_notice_s=0,
    )
    with served(create_app(settings), settings) as server:
        yield server


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def trickle(connection: socket.socket, head: bytes, repeated: bytes) -> bytes:
    """Send the head, then a few bytes again and again until the server closes; what it answered."""
    connection.sendall(head)
    end = time.monotonic() + SOON_S
    stopped = threading.Event()

    def send() -> None:
        with contextlib.suppress(OSError):
            while not stopped.wait(0.05) and time.monotonic() < end:
                connection.sendall(repeated)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        received = read_to_end(connection)
        assert time.monotonic() < end, "the connection was never closed"
    finally:
        stopped.set()
        sender.join()
    return received


SLOW_SENDERS = {
    "nothing": (b"", b"", None),
    "a request line, letter by letter": (b"GET /", b"a", None),
    "headers, letter by letter": (b"GET / HTTP/1.1\r\nX: ", b"a", None),
    "headers, line by line": (b"GET / HTTP/1.1\r\n", b"X: a\r\n", None),
    "empty lines": (b"", b"\r\n", None),
    "headers without an end": (b"GET / HTTP/1.1\r\nHost: papers\r\n", b"", None),
    "the head of a second request": (GET + b"GET / HT", b"", 200),
    "empty lines after a request": (GET, b"\r\n", 200),
    "no body": (POST + b"Content-Length: 20\r\n\r\n", b"", 408),
    "a body, letter by letter": (POST + b"Content-Length: 900\r\n\r\n", b" ", 408),
    "chunks of one letter": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n", 408),
    "an endless chunk size": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"0", 408),
    "an endless chunk extension": (POST + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a", 408),
    "endless trailers": (POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", b"X: a\r\n", 408),
    "a body that nobody reads": (b"GET /livez HTTP/1.1\r\nHost: papers\r\nContent-Length: 900\r\n\r\n", b"a", 200),
    "a body after a 100": (POST + b"Expect: 100-continue\r\nContent-Length: 20\r\n\r\n", b"", 100),
}


@pytest.mark.parametrize(("head", "repeated", "status"), SLOW_SENDERS.values(), ids=SLOW_SENDERS)
def test_slow_senders_are_cut_off(server: Served, head: bytes, repeated: bytes, status: int | None) -> None:
    with server.connect() as connection:
        answer = trickle(connection, head, repeated)
    assert answer.startswith(b"HTTP/1.1 %d " % status) if status else answer == b""


@pytest.mark.parametrize("count", [1, 40], ids=["one answer", "many answers"])
def test_clients_that_do_not_read_are_cut_off(server: Served, count: int) -> None:
    """The kernel would hold megabytes for each, where no time-out of the server sees them."""
    asked = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: papers\r\n\r\n" * min(count, 16)
    with contextlib.ExitStack() as stack:
        for _ in range(count // 2 or 1):
            stack.enter_context(server.connect(receive_buffer=4096)).sendall(asked)
        until(lambda: server.connections() > 0)
        until(lambda: server.connections() == 0)


def test_a_slow_reader_is_served_as_long_as_it_reads(server: Served) -> None:
    """A static file on a slow line takes longer than every limit, and arrives."""
    began = time.monotonic()
    received = 0
    with server.connect(receive_buffer=65536) as connection:
        connection.sendall(CLOSE.replace(b"/livez", b"/docs/swagger-ui-bundle.js"))
        while data := connection.recv(65536):
            received += len(data)
            time.sleep(0.05)
    assert received > 1_000_000
    assert time.monotonic() - began > 0.8


def test_unread_refusals_do_not_fill_the_memory(server: Served) -> None:
    with server.connect(receive_buffer=4096) as connection, contextlib.suppress(OSError):
        connection.settimeout(0.1)
        for _ in range(20_000):
            connection.sendall(b"GET /nowhere HTTP/1.1\r\nHost: papers\r\n\r\n")
    until(lambda: server.connections() == 0)


def test_idle_connections_give_way_to_new_ones(server: Served, caplog: pytest.LogCaptureFixture) -> None:
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(server.connect()) for _ in range(2 * MAX_CONNECTIONS)]
        for connection in idle[:MAX_CONNECTIONS]:
            with contextlib.suppress(OSError):
                connection.sendall(GET)
        assert server.statuses(CLOSE) == [200]
        assert server.connections() <= MAX_CONNECTIONS
    assert "connection limit reached" in caplog.text
    assert caplog.text.count("connection limit reached") == 1


def test_busy_connections_are_kept_and_further_ones_get_503(server: Served) -> None:
    until(lambda: server.connections() == 0)
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS):
            stack.enter_context(server.connect()).sendall(POST + b"Content-Length: 20\r\n\r\n")
        until(lambda: server.connections() == MAX_CONNECTIONS)
        time.sleep(0.1)
        answer = server.exchange()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"too_many_connections" in answer


LONG_HEADS = {
    "a long value": b"GET /livez HTTP/1.1\r\nHost: papers\r\nX: " + b"a" * 40_000,
    "many headers": b"GET /livez HTTP/1.1\r\nHost: papers\r\n" + b"X: a\r\n" * 8_000,
    "a long path": b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: papers",
    "a long query": b"GET /livez?" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: papers",
}


@pytest.mark.parametrize("head", LONG_HEADS.values(), ids=LONG_HEADS)
@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"], ids=["incomplete", "complete"])
def test_headers_over_the_limit_are_a_431(server: Served, head: bytes, end: bytes) -> None:
    assert server.statuses(head + end) == [431]


def test_more_than_a_hundred_headers_are_a_431(server: Served) -> None:
    assert server.statuses(b"GET /livez HTTP/1.1\r\nHost: papers\r\n" + b"A:\r\n" * 500 + b"\r\n") == [431]


def test_endless_trailers_and_chunk_extensions_are_bounded(server: Served) -> None:
    chunks = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    assert server.statuses(chunks, b"1;" + b"a" * 20_000, b"a" * 20_000, pause_s=0.1) == [431]
    assert server.statuses(chunks, b"2\r\n{}\r\n0\r\nX: ", *[b"a" * 20_000] * 2, pause_s=0.1) == [431]


def test_trailers_are_no_headers(server: Served) -> None:
    """A proxy that checks headers does not see them."""
    chunks = b"2\r\n{}\r\n0\r\nX-Request-ID: from-a-trailer\r\n\r\n"
    answer = server.exchange(POST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    assert answer.startswith(b"HTTP/1.1 422 ")
    assert b"from-a-trailer" not in answer
