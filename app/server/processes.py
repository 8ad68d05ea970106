"""The service in one process, or in several on one port. Knows processes and signals, no requests."""

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
from collections.abc import Iterator
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType

from prometheus_client.multiprocess import mark_process_dead

from app.main import create_app
from app.observability import logs
from app.server.server import bound, serve
from app.settings import Settings, SettingsError
from model_store.errors import ModelStoreError
from model_store.memory import share_one_heap

_METRICS = "PROMETHEUS_MULTIPROC_DIR"
# Between the end of a process and its replacement: one that cannot start must not keep a processor busy.
_PAUSE_S = 1.0
# How long a thread may keep the interpreter while another asks for it. A worker comes back from the network some
# hundred times a second; Python's 5 ms is longer than a short paper takes, and beside a busy event loop it would pay
# them each time: at four times the capacity that costs a third of the papers.
_SWITCH_S = 0.0005

# New objects before the cycle collector looks. Python's 700 make it look through all that wait, which are no garbage,
# a hundred times a second when the house is full, while the workers wait for the interpreter.
_COLLECT_AFTER = 20_000


def run(settings: Settings, sockets: list[socket.socket] | None = None) -> int:
    """Answer requests in this process until a signal ends it; 1 for an unusable artefact, 0 after a drained exit."""
    logs.configure(settings.log_level, settings.log_format, sys.stderr)
    sys.setswitchinterval(_SWITCH_S)
    share_one_heap()
    try:
        app = create_app(settings)
    except (ModelStoreError, SettingsError) as error:
        logs.event(logging.CRITICAL, f"cannot start: {error}")
        return 1
    _spare_the_collector()
    serve(app, settings, sockets)
    return 0


def _spare_the_collector() -> None:
    """Let the cycle collector look at what requests leave behind and not at the service itself, and seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, *gc.get_threshold()[1:])


class Processes:
    """As many processes as the settings say, one port and one set of metrics; the threads are divided among them.

    A process that dies is replaced. SIGTERM, SIGINT and SIGHUP are passed on to all.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        threads = max(1, settings.threads // settings.processes)
        self._share = settings.model_copy(update={"threads": threads})
        self._running: list[SpawnProcess] = []
        self._leaving = False
        self._code = 0

    def run(self) -> int:
        """Run until a signal ends them all; the exit code of a first process that could not start, otherwise 0."""
        logs.configure(self._settings.log_level, self._settings.log_format, sys.stderr)
        with bound(self._settings) as port, _shared_metrics():
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, self._pass_on)
            for _ in range(self._settings.processes):
                self._start(port)
            first = set(self._running)
            while self._running:
                wait([process.sentinel for process in self._running])
                for process in [process for process in self._running if not process.is_alive()]:
                    self._bury(process, port, first)
        return self._code

    def _start(self, port: socket.socket) -> None:
        # Spawned, not forked: onnxruntime's and tokenizers' threads do not survive a fork.
        process = multiprocessing.get_context("spawn").Process(target=_run, args=(self._share, port))
        process.start()
        self._running.append(process)
        if self._leaving:
            process.terminate()

    def _bury(self, process: SpawnProcess, port: socket.socket, first: set[SpawnProcess]) -> None:
        self._running.remove(process)
        mark_process_dead(process.pid, os.environ[_METRICS])  # type: ignore[no-untyped-call]
        if self._leaving:
            return
        code = process.exitcode or 0
        if code > 0 and process in first:
            # What the settings name is unusable: the others will not fare better.
            self._code = code
            self._pass_on(signal.SIGTERM, None)
            return
        logs.event(logging.ERROR, "process replaced", pid=process.pid, exit_code=code)
        time.sleep(_PAUSE_S)
        self._start(port)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self._leaving = self._leaving or number != signal.SIGHUP
        for process in self._running:
            # One that has just ended is not missed.
            with contextlib.suppress(ProcessLookupError):
                if process.pid:
                    os.kill(process.pid, number)


def _run(settings: Settings, port: socket.socket) -> None:
    sys.exit(run(settings, [port]))


@contextlib.contextmanager
def _shared_metrics() -> Iterator[None]:
    """A folder for the numbers of all processes, unless there is one; they find it in their environment."""
    if _METRICS in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="papers-metrics-") as folder:
        os.environ[_METRICS] = folder
        yield
