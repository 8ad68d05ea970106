"""Cross-origin requests; enabled by PAPERS_CORS_ORIGINS."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.errors import Forbidden
from app.api.middleware import refuse

_METHODS = ("GET", "HEAD", "POST")
_REQUEST_HEADERS = (
    "Authorization", "Content-Type", "If-None-Match", "X-API-Key", "X-Request-ID", "traceparent", "tracestate"
)  # fmt: skip
_ANSWER_HEADERS = ("X-Request-ID", "X-Model-Version", "Retry-After", "Server-Timing", "ETag")


class ProblemCors(CORSMiddleware):
    """Starlette's CORSMiddleware, with problem documents for refused preflight requests."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=_METHODS,
            allow_headers=_REQUEST_HEADERS,
            expose_headers=_ANSWER_HEADERS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._refuses(scope["method"], Headers(scope=scope)):
            return await refuse(self._refusal(Headers(scope=scope)), scope, receive, send)
        return await super().__call__(scope, receive, send)

    def _refusal(self, headers: Headers) -> Forbidden:
        if not self.is_allowed_origin(headers["origin"]):
            return Forbidden("PAPERS_CORS_ORIGINS does not list this origin.")
        return Forbidden(
            f"Requests from other origins may use {', '.join(_METHODS)} with the headers {', '.join(_REQUEST_HEADERS)}."
        )

    def _refuses(self, method: str, headers: Headers) -> bool:
        preflight = method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers
        return preflight and self.preflight_response(headers).status_code >= 400
