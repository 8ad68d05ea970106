"""The committed OpenAPI document is the one the service answers with."""

from starlette.testclient import TestClient

from app.api import openapi_document
from tests.app.running import ROOT


def test_the_committed_document_has_not_drifted(client: TestClient) -> None:
    committed = (ROOT / "openapi.json").read_text()
    hint = "write it anew: python -m app.api.openapi_document > openapi.json"
    assert committed == openapi_document.text(client.get("/openapi.json").json()), hint


def test_the_command_writes_what_the_service_answers(client: TestClient) -> None:
    assert openapi_document.document() == client.get("/openapi.json").json()
