"""ASGI middleware around every request: log and metrics, response headers, allowed hosts, API key.

The order is in `app.main`. Admission is in `app.api.overload`, limits of size and time in `app.server`.
"""

import asyncio
import contextlib
import time
from collections.abc import Collection, Sequence

from starlette._utils import get_route_path
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.errors import Forbidden, InternalError, ServiceError, Unauthorized, problem_response, problem_type
from app.api.keys import ApiKeys
from app.inference.health import Health
from app.observability import logs
from app.observability.metrics import Telemetry
from app.observability.request_log import RequestLog, open_request_log, request_log_of

# The status that nginx logs when the client closed the connection; it is in logs and metrics only.
CLIENT_CLOSED_REQUEST = 499
# How long a refused request is still read, see `refuse`.
_LINGER_S = 1.0
_OPEN = ("/docs", "/openapi.json", "/problems/", "/web/")
_PAGES = frozenset({"", "/", "/card"})
_PROBES = frozenset({"/livez", "/readyz", "/v2/health/live", "/v2/health/ready"})
_SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)


class RequestLogMiddleware:
    """Record metrics and write one log line for each request; answer unexpected exceptions with 500."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry, paths: Collection[str]) -> None:
        """`paths` are the route templates, for requests that are rejected before they are routed."""
        self._app = app
        self._telemetry = telemetry
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        record = open_request_log(scope)
        sending = _recording_status(send, record)
        with self._telemetry.inflight.track_inprogress():
            try:
                await self._app(scope, receive, sending)
            except Exception as error:
                logs.failure("unexpected exception", error, request_id=record.id)
                if record.status is None:
                    await refuse(InternalError("An unexpected error."), scope, receive, sending)
            finally:
                self._close(scope, record)
        return None

    def _close(self, scope: Scope, record: RequestLog) -> None:
        status = record.status or CLIENT_CLOSED_REQUEST
        seconds = time.monotonic() - record.began
        # The route template, never the requested path: clients must not be able to create metric series.
        path = get_route_path(scope)
        fallback = path if path in self._paths else "unmatched"
        route: str = getattr(scope.get("route"), "path", None) or fallback
        self._telemetry.request(record, scope["method"], route, status, seconds)
        if not record.summarized:
            logs.request(record, scope["method"], route, status, seconds)


class ResponseHeadersMiddleware:
    """Add the request id and the security headers to every response; close connections while draining."""

    def __init__(self, app: ASGIApp, health: Health) -> None:
        self._app = app
        self._health = health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request_id = request_log_of(scope).id.encode()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                names = {name for name, _ in message["headers"]}
                added = [header for header in _SECURITY_HEADERS if header[0] not in names]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id), *added]
                if self._health.draining:
                    # So that no client sends its next request on a connection that is about to close.
                    MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        return await self._app(scope, receive, sending)


class AllowedHostsMiddleware:
    """Reject requests for other host names, which protects a local service without keys from DNS rebinding.

    Unlike Starlette's TrustedHostMiddleware it answers with a problem document, supports IPv6 addresses, and exempts
    the probes: orchestrators and load balancers send an address as Host, and probes reveal nothing.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str], browsers_only: bool = False) -> None:
        """`hosts` are names without port; `*.example.org` matches all subdomains.

        With `browsers_only` other programs may use any name: DNS rebinding is an attack by web pages.
        """
        self._app = app
        self._names = frozenset(host.lower() for host in hosts if not host.startswith("*."))
        self._suffixes = tuple(host[1:].lower() for host in hosts if host.startswith("*."))
        self._browsers_only = browsers_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and get_route_path(scope) not in _PROBES and not self._allows(Headers(scope=scope)):
            error = Forbidden("This host name is not among those that PAPERS_ALLOWED_HOSTS allows.")
            return await refuse(error, scope, receive, send)
        return await self._app(scope, receive, send)

    def _allows(self, headers: Headers) -> bool:
        host = headers.get("host", "").lower()
        # The port follows the last colon, which may also be part of an IPv6 address: [::1]:8000.
        name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
        if name in self._names or name.endswith(self._suffixes):
            return True
        return self._browsers_only and not _comes_from_browser(headers)


class ApiKeyMiddleware:
    """Require an API key if keys are configured, except for pages, documentation, probes and, by setting, metrics."""

    def __init__(self, app: ASGIApp, keys: ApiKeys, open_metrics: bool) -> None:
        self._app = app
        self._keys = keys
        self._open_metrics = open_metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._keys.required and not self._is_open(get_route_path(scope)):
            name = self._keys.name_of(_presented_key(Headers(scope=scope)))
            if name is None:
                error = Unauthorized("An API key is required here; it is missing or unknown.")
                return await refuse(error, scope, receive, send, {"WWW-Authenticate": "Bearer"})
            request_log_of(scope).key_name = name
        return await self._app(scope, receive, send)

    def _is_open(self, path: str) -> bool:
        if path == "/metrics":
            return self._open_metrics
        return path in _PROBES or path in _PAGES or path.startswith(_OPEN)


async def refuse(
    error: ServiceError, scope: Scope, receive: Receive, send: Send, headers: dict[str, str] | None = None
) -> None:
    """Answer with a problem document, keep reading for up to `_LINGER_S`, and close the connection.

    Closing while the client still sends would reset the connection, and the answer would be lost
    (RFC 9112, section 9.6).
    """
    await respond(error, scope, send, {**(headers or {}), "Connection": "close"}, more_body=True)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_S):
            await _discard(receive)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def respond(
    error: ServiceError, scope: Scope, send: Send, headers: dict[str, str], more_body: bool = False
) -> None:
    """Send a problem document; with `more_body` the caller ends the response."""
    record = request_log_of(scope)
    record.problems.append(problem_type(type(error)).code)
    answer = problem_response(error, record.id, headers, record.root_path, get_route_path(scope))
    await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers})
    await send({"type": "http.response.body", "body": bytes(answer.body), "more_body": more_body})


def _recording_status(send: Send, record: RequestLog) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            record.status = message["status"]
        await send(message)

    return sending


async def _discard(receive: Receive) -> None:
    while (message := await receive())["type"] == "http.request" and message.get("more_body", False):
        pass


def _presented_key(headers: Headers) -> str:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")


def _comes_from_browser(headers: Headers) -> bool:
    # Browsers send Origin with every POST, and scripts cannot change the User-Agent in all of them.
    return "origin" in headers or headers.get("user-agent", "").startswith("Mozilla/")
