"""The path prefix below which a proxy serves the service."""

from starlette.types import ASGIApp, Receive, Scope, Send


class RootPathMiddleware:
    """Set `root_path` in the scope: routes match with or without the prefix, and generated references include it.

    So the proxy may strip the prefix or keep it; uvicorn's own `root_path` requires that it is stripped.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["root_path"] = self._root_path
        await self._app(scope, receive, send)
