"""Turns work away before it costs anything: when nothing fits, no body is read to find that out.

`Doorkeeper` knows whom to turn away, `Door` is his place in the chain of plain ASGI, between `app.middleware` and
`app.patience`; `app.turnstile` is his other one. Knows that a paper is coming, never which.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from app.api import problems
from app.api.middleware import refuse
from app.errors import Draining, ServiceError
from app.observability import logs
from app.observability.request_log import Record, record_of

_TELL_EVERY_S = 1.0


class Doorkeeper:
    """Knows who brings work, why it does not fit, and whether the connection can serve on; tells of many at once."""

    def __init__(
        self, refusal: Callable[[], ServiceError | None], paths: Collection[str], most_body_bytes: int
    ) -> None:
        """`refusal` says why not one more paper fits, if so; `paths` are those that bring papers."""
        self._refusal = refusal
        self._paths = paths
        self._most_body_bytes = most_body_bytes
        self._told = Counter[str]()

    def brings_work(self, scope: Scope) -> bool:
        """Whether papers come with this request."""
        return scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in self._paths

    def refusal(self, scope: Scope) -> ServiceError | None:
        """Why this request is turned away, None if it may come in: without work, or with a place kept for it."""
        has_place = "place" in scope.get("state", {})
        return self._refusal() if self.brings_work(scope) and not has_place else None

    def may_stay(self, refusal: ServiceError, scope: Scope) -> bool:
        """Whether the connection can serve on: the server skips a body that ends, and soon, by itself."""
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"")
        ends = length.isdigit() and int(length[:20]) <= self._most_body_bytes and b"transfer-encoding" not in headers
        stays = b"expect" not in headers and b"close" not in headers.get(b"connection", b"").lower()
        return ends and stays and not isinstance(refusal, Draining)

    def tell(self, refusal: ServiceError, record: Record) -> None:
        """One line for all that are turned away within a second: a line each would cost more than the refusal."""
        code = problems.kind_of(refusal).code
        record.turned_away = True
        if not self._told:
            asyncio.get_running_loop().call_later(_TELL_EVERY_S, self._write)
        self._told[code] += 1

    def _write(self) -> None:
        logs.event(logging.WARNING, "turned away", **self._told)
        self._told.clear()


class Door:
    """Answers with the refusal there is for one more paper; lets everything in while there is none."""

    def __init__(self, app: ASGIApp, keeper: Doorkeeper) -> None:
        self._app = app
        self._keeper = keeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._keeper.refusal(scope)
        if refusal is None:
            return await self._app(scope, receive, send)
        record = record_of(scope)
        self._keeper.tell(refusal, record)
        if not self._keeper.may_stay(refusal, scope):
            return await refuse(refusal, scope, receive, send)
        record.problems.append(problems.kind_of(refusal).code)
        answer = problems.response(refusal, record.id)
        await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers})
        await send({"type": "http.response.body", "body": bytes(answer.body)})
        return None
