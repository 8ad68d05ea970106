"""The service in one process, or in several that share a port and one set of metrics."""

import contextlib
import gc
import logging
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType

from fastapi import FastAPI
from prometheus_client.multiprocess import mark_process_dead

from app.observability import logs
from app.server.server import announce, serve
from app.server.sockets import bind
from app.settings import Settings, SettingsError
from model_store.errors import ModelStoreError
from model_store.memory import return_freed_memory, share_one_heap

CreateApp = Callable[[Settings], FastAPI]

_METRICS_DIR = "PROMETHEUS_MULTIPROC_DIR"
# Between the end of a process and its replacement, so that one that cannot start does not keep a processor busy.
_PAUSE_S = 1.0
# How long a thread keeps the interpreter while another one asks for it. A worker returns from the network some
# hundred times a second; Python's 5 ms is longer than a short paper takes, and beside a busy event loop
# a worker would wait that long each time: at four times the capacity this costs a third of the papers.
_SWITCH_INTERVAL_S = 0.0005
# New objects before the garbage collector looks for cycles. With Python's 700 it traverses all waiting requests a
# hundred times a second under overload, while the workers wait for the interpreter.
_COLLECT_AFTER = 20_000
# Signals that a new process must not miss, and that must not end it before it can handle them.
_BLOCKED_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def run(settings: Settings, create_app: CreateApp) -> int:
    """Serve in this process until a signal; 1 if artefact, keys or address are unusable, 0 after a drained exit."""
    logs.configure(settings.log_level, settings.log_format, sys.stderr)
    logs.log_uncaught_exceptions()
    share_one_heap()
    try:
        sockets = _bind(settings)
        app = create_app(settings)
    except (ModelStoreError, SettingsError) as error:
        logs.event(logging.CRITICAL, f"cannot start: {error}")
        return 1
    _tune_interpreter()
    serve(app, settings, sockets)
    return 0


@dataclass
class _Child:
    process: SpawnProcess
    ready: Connection
    """Readable once the process serves, or has ended."""
    is_first: bool
    is_ready: bool = False


