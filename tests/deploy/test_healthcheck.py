"""The image's health check, run as Docker runs it, against a service of one sentence."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.app.running import ROOT, environment


class Service(BaseHTTPRequestHandler):
    """Answers /readyz with the status that the server carries, everything else with 404."""

    server: "Server"

    def do_GET(self) -> None:
        self.send_response(self.server.status if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """A service whose readiness is set by the test."""

    status = 200


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def check(server: Server, host: str = "127.0.0.1", variables: dict[str, str] | None = None) -> int:
    given = environment(variables, host=host, port=server.server_port)
    return subprocess.run(
        [sys.executable, ROOT / "deploy/healthcheck.py"], env=given, check=False, timeout=30
    ).returncode


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::", "localhost"])  # noqa: S104
def test_a_ready_service_is_healthy_whatever_address_it_is_bound_to(server: Server, host: str) -> None:
    assert check(server, host) == 0


@pytest.mark.parametrize("status", [401, 404, 500, 503])
def test_every_other_answer_is_unhealthy(server: Server, status: int) -> None:
    server.status = status
    assert check(server) == 1


def test_a_service_that_does_not_listen_is_unhealthy(server: Server) -> None:
    server.server_close()
    assert check(server) == 1


def test_the_health_check_uses_no_proxy(server: Server) -> None:
    proxy = "http://192.0.2.1:9"
    assert check(server, variables={"HTTP_PROXY": proxy, "http_proxy": proxy}) == 0
