"""Turns work away from the bytes of its request, before a request is made of them.

With many times more work coming than fits, most of what the event loop does would be to read requests that it then
refuses, and the workers would wait for it. So a request that came in one piece and whose like is known at a glance
gets here what `app.door` would say; every other one takes the way through it.
"""

import re
import time
from collections.abc import Iterable
from http import HTTPStatus
from typing import NotRequired, TypedDict

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from app.api import problems
from app.api.door import Doorkeeper
from app.api.middleware import Header, presented_key, with_standing_headers
from app.errors import ServiceError
from app.inference.admission import Place
from app.observability.request_log import Record, request_id
from app.server.limits import MOST_HEADER_BYTES
from app.service import Service

# RFC 9112, sections 3 and 5, without what is rare: absolute targets, queries, folded lines.
_HEAD = re.compile(rb"POST (/[a-z/]+) HTTP/1\.1\r\n((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e]*\r\n)+)\r\n")
# Where one of these says something, the door is asked, or the server that reads headers with more care.
_NOT_AT_A_GLANCE = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"content-encoding", b"origin"})

# Stands for a character of the request's id; found nowhere else in a refusal, and no id has one.
_BLANK = "~"


class Turnstile:
    """Knows a request for work when it sees one; refuses it while there is no room, and keeps a place for it if not."""

    def __init__(self, keeper: Doorkeeper, service: Service) -> None:
        self._keeper = keeper
        self._service = service
        self._occasion: tuple[object, ...] = ()
        self._answer = b""

    def look(self, data: bytes, server_headers: Iterable[Header]) -> bytes | Place | None:
        """The refusal of the request that `data` is, or the place that was kept for it; None if the door is to decide.

        A place is for a paper that is all there: who sends it slowly must not keep others out.
        """
        began = time.monotonic()
        scope = _request(data)
        if scope is None or not self._is_usual(scope):
            return None
        refusal = self._keeper.refusal(scope)
        if refusal is None:
            return self._service.engine.keep_place()
        return self._turn_away(refusal, scope, began, server_headers) if self._keeper.may_stay(refusal, scope) else None

    def _is_usual(self, scope: Scope) -> bool:
        """Whether it brings work, and a key if one is asked for; where requests are traced, none may be missed."""
        keys = self._service.keys
        known = not keys.required or keys.name_of(presented_key(Headers(scope=scope))) is not None
        return known and self._keeper.brings_work(scope) and not self._service.settings.traces

    def _turn_away(self, refusal: ServiceError, scope: Scope, began: float, server_headers: Iterable[Header]) -> bytes:
        record = Record(request_id(dict(scope["headers"]).get(b"x-request-id", b"").decode()))
        self._keeper.tell(refusal, record)
        kind = problems.kind_of(refusal)
        record.problems.append(kind.code)
        seconds = time.monotonic() - began
        self._service.telemetry.request(record, scope["method"], scope["path"], kind.status, seconds)
        blank = _BLANK * len(record.id)
        return self._worded(refusal, blank, server_headers).replace(blank.encode(), record.id.encode())

    def _worded(self, refusal: ServiceError, blank: str, server_headers: Iterable[Header]) -> bytes:
        """The answer, with a blank for the request's id; for a second or so it is the same for thousands."""
        occasion = (blank, refusal.detail, refusal.limit, refusal.actual, refusal.retry_after_s, *server_headers)
        if occasion != self._occasion:
            answer = problems.response(refusal, blank)
            headers = [*server_headers, *with_standing_headers(answer.raw_headers, Record(blank))]
            self._occasion, self._answer = occasion, _bytes(answer, headers)
        return self._answer


class State(TypedDict):
    """What the lifespan gives to every request and every connection."""

    service: Service
    turnstile: Turnstile
    place: NotRequired[Place]


def _request(data: bytes) -> Scope | None:
    """The one whole request that `data` is, None if it is anything else or not to be known at a glance."""
    match = _HEAD.match(data)
    if match is None or match.end() > MOST_HEADER_BYTES:
        return None
    lines = [line.split(b":", 1) for line in match[2].split(b"\r\n")[:-1]]
    headers = [(name.lower(), value.strip()) for name, value in lines]
    known = dict(headers)
    length = known.get(b"content-length", b"")
    whole = length.isdigit() and len(data) - match.end() == int(length[:20])
    twice = len(known) < len(headers)
    if not whole or twice or b"host" not in known or known.keys() & _NOT_AT_A_GLANCE:
        return None
    return {"type": "http", "method": "POST", "path": match[1].decode(), "headers": headers}


def _bytes(answer: Response, headers: Iterable[Header]) -> bytes:
    status = HTTPStatus(answer.status_code)
    lines = [b"HTTP/1.1 %d %s" % (status, status.phrase.encode()), *(b"%s: %s" % header for header in headers)]
    return b"\r\n".join([*lines, b"", bytes(answer.body)])
