"""The two clients, one that blocks and one that awaits. They only send, sleep and hand replies on."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Self, TypeVar

import httpx

from client.exchanges import Done, Exchange, Exchanges, Pause, Reply, Request, step
from client.retries import Retries
from client.shapes import Answer, Card, Explanation, Paper, Reload, Result

T = TypeVar("T")

LOCAL = "http://127.0.0.1:8000"


class Client:
    """Asks the service and waits for its answers; may be shared by threads."""

    def __init__(
        self,
        url: str = LOCAL,
        api_key: str | None = None,
        *,
        retries: Retries | None = None,
        timeout_s: float = 30.0,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`timeout_s` is for one try; raises ValueError for a URL that is none."""
        self._http = httpx.Client(
            base_url=_checked(url), headers=_headers(api_key), timeout=timeout_s, transport=transport
        )
        self._exchanges = Exchanges(retries or Retries(), clock, random.random)
        self._sleep = sleep

    def classify(self, title: str = "", abstract: str = "", paper_id: str | None = None) -> Result:
        """One paper; raises ServiceError."""
        return self._run(self._exchanges.classify(Paper(title, abstract, paper_id)))

    def classify_many(self, papers: Iterable[Paper]) -> Iterator[Answer]:
        """An answer per paper, in order: a Result, or a Failure for a paper that cannot be classified.

        Raises ServiceError if the service as a whole refuses or is not reached.
        """
        for batch in self._exchanges.batches(papers):
            yield from self._run(self._exchanges.classify_batch(batch))

    def explain(self, title: str = "", abstract: str = "", paper_id: str | None = None) -> Explanation:
        """One paper and its evidence, sentence by sentence; as costly as a classification of each.

        Raises ServiceError.
        """
        return self._run(self._exchanges.explain(Paper(title, abstract, paper_id)))

    def card(self) -> Card:
        """The model card."""
        return self._run(self._exchanges.card())

    def ready(self) -> bool:
        """Whether a paper would be classified now."""
        return self._run(self._exchanges.ready())

    def reload(self) -> Reload:
        """Have the service load the version it is set to; takes seconds, during which it goes on answering.

        Raises ServiceError: `unauthorized` without a key, `forbidden` if the service has none, and
        `artefact_refused` for a version that is not usable, in which case the old one goes on answering.
        """
        return self._run(self._exchanges.reload())

    def close(self) -> None:
        """Close the connections; `with` does it by itself."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, exchange: Exchange[T]) -> T:
        reply: Reply = None
        while not isinstance(todo := step(exchange, reply), Done):
            reply = self._sleep(todo.seconds) if isinstance(todo, Pause) else self._send(todo)
        return todo.answer

    def _send(self, request: Request) -> Reply:
        try:
            return self._http.request(request.method, request.path, content=request.body)
        except httpx.RequestError as error:
            return error


class AsyncClient:
    """The same for programs with an event loop."""

    def __init__(
        self,
        url: str = LOCAL,
        api_key: str | None = None,
        *,
        retries: Retries | None = None,
        timeout_s: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """See Client."""
        self._http = httpx.AsyncClient(
            base_url=_checked(url), headers=_headers(api_key), timeout=timeout_s, transport=transport
        )
        self._exchanges = Exchanges(retries or Retries(), clock, random.random)
        self._sleep = sleep

    async def classify(self, title: str = "", abstract: str = "", paper_id: str | None = None) -> Result:
        """See Client.classify."""
        return await self._run(self._exchanges.classify(Paper(title, abstract, paper_id)))

    async def classify_many(self, papers: Iterable[Paper]) -> AsyncIterator[Answer]:
        """See Client.classify_many."""
        for batch in self._exchanges.batches(papers):
            for answer in await self._run(self._exchanges.classify_batch(batch)):
                yield answer

    async def explain(self, title: str = "", abstract: str = "", paper_id: str | None = None) -> Explanation:
        """See Client.explain."""
        return await self._run(self._exchanges.explain(Paper(title, abstract, paper_id)))

    async def card(self) -> Card:
        """See Client.card."""
        return await self._run(self._exchanges.card())

    async def ready(self) -> bool:
        """See Client.ready."""
        return await self._run(self._exchanges.ready())

    async def reload(self) -> Reload:
        """See Client.reload."""
        return await self._run(self._exchanges.reload())

    async def close(self) -> None:
        """See Client.close."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _run(self, exchange: Exchange[T]) -> T:
        reply: Reply = None
        while not isinstance(todo := step(exchange, reply), Done):
            reply = await (self._sleep(todo.seconds) if isinstance(todo, Pause) else self._send(todo))
        return todo.answer

    async def _send(self, request: Request) -> Reply:
        try:
            return await self._http.request(request.method, request.path, content=request.body)
        except httpx.RequestError as error:
            return error


def _checked(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError(f"the service's URL is {url!r}, expected one like {LOCAL}")
    return parsed


def _headers(api_key: str | None) -> dict[str, str]:
    key = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    return {"Content-Type": "application/json", "User-Agent": "paper-subjects-client", **key}
