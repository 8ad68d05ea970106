"""The image: built from a closed checkout, healthy under every user, reloaded, stopped, and served by replicas."""

import hashlib
import time
from pathlib import Path

import httpx
import pytest

from tests import builders
from tests.image.conftest import free_port
from tests.image.engine import Compose, call, container, inspect, wait_until_healthy

pytestmark = pytest.mark.image

PAPER = {"title": "Quantum error correction", "abstract": "We study surface codes of superconducting qubits."}


def test_compose_starts_a_service_that_classifies(composed: tuple[Compose, str]) -> None:
    compose, url = composed
    wait_until_healthy(compose.container("papers"))
    answer = httpx.post(f"{url}/classify", json=PAPER, timeout=30)
    assert answer.status_code == 200
    assert "Physics" in answer.json()["labels"]


def test_the_service_is_no_root_and_can_write_nowhere_but_tmp(composed: tuple[Compose, str]) -> None:
    compose, _ = composed
    name = compose.container("papers")
    assert call("docker", "exec", name, "id", "-u") == "10001"
    assert call("docker", "exec", name, "sh", "-c", "touch /srv/x /opt/venv/x 2>/dev/null || echo refused") == "refused"
    assert call("docker", "exec", name, "sh", "-c", "touch /tmp/x && echo written") == "written"


def test_no_trace_of_torch_pip_or_a_cache_is_in_the_environment_of_the_service(composed: tuple[Compose, str]) -> None:
    compose, _ = composed
    packages = call(
        "docker", "exec", compose.container("papers"), "sh", "-c", "ls /opt/venv/lib/python3*/site-packages"
    )
    assert {"fastapi", "onnxruntime"} <= set(packages.split())
    assert not {"torch", "transformers", "pip"} & set(packages.split())


def test_a_stopped_service_drains_and_exits_with_0(composed: tuple[Compose, str]) -> None:
    compose, _ = composed
    name = compose.container("papers")
    wait_until_healthy(name)
    compose("stop", "papers")
    assert inspect(name)["State"]["ExitCode"] == 0


def test_a_version_published_on_the_host_is_loaded_by_a_signal(image: str, checkout: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    builders.publish(store, "1.0.0")
    open_to_all(store)
    files = [checkout / "docker-compose.yml", checkout / "deploy/compose.artefacts.yml"]
    port = free_port()
    compose = Compose("papers-store", files, PORT=port, ARTEFACTS=str(store), MODEL="tiny-subjects")
    try:
        compose("up", "--detach", "--no-build", "papers")
        wait_until_healthy(compose.container("papers"))
        builders.publish(store, "1.1.0")
        open_to_all(store)
        compose("kill", "-s", "HUP", "papers")
        wait_for_version(f"http://127.0.0.1:{port}", "1.1.0")
    finally:
        compose("down", "--timeout=1")


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("--user=1000650000:0",), id="a user of the platform's choice"),
        pytest.param(
            ("--env=HTTP_PROXY=http://192.0.2.1:3128", "--env=http_proxy=http://192.0.2.1:3128"), id="a proxy"
        ),
        pytest.param(("--env=PAPERS_HOST=127.0.0.1", "--env=PAPERS_PORT=9000"), id="another address"),
        pytest.param(("--env=PAPERS_HOST=::",), id="IPv6 and IPv4"),
        pytest.param(("--env=PAPERS_ALLOWED_HOSTS=papers.example",), id="names of hosts"),
        pytest.param(("--env=PAPERS_PROCESSES=2",), id="two processes"),
    ],
)
def test_the_image_becomes_healthy_with(image: str, options: tuple[str, ...]) -> None:
    restrictions = ("--read-only", "--tmpfs=/tmp:size=16m,noexec", "--cap-drop=ALL", "--security-opt=no-new-privileges")
    with container(*restrictions, *options, image) as name:
        wait_until_healthy(name)
        assert call("docker", "exec", name, "python", "healthcheck.py") == ""


def test_the_health_check_needs_no_key(image: str, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"reader:{hashlib.sha256(b'a key').hexdigest()}\n")
    open_to_all(tmp_path)
    closed = ("--env=PAPERS_API_KEY_FILE=/run/keys/keys", "--env=PAPERS_OPEN_HEALTH=false")
    with container(f"--volume={tmp_path}:/run/keys:ro", *closed, image) as name:
        wait_until_healthy(name)


def open_to_all(folder: Path) -> None:
    """Let the user of the container read what the tests wrote under any umask."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def wait_for_version(url: str, version: str) -> None:
    until = time.monotonic() + 60
    while (served := httpx.post(f"{url}/classify", json=PAPER, timeout=30).json()["model"]["version"]) != version:
        assert time.monotonic() < until, f"{served} is still served"
        time.sleep(0.2)
