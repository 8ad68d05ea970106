"""Cross-origin requests; enabled by PAPERS_CORS_ORIGINS."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.errors import Forbidden
from app.api.middleware import refuse

_REQUEST_HEADERS = ("Authorization", "Content-Type", "X-API-Key", "X-Request-ID", "traceparent")
_ANSWER_HEADERS = ("X-Request-ID", "X-Model-Version", "Retry-After", "Server-Timing", "ETag")


class ProblemCors(CORSMiddleware):
    """Starlette's CORSMiddleware, with problem documents for refused preflight requests."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("GET", "POST"),
            allow_headers=_REQUEST_HEADERS,
            expose_headers=_ANSWER_HEADERS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._refuses(scope["method"], Headers(scope=scope)):
            allowed = "This origin, method or header is not among those that PAPERS_CORS_ORIGINS allows."
            return await refuse(Forbidden(allowed), scope, receive, send)
        return await super().__call__(scope, receive, send)

    def _refuses(self, method: str, headers: Headers) -> bool:
        preflight = method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers
        return preflight and self.preflight_response(headers).status_code >= 400
