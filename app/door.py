"""Turns work away before it costs anything: when nothing fits, no body is read to find that out.

Plain ASGI, between `app.middleware` and `app.patience`. Knows that a paper is coming, never which.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from app import logs, problems
from app.errors import Draining, ServiceError
from app.middleware import refuse
from app.record import record_of

_TELL_EVERY_S = 1.0


class Door:
    """Answers with the refusal there is for one more paper; lets everything in while there is none."""

    def __init__(
        self, app: ASGIApp, refusal: Callable[[], ServiceError | None], paths: Collection[str], most_body_bytes: int
    ) -> None:
        """`paths` are those that bring papers."""
        self._app = app
        self._refusal = refusal
        self._paths = paths
        self._most_body_bytes = most_body_bytes
        self._told = Counter[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal() if self._brings_work(scope) else None
        if refusal is None:
            return await self._app(scope, receive, send)
        record = record_of(scope)
        record.turned_away = True
        self._tell(problems.kind_of(refusal).code)
        if isinstance(refusal, Draining) or not self._may_stay(scope):
            return await refuse(refusal, scope, receive, send)
        record.problems.append(problems.kind_of(refusal).code)
        answer = problems.response(refusal, record.id)
        await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers})
        await send({"type": "http.response.body", "body": bytes(answer.body)})
        return None

    def _brings_work(self, scope: Scope) -> bool:
        return scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in self._paths

    def _may_stay(self, scope: Scope) -> bool:
        """Whether the connection can serve on: the server skips a body that ends, and soon, by itself."""
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"")
        ends = length.isdigit() and int(length[:20]) <= self._most_body_bytes and b"transfer-encoding" not in headers
        return ends and b"expect" not in headers and b"close" not in headers.get(b"connection", b"").lower()

    def _tell(self, code: str) -> None:
        """One line for all that were turned away within a second: a line each would cost more than the refusal."""
        if not self._told:
            asyncio.get_running_loop().call_later(_TELL_EVERY_S, self._write)
        self._told[code] += 1

    def _write(self) -> None:
        logs.event(logging.WARNING, "turned away", **self._told)
        self._told.clear()
