"""The image, built once on the base that deploy/test_image.sh found, from a checkout that only its owner may read."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.running import ROOT
from tests.image.engine import Compose, build

IMAGE = "paper-subjects:0.1.0"
BALANCER = "paper-subjects-balancer:0.1.0"


@pytest.fixture(scope="session")
def base() -> str:
    name = os.environ.get("PAPER_SUBJECTS_BASE")
    if name is None:
        pytest.skip("needs a Docker engine and a base image: make test-image")
    return name


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of this checkout as `umask 077` leaves them: closed to everybody but their owner."""
    copy = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copyfile(ROOT / name, target)
        target.chmod(0o600)
    for folder in filter(Path.is_dir, copy.rglob("*")):
        folder.chmod(0o700)
    return copy


@pytest.fixture(scope="session")
def image(checkout: Path, base: str) -> str:
    build(checkout, IMAGE, PYTHON=base)
    return IMAGE


@pytest.fixture(scope="session")
def balancer(checkout: Path, base: str) -> str:
    # The base made of Debian's packages serves here too; a registry's Python image is made of Debian as well.
    build(checkout / "deploy/balancer", BALANCER, BASE=base)
    return BALANCER


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture(scope="module")
def composed(image: str, checkout: Path) -> Iterator[tuple[Compose, str]]:
    """The service as `docker compose up` starts it, and its address."""
    port = free_port()
    compose = Compose("papers-one", [checkout / "docker-compose.yml"], PORT=port)
    try:
        compose("up", "--detach", "--no-build", "papers")
        yield compose, f"http://127.0.0.1:{port}"
    finally:
        compose("down", "--volumes", "--timeout=1")
