"""Limits of one request: body, disconnect, deadline. One ASGI middleware for each.

Limits of the headers are in `app.server.headers`, those of the connection below in `app.server.connections`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.errors import ApiError, BodyTimeout, BodyTooLarge, UnsupportedMediaType
from app.api.middleware import refuse
from app.inference.errors import DeadlinePassed, QueueFull
from app.observability.request_log import request_log_of

# How many bodies of the largest permitted size may be in memory at the same time; of smaller ones, more.
_MAX_LARGE_BODIES = 64
# Nothing in this service reads a body that comes with another method.
_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class BodyLimitMiddleware:
    """Read the whole body, within limits of size, silence and lowest rate, before the application is called.

    A body that is too large is rejected while it streams, or from its Content-Length alone. All bodies together are
    bounded as well: a thousand connections could each send the largest body at the lowest rate.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, max_silence_s: float, min_bytes_per_s: float) -> None:
        """The lowest rate applies after the first `max_silence_s`."""
        self._app = app
        self._max_bytes = max_bytes
        self._max_silence_s = max_silence_s
        self._min_bytes_per_s = min_bytes_per_s
        self._total_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in _METHODS_WITH_BODY:
            return await self._app(scope, receive, send)
        body = bytearray()
        try:
            self._check_headers(Headers(scope=scope))
            if await self._read(receive, body):
                await self._app(scope, _replay(bytes(body), receive), send)
        except (ApiError, QueueFull) as error:
            await refuse(error, scope, receive, send)
        finally:
            self._total_bytes -= len(body)
        return None

    def _check_headers(self, headers: Headers) -> None:
        if any(coding.strip().lower() not in ("", "identity") for coding in headers.getlist("content-encoding")):
            # RFC 9110, section 12.5.3: the header says which codings would have been accepted.
            detail = "The body is compressed; send it as it is, without Content-Encoding."
            raise UnsupportedMediaType(detail, headers={"Accept-Encoding": "identity"})
        declared = headers.get("content-length", "0")
        if declared.isdecimal() and int(declared[:20]) > self._max_bytes:
            raise self._too_large(int(declared[:20]))

    async def _read(self, receive: Receive, body: bytearray) -> bool:
        """Append the body; False if the client disconnects before its end."""
        began = time.monotonic()
        while True:
            allowed_s = self._max_silence_s + len(body) / self._min_bytes_per_s - (time.monotonic() - began)
            try:
                async with asyncio.timeout(min(self._max_silence_s, allowed_s)):
                    message = await receive()
            except TimeoutError:
                raise BodyTimeout(
                    f"The body paused for {self._max_silence_s:g} s or stayed below {self._min_bytes_per_s:g} bytes/s."
                ) from None
            if message["type"] == "http.disconnect":
                return False
            self._append(body, message.get("body", b""))
            if not message.get("more_body", False):
                return True

    def _append(self, body: bytearray, data: bytes) -> None:
        body += data
        self._total_bytes += len(data)
        if len(body) > self._max_bytes:
            raise self._too_large(len(body))
        limit = _MAX_LARGE_BODIES * self._max_bytes
        if self._total_bytes > limit:
            raise QueueFull(
                "The bodies of all requests together are too large; try again in 1 s.",
                limit=limit,
                actual=self._total_bytes,
                retry_after_s=1,
            )

    def _too_large(self, actual: int) -> BodyTooLarge:
        limit = self._max_bytes
        return BodyTooLarge(f"The body has more than {limit} bytes; send fewer papers.", limit=limit, actual=actual)


class DisconnectMiddleware:
    """Cancel a request whose client disconnects after it has sent the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        watch = _Watch(receive)
        try:
            await self._app(scope, watch.receive, watch.stop_at_end(send))
        except asyncio.CancelledError:
            if not watch.disconnected:
                raise
            watch.uncancel()
        finally:
            watch.stop()
        return None


class _Watch:
    """Waits for one client to disconnect, then cancels the task that serves it (the one that created this object)."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._watcher: asyncio.Task[None] | None = None
        self._task = asyncio.current_task()
        self.disconnected = False

    async def receive(self) -> Message:
        if self._watcher is None:
            message = await self._receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                self._watcher = asyncio.create_task(self._wait())
            return message
        await asyncio.wait({self._watcher})
        return {"type": "http.disconnect"}

    def stop_at_end(self, send: Send) -> Send:
        async def sending(message: Message) -> None:
            await send(message)
            # uvicorn reports a disconnect after the last message, too, so the watch stops here. It must not stop
            # earlier: FileResponse waits for a message while it sends, and would read the end as a disconnect.
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                self.stop()

        return sending

    def stop(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()

    def uncancel(self) -> None:
        if self._task is not None:
            self._task.uncancel()

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.disconnected = True
        if self._task is not None:
            self._task.cancel()


class DeadlineMiddleware:
    """Cancel a request that is not answered in time.

    The time begins with the complete body and ends with the first byte of the answer: neither a slow upload nor a
    slow download is cancelled by it.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request_log_of(scope).deadline = time.monotonic() + self._seconds
        try:
            async with asyncio.timeout(self._seconds) as timeout:
                await self._app(scope, receive, _once_started(lambda: timeout.reschedule(None), send))
        except TimeoutError:
            if not timeout.expired():
                raise
            error = DeadlinePassed(f"There was no answer within {self._seconds:g} s; the work was dropped.")
            await refuse(error, scope, receive, send)
        return None


def _once_started(callback: Callable[[], None], send: Send) -> Send:
    def sending(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            callback()
        return send(message)

    return sending


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body as one message, then what comes from the client after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receiving() -> Message:
        return messages.pop() if messages else await receive()

    return receiving