class Processes:
    """As many processes as the settings say; threads are divided among them.

    A process that dies is replaced. SIGTERM, SIGINT and SIGHUP are passed on to all.
    """

    def __init__(self, settings: Settings, create_app: CreateApp) -> None:
        self._settings = settings
        threads = max(1, settings.threads // settings.processes)
        self._child_settings = settings.model_copy(update={"threads": threads})
        self._create_app = create_app
        self._children: list[_Child] = []
        self._stopping = False
        self._exit_code = 0

    def run(self) -> int:
        """Run until a signal ends them all; the exit code of a first process that never got ready, otherwise 0."""
        logs.configure(self._settings.log_level, self._settings.log_format, sys.stderr)
        logs.log_uncaught_exceptions()
        try:
            sockets, metrics = _bind(self._settings), _shared_metrics()
        except SettingsError as error:
            logs.event(logging.CRITICAL, f"cannot start: {error}")
            return 1
        with metrics:
            for number in _BLOCKED_SIGNALS:
                signal.signal(number, self._pass_on)
            for _ in range(self._settings.processes):
                self._start(sockets, is_first=True)
            announced = False
            while self._children:
                self._wait()
                if not announced and any(child.is_ready for child in self._children):
                    announced = True
                    announce(sockets)
                for child in [child for child in self._children if not child.process.is_alive()]:
                    self._replace(child, sockets)
        return self._exit_code

    def _wait(self) -> None:
        """Return when a process serves that did not before, or has ended."""
        starting = [child for child in self._children if not child.is_ready]
        wait([*(child.process.sentinel for child in self._children), *(child.ready for child in starting)])
        for child in starting:
            child.is_ready = child.ready.poll() and _has_message(child.ready)

    def _start(self, sockets: Sequence[socket.socket], is_first: bool) -> None:
        # Spawned, not forked: the threads of onnxruntime and tokenizers do not survive a fork.
        context = multiprocessing.get_context("spawn")
        ready, announce_ready = context.Pipe(duplex=False)
        process = context.Process(
            target=_run_child, args=(self._child_settings, self._create_app, list(sockets), announce_ready)
        )
        with _signals_blocked():
            process.start()
            self._children.append(_Child(process, ready, is_first))
        announce_ready.close()
        if self._stopping:
            process.terminate()

    def _replace(self, child: _Child, sockets: Sequence[socket.socket]) -> None:
        self._children.remove(child)
        code = child.process.exitcode or 0
        child.ready.close()
        mark_process_dead(child.process.pid, os.environ[_METRICS_DIR])  # type: ignore[no-untyped-call]
        if self._stopping:
            return
        if code > 0 and child.is_first and not child.is_ready:
            # The artefact or a setting is unusable, so the other processes would fail as well.
            self._exit_code = code
            self._pass_on(signal.SIGTERM, None)
            return
        logs.event(logging.ERROR, "process replaced", pid=child.process.pid, exit_code=code)
        time.sleep(_PAUSE_S)
        if not self._stopping:
            self._start(sockets, is_first=False)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self._stopping = self._stopping or number != signal.SIGHUP
        for child in self._children:
            # A process may have ended just now.
            with contextlib.suppress(ProcessLookupError):
                if child.process.pid:
                    os.kill(child.process.pid, number)


def _run_child(
    settings: Settings, create_app: CreateApp, sockets: Sequence[socket.socket], announce_ready: Connection
) -> None:
    # A group of its own: a Ctrl-C at the terminal reaches the parent alone, which passes it on once.
    os.setpgid(0, 0)
    logs.configure(settings.log_level, settings.log_format, sys.stderr)
    logs.log_uncaught_exceptions()
    share_one_heap()
    try:
        _serve_child(settings, create_app, sockets, announce_ready)
    except (ModelStoreError, SettingsError) as error:
        logs.event(logging.CRITICAL, f"cannot start: {error}")
        sys.exit(1)
    except Exception as error:
        # multiprocessing does not call sys.excepthook: it prints a traceback, whose message may quote a text.
        logs.failure("uncaught exception", error)
        sys.exit(1)


def _serve_child(
    settings: Settings, create_app: CreateApp, sockets: Sequence[socket.socket], announce_ready: Connection
) -> None:
    app = create_app(settings)
    _tune_interpreter()
    serve(app, settings, sockets, lambda: announce_ready.send(True))


def _bind(settings: Settings) -> list[socket.socket]:
    try:
        return bind(settings.host, settings.port, settings.write_timeout_s)
    except OSError as error:
        address = f"PAPERS_HOST={settings.host}, PAPERS_PORT={settings.port}"
        raise SettingsError(f"cannot listen on {address}: {error.strerror or error}") from None


def _tune_interpreter() -> None:
    """Favour workers over the event loop, return memory that only loading needed, and speed up garbage collection.

    Objects that exist already are excluded from it.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()
    return_freed_memory()
    gc.set_threshold(_COLLECT_AFTER, *gc.get_threshold()[1:])


def _has_message(connection: Connection) -> bool:
    # The end of the pipe makes it readable, too.
    try:
        return bool(connection.recv())
    except EOFError:
        return False


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """A process that is started within the block inherits blocked signals; they wait until it can handle them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _BLOCKED_SIGNALS)


def _shared_metrics() -> contextlib.AbstractContextManager[object]:
    """A folder for the metrics of all processes, unless there is one; they find it in their environment."""
    if _METRICS_DIR in os.environ:
        return contextlib.nullcontext()
    try:
        folder = tempfile.TemporaryDirectory(prefix="papers-metrics-")
    except OSError as error:
        reason = error.strerror or error
        raise SettingsError(
            f"several processes share a temporary folder; set TMPDIR to a writable one: {reason}"
        ) from None
    os.environ[_METRICS_DIR] = folder.name
    return folder
