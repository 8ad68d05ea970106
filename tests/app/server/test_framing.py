"""Where a request ends: malformed and ambiguous bytes are refused, and nothing hidden in a request is answered.

Each case is followed by a second request on the same connection. What is refused closes the connection, so the second
request stays unanswered; what is served is followed by exactly one more answer.
"""

from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path

import pytest

from app.main import create_app
from app.settings import Settings
from tests import builders
from tests.app.served import Served, served, statuses

PAPER = b'{"title": "a star"}'
LENGTH = b"Content-Length: 19"
CHUNKED = b"Transfer-Encoding: chunked"
CHUNKS = b"13\r\n" + PAPER + b"\r\n0\r\n\r\n"
NEXT = b"GET /livez HTTP/1.1\r\nHost: papers\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    store = builders.publish(Path(tmp_path_factory.mktemp("framing")) / "artefacts")
    settings = Settings(artefacts=store.root, threads=1, body_timeout_s=1, header_timeout_s=1, drain_notice_s=0)
    with served(create_app(settings), settings) as server:
        yield server


def post(
    *headers: bytes, body: bytes = PAPER, line: bytes = b"POST /classify HTTP/1.1", host: bytes = b"Host: papers\r\n"
) -> bytes:
    fields = b"".join(header + b"\r\n" for header in (b"Content-Type: application/json", *headers))
    return line + b"\r\n" + host + fields + b"\r\n" + body


def chunked(body: bytes, **options: bytes) -> bytes:
    return post(CHUNKED, body=body, **options)


