"""How much and how long: the body's limits while it streams, the deadline, the client that goes away.

Plain ASGI, inside of `app.middleware`. Whatever it cancels is dropped by the engine before it costs an inference.
"""

import asyncio
import time
from collections.abc import Awaitable, Iterator

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.middleware import refuse
from app.errors import (
    BadRequest,
    BodyTimeout,
    BodyTooLarge,
    DeadlinePassed,
    HeadersTooLarge,
    ServiceError,
    UnsupportedMediaType,
)
from app.observability.request_log import record_of
from app.settings import Settings

MOST_HEADER_BYTES = 32 * 1024


class Patience:
    """Reads the body within its limits, then allows the request its time; drops the work when nobody waits."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        try:
            _refuse_long_headers(scope)
            _refuse_two_lengths(Headers(scope=scope))
            _refuse_encoded(Headers(scope=scope))
            body = await self._read(scope, receive)
            if body is not None:
                await self._answer(body, scope, receive, send)
        except ServiceError as refusal:
            await refuse(refusal, scope, receive, send)
        return None

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole body; None if the client went away before its end."""
        limit = self._settings.max_body_bytes
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdecimal() and int(declared[:20]) > limit:
            raise _too_large(limit, int(declared[:20]))
        body = bytearray()
        try:
            async with asyncio.timeout(self._settings.body_timeout_s):
                while (message := await receive())["type"] == "http.request":
                    body += message.get("body", b"")
                    if len(body) > limit:
                        raise _too_large(limit, len(body))
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            raise BodyTimeout(f"The body did not arrive within {self._settings.body_timeout_s:g} s.") from None
        return None

    async def _answer(self, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_until_gone(receive))
        work = asyncio.create_task(_run(self._app(scope, _replay(body, gone), send)))
        left = record_of(scope).began + self._settings.request_timeout_s - time.monotonic()
        try:
            done, _ = await asyncio.wait({work, gone}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            await _end(work)
        if work in done:
            work.result()
        elif not done and record_of(scope).status is None:
            raise DeadlinePassed(f"Not done within {self._settings.request_timeout_s:g} s; the work was dropped.")


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _run(work: Awaitable[None]) -> None:
    await work


async def _end(work: asyncio.Task[None]) -> None:
    """Cancel, and wait until everything it held is given back."""
    if not work.done():
        work.cancel()
        # Gathered, not awaited: what a dropped request raises on its way out interests nobody.
        await asyncio.gather(work, return_exceptions=True)


def _replay(body: bytes, gone: asyncio.Task[None]) -> Receive:
    messages: Iterator[Message] = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        for message in messages:
            return message
        await asyncio.wait({gone})
        return {"type": "http.disconnect"}

    return receive


def _refuse_long_headers(scope: Scope) -> None:
    actual = sum(len(name) + len(value) for name, value in scope["headers"]) + len(scope.get("raw_path") or b"")
    if actual > MOST_HEADER_BYTES:
        raise HeadersTooLarge("Request line and headers are too long.", limit=MOST_HEADER_BYTES, actual=actual)


def _refuse_two_lengths(headers: Headers) -> None:
    # A proxy that believes the other one would see another request than we do (RFC 9112, section 6.1).
    if "content-length" in headers and "transfer-encoding" in headers:
        raise BadRequest("Content-Length and Transfer-Encoding contradict each other; send one of them.")


def _refuse_encoded(headers: Headers) -> None:
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise UnsupportedMediaType("The body is compressed; send it as it is, without Content-Encoding.")


def _too_large(limit: int, actual: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body has more than {limit} bytes; send fewer papers at once.", limit=limit, actual=actual)
