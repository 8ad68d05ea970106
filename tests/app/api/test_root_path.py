"""Below the path prefix of a proxy, whether the proxy removes the prefix or not."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin

import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from model_store.store import Store

PREFIX = "/tools/papers"


@pytest.fixture
def client(store: Store) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(artefacts=store.root, root_path=PREFIX))) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/card", "/docs", "/problems/not_found"])
def test_every_reference_of_a_page_stays_below_the_prefix(client: TestClient, path: str) -> None:
    page = client.get(PREFIX + path, headers={"accept": "text/html"})
    references = re.findall(r'(?:src|href)="([^"#]+)"', page.text)
    assert references
    for reference in references:
        target = urljoin(PREFIX + path, reference)
        assert target.startswith(f"{PREFIX}/")
        assert client.get(target).status_code == 200, target


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_prefix_without_a_slash_leads_to_the_page(client: TestClient, method: str) -> None:
    answer = client.request(method, PREFIX, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, f"{PREFIX}/")
    assert client.get(PREFIX).text == client.get(f"{PREFIX}/").text


def test_scripts_ask_relative_to_their_page(client: TestClient) -> None:
    assert "${root}openapi.json" in client.get(f"{PREFIX}/docs/start.js").text
    assert "new URL(path" in client.get(f"{PREFIX}/web/service.js").text


def test_a_proxy_may_remove_the_prefix_or_keep_it(client: TestClient) -> None:
    answers = [client.post(f"{prefix}/classify", json={"title": "star"}) for prefix in ("", PREFIX)]
    assert answers[0].json() == answers[1].json()
    assert client.get("/metrics").text.count('http_route="/classify",le="+Inf"') == 1


@pytest.mark.parametrize("path", ["/nowhere", "/classify", "/docs/nothing"])
def test_the_type_of_a_problem_resolves_below_the_prefix(client: TestClient, path: str) -> None:
    kind = client.get(path).json()["type"]
    assert kind.startswith(f"{PREFIX}/problems/")
    assert client.get(kind).status_code == 200


def test_the_openapi_document_names_the_prefix_as_its_server(client: TestClient) -> None:
    assert client.get("/openapi.json").json()["servers"] == [{"url": PREFIX}]
