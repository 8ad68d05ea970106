"""Proxies named by the environment: unusable ones are one sentence, and this machine is reached without them."""

import os
import subprocess
import sys

import pytest

from client import Client
from tests.app.running import ROOT

MAKE_CLIENT = "import sys; from client import Client; Client(sys.argv[1])"
OUTSIDE = "http://papers.example"
UNUSABLE = {"ALL_PROXY": "socks5h://127.0.0.1:1080"}


def make_client(url: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()} | variables
    command = [sys.executable, "-c", MAKE_CLIENT, url]
    return subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    "variables",
    [
        {"NO_PROXY": "localhost,fd07:b51a:cc66:f0::/64"},
        {"NO_PROXY": "[::1]"},
        UNUSABLE,
        {"HTTP_PROXY": "ftp://127.0.0.1:1080"},
    ],
)
@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"])
def test_this_machine_is_reached_without_a_proxy(url: str, variables: dict[str, str]) -> None:
    assert make_client(url, variables).returncode == 0


@pytest.mark.parametrize(
    "variables", [UNUSABLE, {"NO_PROXY": "fd07:b51a:cc66:f0::/64"}, {"HTTP_PROXY": "ftp://127.0.0.1:1080"}]
)
def test_an_unusable_proxy_is_one_sentence_that_names_the_variable(variables: dict[str, str]) -> None:
    done = make_client(OUTSIDE, variables)
    (name,) = variables
    assert f"ValueError: httpx cannot use the proxy settings in {name}: " in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("url", ["ftp://papers.example", "papers.example", "http://"])
def test_an_invalid_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="the service's URL is"):
        Client(url)
