"""The HTTP server: uvicorn with connection limits, draining, and a reload on SIGHUP."""

import asyncio
import logging
import multiprocessing
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, cast

import uvicorn
from fastapi import FastAPI

from app.api.dependencies import State
from app.observability import logs
from app.server.connections import Connection, ConnectionLimits
from app.server.sockets import connections_for_open_files, url
from app.settings import Settings

# For uvicorn to send answers that are ready; the wait for accepted work happens before, in Engine.drain().
_FLUSH_S = 2
_FORCE_CHECK_S = 0.1
_LOG_INTERVAL_S = 60.0


class Server(uvicorn.Server):
    """Finishes accepted work before it stops listening, and reloads on SIGHUP."""

    def __init__(self, config: uvicorn.Config, when_ready: Callable[[], None]) -> None:
        """`when_ready` is called once, as soon as connections are accepted."""
        super().__init__(config)
        self._when_ready = when_ready
        self._interrupted = False
        self._reload_requested = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then announce that the service is ready and carry out a reload that was asked for meanwhile."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_log_loop_error)
        await super().startup(sockets)
        if self.should_exit:
            return
        if threading.current_thread() is threading.main_thread():  # elsewhere Python allows no signal handler
            loop.add_signal_handler(signal.SIGHUP, self._reload)
        if parent := multiprocessing.parent_process():
            loop.add_reader(parent.sentinel, self._stop_without_parent, parent.sentinel)
        self._when_ready()
        if self._reload_requested:
            self._reload()

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second. The last call drains while new requests still get 503 instead of no answer."""
        now = asyncio.get_running_loop().time()
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection):
                connection.close_if_overdue(now)
        leaving = await super().on_tick(counter)
        if leaving:
            await self._drain()
        return leaving

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handle SIGTERM and SIGINT; a second SIGINT stops without waiting for accepted work.

        uvicorn would raise the signal again at the end; here a drained exit returns 0.
        """
        self.force_exit = self.force_exit or (self.should_exit and sig == signal.SIGINT)
        self._interrupted = self._interrupted or sig == signal.SIGINT
        self.should_exit = True

    def request_reload(self, sig: int, frame: FrameType | None) -> None:
        """Handle SIGHUP during the start: the reload follows it."""
        self._reload_requested = True

    async def _drain(self) -> None:
        # Ctrl-C is used interactively, usually without other clients, which need the notice in all other cases.
        notice_s = 0.0 if self._interrupted else self._state["settings"].drain_notice_s
        draining = asyncio.create_task(self._state["engine"].drain(notice_s))
        while not self.force_exit and not draining.done():
            await asyncio.wait({draining}, timeout=_FORCE_CHECK_S)
        if not draining.done():
            draining.cancel()
            logs.event(logging.WARNING, "stopped without waiting for accepted work")
        self.force_exit = self.force_exit or not draining.result()

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


def serve(
    app: FastAPI, settings: Settings, sockets: Sequence[socket.socket], when_ready: Callable[[], None] | None = None
) -> None:
    """Answer requests on these bound sockets until a signal ends it; `when_ready` is called when it has begun."""
    server = Server(server_config(app, settings), when_ready or (lambda: announce(sockets)))
    signal.signal(signal.SIGHUP, server.request_reload)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.handle_exit)
    # Blocked since the process began, see app.__main__ and app.server.processes.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP, signal.SIGINT, signal.SIGTERM})
    server.run(list(sockets))


def announce(sockets: Sequence[socket.socket]) -> None:
    """Log where the service can be reached."""
    for listening in sockets:
        logs.event(logging.INFO, f"running on {url(listening)} (press Ctrl-C to stop)")


def server_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """The configuration of uvicorn; the limit of connections depends on the limit of open files."""
    max_connections = connections_for_open_files(settings.max_connections, _open_files())
    if max_connections < settings.max_connections:
        logs.event(logging.WARNING, "the limit of open files allows fewer connections", max_connections=max_connections)

    class Limited(Connection):
        limits = ConnectionLimits(settings.header_timeout_s, settings.write_timeout_s, max_connections)
        limit_reached = logs.ThrottledEvent(logging.WARNING, "connection limit reached", _LOG_INTERVAL_S)

    return uvicorn.Config(
        app,
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


def _open_files() -> int:
    descriptors = Path("/dev/fd")  # of this process; on Linux and macOS
    return len(list(descriptors.iterdir())) if descriptors.is_dir() else 0


def _log_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log by type and place: asyncio's own line would show what callbacks were called with, which may be a text."""
    if error := context.get("exception"):
        logs.failure("unexpected exception in the event loop", error)
    else:
        logs.event(logging.ERROR, "error in the event loop", what=str(context.get("message", "")).partition("<")[0])
