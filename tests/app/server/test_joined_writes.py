"""Writes of one turn of the event loop leave together."""

import asyncio
from typing import cast

from app.server.joined_writes import JoinedWrites


class Sent:
    """A transport that records what it is told to send."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.pieces.append(data)

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def joined(sent: Sent, loop: asyncio.AbstractEventLoop) -> JoinedWrites:
    return JoinedWrites(cast("asyncio.Transport", sent), loop)


def test_head_and_body_leave_in_one_piece() -> None:
    async def scenario() -> None:
        sent = Sent()
        transport = joined(sent, asyncio.get_running_loop())
        transport.write(b"head")
        transport.write(b"body")
        assert (sent.pieces, transport.get_write_buffer_size()) == ([], 8)
        await asyncio.sleep(0)
        assert (sent.pieces, transport.get_write_buffer_size()) == ([b"headbody"], 0)

    asyncio.run(scenario())


def test_closing_sends_what_was_written_before() -> None:
    async def scenario() -> None:
        sent = Sent()
        transport = joined(sent, asyncio.get_running_loop())
        transport.write(b"answer")
        transport.close()
        assert (sent.pieces, transport.is_closing()) == ([b"answer"], True)
        await asyncio.sleep(0)
        assert sent.pieces == [b"answer"]

    asyncio.run(scenario())


def test_a_long_response_does_not_wait_for_the_turn_to_end() -> None:
    async def scenario() -> None:
        sent = Sent()
        transport = joined(sent, asyncio.get_running_loop())
        transport.write(b"x" * 100_000)
        transport.write(b"y")
        assert sent.pieces == [b"x" * 100_000]
        await asyncio.sleep(0)
        assert sent.pieces[1:] == [b"y"]

    asyncio.run(scenario())
