"""HEAD is answered like GET, without a body."""

import http.client
from contextlib import closing
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from model_store.store import Store
from tests.app.running import running

PATHS = ["/", "/card", "/web/style.css", "/docs", "/docs/swagger-ui.css", "/openapi.json", "/problems/not_found",
         "/model", "/livez", "/readyz", "/metrics", "/nowhere"]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_head_has_the_status_and_headers_of_get_and_no_body(client: TestClient, path: str) -> None:
    varying = {"x-request-id", "content-length"} if path == "/metrics" else {"x-request-id"}
    head, get = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert {name: value for name, value in head.headers.items() if name not in varying} == {
        name: value for name, value in get.headers.items() if name not in varying
    }


@pytest.mark.parametrize("path", ["/classify", "/classify/batch", "/admin/reload"])
def test_head_is_refused_where_get_is(client: TestClient, path: str) -> None:
    answer = client.head(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_head_is_allowed_where_get_is(client: TestClient) -> None:
    answer = client.post("/model")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_head_is_counted_under_its_own_method_and_the_route(client: TestClient) -> None:
    client.head("/web/style.css")
    assert 'http_request_method="HEAD",http_response_status_code="200",http_route="/web/{name}"' in (
        client.get("/metrics").text
    )


def test_a_connection_goes_on_after_head(tmp_path: Path, store: Store) -> None:
    with (
        running(tmp_path, artefacts=store.root, threads=1) as service,
        closing(http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)) as connection,
    ):
        sockets = set()
        for path in ("/readyz", "/web/style.css", "/nowhere", "/readyz"):
            connection.request("HEAD", path)
            sockets.add(connection.sock)
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (404 if path == "/nowhere" else 200, b"")
        assert len(sockets) == 1