REFUSED = {
    # A body whose length two readers may see differently: RFC 9112, sections 6.1 to 6.3.
    "length and chunks": post(LENGTH, CHUNKED, body=CHUNKS),
    "chunks and length": post(CHUNKED, LENGTH, body=CHUNKS),
    "chunks and length 0": post(CHUNKED, b"Content-Length: 0", body=CHUNKS),
    "the same length twice": post(LENGTH, LENGTH),
    "two lengths": post(LENGTH, b"Content-Length: 3"),
    "a list of lengths": post(b"Content-Length: 19, 19"),
    "a length with a plus": post(b"Content-Length: +19"),
    "a negative length": post(b"Content-Length: -1"),
    "a hexadecimal length": post(b"Content-Length: 0x13"),
    "a length with a space": post(b"Content-Length: 1 9"),
    "an empty length": post(b"Content-Length:"),
    "a length with a point": post(b"Content-Length: 19.0"),
    "a length beyond 64 bits": post(b"Content-Length: 18446744073709551635"),
    "a length with an underscore": post(b"Content-Length: 1_9"),
    "a length in Arabic digits": post(b"Content-Length: \xd9\xa1\xd9\xa9"),
    "a space before the colon of a length": post(b"Content-Length : 19"),
    "a tab before the colon of a length": post(b"Content-Length\t: 19"),
    "a length with a NUL": post(b"Content-Length: 19\x00"),
    "a folded length": post(b"Content-Length:\r\n 19"),
    "an unknown coding": post(b"Transfer-Encoding: xchunked", body=CHUNKS),
    "a coding that begins like chunked": post(b"Transfer-Encoding: chunkedx", body=CHUNKS),
    "identity": post(b"Transfer-Encoding: identity"),
    "identity before chunked": post(b"Transfer-Encoding: identity, chunked", body=CHUNKS),
    "identity after chunked": post(b"Transfer-Encoding: chunked, identity", body=CHUNKS),
    "gzip before chunked": post(b"Transfer-Encoding: gzip, chunked", body=CHUNKS),
    "chunked twice": post(CHUNKED, CHUNKED, body=CHUNKS),
    "chunked after a vertical tab": post(b"Transfer-Encoding:\x0bchunked", body=CHUNKS),
    "chunked after a form feed": post(b"Transfer-Encoding: \x0cchunked", body=CHUNKS),
    "chunked in quotes": post(b'Transfer-Encoding: "chunked"', body=CHUNKS),
    "chunked after a comma": post(b"Transfer-Encoding: ,chunked", body=CHUNKS),
    "chunked before a comma": post(b"Transfer-Encoding: chunked,", body=CHUNKS),
    "chunked with a parameter": post(b"Transfer-Encoding: chunked;q=1", body=CHUNKS),
    "a space before the colon of a coding": post(b"Transfer-Encoding : chunked", body=CHUNKS),
    "an empty coding": post(b"Transfer-Encoding:"),
    "a folded coding": post(b"Transfer-Encoding:\r\n chunked", body=CHUNKS),
    "chunks in HTTP/1.0": chunked(CHUNKS, line=b"POST /classify HTTP/1.0"),
    "chunks in HTTP/1.0 with an upgrade": post(
        CHUNKED, b"Connection: Upgrade", b"Upgrade: x", body=CHUNKS, line=b"POST /classify HTTP/1.0"
    ),
    # Chunks: RFC 9112, section 7.1.
    "chunks that end in LF": chunked(CHUNKS.replace(b"\r\n", b"\n")),
    "a chunk size with 0x": chunked(b"0x13\r\n" + PAPER + b"\r\n0\r\n\r\n"),
    "a negative chunk size": chunked(b"-13\r\n" + PAPER + b"\r\n0\r\n\r\n"),
    "a chunk size with a plus": chunked(b"+13\r\n" + PAPER + b"\r\n0\r\n\r\n"),
    "a space before a chunk size": chunked(b" 13\r\n" + PAPER + b"\r\n0\r\n\r\n"),
    "a space after a chunk size": chunked(b"13 \r\n" + PAPER + b"\r\n0\r\n\r\n"),
    "a chunk longer than its size": chunked(b"13\r\n" + PAPER + b"x\r\n0\r\n\r\n"),
    "a chunk size beyond 64 bits": chunked(b"fffffffffffffffff\r\n" + PAPER + b"\r\n0\r\n\r\n"),
    "no chunk size": chunked(b"\r\n" + PAPER + b"\r\n0\r\n\r\n"),
    "an extension that ends in LF": chunked(b"13;a\n" + PAPER + b"\r\n0\r\n\r\n"),
    "two CR after a chunk size": chunked(b"13\r\r\n" + PAPER + b"\r\n0\r\n\r\n"),
    "a length among the trailers": chunked(b"13\r\n" + PAPER + b"\r\n0\r\nContent-Length: 5\r\n\r\n"),
    "a coding among the trailers": chunked(b"13\r\n" + PAPER + b"\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    # Headers: RFC 9112, section 5.
    "lines that end in LF": post(LENGTH).replace(b"\r\n", b"\n"),
    "one line that ends in LF": post(b"X: a\nY: b", LENGTH),
    "a CR within a value": post(b"X: a\rY: b", LENGTH),
    "a NUL within a value": post(b"X: a\x00b", LENGTH),
    "a folded value": post(b"X: a\r\n b", LENGTH),
    "a space before a name": post(b" X: a", LENGTH),
    "no colon": post(b"X", LENGTH),
    "no name": post(b": a", LENGTH),
    "a name beyond ASCII": post(b"X\xc3\xa9: a", LENGTH),
    "a name with an at sign": post(b"X@: a", LENGTH),
    "a DEL within a value": post(b"X: \x7f", LENGTH),
    "no Host": post(LENGTH, host=b""),
    "a Host with a space": post(LENGTH, host=b"Host: papers example\r\n"),
    "a Host with a path": post(LENGTH, host=b"Host: papers/classify\r\n"),
    "a Host with user information": post(LENGTH, host=b"Host: user@papers\r\n"),
    "a Host in Latin-1": post(LENGTH, host=b"Host: p\xe4pers\r\n"),
    "an absolute target and two Hosts": post(
        LENGTH, line=b"POST http://papers/classify HTTP/1.1", host=b"Host: papers\r\nHost: papers\r\n"
    ),
    "two Hosts": post(b"Host: elsewhere", LENGTH),
    # Request lines: RFC 9112, section 3.
    "HTTP/1.2": post(LENGTH, line=b"POST /classify HTTP/1.2"),
    "HTTP/2.0 as text": post(LENGTH, line=b"POST /classify HTTP/2.0"),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /livez\r\n\r\n",
    "http in lower case": post(LENGTH, line=b"POST /classify http/1.1"),
    "a tab in the request line": post(LENGTH, line=b"POST\t/classify HTTP/1.1"),
    "a space after the version": post(LENGTH, line=b"POST /classify HTTP/1.1 "),
    "a space in the path": post(LENGTH, line=b"POST /clas sify HTTP/1.1"),
    "a method in lower case": post(LENGTH, line=b"post /classify HTTP/1.1"),
    "an unknown method": post(LENGTH, line=b"BREW /classify HTTP/1.1"),
    "a request for a tunnel": b"CONNECT elsewhere:80 HTTP/1.1\r\nHost: elsewhere:80\r\n\r\n",
    "a space before the method": b" " + post(LENGTH),
    "no HTTP at all": b"HELO papers\r\n\r\n",
}

SERVED = {
    "a length": post(LENGTH),
    "chunks": chunked(CHUNKS),
    "a tab before the length": post(b"Content-Length:\t19"),
    "spaces after the length": post(b"Content-Length: 19  "),
    "names and codings in any case": post(b"tRANSFER-eNCODING: CHUNKED", body=CHUNKS),
    "a name that resembles one of framing": post(b"Transfer_Encoding: chunked", LENGTH),
    "zeros before a chunk size": chunked(b"00000013\r\n" + PAPER + b"\r\n000\r\n\r\n"),
    "a chunk extension": chunked(b"13;a=b\r\n" + PAPER + b"\r\n0\r\n\r\n"),
    "a trailer": chunked(b"13\r\n" + PAPER + b"\r\n0\r\nX-A: b\r\n\r\n"),
    "an empty line before the request": b"\r\n" + post(LENGTH),
    "a body with a GET": b"GET /livez HTTP/1.1\r\nHost: papers\r\nContent-Length: 19\r\n\r\n" + PAPER,
    "a Host without a value": post(LENGTH, host=b"Host:\r\n"),
    "an IPv6 address as Host": post(LENGTH, host=b"Host: [::1]:8000\r\n"),
    # RFC 9112, section 3.2.2.
    "an absolute target": post(LENGTH, line=b"POST http://papers.example/classify HTTP/1.1"),
    "an absolute target with port and query": post(LENGTH, line=b"POST HTTP://papers:80/classify?a=b HTTP/1.1"),
    "an absolute target without path": b"GET http://papers.example HTTP/1.1\r\nHost: papers\r\n\r\n",
    # RFC 9110, section 7.8: Java's client offers HTTP/2 with every request.
    "an upgrade to h2c": post(
        b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__", LENGTH
    ),
    "an upgrade to h2c with chunks": post(b"Connection: Upgrade", b"Upgrade: h2c", CHUNKED, body=CHUNKS),
    "an upgrade to a WebSocket": post(b"Connection: Upgrade", b"Upgrade: websocket", LENGTH),
}


@pytest.mark.parametrize("request_bytes", REFUSED.values(), ids=REFUSED)
def test_malformed_and_ambiguous_requests_are_refused_and_close_the_connection(
    server: Served, request_bytes: bytes
) -> None:
    answer = server.exchange(request_bytes + NEXT)
    assert statuses(answer) == [400]
    assert b"content-type: application/problem+json" in answer


@pytest.mark.parametrize("request_bytes", SERVED.values(), ids=SERVED)
def test_unusual_requests_are_served_and_leave_the_connection_intact(server: Served, request_bytes: bytes) -> None:
    assert server.statuses(request_bytes + NEXT) == [200, 200]


def test_the_host_of_an_absolute_target_replaces_that_of_the_header(tmp_path: Path) -> None:
    store = builders.publish(tmp_path / "artefacts")
    settings = Settings(artefacts=store.root, threads=1, drain_notice_s=0, allowed_hosts=("papers.example", "[::1]"))
    with served(create_app(settings), settings) as named:
        for target, host, status in (
            (b"http://papers.example/model", b"elsewhere", 200),
            (b"http://user@papers.example:80?a=http://elsewhere", b"elsewhere", 200),
            (b"http://[::1]:8000/model", b"elsewhere", 200),
            (b"http://elsewhere/model", b"papers.example", 403),
            (b"http://elsewhere?@papers.example", b"papers.example", 403),
        ):
            line = b"GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % (target, host)
            assert named.statuses(line) == [status], target


@pytest.mark.parametrize("size", [1, 7, 50])
def test_it_does_not_matter_how_a_request_is_divided(server: Served, size: int) -> None:
    whole = SERVED["an upgrade to h2c"] + SERVED["chunks"] + NEXT
    parts = [whole[start : start + size] for start in range(0, len(whole), size)]
    assert server.statuses(*parts, pause_s=0.0005) == [200, 200, 200]


def test_an_upgrade_offered_with_each_request_of_a_connection_is_ignored(server: Served) -> None:
    assert server.statuses(SERVED["an upgrade to h2c"] * 10 + NEXT) == [200] * 11


def test_a_hundred_upgrades_on_one_connection_leave_no_line_in_the_log(
    server: Served, caplog: pytest.LogCaptureFixture
) -> None:
    asked = SERVED["an upgrade to h2c"]
    with server.connect() as connection:
        for _ in range(100):
            connection.sendall(asked)
            answer = HTTPResponse(connection)
            answer.begin()
            assert (answer.status, answer.read()[:16]) == (200, b'{"probabilities"')
    assert [record.message for record in caplog.records if record.name.startswith("uvicorn")] == []


def test_requests_sent_ahead_are_answered_in_their_order(server: Served) -> None:
    first, second = post(LENGTH), b"GET /nowhere HTTP/1.1\r\nHost: papers\r\n\r\n"
    assert server.statuses(first + second + NEXT) == [200, 404, 200]


def test_invalid_requests_are_counted(server: Served) -> None:
    def counted() -> float:
        text = server.exchange(NEXT.replace(b"/livez", b"/metrics")).decode()
        return float(text.partition('papers_rejected_total{reason="bad_request"} ')[2].partition("\n")[0])

    before = counted()
    server.exchange(b"HELO papers\r\n\r\n")
    assert counted() == before + 1


def test_no_answer_is_given_before_those_of_earlier_requests(server: Served) -> None:
    """A refusal that overtook them would be taken for the answer of another request."""
    assert server.statuses(post(LENGTH) + post(LENGTH) + b"HELO\r\n\r\n") == [200, 200]


def test_requests_sent_ahead_are_bounded(server: Served) -> None:
    statuses = server.statuses(b"GET /livez HTTP/1.1\r\nHost: papers\r\n\r\n" * 1_000)
    assert statuses == [200] * 17  # the first one, and those that may wait
