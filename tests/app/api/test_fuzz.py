"""Random methods, paths, headers, queries and bodies: the service answers every request, and never with its own fault.

`make fuzz` goes on for an hour, or for FUZZ_SECONDS; as part of `make test-slow` this takes a few seconds.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from tests import builders

PATHS = [
    "/", "/card", "/docs", "/docs/swagger-ui.css", "/openapi.json", "/web/page.js", "/problems/not_found", "/model",
    "/livez", "/readyz", "/metrics", "/classify", "/classify/batch", "/explain", "/admin/reload",
    "/v1/", "/v1/projects", "/v1/projects/tiny-subjects", "/v1/projects/tiny-subjects/suggest",
    "/v1/projects/tiny-subjects/suggest-batch", "/v2", "/v2/health/ready", "/v2/models/tiny-subjects",
    "/v2/models/tiny-subjects/infer", "/v2/models/tiny-subjects/versions/1.0.0/infer",
]  # fmt: skip
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"]
MEDIA_TYPES = ["application/json", "application/json; charset=utf-8", "application/x-www-form-urlencoded", "text/plain"]
NAMES = [
    "content-type", "content-encoding", "accept", "accept-encoding", "authorization", "x-api-key", "x-request-id",
    "traceparent", "tracestate", "if-none-match", "if-modified-since", "range", "if-range", "origin", "referer",
    "cookie",
    "access-control-request-method", "access-control-request-headers", "forwarded", "x-forwarded-for", "expect",
    "upgrade", "te", "user-agent", "inference-header-content-length",
]  # fmt: skip

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=80)
names = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["title", "abstract", "id", "papers", "documents", "text", "inputs", "name", "data", "shape"]
            )
            | text,
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


class Attempt(NamedTuple):
    """One request."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


attempts = st.builds(
    Attempt,
    method=st.sampled_from(METHODS),
    path=st.sampled_from(PATHS)
    | st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="?#%"), max_size=40).map(
        lambda name: f"/{name}"
    ),
    query=st.sampled_from(["", "top=1", "top=x", "limit=1&threshold=0.5"]) | values,
    headers=st.builds(
        lambda headers, media_type: headers | media_type,
        st.dictionaries(st.sampled_from(NAMES) | names, values, max_size=6),
        st.sampled_from([{}, *({"content-type": media_type} for media_type in MEDIA_TYPES)]),
    ),
    body=st.binary(max_size=200) | documents.map(lambda document: json.dumps(document).encode()),
)  # fmt: skip


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    store = builders.publish(tmp_path_factory.mktemp("fuzzed") / "artefacts")
    options = Settings(artefacts=store.root, threads=1, annif_api=True, open_inference_api=True)
    with TestClient(create_app(options)) as client:
        yield client


def send(client: TestClient, attempt: Attempt) -> None:
    """Send one request and check what must hold of every response."""
    headers = [(name.encode(), value.encode("latin-1")) for name, value in attempt.headers.items()]
    client.cookies.clear()
    answer = client.request(
        attempt.method,
        # An absolute URL: the client would take a path such as `//::` for a host and a port.
        f"http://testserver{attempt.path}",
        params=attempt.query,
        content=attempt.body,
        headers=headers,
        follow_redirects=False,
    )
    assert answer.status_code < 500, attempt
    assert answer.headers["x-request-id"]
    if answer.status_code >= 400 and attempt.method != "HEAD":
        assert answer.headers["content-type"] == "application/problem+json", attempt
        assert answer.json()["status"] == answer.status_code


def fuzz(client: TestClient, examples: int, number: int) -> None:
    @seed(number)
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(attempts)
    def check(attempt: Attempt) -> None:
        send(client, attempt)

    check()


def test_no_request_is_answered_with_a_5xx(client: TestClient) -> None:
    fuzz(client, examples=100, number=0)


@pytest.mark.slow
@pytest.mark.skipif("FUZZ_SECONDS" not in os.environ, reason="set FUZZ_SECONDS, as `make fuzz` does")
def test_no_request_is_answered_with_a_5xx_for_long(
    client: TestClient, record_property: Callable[[str, object], None]
) -> None:
    until, rounds = time.monotonic() + float(os.environ["FUZZ_SECONDS"]), 0
    while time.monotonic() < until:
        rounds += 1
        fuzz(client, examples=1_000, number=rounds)
    record_property("requests", rounds * 1_000)
