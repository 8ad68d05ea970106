"""Transports for the clients under test: to the application in this process, and to scripted responses."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings

Scripted = httpx.Response | httpx.RequestError


class Bridge(httpx.BaseTransport):
    """A transport to an application in this process."""

    def __init__(self, application: TestClient) -> None:
        self._application = application

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._application.request(
            request.method, request.url.path, content=request.read(), headers=dict(request.headers)
        )
        return httpx.Response(answer.status_code, headers=dict(answer.headers), content=answer.content)


@contextmanager
def served(settings: Settings) -> Iterator[Bridge]:
    """A transport to a running service; ends with the block."""
    with TestClient(create_app(settings)) as application:
        yield Bridge(application)


class Script:
    """Returns the replies in order, the last one repeatedly; records the requests."""

    def __init__(self, *replies: Scripted) -> None:
        self._replies = list(replies)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if isinstance(reply, httpx.RequestError):
            raise reply
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)


class FakeSleep:
    """A fake clock and sleep function; only sleeping advances the clock, and each pause is recorded."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)

    def clock(self) -> float:
        return sum(self.slept)


def problem(status: int, code: str, **more: object) -> httpx.Response:
    """A response with a problem document, as the service sends it."""
    document = {
        "type": f"/problems/{code}",
        "title": "t",
        "status": status,
        "detail": "d",
        "instance": "i",
        "code": code,
    }
    return httpx.Response(status, json={**document, **more})


def sized(limit: int, seen: list[int]) -> Callable[[httpx.Request], httpx.Response]:
    """A service that refuses larger batches as too large; `seen` records the size of every batch."""

    def answer(request: httpx.Request) -> httpx.Response:
        papers = json.loads(request.content)["papers"]
        seen.append(len(papers))
        if len(papers) > limit:
            return problem(413, "body_too_large")
        result = {"probabilities": {}, "labels": [], "status": "ok"}
        saw = {"tokens": 1, "tokens_used": 1, "truncated": False, "abstract": False}
        model = {"name": "m", "version": "1.0.0", "sha256": "0"}
        results = [{**result, "id": paper["id"], "input": saw} for paper in papers]
        return httpx.Response(200, json={"results": results, "model": model})

    return answer
