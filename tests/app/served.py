"""The real server over an application, in a thread of this process, and a client that sends bytes as they stand."""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvloop
from fastapi import FastAPI

from app.server.server import Server, server_config
from app.server.sockets import bind
from app.settings import Settings

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


class Served:
    """A server on a port of the system's choice."""

    def __init__(self, server: Server, port: int) -> None:
        self.server = server
        self.port = port

    def connect(self, receive_buffer: int | None = None) -> socket.socket:
        """A connection; with a small receive buffer, little is sent to a client that does not read."""
        connection = socket.socket()
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(10)
        connection.connect(("127.0.0.1", self.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def exchange(self, *parts: bytes, pause_s: float = 0.0) -> bytes:
        """Send the parts one after another and return all that comes until the server closes the connection."""
        with self.connect() as connection:
            for part in parts:
                with contextlib.suppress(ConnectionError):
                    connection.sendall(part)
                time.sleep(pause_s)
            return read_to_end(connection)

    def statuses(self, *parts: bytes, pause_s: float = 0.0) -> list[int]:
        """The status codes of all answers, in their order."""
        return statuses(self.exchange(*parts, pause_s=pause_s))

    def connections(self) -> int:
        """How many connections the server has."""
        return len(self.server.server_state.connections)


def statuses(received: bytes) -> list[int]:
    """The status codes of all answers in what was received."""
    return [int(status) for status in _STATUS.findall(received)]


def read_to_end(connection: socket.socket) -> bytes:
    """All that comes until the other side closes the connection."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while data := connection.recv(65536):
            received += data
    return received


@contextmanager
def served(app: FastAPI, settings: Settings) -> Iterator[Served]:
    """Serve within the block."""
    ready = threading.Event()
    sockets = bind("127.0.0.1", 0, settings.write_timeout_s)
    server = Server(server_config(app, settings), ready.set)
    thread = threading.Thread(target=lambda: uvloop.run(server.serve(sockets)))
    thread.start()
    try:
        assert ready.wait(30)
        yield Served(server, sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()
