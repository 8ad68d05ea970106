"""An open loop: requests are sent at a fixed rate, whatever has been answered."""

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit

import httptools
import uvloop

from benchmarks.peers.load import Load, load_of

_HEAD = "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"


def open_loop(url: str, bodies: Sequence[bytes], rate: float, seconds: float, timeout_s: float) -> Load:
    """Send `rate` requests a second for this many seconds.

    Latency counts from the moment at which a request was due, so that requests which a slow server delayed before they
    were sent count in full (no coordinated omission). A request without a complete answer `timeout_s` after it was due
    counts as an error, as does every status but 200.
    """
    return uvloop.run(_open_loop(url, bodies, rate, seconds, timeout_s))


async def _open_loop(url: str, bodies: Sequence[bytes], rate: float, seconds: float, timeout_s: float) -> Load:
    parts = urlsplit(url)
    requests = [_request(parts.path, parts.netloc, body) for body in bodies]
    idle: list[_Connection] = []
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    start = loop.time()

    async def send(request: bytes, due: float) -> None:
        try:
            async with asyncio.timeout_at(due + timeout_s):
                status = await _exchange(idle, parts.hostname or "", parts.port or 80, request)
        except (OSError, httptools.HttpParserError):
            return
        if status == 200:
            latencies.append(loop.time() - due)

    total = round(rate * seconds)
    async with asyncio.TaskGroup() as sending:
        for number in range(total):
            due = start + number / rate
            await asyncio.sleep(due - loop.time())
            sending.create_task(send(requests[number % len(requests)], due))
    for connection in idle:
        connection.close()
    return load_of(latencies, seconds, total - len(latencies))


def _request(path: str, host: str, body: bytes) -> bytes:
    return _HEAD.format(path=path, host=host, length=len(body)).encode() + body


async def _exchange(idle: "list[_Connection]", host: str, port: int, request: bytes) -> int:
    """The status of the answer; the connection is kept for the next request unless the server closes it."""
    connection = idle.pop() if idle else None
    if connection is None or connection.closed:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, host, port)
    try:
        status = await connection.exchange(request)
    except BaseException:
        connection.close()
        raise
    idle.append(connection)
    return status


class _Connection(asyncio.Protocol):
    """One connection with at most one request at a time; a client library would take more processor time."""

    def __init__(self) -> None:
        self._answered: asyncio.Future[int] | None = None
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._fail(exc or ConnectionResetError())

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(error)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self.closed = self.closed or not self._parser.should_keep_alive()
        if self._answered and not self._answered.done():
            self._answered.set_result(self._parser.get_status_code())

    async def exchange(self, request: bytes) -> int:
        self._parser = httptools.HttpResponseParser(self)
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)  # type: ignore[attr-defined]
        return await self._answered

    def close(self) -> None:
        self.closed = True
        self._transport.close()

    def _fail(self, error: Exception) -> None:
        if self._answered and not self._answered.done():
            self._answered.set_exception(error)
