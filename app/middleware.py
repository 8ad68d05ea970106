"""What surrounds every request, as plain ASGI: its record, the API key, the body's limits, the deadline.

Knows no papers. The order, from outside: Observe, Gate, Patience.
"""

import asyncio
import time
from collections.abc import Awaitable, Collection, Iterator

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import logs, problems
from app.errors import (
    BadRequest,
    BodyTimeout,
    BodyTooLarge,
    DeadlinePassed,
    HeadersTooLarge,
    InternalError,
    ServiceError,
    Unauthorized,
    UnsupportedMediaType,
)
from app.health import Health
from app.keys import ApiKeys
from app.record import Record, open_record, record_of
from app.settings import Settings
from app.telemetry import Telemetry

# nginx' word for it; nobody receives this status, it is for logs and metrics.
CLIENT_CLOSED_REQUEST = 499
MOST_HEADER_BYTES = 32 * 1024
_LINGER_S = 1.0
_OPEN = ("/docs", "/openapi.json", "/problems/")
_HEALTH = frozenset({"/livez", "/readyz", "/metrics"})
_SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


class Observe:
    """Outermost: opens the record, closes it with one log line and the metrics, answers for bugs."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry, paths: Collection[str], health: Health) -> None:
        """`paths` are the route templates, for requests that are refused before they are routed."""
        self._app = app
        self._health = health
        self._telemetry = telemetry
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        record = open_record(scope)
        sending = _with_headers(send, record, self._health)
        with self._telemetry.inflight.track_inprogress():
            try:
                await self._app(scope, receive, sending)
            except Exception as error:
                # The outermost frame of a request: a bug is logged by type and place and answered without words.
                logs.failure("a bug", error, request_id=record.id)
                if record.status is None:
                    await refuse(InternalError("An unexpected fault."), scope, receive, sending)
            finally:
                self._close(scope, record)
        return None

    def _close(self, scope: Scope, record: Record) -> None:
        status = record.status or CLIENT_CLOSED_REQUEST
        seconds = time.monotonic() - record.began
        # The template, never any path: metrics must not grow with what people ask for.
        asked: str = scope["path"] if scope["path"] in self._paths else "unmatched"
        route: str = getattr(scope.get("route"), "path", None) or asked
        self._telemetry.request(record, scope["method"], route, status, seconds)
        logs.request(record, scope["method"], route, status, seconds)


class Gate:
    """Asks for an API key, where keys are in use; the documentation is open, health by setting."""

    def __init__(self, app: ASGIApp, keys: ApiKeys, open_health: bool) -> None:
        self._app = app
        self._keys = keys
        self._open_health = open_health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._keys.required and not self._is_open(scope["path"]):
            name = self._keys.name_of(_presented(Headers(scope=scope)))
            if name is None:
                refusal = Unauthorized("An API key is required here; it is missing or unknown.")
                return await refuse(refusal, scope, receive, send, {"WWW-Authenticate": "Bearer"})
            record_of(scope).key_name = name
        return await self._app(scope, receive, send)

    def _is_open(self, path: str) -> bool:
        return path.startswith(_OPEN) or (self._open_health and path in _HEALTH)


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


async def refuse(
    error: ServiceError, scope: Scope, receive: Receive, send: Send, headers: dict[str, str] | None = None
) -> None:
    """Answer with a problem, read on for a moment, and close the connection.

    Closing while the client still sends would reset the connection, and the answer would be lost
    (RFC 9112, section 9.6); reading on without end would let it send for ever.
    """
    record = record_of(scope)
    record.problems.append(problems.kind_of(error).code)
    answer = problems.response(error, record.id, {**(headers or {}), "Connection": "close"})
    await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers})
    await send({"type": "http.response.body", "body": bytes(answer.body), "more_body": True})
    await asyncio.wait([asyncio.create_task(_discard(receive))], timeout=_LINGER_S)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _with_headers(send: Send, record: Record, health: Health) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            record.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = record.id
            for name, value in _SECURITY.items():
                headers.setdefault(name, value)
            if health.draining:
                # So that no client sends its next request into a connection that is about to close.
                headers["Connection"] = "close"
        await send(message)

    return sending


async def _discard(receive: Receive) -> None:
    while (message := await receive())["type"] == "http.request" and message.get("more_body", False):
        pass


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


def _presented(headers: Headers) -> str:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")


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
