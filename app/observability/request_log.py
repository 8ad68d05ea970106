"""The log record of one request, for its log line, metrics and response headers; it never holds a submitted text."""

import math
import re
import secrets
import time
from dataclasses import dataclass, field

from opentelemetry.trace import format_trace_id, get_current_span
from starlette.datastructures import Headers
from starlette.types import Scope

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
# version-traceid-parentid-flags, https://www.w3.org/TR/trace-context/
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass
class RequestLog:
    """One request, filled in while it is served; times in seconds."""

    id: str
    trace_id: str | None = None
    began: float = field(default_factory=time.monotonic)
    status: int | None = None
    """Status code, once the response has begun."""
    root_path: str = ""
    """The path prefix under which a proxy exposes the service."""
    key_name: str | None = None
    papers: int = 0
    tokens: int = 0
    tokenize_s: float = 0.0
    queue_s: float = 0.0
    infer_s: float = 0.0
    model_version: str | None = None
    problems: list[str] = field(default_factory=list)
    """Problem codes of the request, or of single papers of a batch."""
    deadline: float = math.inf
    """The time.monotonic() at which the request is cancelled; set when its body is complete."""
    summarized: bool = False
    """Whether the request is counted in a summary line and has no log line of its own."""

    @property
    def server_timing(self) -> str:
        """The Server-Timing header, https://www.w3.org/TR/server-timing/; milliseconds."""
        stages = {"tokenize": self.tokenize_s, "queue": self.queue_s, "infer": self.infer_s}
        return ", ".join(f"{name};dur={seconds * 1000:.1f}" for name, seconds in stages.items())


def request_id(given: str) -> str:
    """The client's request id if it is valid, otherwise a new one."""
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)


def open_request_log(scope: Scope) -> RequestLog:
    """Begin the log of a request that has just arrived."""
    headers = Headers(scope=scope)
    trace = _TRACEPARENT.fullmatch(headers.get("traceparent", ""))
    record = RequestLog(
        id=request_id(headers.get("x-request-id", "")),
        trace_id=trace.group(1) if trace else _trace_begun_here(),
        root_path=scope.get("root_path", ""),
    )
    scope.setdefault("state", {})["record"] = record
    return record


def _trace_begun_here() -> str | None:
    span = get_current_span().get_span_context()
    return format_trace_id(span.trace_id) if span.is_valid else None


def request_log_of(scope: Scope) -> RequestLog:
    """The log of a request; `open_request_log` must have been called."""
    record: RequestLog = scope["state"]["record"]
    return record
