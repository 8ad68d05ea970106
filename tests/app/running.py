"""The service as its users run it: `python -m app` in a process of its own, on a free port."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

_URL = re.compile(r"running on (http://[\d.:\[\]]+)")
ROOT = Path(__file__).parents[2]


class Running:
    """A started service; its log lines are JSON."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log
        self.url = self._await_url()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]

    def lines_of(self, request_id: str) -> list[dict[str, Any]]:
        """The log lines of a request; they are written when its answer is out, so the first may take a moment."""
        until = time.monotonic() + 10
        while not (found := [line for line in self.log() if line.get("request_id") == request_id]):
            assert time.monotonic() < until, f"nothing was logged of {request_id}"
            time.sleep(0.02)
        return found

    def messages(self) -> list[str]:
        return [line["message"] for line in self.log()]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, trust_env=False, timeout=30, **options)

    def _await_url(self) -> str:
        # On a busy machine, imports alone may take half a minute; a process that ended is noticed at once.
        until = time.monotonic() + 120
        while time.monotonic() < until and self.process.poll() is None:
            if found := _URL.search(self._log.read_text()):
                return found.group(1)
            time.sleep(0.05)
        raise AssertionError(f"the service did not start: {self._log.read_text()}")


def environment(variables: Mapping[str, str] | None = None, **settings: object) -> dict[str, str]:
    """The environment of this process with these variables and, of the service's settings, only these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PAPERS_")}
    given = {f"PAPERS_{name.upper()}": str(value) for name, value in settings.items()}
    return kept | {"PAPERS_PORT": "0", "PAPERS_LOG_FORMAT": "json"} | given | dict(variables or {})


def spawn(
    log: Path, *command: str, variables: Mapping[str, str] | None = None, **settings: object
) -> subprocess.Popen[bytes]:
    """Start the service, or the module that the command names, with its standard error in `log`."""
    module = ["-m", *(command or ["app"])]
    with log.open("wb") as stream:
        return subprocess.Popen(
            [sys.executable, *module], cwd=ROOT, env=environment(variables, **settings), stderr=stream
        )


@contextmanager
def running(
    folder: Path, *command: str, variables: Mapping[str, str] | None = None, **settings: object
) -> Iterator[Running]:
    """A service that accepts connections; it is killed at the end of the block."""
    log = folder / "service.log"
    process = spawn(log, *command, variables=variables, **settings)
    try:
        yield Running(process, log)
    finally:
        process.kill()
        process.wait(10)
