"""Transports for the clients under test: to the real application in this process, and to a script of replies."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings

Scripted = httpx.Response | httpx.RequestError


class Bridge(httpx.BaseTransport):
    """To an application that runs in this process."""

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
    """Replies in order, the last one for ever; keeps the requests."""

    def __init__(self, *replies: Scripted) -> None:
        self._replies = list(replies)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if isinstance(reply, httpx.RequestError):
            raise reply
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)


class Naps:
    """A clock that only sleeping moves, and the sleeping; remembers how long."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)

    def clock(self) -> float:
        return sum(self.slept)


def problem(status: int, code: str, **more: object) -> httpx.Response:
    """A refusal as the service words it."""
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
    """A service whose body limit only so many papers pass; `seen` gets the size of every batch."""

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
