"""The path prefix below which a proxy serves the service."""

from starlette.types import ASGIApp, Receive, Scope, Send


class RootPathMiddleware:
    """Set the prefix that paths may begin with and references must begin with.

    It does not matter whether the proxy removes the prefix. uvicorn's own `root_path` expects that it does.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["root_path"] = self._root_path
        await self._app(scope, receive, send)
