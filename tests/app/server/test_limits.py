"""The plain ASGI around every request, driven message by message."""

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from app.observability.request_log import open_record
from app.server.limits import Patience
from app.settings import Settings

QUICK = Settings(max_body_bytes=10, body_timeout_s=0.1, request_timeout_s=0.2)
LEFT: Message = {"type": "http.disconnect"}


def chunk(body: bytes, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": message["body"]})


async def dawdle(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.sleep(60)


async def listen(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    assert await receive() == LEFT


def answer(
    app: Any, messages: Sequence[Message], headers: Sequence[tuple[bytes, bytes]] = ()
) -> tuple[int | None, bytes]:
    """Status and body for a client that sends these messages and then keeps silent."""
    sent: list[Message] = []
    coming = iter(messages)

    async def receive() -> Message:
        for message in coming:
            return message
        return await asyncio.Future()

    async def send(message: Message) -> None:
        sent.append(message)

    async def exchange() -> None:
        scope: Scope = {"type": "http", "method": "POST", "path": "/", "headers": list(headers)}
        open_record(scope)
        await Patience(app, QUICK)(scope, receive, send)

    asyncio.run(exchange())
    return (sent[0]["status"] if sent else None), b"".join(message.get("body", b"") for message in sent)


def test_a_body_is_put_together_from_its_chunks() -> None:
    assert answer(echo, [chunk(b"ab"), chunk(b""), chunk(b"cd", more=False)]) == (200, b"abcd")


def test_a_body_at_the_limit_passes_and_one_byte_more_does_not() -> None:
    assert answer(echo, [chunk(b"12345"), chunk(b"67890", more=False)])[0] == 200
    assert answer(echo, [chunk(b"12345"), chunk(b"678901", more=False)])[0] == 413


def test_a_declared_length_is_believed_when_it_is_too_large_only() -> None:
    assert answer(echo, [], [(b"content-length", b"11")])[0] == 413
    assert answer(echo, [chunk(b"12345678901", more=False)], [(b"content-length", b"1")])[0] == 413
    assert answer(echo, [chunk(b"1", more=False)], [(b"content-length", b"\xb2")])[0] == 200


def test_a_body_that_stops_is_a_408() -> None:
    assert answer(echo, [chunk(b"1")])[0] == 408


def test_who_leaves_before_the_end_of_the_body_gets_nothing() -> None:
    assert answer(echo, [chunk(b"1"), LEFT]) == (None, b"")


def test_who_leaves_during_the_work_gets_nothing_and_at_once() -> None:
    assert answer(dawdle, [chunk(b"1", more=False), LEFT]) == (None, b"")


def test_work_hears_that_the_client_left() -> None:
    assert answer(listen, [chunk(b"1", more=False), LEFT])[0] is None


def test_work_without_end_is_a_504() -> None:
    assert answer(dawdle, [chunk(b"1", more=False)])[0] == 504


def test_two_lengths_are_a_400_and_long_headers_a_431() -> None:
    both = [(b"content-length", b"1"), (b"transfer-encoding", b"chunked")]
    assert answer(echo, [chunk(b"1", more=False)], both)[0] == 400
    assert answer(echo, [chunk(b"1", more=False)], [(b"x", b"a" * 40_000)])[0] == 431


def test_other_protocols_pass_untouched() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def unused(*_: Any) -> Any: ...

    asyncio.run(Patience(app, QUICK)({"type": "lifespan"}, unused, unused))
    assert seen == ["lifespan"]
