"""HTTP/1.1 connections: uvicorn's httptools protocol with limits on time and size.

uvicorn limits neither how long the head of a request may take, nor its size with httptools, nor how long a client may
leave an answer unread, and idle connections count against its `limit_concurrency`. `Connection` adds these limits; the
server calls `close_if_overdue` several times a second.

httptools (llhttp) rather than h11, by measurement (`python -m benchmarks.http_parsers`):

* a request of 1.4 kB is parsed in 2 µs, by h11 in 48 µs, which counts when most requests are rejected;
* 256 KiB of one-byte chunks, as much as the event loop reads at once, block the loop for 4 ms, with h11 for 400 ms;
* both refuse ambiguous framing (RFC 9112, section 6). The gaps of httptools are closed elsewhere: it accepts requests
  without a Host header and HTTP/1.0 with chunks (`HeaderMiddleware` refuses them), and it parses pipelined requests
  ahead of their turn and drops the body of a request that offers an upgrade (both handled here).
"""

import asyncio
import re
from typing import Any, NamedTuple

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.api.errors import ApiError, BadRequest, HeadersTooLarge, TooManyConnections, problem_response, problem_type
from app.observability.logs import ThrottledEvent
from app.observability.metrics import Telemetry
from app.observability.request_log import request_id
from app.server.joined_writes import JoinedWrites

MAX_HEADER_BYTES = 32 * 1024
# How many pipelined requests of one connection may wait. Each takes 3 kB of memory once it is parsed.
MAX_PIPELINED = 16


class ConnectionLimits(NamedTuple):
    """Times in seconds."""

    header_timeout_s: float
    """From the first byte of a request, or from the connection, to the end of the headers."""
    write_timeout_s: float
    """For each part of an answer (about 48 kB) that the client leaves unread."""
    max_connections: int


class TooManyPipelined(Exception):
    """The client pipelined more requests than may wait."""


