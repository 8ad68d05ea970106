"""Early rejection of requests while the service is overloaded."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from starlette._utils import get_route_path
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.errors import ServiceError, problem_type
from app.api.middleware import refuse, respond
from app.inference.errors import Draining, QueueFull
from app.observability import logs
from app.observability.request_log import RequestLog, request_log_of

_SUMMARY_INTERVAL_S = 1.0
# Each delayed rejection keeps a connection open.
_MAX_DELAYED = 300


class AdmissionMiddleware:
    """Reject requests while the engine would not accept a single further paper, before their bodies are read.

    This keeps the event loop free under overload. For other requests the engine decides once the papers are known.
    Rejections by a full queue are delayed by `delay_s`, because clients that ignore Retry-After and retry at once
    would otherwise use most of the processor time (300 such clients made 4,000 requests a second). At most
    `_MAX_DELAYED` rejections are delayed at the same time; further ones are sent at once.
    """

    def __init__(
        self,
        app: ASGIApp,
        rejection: Callable[[], ServiceError | None],
        takes_papers: Callable[[str], object],
        max_body_bytes: int,
        delay_s: float,
    ) -> None:
        """`rejection` returns the error for one more paper, or None; `takes_papers` says whether a path does."""
        self._app = app
        self._rejection = rejection
        self._takes_papers = takes_papers
        self._max_body_bytes = max_body_bytes
        self._delay_s = delay_s
        self._delayed = 0
        self._counts = Counter[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        error = self._rejection() if is_post and self._takes_papers(get_route_path(scope)) else None
        if error is None:
            return await self._app(scope, receive, send)
        self._count(error, request_log_of(scope))
        if isinstance(error, QueueFull) and self._delayed < _MAX_DELAYED:
            await self._delay()
        if isinstance(error, Draining) or not self._body_can_be_skipped(Headers(scope=scope)):
            return await refuse(error, scope, receive, send)
        return await respond(error, scope, send, {})

    async def _delay(self) -> None:
        self._delayed += 1
        try:
            await asyncio.sleep(self._delay_s)
        finally:
            self._delayed -= 1

    def _body_can_be_skipped(self, headers: Headers) -> bool:
        """Whether the connection can stay open: the server skips a body of known, permitted length by itself."""
        length = headers.get("content-length", "")
        return length.isdecimal() and int(length[:20]) <= self._max_body_bytes and "expect" not in headers

    def _count(self, error: ServiceError, record: RequestLog) -> None:
        """Count for a summary, logged once a second: a line for each rejection would cost more than the rejection."""
        record.summarized = True
        if not self._counts:
            asyncio.get_running_loop().call_later(_SUMMARY_INTERVAL_S, self._write_summary)
        self._counts[problem_type(type(error)).code] += 1

    def _write_summary(self) -> None:
        logs.event(logging.WARNING, "requests rejected", **self._counts)
        self._counts.clear()
