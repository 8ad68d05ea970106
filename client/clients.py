"""The blocking and the asynchronous client; what they send is determined by `client.exchanges`."""

import asyncio
import ipaddress
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Self, TypeVar

import httpx

from client.exchanges import Done, Exchange, Exchanges, Pause, Reply, Request, step
from client.retries import Retries
from client.shapes import Answer, Card, Explanation, Paper, Reload, Result

T = TypeVar("T")

_PROXY_VARIABLES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})
LOCAL = "http://127.0.0.1:8000"


class Client:
    """A blocking client; may be shared by threads."""

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
        """`timeout_s` limits one try. Raises ValueError for an unusable URL or an unusable proxy in the environment.

        Proxies are taken from the environment as httpx does, but none is used for this machine's own addresses.
        """
        base = _parsed(url)
        with _proxy_errors():
            self._http = httpx.Client(
                base_url=base,
                headers=_headers(api_key),
                timeout=timeout_s,
                transport=transport,
                trust_env=not _is_loopback(base.host),
            )
        self._exchanges = Exchanges(retries or Retries(), clock, random.random)
        self._sleep = sleep

    def classify(self, title: str = "", abstract: str = "", paper_id: str | None = None) -> Result:
        """Classify one paper; raises ServiceError."""
        return self._run(self._exchanges.classify(Paper(title, abstract, paper_id)))

    def classify_many(self, papers: Iterable[Paper]) -> Iterator[Answer]:
        """Classify papers in batches; yields a Result for each, in order, or a Failure if it cannot be classified.

        Raises ServiceError if the service refuses every paper or cannot be reached.
        """
        for batch in self._exchanges.batches(papers):
            yield from self._run(self._exchanges.classify_batch(batch))

    def explain(self, title: str = "", abstract: str = "", paper_id: str | None = None) -> Explanation:
        """Classify one paper and explain the result sentence by sentence; costs one classification per sentence.

        Raises ServiceError.
        """
        return self._run(self._exchanges.explain(Paper(title, abstract, paper_id)))

    def card(self) -> Card:
        """The model card; raises ServiceError."""
        return self._run(self._exchanges.card())

    def ready(self) -> bool:
        """Whether the service is ready to classify."""
        return self._run(self._exchanges.ready())

    def reload(self) -> Reload:
        """Make the service load the version that its settings name, while it continues to answer.

        Raises ServiceError: `unauthorized` without a key, `forbidden` if the key may not do this, and
        `artefact_refused` for an unusable version, in which case the service keeps the previous one.
        """
        return self._run(self._exchanges.reload())

    def close(self) -> None:
        """Close the connections, as the end of a `with` block does."""
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
    """An asynchronous client."""

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
        base = _parsed(url)
        with _proxy_errors():
            self._http = httpx.AsyncClient(
                base_url=base,
                headers=_headers(api_key),
                timeout=timeout_s,
                transport=transport,
                trust_env=not _is_loopback(base.host),
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


def _parsed(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError(f"the service's URL is {url!r}, expected one like {LOCAL}")
    return parsed


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def _proxy_errors() -> Iterator[None]:
    """Name the variable if httpx cannot use the proxy settings in the environment."""
    try:
        yield
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        names = sorted(name for name in os.environ if name.lower() in _PROXY_VARIABLES)
        raise ValueError(f"httpx cannot use the proxy settings in {', '.join(names)}: {error}") from None


def _headers(api_key: str | None) -> dict[str, str]:
    key = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    return {"Content-Type": "application/json", "User-Agent": "paper-subjects-client", **key}
