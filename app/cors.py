"""Cross-origin requests, where the operator named origins; off otherwise."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from app import problems
from app.errors import Forbidden

_REQUEST_HEADERS = ("Authorization", "Content-Type", "X-API-Key", "X-Request-ID", "traceparent")
_ANSWER_HEADERS = ("X-Request-ID", "X-Model-Version", "Retry-After", "Server-Timing", "ETag")


class ProblemCors(CORSMiddleware):
    """Starlette's CORS, whose refusals are problem documents like all others."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("GET", "POST"),
            allow_headers=_REQUEST_HEADERS,
            expose_headers=_ANSWER_HEADERS,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """The answer to OPTIONS with an Origin."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        refusal = Forbidden("This origin, method or header is not among those that PAPERS_CORS_ORIGINS allows.")
        return problems.response(refusal, request_headers.get("x-request-id", ""))
