"""The HTTP server: uvicorn with connection limits, draining, and a reload on SIGHUP."""

import asyncio
import multiprocessing
import signal
import socket
from types import FrameType
from typing import cast

import uvicorn
from fastapi import FastAPI

from app.api.dependencies import State
from app.server.connections import Connection, ConnectionLimits
from app.settings import Settings

# For uvicorn to send answers that are ready; the wait for accepted work happens before, in Engine.drain().
_FLUSH_S = 2


class Server(uvicorn.Server):
    """Finishes accepted work before it stops listening, and reloads on SIGHUP."""

    _interrupted = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; from now on react to SIGHUP, and to the end of the process that started this one, if any did."""
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        if parent := multiprocessing.parent_process():
            loop.add_reader(parent.sentinel, self._stop_without_parent, parent.sentinel)

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second. The last time, drain while new requests still get 503 instead of no answer."""
        now = asyncio.get_running_loop().time()
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection):
                connection.close_if_overdue(now)
        leaving = await super().on_tick(counter)
        if leaving:
            # Whoever presses Ctrl-C is alone with the service; in all other cases clients want to be told.
            notice_s = 0.0 if self._interrupted else self._state["settings"].drain_notice_s
            drained = await self._state["engine"].drain(notice_s)
            self.force_exit = self.force_exit or not drained
        return leaving

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handle SIGTERM and SIGINT. uvicorn would raise the signal again at the end; a drained exit returns 0."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self._interrupted = self._interrupted or sig == signal.SIGINT
        self.should_exit = True

    def _stop_without_parent(self, sentinel: int) -> None:
        # Nobody would replace this process or stop it.
        asyncio.get_running_loop().remove_reader(sentinel)
        self.should_exit = True

    def _reload(self) -> None:
        # The reference is kept because the event loop holds its tasks only weakly.
        self._reloading = asyncio.get_running_loop().create_task(self._state["reloader"].reload_and_log())

    @property
    def _state(self) -> State:
        return cast(State, self.lifespan.state)


def serve(app: FastAPI, settings: Settings, sockets: list[socket.socket] | None = None) -> None:
    """Answer requests until a signal ends it; on these sockets, or on one of its own."""
    Server(_config(app, settings)).run(sockets)


def bound(settings: Settings) -> socket.socket:
    """The bound socket that several processes share; nobody listens on it yet. Exits if the port is taken."""
    return uvicorn.Config("", host=settings.host, port=settings.port, log_config=None).bind_socket()


def _config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    class Limited(Connection):
        limits = ConnectionLimits(settings.header_timeout_s, settings.write_timeout_s)

    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=Limited,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=settings.keep_alive_timeout_s,
        timeout_graceful_shutdown=_FLUSH_S,
    )
