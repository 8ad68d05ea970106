"""Limits of the head of one request: size, framing, host."""

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.errors import ApiError, BadRequest, HeadersTooLarge
from app.api.middleware import refuse
from app.server.connections import MAX_HEADER_BYTES

MAX_HEADERS = 100
# The request line and every header field end in CRLF, and names in a colon and a space.
_SEPARATORS = 4
# RFC 3986, section 3.2: what a host name or address and a port consist of.
_HOST = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")
_IGNORED_HEADERS = frozenset({b"cookie", b"range"})


class HeaderMiddleware:
    """Reject headers that are too long, too many or ambiguous, and drop those that this service ignores."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                _check_size(scope)
                _check_framing(Headers(scope=scope), scope["http_version"])
            except ApiError as error:
                return await refuse(error, scope, receive, send)
            # FastAPI parses cookies for every route, in quadratic time: one of 31 kB blocked the event loop for 1.7 s.
            # Starlette answers an invalid range with plain text; files are sent whole (RFC 9110, section 14.2).
            scope["headers"] = [header for header in scope["headers"] if header[0] not in _IGNORED_HEADERS]
        return await self._app(scope, receive, send)


def _check_size(scope: Scope) -> None:
    fields = scope["headers"]
    size = sum(len(name) + len(value) + _SEPARATORS for name, value in fields)
    size += len(scope["method"]) + len(scope.get("raw_path") or b"") + len(scope["query_string"]) + _SEPARATORS
    if size > MAX_HEADER_BYTES:
        raise HeadersTooLarge("Request line and headers are too long.", limit=MAX_HEADER_BYTES, actual=size)
    if len(fields) > MAX_HEADERS:
        raise HeadersTooLarge("The request has too many headers.", limit=MAX_HEADERS, actual=len(fields))


def _check_framing(headers: Headers, http_version: str) -> None:
    """Reject what a proxy may interpret differently than this server (RFC 9112, sections 3.2 and 6)."""
    coding = headers.getlist("transfer-encoding")
    if coding and ("content-length" in headers or http_version == "1.0" or [c.lower() for c in coding] != ["chunked"]):
        raise BadRequest("Send either Content-Length, or Transfer-Encoding: chunked with HTTP/1.1.")
    if http_version not in ("1.0", "1.1"):
        raise BadRequest("This server speaks HTTP/1.1 and HTTP/1.0.")
    hosts = headers.getlist("host")
    if len(hosts) > 1 or (not hosts and http_version == "1.1") or not all(map(_HOST.fullmatch, hosts)):
        raise BadRequest("Send exactly one Host header, which holds a host name or address and perhaps a port.")
