"""What a client hears while the service is overloaded, before its request costs anything."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection

from starlette._utils import get_route_path
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.errors import ServiceError, problem_type
from app.api.middleware import refuse, respond
from app.inference.errors import Draining, QueueFull
from app.observability import logs
from app.observability.request_log import RequestLog, request_log_of

_SUMMARY_INTERVAL_S = 1.0
# Answers that are held back at the same time.
_MAX_HELD = 300


class AdmissionMiddleware:
    """Reject work while not one more paper would be admitted, before its body is read.

    This is what keeps the event loop free under overload. The engine decides again when it knows the papers.
    Answers of a full queue are held back for `delay_s`: clients that ignore Retry-After and ask again at once would
    otherwise spend most of the processor on rejections (300 of them made 4,000 requests a second). A limited number is
    held back at the same time, since each keeps a connection open.
    """

    def __init__(
        self,
        app: ASGIApp,
        rejection: Callable[[], ServiceError | None],
        paths: Collection[str],
        max_body_bytes: int,
        delay_s: float,
    ) -> None:
        """`rejection` is the engine's answer for one more paper, `paths` are those that bring papers."""
        self._app = app
        self._rejection = rejection
        self._paths = paths
        self._max_body_bytes = max_body_bytes
        self._delay_s = delay_s
        self._held = 0
        self._counts = Counter[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        brings_papers = scope["type"] == "http" and scope["method"] == "POST" and get_route_path(scope) in self._paths
        error = self._rejection() if brings_papers else None
        if error is None:
            return await self._app(scope, receive, send)
        self._count(error, request_log_of(scope))
        if isinstance(error, QueueFull) and self._held < _MAX_HELD:
            await self._hold()
        if isinstance(error, Draining) or not self._body_can_be_skipped(Headers(scope=scope)):
            return await refuse(error, scope, receive, send)
        return await respond(error, scope, send, {})

    async def _hold(self) -> None:
        self._held += 1
        try:
            await asyncio.sleep(self._delay_s)
        finally:
            self._held -= 1

    def _body_can_be_skipped(self, headers: Headers) -> bool:
        """Whether the connection can be kept: the server skips a body of known and small length by itself."""
        length = headers.get("content-length", "")
        return length.isdecimal() and int(length[:20]) <= self._max_body_bytes and "expect" not in headers

    def _count(self, error: ServiceError, record: RequestLog) -> None:
        """Have one log line written for all rejections of a second: one each would cost more than the rejection."""
        record.summarized = True
        if not self._counts:
            asyncio.get_running_loop().call_later(_SUMMARY_INTERVAL_S, self._write_summary)
        self._counts[problem_type(type(error)).code] += 1

    def _write_summary(self) -> None:
        logs.event(logging.WARNING, "requests rejected", **self._counts)
        self._counts.clear()
