"""The collection of hostile bodies, sent to both paths."""

import json

import pytest
from starlette.testclient import TestClient

from tests.app.hostile import bodies

REFERENCE = {"title": "A quantum algorithm", "abstract": "We prove a theorem."}


def test_the_corpus_is_large_and_without_repetition() -> None:
    assert len(set(bodies())) >= 200


@pytest.mark.parametrize("path", ["/classify", "/classify/batch"])
def test_every_hostile_body_is_answered_and_leaves_no_trace(client: TestClient, path: str) -> None:
    before = client.post("/classify", json=REFERENCE).json()
    for body in bodies():
        answer = client.post(path, content=body, headers={"content-type": "application/json"})
        assert answer.status_code in (200, 400, 413, 422), body[:100]
        if answer.status_code != 200:
            assert answer.headers["content-type"] == "application/problem+json"
        json.loads(answer.text, parse_constant=pytest.fail)
    assert client.get("/readyz").status_code == 200
    assert client.post("/classify", json=REFERENCE).json() == before