class Connection(HttpToolsProtocol):
    """One client connection."""

    limits: ConnectionLimits
    limit_reached: ThrottledEvent

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # When the incomplete request began, and when bytes began to wait for sending; None if there are none.
        self._incomplete_since: float | None = None
        self._unsent_since: float | None = None
        self._idle_since = 0.0
        # Received since the parser last came to the end of the headers or of a piece of a body.
        self._pending_bytes = 0
        self._in_trailers = False
        self._ignores_input = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by the event loop for a new connection."""
        super().connection_made(JoinedWrites(transport, self.loop))  # type: ignore[arg-type]
        self._incomplete_since = self._idle_since = self.loop.time()
        if len(self.connections) > self.limits.max_connections:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Called by the event loop with what the client sent."""
        if self._ignores_input:
            return
        self._unset_keepalive_if_required()
        if self._incomplete_since is None:
            self._incomplete_since = self.loop.time()
        self._pending_bytes += len(data)
        self._parse(data)
        # Headers, trailers and chunk extensions alike: llhttp bounds none of them.
        if self._pending_bytes > MAX_HEADER_BYTES and not self._ignores_input:
            self._reject(HeadersTooLarge("The headers are too long.", limit=MAX_HEADER_BYTES))

    def close_if_overdue(self, now: float) -> None:
        """Close the connection if the client is too slow to send a request or to read an answer."""
        unsent = self.transport.get_write_buffer_size() > 0 or self.transport.is_closing()
        if not unsent:
            self._unsent_since = None
        elif self._unsent_since is None:
            self._unsent_since = now
        elif now - self._unsent_since > self.limits.write_timeout_s:
            self.transport.abort()
        since = self._incomplete_since
        if since is not None and not self.is_busy and now - since > self.limits.header_timeout_s:
            self.transport.close()

    @property
    def is_busy(self) -> bool:
        """Whether a request waits for its answer."""
        return self.cycle is not None and not self.cycle.response_complete

    def resume_writing(self) -> None:
        """Called by the transport when the client has read most of the unsent data."""
        super().resume_writing()
        self._unsent_since = None

    def on_message_begin(self) -> None:
        """Called by the parser."""
        super().on_message_begin()
        self._in_trailers = False
        if self._incomplete_since is None:
            self._incomplete_since = self.loop.time()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser; trailers are not headers (RFC 9110, section 6.5.1) and are dropped."""
        if not self._in_trailers:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Called by the parser; starts the request unless it must be parsed again without its upgrade."""
        self._in_trailers = True
        self._pending_bytes = 0
        if self.parser.should_upgrade():
            return
        if len(self.pipeline) >= MAX_PIPELINED:
            raise TooManyPipelined
        if not self.url.startswith(b"/"):
            self._take_absolute_form(self.url)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._pending_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        if not self.parser.should_upgrade():
            self._incomplete_since = None
            self._pending_bytes = 0
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Called when an answer is sent; the time limit for the rest of its request starts again."""
        self._idle_since = self.loop.time()
        if self._incomplete_since is not None:
            self._incomplete_since = self._idle_since
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn for invalid requests; answers with a problem document instead of plain text."""
        self._reject(BadRequest("This is not a valid HTTP request."))

    def _make_room(self) -> None:
        """Close the connection that has been idle longest, as nginx does; this one if all the others are busy."""
        others = (other for other in self.connections if isinstance(other, Connection) and other is not self)
        idle = [other for other in others if not other.is_busy and not other.transport.is_closing()]
        self.limit_reached(max_connections=self.limits.max_connections, idle=len(idle))
        if idle:
            min(idle, key=lambda other: other._idle_since).transport.close()
        else:
            self._reject(TooManyConnections("The server has no connection left."))

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._parse_without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            if not isinstance(error.__context__, TooManyPipelined):
                self.send_400_response("")
                return
            self._stop_after_pending_requests()
        except httptools.HttpParserError:
            self.send_400_response("")

    def _parse_without_upgrade(self, rest: bytes) -> None:
        # RFC 9110, section 7.8: a server may ignore Upgrade. httptools would skip the body, so the head is parsed
        # again without that header, as uvicorn does for WebSockets. CONNECT asks for a proxy's tunnel and is refused.
        method = self.parser.get_method()
        if method == b"CONNECT":
            self.send_400_response("")
            return
        headers = b"".join(b"%s: %s\r\n" % header for header in self.headers if header[0] != b"upgrade")
        version = self.parser.get_http_version().encode()  # uvicorn has not written it into the scope yet
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self._parse(b"%s %s HTTP/%s\r\n%s\r\n" % (method, self.url, version, headers) + rest)

    def _take_absolute_form(self, target: bytes) -> None:
        """Servers must accept an absolute target, whose host replaces that of the header (RFC 9112, section 3.2.2)."""
        parsed = httptools.parse_url(target)
        self.url = (parsed.path or b"/") + (b"?" + parsed.query if parsed.query else b"")
        if parsed.host:
            authority = re.split(rb"[/?#]", target.partition(b"://")[2], maxsplit=1)[0].rpartition(b"@")[2]
            self.headers[:] = [(name, authority if name == b"host" else value) for name, value in self.headers]

    def _stop_after_pending_requests(self) -> None:
        self._ignores_input = True
        last_cycle, _ = self.pipeline[0]
        last_cycle.keep_alive = False

    def _reject(self, error: ApiError) -> None:
        """Answer with an error and close; earlier requests of the connection are answered first."""
        self._ignores_input = True
        if self.pipeline:
            self._stop_after_pending_requests()
            return
        if self.is_busy and not self.cycle.more_body:
            self.cycle.keep_alive = False
            return
        if self.is_busy:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not self.is_busy or not self.cycle.response_started:
            telemetry: Telemetry = self.app_state["telemetry"]
            telemetry.rejected.labels(problem_type(type(error)).code).inc()
            self.transport.write(_response_bytes(error))
        self.transport.close()


def _response_bytes(error: ApiError) -> bytes:
    answer = problem_response(error, request_id(""), {"Connection": "close"})
    status = b"HTTP/1.1 %d \r\n" % answer.status_code
    headers = b"".join(b"%s: %s\r\n" % header for header in answer.raw_headers)
    return status + headers + b"\r\n" + bytes(answer.body)
