"""uvicorn, taught patience with limits: slow clients, draining, signals. Knows sockets, no paths."""

import asyncio
import signal
import socket
import uuid
from types import FrameType

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from app import problems
from app.errors import BadRequest, HeadersTooLarge
from app.patience import MOST_HEADER_BYTES
from app.service import Service
from app.settings import Settings

# What uvicorn gets to flush answers that are ready; the waiting for work happens before, in drain().
_FLUSH_S = 2


class PatientProtocol(H11Protocol):
    """One connection; closed when request line and headers take too long, refused with problem documents."""

    header_timeout_s: float
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected: the clock runs from here."""
        super().connection_made(transport)
        self._await_headers()

    def data_received(self, data: bytes) -> None:
        """Bytes came; between requests the keep-alive timer of uvicorn is in charge."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._await_headers()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP request, as a problem document rather than plain text."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            # An answer is on its way already; there is no room for another.
            self.transport.close()
            return
        too_long = len(self.conn.trailing_data[0]) > MOST_HEADER_BYTES
        error = HeadersTooLarge("The headers are too long.") if too_long else BadRequest("No valid HTTP request.")
        answer = problems.response(error, uuid.uuid4().hex, {"Connection": "close"})
        start = h11.Response(status_code=answer.status_code, headers=answer.raw_headers, reason=b"")
        for event in (start, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _await_headers(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.header_timeout_s, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class DrainingServer(uvicorn.Server):
    """Finishes accepted work before it stops to listen, and reloads on SIGHUP."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; from now on SIGHUP is heard."""
        await super().startup(sockets)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reload)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second; the last time, drain while newcomers still get a 503 instead of no answer."""
        leaving = await super().on_tick(counter)
        if leaving:
            drained = await self._service.engine.drain()
            self.force_exit = self.force_exit or not drained
        return leaving

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM or SIGINT. Unlike uvicorn's, does not die by the signal afterwards: a drained exit is a good one."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    def _reload(self) -> None:
        # Kept, since the loop itself holds its tasks only weakly.
        self._reloading = asyncio.get_running_loop().create_task(self._service.reload_quietly())

    @property
    def _service(self) -> Service:
        service: Service = self.lifespan.state["service"]
        return service


def serve(app: FastAPI, settings: Settings) -> None:
    """Answer requests until a signal ends it."""
    DrainingServer(_config(app, settings)).run()


def _config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    class Protocol(PatientProtocol):
        header_timeout_s = settings.header_timeout_s

    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        # h11 rather than httptools: it bounds the headers and reads strictly; the network takes 50 times longer.
        http=Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=settings.keep_alive_timeout_s,
        timeout_graceful_shutdown=_FLUSH_S,
        h11_max_incomplete_event_size=MOST_HEADER_BYTES,
    )
