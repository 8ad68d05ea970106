"""What surrounds every request, as plain ASGI: its record, its headers, the API key. Knows no papers.

The order, from outside: Observe, Gate, then `app.door` and `app.patience`.
"""

import asyncio
import time
from collections.abc import Collection, Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api import problems
from app.api.keys import ApiKeys
from app.errors import InternalError, ServiceError, Unauthorized
from app.inference.health import Health
from app.observability import logs
from app.observability.metrics import Telemetry
from app.observability.request_log import Record, open_record, record_of

Header = tuple[bytes, bytes]
# nginx' word for it; nobody receives this status, it is for logs and metrics.
CLIENT_CLOSED_REQUEST = 499
_LINGER_S = 1.0
_OPEN = ("/docs", "/openapi.json", "/problems/", "/web/")
_PAGES = frozenset({"/", "/card"})
_HEALTH = frozenset({"/livez", "/readyz", "/metrics"})
# As they are sent: this is done for every request, also for those that are turned away by the thousand.
_SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)


class Observe:
    """Outermost: opens the record, closes it with the metrics and one log line, answers for bugs."""

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
        record.give_up_place()
        status = record.status or CLIENT_CLOSED_REQUEST
        seconds = time.monotonic() - record.began
        # The template, never any path: metrics must not grow with what people ask for.
        asked: str = scope["path"] if scope["path"] in self._paths else "unmatched"
        route: str = getattr(scope.get("route"), "path", None) or asked
        self._telemetry.request(record, scope["method"], route, status, seconds)
        if not record.turned_away:
            logs.request(record, scope["method"], route, status, seconds)


class Gate:
    """Asks for an API key, where keys are in use; pages and documentation are open, health by setting."""

    def __init__(self, app: ASGIApp, keys: ApiKeys, open_health: bool) -> None:
        self._app = app
        self._keys = keys
        self._open_health = open_health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._keys.required and not self._is_open(scope["path"]):
            name = self._keys.name_of(presented_key(Headers(scope=scope)))
            if name is None:
                refusal = Unauthorized("An API key is required here; it is missing or unknown.")
                return await refuse(refusal, scope, receive, send, {"WWW-Authenticate": "Bearer"})
            record_of(scope).key_name = name
        return await self._app(scope, receive, send)

    def _is_open(self, path: str) -> bool:
        return path.startswith(_OPEN) or path in _PAGES or (self._open_health and path in _HEALTH)


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


def with_standing_headers(headers: Iterable[Header], record: Record) -> list[Header]:
    """These headers and those that every answer has: the request id, and what keeps browsers careful."""
    given = list(headers)
    names = {name for name, _ in given}
    return [*given, (b"x-request-id", record.id.encode()), *(header for header in _SECURITY if header[0] not in names)]


def _with_headers(send: Send, record: Record, health: Health) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            record.status = message["status"]
            record.give_up_place()  # before the caller can come again
            message["headers"] = with_standing_headers(message["headers"], record)
            if health.draining:
                # So that no client sends its next request into a connection that is about to close.
                MutableHeaders(scope=message)["Connection"] = "close"
        await send(message)

    return sending


async def _discard(receive: Receive) -> None:
    while (message := await receive())["type"] == "http.request" and message.get("more_body", False):
        pass


def presented_key(headers: Headers) -> str:
    """The API key that came along, empty if none did."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
