"""A peer's server as a process: started, measured from outside, ended."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.peers.environment import ROOT, environ
from benchmarks.peers.peer import Peer
from model_store.papers import Paper

_STOP_LIMIT_S = 5
_SAMPLING_INTERVAL_S = 1.0


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    peer: Peer
    url: str
    pid: int
    first_answer_s: float
    """From the start of the process to the first complete answer to a paper."""

    def resident_megabytes(self) -> float:
        """Memory of the process and all its descendants; shared pages count in proportion."""
        return sum(map(_proportional, family(self.pid))) / 1e3


@contextlib.contextmanager
def running(
    peer: Peer, place: Path, folder: Path, paper: Paper, log: Path, start_limit_s: float, limit_s: float
) -> Iterator[Running]:
    """Start the peer, wait for its first answer, and end it with the block.

    Raises RuntimeError if it gives no answer within `start_limit_s`. After `limit_s` it is killed, so that requests
    of the block fail.
    """
    port = _free_port()
    server = peer.server(folder, port)
    start = time.monotonic()
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(place / "bin" / server.command[0]), *server.command[1:]],
            cwd=ROOT,
            env=environ(place, dict(server.environ)),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    overdue = threading.Timer(limit_s, lambda: _kill(family(process.pid)))
    overdue.start()
    try:
        url = f"http://127.0.0.1:{port}{peer.path}"
        _wait_for_answer(peer, url, paper, process, start_limit_s)
        yield Running(peer, url, process.pid, time.monotonic() - start)
    finally:
        overdue.cancel()
        descendants = family(process.pid)
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_LIMIT_S)
        _kill(descendants)
        process.wait()


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def family(pid: int) -> list[int]:
    """The process and its descendants."""
    children: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # the thread has just ended
            children += map(int, path.read_text().split())
    return [pid, *(one for child in children for one in family(child))]


@contextlib.contextmanager
def peak_memory(server: Running) -> Iterator[list[float]]:
    """Resident megabytes of the server, noted once a second while the block runs, and at its end."""
    samples: list[float] = []
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(_SAMPLING_INTERVAL_S):
            samples.append(server.resident_megabytes())

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()
        samples.append(server.resident_megabytes())


def _wait_for_answer(
    peer: Peer, url: str, paper: Paper, process: subprocess.Popen[bytes], start_limit_s: float
) -> None:
    until = time.monotonic() + start_limit_s
    body = peer.request(paper)
    # Loading certificates would take longer than some answers.
    with httpx.Client(verify=False, trust_env=False, timeout=start_limit_s) as client:  # noqa: S501  # plain HTTP
        reason = "nothing was listening"
        while time.monotonic() < until:
            if process.poll() is not None:
                raise RuntimeError(f"ended with status {process.returncode} while it started")
            with contextlib.suppress(httpx.HTTPError):
                answer = client.post(url, content=body, headers={"Content-Type": "application/json"})
                if answer.status_code == 200:
                    return
                reason = f"the last answer had status {answer.status_code}"
            time.sleep(0.02)
    raise RuntimeError(f"no answer to a paper within {start_limit_s:g} s: {reason}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _proportional(pid: int) -> int:
    """Kilobytes; 0 for a process that has just ended."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return 0
