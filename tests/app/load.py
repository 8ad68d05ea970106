"""Load on a running service: bare connections, so that the client costs little of the processor it shares."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.app.running import Running


class Reply(NamedTuple):
    """What came back, and how long it took; status 0 if nothing came."""

    status: int
    body: bytes
    seconds: float


class Caller:
    """One connection; opened anew when the service closed it."""

    def __init__(self, service: Running) -> None:
        self._port = service.port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, document: Any) -> Reply:
        """Send one request and read its answer."""
        began = time.monotonic()
        try:
            status, body = await self._exchange(path, json.dumps(document).encode())
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            status, body = 0, b""
        return Reply(status, body, time.monotonic() - began)

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
        self._streams = None

    async def _exchange(self, path: str, body: bytes) -> tuple[int, bytes]:
        # The service closes what has long been idle; a client may not take that for a lost request.
        if self._streams and self._streams[0].at_eof():
            self.close()
        self._streams = self._streams or await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(
            b"POST %s HTTP/1.1\r\nHost: papers\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            % (path.encode(), len(body))
            + body
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        answer = await reader.readexactly(length)
        if "connection: close" in head:
            self.close()
        return int(head.split(" ")[1]), answer


async def one_after_another(
    service: Running, callers: int, going: Callable[[], bool], document: Any, path: str = "/classify"
) -> list[Reply]:
    """So many callers, each asking again as soon as it is answered; one that gets no 200 goes home."""

    async def call() -> list[Reply]:
        caller, replies = Caller(service), []
        while going():
            replies.append(await caller.post(path, document))
            if replies[-1].status != 200:
                break
        caller.close()
        return replies

    return [reply for replies in await asyncio.gather(*(call() for _ in range(callers))) for reply in replies]


async def at_rate(service: Running, per_second: float, seconds: float, document: Any) -> list[Reply]:
    """Requests at fixed times, whether or not the earlier ones are answered."""
    idle: list[Caller] = []

    async def call() -> Reply:
        caller = idle.pop() if idle else Caller(service)
        reply = await caller.post("/classify", document)
        idle.append(caller)
        return reply

    began, calls = time.monotonic(), []
    for i in range(int(per_second * seconds)):
        await asyncio.sleep(began + i / per_second - time.monotonic())
        calls.append(asyncio.create_task(call()))
    replies = await asyncio.gather(*calls)
    for caller in idle:
        caller.close()
    return replies
