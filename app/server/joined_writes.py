"""A transport that sends the head of a response and its body together."""

import asyncio
from typing import Any

# More than this is sent at once, so that the transport's flow control sees a long response while it is written.
_MAX_PENDING_BYTES = 64 * 1024


class JoinedWrites:
    """Passes on what is written within one turn of the event loop as one piece.

    uvicorn writes head and body by two system calls. A process killed between them leaves the client, or the load
    balancer, with half a response. A balancer can repeat a request that got no response, but not one that got half of
    it. Everything but writing is delegated to the wrapped transport.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._pending = bytearray()

    def __getattr__(self, name: str) -> Any:  # whatever the transport has
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send the data at the end of this turn of the event loop."""
        if not self._pending:
            self._loop.call_soon(self._flush)
        self._pending += data
        if len(self._pending) > _MAX_PENDING_BYTES:
            self._flush()

    def get_write_buffer_size(self) -> int:
        """Bytes that are not sent yet."""
        return self._transport.get_write_buffer_size() + len(self._pending)

    def close(self) -> None:
        """Send what was written and close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._pending:
            data = bytes(self._pending)
            self._pending.clear()
            self._transport.write(data)
