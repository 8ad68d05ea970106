"""A peer's server as a process: started, measured from outside, ended."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.peers.environment import ROOT, environ
from benchmarks.peers.peer import Peer
from model_store.papers import Paper

_START_LIMIT_S = 180
_STOP_LIMIT_S = 20


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
        return sum(map(_proportional, _family(self.pid))) / 1e3


@contextlib.contextmanager
def running(peer: Peer, place: Path, folder: Path, paper: Paper, log: Path) -> Iterator[Running]:
    """Start the peer, wait for its first answer, and end it with the block; RuntimeError if it never answers."""
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
    try:
        url = f"http://127.0.0.1:{port}{peer.path}"
        _wait_for_answer(peer, url, paper, process, log)
        yield Running(peer, url, process.pid, time.monotonic() - start)
    finally:
        _end(process)


def _wait_for_answer(peer: Peer, url: str, paper: Paper, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _START_LIMIT_S
    headers = {"Content-Type": "application/json"}
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"{peer.name} ended with status {process.returncode}; its output is in {log}")
        with contextlib.suppress(httpx.HTTPError):
            if httpx.post(url, content=peer.request(paper), headers=headers, timeout=60).status_code == 200:
                return
        time.sleep(0.02)
    raise RuntimeError(f"{peer.name} gave no answer in {_START_LIMIT_S} s; its output is in {log}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to end, then kill whatever is left of its session."""
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_LIMIT_S)
    # The session's id is the first process's; only descendants of this server are in it.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _family(pid: int) -> list[int]:
    children = [
        int(child) for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()
    ]
    return [pid, *(one for child in children for one in _family(child))]


def _proportional(pid: int) -> int:
    """Kilobytes; 0 for a process that has just ended."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return 0
