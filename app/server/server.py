"""uvicorn, taught patience with limits: slow clients, draining, signals. Knows sockets, no paths."""

import asyncio
import multiprocessing
import signal
import socket
from types import FrameType
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from app.api import problems
from app.errors import BadRequest, HeadersTooLarge
from app.inference.admission import Place
from app.observability.request_log import request_id
from app.server.limits import MOST_HEADER_BYTES
from app.server.turnstile import Turnstile
from app.service import Service
from app.settings import Settings

# What uvicorn gets to flush answers that are ready; the waiting for work happens before, in drain().
_FLUSH_S = 2


class _Connection(h11.Connection):
    """Sends the head of an answer with what follows it: two small writes cost the system twice what one does."""

    _head = b""

    def send(self, event: h11.Event) -> bytes | None:  # type: ignore[override]
        data = super().send(event)
        if isinstance(event, h11.Response):
            self._head = data or b""
            return b""
        head, self._head = self._head, b""
        return data if data is None else head + data


class PatientProtocol(H11Protocol):
    """One connection; closed when headers or an unread body take too long; refuses with problem documents."""

    header_timeout_s: float
    _timer: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = _Connection(h11.SERVER, MOST_HEADER_BYTES)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected: the clock runs from here."""
        super().connection_made(transport)
        self._await_rest()

    def data_received(self, data: bytes) -> None:
        """Bytes came; between requests the keep-alive timer of uvicorn is in charge."""
        seen = self._turnstile.look(data, self.server_state.default_headers) if self._is_between_requests else None
        if isinstance(seen, bytes):
            self._stop_waiting()
            self.transport.write(seen)
            self.on_response_complete()
            return
        self._let_in(data, seen)
        if self._headers_come or self._body_is_skipped:
            self._await_rest()
        else:
            self._stop_waiting()

    def _let_in(self, data: bytes, place: Place | None) -> None:
        state = self.app_state
        self.app_state = state if place is None else {**state, "place": place}  # what the request gets to see
        super().data_received(data)
        self.app_state = state
        if place is not None and self.conn.their_state is h11.ERROR:
            place.give_up()

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
        answer = problems.response(error, request_id(""), {"Connection": "close"})
        start = h11.Response(status_code=answer.status_code, headers=answer.raw_headers, reason=b"")
        for event in (start, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    @property
    def _turnstile(self) -> Turnstile:
        turnstile: Turnstile = self.app_state["turnstile"]
        return turnstile

    @property
    def _is_between_requests(self) -> bool:
        return self.conn.our_state is self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]

    @property
    def _headers_come(self) -> bool:
        return self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])

    @property
    def _body_is_skipped(self) -> bool:
        # The answer is out, so nobody below has a clock running for what still comes.
        return self.conn.their_state is h11.SEND_BODY and self.conn.our_state is h11.DONE

    def _await_rest(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.header_timeout_s, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class DrainingServer(uvicorn.Server):
    """Finishes accepted work before it stops to listen, and reloads on SIGHUP."""

    _at_a_terminal = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; from now on SIGHUP is heard, and the end of the process that started this one, if any did."""
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        if parent := multiprocessing.parent_process():
            loop.add_reader(parent.sentinel, self._outlive, parent.sentinel)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second; the last time, drain while newcomers still get a 503 instead of no answer."""
        leaving = await super().on_tick(counter)
        if leaving:
            # Who presses Ctrl-C is alone with the service; everybody else's clients want to be told.
            notice_s = 0.0 if self._at_a_terminal else self._service.settings.drain_notice_s
            drained = await self._service.engine.drain(notice_s)
            self.force_exit = self.force_exit or not drained
        return leaving

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM or SIGINT. Unlike uvicorn's, does not die by the signal afterwards: a drained exit is a good one."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self._at_a_terminal = self._at_a_terminal or sig == signal.SIGINT
        self.should_exit = True

    def _outlive(self, sentinel: int) -> None:
        # Nobody would replace this process, nor end it.
        asyncio.get_running_loop().remove_reader(sentinel)
        self.should_exit = True

    def _reload(self) -> None:
        # Kept, since the loop itself holds its tasks only weakly.
        self._reloading = asyncio.get_running_loop().create_task(self._service.reload_quietly())

    @property
    def _service(self) -> Service:
        service: Service = self.lifespan.state["service"]
        return service


def serve(app: FastAPI, settings: Settings, sockets: list[socket.socket] | None = None) -> None:
    """Answer requests until a signal ends it; on these sockets, or on one of its own."""
    DrainingServer(_config(app, settings)).run(sockets)


def bound(settings: Settings) -> socket.socket:
    """The port that several processes share; nobody listens on it yet. Exits if it is taken."""
    return uvicorn.Config("", host=settings.host, port=settings.port, log_config=None).bind_socket()


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
    )
