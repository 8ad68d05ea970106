"""Load on a running service, over plain connections: client and service share the processors."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, TypeVar

import uvloop

from tests.app.running import Running

_T = TypeVar("_T")


class Reply(NamedTuple):
    """An answer and the seconds it took; status 0 if the connection failed."""

    status: int
    body: bytes
    seconds: float


class _Connection(asyncio.Protocol):
    """One open connection with one request at a time."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = bytes(self._received).partition(b"\r\n\r\n")
        if not end or self._answer is None:
            return
        head = head.lower()
        if len(body) < int(head.split(b"content-length: ")[1].split(b"\r\n")[0]):
            return
        self._received.clear()
        if b"connection: close" in head:
            self.close()
        self._answer.set_result((int(head.split(b" ")[1]), body))
        self._answer = None

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self._answer is not None:
            self._answer.set_exception(exc or ConnectionResetError())

    async def exchange(self, request: bytes) -> tuple[int, bytes]:
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)  # type: ignore[attr-defined]
        return await self._answer

    def close(self) -> None:
        self.closed = True
        self._transport.close()


class Caller:
    """A client with one connection, which is opened again when the service has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: _Connection | None = None

    async def post(self, path: str, document: Any) -> Reply:
        """Send one document and read the answer."""
        return await self.send(request(path, document))

    async def send(self, request: bytes) -> Reply:
        """Send the bytes of one request and read its answer."""
        began = time.monotonic()
        try:
            # The service closes idle connections; that must not be counted as a lost request.
            if self._connection is None or self._connection.closed:
                loop = asyncio.get_running_loop()
                _, self._connection = await loop.create_connection(_Connection, "127.0.0.1", self._port)
            status, body = await self._connection.exchange(request)
        except OSError:
            self.close()
            status, body = 0, b""
        return Reply(status, body, time.monotonic() - began)

    def close(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None


def request(path: str, document: Any) -> bytes:
    """The bytes of a request with this document."""
    body = json.dumps(document).encode()
    head = "POST %s HTTP/1.1\r\nHost: papers\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return (head % (path, len(body))).encode() + body


def run(scenario: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine on uvloop, which costs less than asyncio's event loop."""
    return uvloop.run(scenario)


async def one_after_another(
    service: Running, callers: int, going: Callable[[], bool], document: Any, path: str = "/classify"
) -> list[Reply]:
    """Several clients, each of which sends its next request after an answer and stops at the first that is not 200."""
    asked = request(path, document)

    async def call() -> list[Reply]:
        caller, replies = Caller(service.port), []
        while going():
            replies.append(await caller.send(asked))
            if replies[-1].status != 200:
                break
        caller.close()
        return replies

    return [reply for replies in await asyncio.gather(*(call() for _ in range(callers))) for reply in replies]


async def at_rate(service: Running, per_second: float, seconds: float, document: Any) -> list[Reply]:
    """Requests at a fixed rate, whether or not the earlier ones are answered."""
    idle: list[Caller] = []
    asked = request("/classify", document)
    replies: list[Reply] = []

    async def call() -> None:
        caller = idle.pop() if idle else Caller(service.port)
        replies.append(await caller.send(asked))
        idle.append(caller)

    began, sent, wanted = time.monotonic(), 0, int(per_second * seconds)
    calls: set[asyncio.Task[None]] = set()
    while sent < wanted:
        # A blocking sleep: handling each answer as it comes would take processor time from the service.
        time.sleep(max(0.001, began + sent / per_second - time.monotonic()))
        due = min(wanted, int((time.monotonic() - began) * per_second))
        for _ in range(due - sent):
            calls.add(task := asyncio.create_task(call()))
            task.add_done_callback(calls.discard)
        sent = due
        await asyncio.sleep(0)
    await asyncio.gather(*calls)
    for caller in idle:
        caller.close()
    return replies
