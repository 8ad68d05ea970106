"""Several services behind a real HAProxy with the shipped settings: none of them is missed when it goes."""

import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from app.api.overload import _MAX_DELAYED
from app.settings import Settings
from client import Client, Retries
from tests import builders
from tests.app.running import Running, running
from tests.deploy.balancer import (
    CONFIGURATION,
    LOG,
    balancer,
    free_ports,
    wait_until_down,
    wait_until_listening,
    wait_until_ready,
)
from tests.deploy.test_image_files import compose, settings_of

DRAIN_NOTICE_S = compose()["replica"]["environment"]["PAPERS_DRAIN_NOTICE_S"]
PAPER = {"title": "A quantum algorithm", "abstract": "We star the particle. " * 60}
# Larger than HAProxy's default buffer: it can be repeated only with the buffer of our settings.
REQUESTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/classify", PAPER),
    ("/classify/batch", {"papers": [PAPER] * 40}),
)


def seconds(option: str) -> float:
    """The value of an option of the shipped settings that is given in seconds."""
    found = re.search(rf"{option} (\d+)s", CONFIGURATION.read_text())
    assert found, f"{option} is not set"
    return float(found.group(1))


class Load:
    """Callers that ask one after another until they are told to stop, and what they were answered."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._done = threading.Event()
        self.answers: list[tuple[int, str | None]] = []

    def ask_until_done(self) -> None:
        with httpx.Client(base_url=self._url, timeout=30, trust_env=False) as client:
            while not self._done.is_set():
                for path, document in REQUESTS:
                    answer = client.post(path, json=document)
                    self.answers.append((answer.status_code, answer.headers.get("X-Model-Version")))

    @contextmanager
    def running(self, callers: int) -> Iterator[None]:
        with ThreadPoolExecutor(callers) as pool:
            calls = [pool.submit(self.ask_until_done) for _ in range(callers)]
            try:
                yield
            finally:
                self._done.set()
        for call in calls:
            call.result()

    def wait_for(self, count: int, version: str | None = None) -> None:
        """Wait until so many more requests were answered, by this version if one is named."""
        until, start = time.monotonic() + 60, len(self.answers)
        while len([1 for _, served in self.answers[start:] if version in (None, served)]) < count:
            assert time.monotonic() < until, f"no {count} answers within a minute: {Counter(self.answers)}"
            time.sleep(0.05)


def test_no_request_fails_when_services_are_killed_drained_and_upgraded(tmp_path: Path) -> None:
    old = builders.publish(tmp_path / "old", "1.0.0").root
    new = builders.publish(tmp_path / "new", "2.0.0").root
    port, *ports = free_ports(4)

    with ExitStack() as stack:

        def start(number: int, store: Path) -> Running:
            folder = tmp_path / f"{store.name}-{number}"
            folder.mkdir()
            settings = {"port": ports[number], "artefacts": store, "threads": 1, "drain_notice_s": DRAIN_NOTICE_S}
            return stack.enter_context(running(folder, **settings))

        killed, drained, reloaded = (start(number, old) for number in range(3))
        load = Load(stack.enter_context(balancer(tmp_path, port, ports)))
        wait_until_ready(f"http://127.0.0.1:{port}")
        with load.running(callers=4):
            load.wait_for(20)
            killed.process.kill()
            wait_until_down(tmp_path / LOG, killed.port)
            load.wait_for(20)
            drained.signal(signal.SIGTERM)
            assert drained.process.wait(60) == 0
            start(1, new)
            load.wait_for(5, version="2.0.0")
            builders.publish(old, "1.1.0")
            reloaded.signal(signal.SIGHUP)
            load.wait_for(5, version="1.1.0")

    assert {status for status, _ in load.answers} == {200}, (tmp_path / LOG).read_text()
    assert {version for _, version in load.answers} == {"1.0.0", "1.1.0", "2.0.0"}


def test_overload_reaches_the_client_as_429_and_the_client_waits(tmp_path: Path) -> None:
    store = builders.publish(tmp_path / "artefacts").root
    port, *ports = free_ports(3)
    statuses: list[int] = []
    with ExitStack() as stack:
        for replica in ports:
            folder = tmp_path / str(replica)
            folder.mkdir()
            settings: dict[str, Any] = {"port": replica, "artefacts": store, "max_queue": 2, "max_papers": 2}
            stack.enter_context(running(folder, "tests.app.slow_service", "0.1", threads=1, **settings))
        url = stack.enter_context(balancer(tmp_path, port, ports))
        wait_until_ready(url)

        def classify(_: int) -> list[str]:
            transport = httpx.HTTPTransport()
            with Client(url, transport=Recorded(transport, statuses), retries=Retries(tries=40)) as client:
                return client.classify("quantum star").labels

        with ThreadPoolExecutor(24) as pool:
            assert list(pool.map(classify, range(24))) == [["Physics"]] * 24
    assert set(statuses) == {200, 429}


class Recorded(httpx.BaseTransport):
    """A transport that records the status of every response."""

    def __init__(self, transport: httpx.BaseTransport, statuses: list[int]) -> None:
        self._transport = transport
        self._statuses = statuses

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._transport.handle_request(request)
        self._statuses.append(response.status_code)
        return response

    def close(self) -> None:
        self._transport.close()


def test_metrics_and_reloads_are_not_reached_through_the_balancer(tmp_path: Path) -> None:
    port, replica = free_ports(2)
    with balancer(tmp_path, port, [replica]) as url:
        wait_until_listening(port)
        assert httpx.get(f"{url}/metrics", trust_env=False).status_code == 404
        assert httpx.post(f"{url}/admin/reload", trust_env=False).status_code == 404


def test_the_balancer_waits_longer_than_the_service() -> None:
    assert seconds("timeout server") > Settings().request_timeout_s
    assert seconds("timeout http-keep-alive") < Settings().keep_alive_timeout_s


def test_a_draining_service_is_noticed_before_its_port_closes() -> None:
    checks = re.search(r"check inter (\d+)s .* fall (\d+) ", CONFIGURATION.read_text())
    assert checks
    assert settings_of(compose()["replica"]).drain_notice_s > int(checks.group(1)) * int(checks.group(2))


def test_the_balancer_has_connections_and_memory_for_all_that_three_instances_can_hold() -> None:
    text = CONFIGURATION.read_text()
    connections, buffer_bytes = (
        int(found.group(1)) for found in (re.search(r"maxconn (\d+)", text), re.search(r"bufsize (\d+)", text)) if found
    )
    assert connections >= 3 * (Settings().max_queue + _MAX_DELAYED)
    memory_bytes = int(compose()["balancer"]["mem_limit"].removesuffix("m")) * 2**20
    haproxy_bytes = 100 * 2**20
    assert memory_bytes > connections * 2 * buffer_bytes + haproxy_bytes
