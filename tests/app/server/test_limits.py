"""The middleware that limits a request, called message by message."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from starlette.responses import FileResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.observability.request_log import open_request_log
from app.server.headers import HeaderMiddleware
from app.server.limits import BodyLimitMiddleware, DeadlineMiddleware, DisconnectMiddleware

DISCONNECT: Message = {"type": "http.disconnect"}
HOST = (b"host", b"papers")
Header = tuple[bytes, bytes]


def chunk(body: bytes, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": message["body"]})


async def sleep(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await asyncio.sleep(60)


async def respond_slowly(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await asyncio.sleep(0.3)
    await send({"type": "http.response.body", "body": b"a slow download"})


class Answer(NamedTuple):
    status: int | None
    body: bytes
    scope: Scope


def limited(app: ASGIApp) -> ASGIApp:
    return BodyLimitMiddleware(
        DisconnectMiddleware(DeadlineMiddleware(app, seconds=0.2)), max_bytes=10, max_silence_s=0.1, min_bytes_per_s=20
    )


def call(
    app: ASGIApp, messages: Sequence[Message] = (), pause_s: float = 0.0, headers: Sequence[Header] = (HOST,),
    **scope: Any,
) -> Answer:  # fmt: skip
    """What a client gets that sends these messages, with a pause before each, and then waits for the answer."""
    sent: list[Message] = []
    coming = iter(messages)
    answered = asyncio.Event()

    async def receive() -> Message:
        for message in coming:
            await asyncio.sleep(pause_s)
            return message
        await answered.wait()
        return DISCONNECT

    async def send(message: Message) -> None:
        sent.append(message)
        if message["type"] == "http.response.body":
            answered.set()

    given: dict[str, Any] = {
        "type": "http", "method": "POST", "path": "/", "query_string": b"", "http_version": "1.1",
        "headers": [*headers],
    }  # fmt: skip
    given |= scope

    async def exchange() -> None:
        open_request_log(given)
        await app(given, receive, send)

    asyncio.run(exchange())
    return Answer(sent[0]["status"] if sent else None, b"".join(message.get("body", b"") for message in sent), given)


def run(call: Awaitable[None]) -> None:
    async def awaiting() -> None:
        await call

    asyncio.run(awaiting())


def test_a_body_is_put_together_from_its_chunks() -> None:
    assert call(limited(echo), [chunk(b"ab"), chunk(b""), chunk(b"cd", more=False)])[:2] == (200, b"abcd")


def test_a_body_at_the_limit_passes_and_one_byte_more_does_not() -> None:
    assert call(limited(echo), [chunk(b"12345"), chunk(b"67890", more=False)]).status == 200
    assert call(limited(echo), [chunk(b"12345"), chunk(b"678901", more=False)]).status == 413


def test_a_declared_length_is_only_believed_when_it_is_too_large() -> None:
    assert call(limited(echo), headers=[HOST, (b"content-length", b"11")]).status == 413
    assert call(limited(echo), [chunk(b"12345678901", more=False)], headers=[(b"content-length", b"1")]).status == 413
    assert call(limited(echo), [chunk(b"1", more=False)], headers=[(b"content-length", b"\xb2")]).status == 200


def test_all_bodies_together_are_bounded() -> None:
    """With 64 bodies of the largest size half received, the next one is rejected; afterwards there is room again."""
    middleware = BodyLimitMiddleware(echo, max_bytes=10, max_silence_s=0.2, min_bytes_per_s=1_000)

    async def status(*bodies: bytes) -> int:
        coming = [chunk(body) for body in bodies]
        sent: list[Message] = []

        async def receive() -> Message:
            return coming.pop(0) if coming else await asyncio.Future()

        async def send(message: Message) -> None:
            sent.append(message)

        scope: Scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
        open_request_log(scope)
        await middleware(scope, receive, send)
        return int(sent[0]["status"])

    async def scenario() -> tuple[list[int], int]:
        held = [asyncio.create_task(status(b"a" * 10)) for _ in range(64)]
        await asyncio.sleep(0.05)
        rejected = await status(b"a")
        return [await task for task in held] + [await status(b"a")], rejected

    statuses, rejected = asyncio.run(scenario())
    assert rejected == 429
    assert set(statuses) == {408}


def test_a_body_that_stops_is_a_408() -> None:
    assert call(limited(echo), [chunk(b"1")]).status == 408


def test_a_body_that_trickles_in_is_a_408_although_it_never_pauses_for_long() -> None:
    assert call(limited(echo), [chunk(b"1")] * 9, pause_s=0.08).status == 408


def test_a_slow_body_above_the_lowest_rate_arrives_however_long_it_takes() -> None:
    began = time.monotonic()
    app = BodyLimitMiddleware(DeadlineMiddleware(echo, seconds=0.9), max_bytes=10, max_silence_s=0.9, min_bytes_per_s=1)
    chunks = [*[chunk(b"12")] * 4, chunk(b"", more=False)]
    assert call(app, chunks, pause_s=0.25)[:2] == (200, b"12121212")
    assert time.monotonic() - began > 0.9  # longer than the longest pause and than the deadline


def test_a_client_that_disconnects_before_the_end_of_the_body_gets_nothing() -> None:
    assert call(limited(echo), [chunk(b"1"), DISCONNECT])[:2] == (None, b"")


def test_work_is_cancelled_when_its_client_disconnects() -> None:
    began = time.monotonic()
    assert call(DisconnectMiddleware(sleep), [chunk(b"1", more=False), DISCONNECT])[:2] == (None, b"")
    assert time.monotonic() - began < 30


def test_a_cancellation_from_elsewhere_is_not_taken_for_a_disconnect() -> None:
    async def cancel(scope: Scope, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        call(DisconnectMiddleware(cancel))


def test_background_work_after_the_response_is_not_cancelled() -> None:
    done: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await echo(scope, receive, send)
        await asyncio.sleep(0.01)
        done.append(True)

    # uvicorn reports a disconnect as soon as the answer is complete.
    assert call(DisconnectMiddleware(app), [chunk(b"1", more=False), DISCONNECT]).status == 200
    assert done == [True]


def test_the_last_part_of_a_file_is_sent_to_a_client_that_reads_slowly(tmp_path: Path) -> None:
    path = tmp_path / "style.css"
    path.write_bytes(b"p { margin: 0 }")
    sent: list[Message] = []
    requests = iter([chunk(b"", more=False)])

    async def receive() -> Message:
        for message in requests:
            return message
        return await asyncio.Future()

    async def send(message: Message) -> None:
        await asyncio.sleep(0.01)
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [HOST]}
    run(DisconnectMiddleware(FileResponse(path))(scope, receive, send))
    assert [message.get("body") for message in sent] == [None, path.read_bytes()]


def test_work_without_end_is_a_504() -> None:
    assert call(limited(sleep), [chunk(b"1", more=False)]).status == 504


def test_the_deadline_ends_with_the_first_byte_of_the_answer() -> None:
    answer = call(DeadlineMiddleware(respond_slowly, seconds=0.1), method="GET")
    assert answer[:2] == (200, b"a slow download")


def test_a_time_out_of_the_application_is_not_taken_for_the_deadline() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        call(DeadlineMiddleware(app, seconds=10))


def test_no_body_is_read_where_none_belongs() -> None:
    """A body that comes with a GET is left to the server to skip: reading it would only hold memory."""
    asked: list[bool] = []

    async def never() -> Message:
        asked.append(True)
        return await asyncio.Future()

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    scope: Scope = {"type": "http", "method": "GET", "path": "/model", "headers": [HOST, (b"content-length", b"9")]}
    open_request_log(scope)
    run(limited(respond)(scope, never, send))
    assert (sent[0]["status"], asked) == (200, [])


@pytest.mark.parametrize(
    ("headers", "version", "status"),
    [
        ([HOST], "1.1", 200),
        ([], "1.0", 200),
        ([], "1.1", 400),
        ([HOST, HOST], "1.1", 400),
        ([HOST], "2.0", 400),
        ([HOST, (b"transfer-encoding", b"Chunked")], "1.1", 200),
        ([HOST, (b"transfer-encoding", b"chunked"), (b"content-length", b"1")], "1.1", 400),
        ([HOST, (b"transfer-encoding", b"identity, chunked")], "1.1", 400),
        ([HOST, (b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")], "1.1", 400),
        ([(b"transfer-encoding", b"chunked")], "1.0", 400),
        ([HOST, (b"x", b"a" * 32_700)], "1.1", 200),
        ([HOST, (b"x", b"a" * 40_000)], "1.1", 431),
        ([HOST, *[(b"x", b"")] * 99], "1.1", 200),
        ([HOST, *[(b"x", b"")] * 100], "1.1", 431),
        ([HOST, *[(b"", b"")] * 8_192], "1.1", 431),
    ],
)
def test_headers_are_bounded_and_unambiguous(headers: list[Header], version: str, status: int) -> None:
    answer = call(HeaderMiddleware(echo), [chunk(b"1", more=False)], headers=headers, http_version=version)
    assert answer.status == status


def test_the_separators_of_headers_count() -> None:
    """8,000 nearly empty headers are 48 kB on the wire, though their names and values have 16 kB."""
    answer = call(HeaderMiddleware(echo), headers=[HOST, *[(b"ab", b"")] * 8_000])
    assert (answer.status, b'"limit":32768' in answer.body) == (431, True)


def test_a_long_path_counts_as_header() -> None:
    assert call(HeaderMiddleware(echo), raw_path=b"/" + b"a" * 33_000).status == 431
    assert call(HeaderMiddleware(echo), query_string=b"a" * 33_000).status == 431
    assert call(HeaderMiddleware(echo), method="A" * 33_000).status == 431


def test_cookies_are_dropped() -> None:
    """Starlette parses them in quadratic time; 31 kB of backslashes and quotes block the event loop for a second."""
    answer = call(HeaderMiddleware(echo), [chunk(b"1", more=False)], headers=[HOST, (b"cookie", b'a="\\' * 7_000)])
    assert (answer.status, answer.scope["headers"]) == (200, [HOST])


@pytest.mark.parametrize(
    "middleware",
    [HeaderMiddleware, DisconnectMiddleware, limited, lambda app: DeadlineMiddleware(app, seconds=1)],
    ids=["header", "disconnect", "body", "deadline"],
)
def test_other_protocols_pass_untouched(middleware: Callable[[ASGIApp], ASGIApp]) -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def unused(*_: Any) -> Any: ...

    run(middleware(app)({"type": "lifespan"}, unused, unused))
    assert seen == ["lifespan"]
