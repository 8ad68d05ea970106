"""HAProxy with the shipped settings before services on this machine."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.app.running import ROOT

CONFIGURATION = ROOT / "deploy/balancer/haproxy.cfg"
LOG = "haproxy.log"


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


@contextmanager
def balancer(folder: Path, port: int, replicas: Sequence[int]) -> Iterator[str]:
    """HAProxy with the shipped settings and these replicas; skipped where it is not installed."""
    haproxy = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if haproxy is None:
        pytest.skip("needs HAProxy, which is not installed: make engine")
    backend = folder / "replicas.cfg"
    servers = [f"    server port-{replica} 127.0.0.1:{replica}" for replica in replicas]
    backend.write_text("\n".join(["backend replicas", *servers, ""]))
    with (folder / LOG).open("wb") as log:
        process = subprocess.Popen(
            [haproxy, "-db", "-f", CONFIGURATION, "-f", backend],
            env={"BALANCER_BIND": f"127.0.0.1:{port}"}, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def wait_until_listening(port: int) -> None:
    until = time.monotonic() + 10
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < until
        time.sleep(0.05)


def wait_until_down(log: Path, port: int) -> None:
    until = time.monotonic() + 30
    while f"replicas/port-{port} is DOWN" not in log.read_text():
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.05)


def wait_until_ready(url: str) -> None:
    wait_until_listening(int(url.rpartition(":")[2]))
    until = time.monotonic() + 30
    while httpx.get(f"{url}/readyz", trust_env=False).status_code != 200:
        assert time.monotonic() < until
        time.sleep(0.1)
