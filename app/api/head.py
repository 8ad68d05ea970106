"""HEAD wherever there is GET."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadMiddleware:
    """Answer HEAD with the headers of the response to GET (RFC 9110, section 9.3.2).

    FastAPI, unlike Starlette, does not add HEAD to the methods of a GET route; listing it there would double
    every operation in the OpenAPI document.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            return await self._app(scope, receive, send)

        async def without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        # A copy: the server reads the method in its own scope, by which it knows that HEAD has no response body.
        inner = {**scope, "method": "GET"}
        await self._app(inner, receive, without_body)
        scope["route"] = inner.get("route")  # for the log and the metrics
        return None
