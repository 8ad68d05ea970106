"""The command lines of Docker and Docker Compose, as the tests call them."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BUILD_TIMEOUT_S = 420
HEALTHY_TIMEOUT_S = 120


def call(
    *command: str | Path, timeout: float = 60, variables: Mapping[str, str] | None = None, check: bool = True
) -> str:
    """Run a command and return its standard output; standard error is shown if it fails."""
    environ = os.environ | dict(variables or {})
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environ, check=False)
    assert done.returncode == 0 or not check, f"{command}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout.strip()


def build(context: Path, tag: str, **arguments: str) -> None:
    """Build an image with the host's network, which a registry behind a proxy may need."""
    options = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    call("docker", "build", "--network=host", *options, f"--tag={tag}", context, timeout=BUILD_TIMEOUT_S)


@contextmanager
def container(*options: str) -> Iterator[str]:
    """Run a container, and remove it afterwards."""
    name = call("docker", "run", "--detach", *options)
    try:
        yield name
    finally:
        call("docker", "rm", "--force", name)


def inspect(container: str) -> dict[str, Any]:
    described: list[dict[str, Any]] = json.loads(call("docker", "inspect", container))
    return described[0]


def wait_until_healthy(container: str) -> None:
    """Wait for the health check of the image; a container that ends or stays unhealthy fails the test."""
    until = time.monotonic() + HEALTHY_TIMEOUT_S
    while (state := inspect(container)["State"])["Health"]["Status"] != "healthy":
        log = call("docker", "logs", "--tail=20", container, check=False)
        assert state["Running"], f"{container} ended with {state['ExitCode']}: {log}"
        assert time.monotonic() < until, f"{container} is {state['Health']}: {log}"
        time.sleep(0.5)


class Compose:
    """One project of Docker Compose over the files of this repository."""

    def __init__(self, name: str, files: Iterable[Path], **variables: str) -> None:
        plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
        self._command = ["docker", "compose"] if plugin else [_stand_alone()]
        self._files = [f"--file={path}" for path in files]
        self._name = name
        self._variables = variables

    def __call__(self, *command: str, timeout: float = 120) -> str:
        options = [*self._files, f"--project-name={self._name}"]
        return call(*self._command, *options, *command, timeout=timeout, variables=self._variables)

    def containers(self, service: str) -> list[str]:
        return self("ps", "--quiet", service).split()

    def container(self, service: str) -> str:
        (found,) = self.containers(service)
        return found


def _stand_alone() -> str:
    command = shutil.which("docker-compose")
    assert command, "neither the Compose plugin nor docker-compose is installed: make engine"
    return command
