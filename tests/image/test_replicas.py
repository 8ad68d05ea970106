"""The Compose profile `replicas`: HAProxy before several instances of the image."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.image.conftest import free_port
from tests.image.engine import Compose, call, wait_until_healthy
from tests.image.test_image import PAPER

pytestmark = pytest.mark.image


@pytest.fixture(scope="module")
def replicas(image: str, balancer: str, checkout: Path) -> Iterator[tuple[Compose, str]]:
    port = free_port()
    compose = Compose("papers-many", [checkout / "docker-compose.yml"], BALANCER_PORT=port)
    try:
        compose("--profile=replicas", "up", "--detach", "--no-build", "--scale=replica=2", "balancer")
        for container in compose.containers("replica") + compose.containers("balancer"):
            wait_until_healthy(container)
        yield compose, f"http://127.0.0.1:{port}"
    finally:
        compose("--profile=replicas", "down", "--timeout=1")


def test_metrics_and_reloads_are_not_reached_through_the_balancer(replicas: tuple[Compose, str]) -> None:
    _, url = replicas
    assert httpx.get(f"{url}/metrics", timeout=30).status_code == 404
    assert httpx.post(f"{url}/admin/reload", timeout=30).status_code == 404


def test_no_request_fails_when_a_replica_is_stopped_or_killed(replicas: tuple[Compose, str]) -> None:
    compose, url = replicas
    first, second = compose.containers("replica")
    wait_until_both_answer(url)
    done = threading.Event()

    def ask_until_done() -> list[int]:
        with httpx.Client(timeout=30) as client:
            return [client.post(f"{url}/classify", json=PAPER).status_code for _ in iter(done.is_set, True)]

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask_until_done) for _ in range(4)]
        call("docker", "stop", "--time=30", first)
        call("docker", "start", first)
        wait_until_healthy(first)
        wait_until_both_answer(url)
        call("docker", "kill", second)
        time.sleep(2)
        done.set()
        statuses = [status for replies in asking for status in replies.result()]
    assert set(statuses) == {200}, compose("logs", "balancer")
    assert len(statuses) > 20


def wait_until_both_answer(url: str) -> None:
    """Wait until the balancer sends requests to two instances."""
    until = time.monotonic() + 60
    ids: set[str] = set()
    while len(ids) < 2:
        ids.add(httpx.get(f"{url}/livez", timeout=30).headers["X-Served-By"])
        assert time.monotonic() < until, f"only {ids} answers"
        time.sleep(0.1)
