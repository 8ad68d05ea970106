"""The OpenAPI document: true, complete, and its examples work as they stand."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CheckFunction
from schemathesis.generation import GenerationMode
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from model_store.store import Store
from tests import builders
from tests.app.running import running

METHODS = {"get", "post"}
OPERATIONS = [
    ("POST", "/classify"), ("POST", "/classify/batch"), ("POST", "/explain"), ("GET", "/model"), ("GET", "/livez"),
    ("GET", "/readyz"), ("GET", "/metrics"), ("POST", "/admin/reload"),
]  # fmt: skip
# No schema can say that a paper needs some text: one of white space follows the document and is refused.
# A batch that breaks the document in one of its papers is answered, with an error in that paper's place.
UNSAYABLE: dict[str, list[CheckFunction]] = {
    "/classify": [positive_data_acceptance],
    "/explain": [positive_data_acceptance],
    "/classify/batch": [negative_data_rejection],
}


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


@pytest.fixture
def document(client: TestClient) -> dict[str, Any]:
    answer: dict[str, Any] = client.get("/openapi.json").json()
    return answer


def test_every_request_example_is_answered_with_200(client: TestClient, document: dict[str, Any]) -> None:
    tried = 0
    for method, path, operation in operations(document):
        media = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        for example in media.get("examples", {}).values():
            assert client.request(method, path, json=example["value"]).status_code == 200
            tried += 1
    assert tried == 6


def test_every_error_has_an_example_with_its_own_status(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        refusals = {status: answer for status, answer in operation["responses"].items() if int(status) >= 400}
        assert "500" in refusals, path
        for status, answer in refusals.items():
            examples = answer["content"]["application/problem+json"]["examples"]
            assert {example["value"]["status"] for example in examples.values()} == {int(status)}


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        assert operation["summary"], path
        assert operation["description"], path


def test_no_schema_uses_what_the_bundled_page_cannot_read(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.0.3"
    text = str(document)
    for later in ("'const'", "'prefixItems'", "'type': 'null'", "'$defs'"):
        assert later not in text


def test_keys_are_documented_where_they_are_in_use(store: Store) -> None:
    key_file = store.root.parent / "keys"
    key_file.write_text(f"reader:{'0' * 64}\n")
    with TestClient(create_app(Settings(artefacts=store.root, api_key_file=key_file))) as client:
        document = client.get("/openapi.json").json()
    secured = {path for _, path, operation in operations(document) if operation.get("security") == [{"key": []}]}
    assert secured == {"/classify", "/classify/batch", "/explain", "/model", "/admin/reload"}
    assert document["components"]["securitySchemes"] == {"key": {"type": "http", "scheme": "bearer"}}


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseSchema]:
    folder = tmp_path_factory.mktemp("fuzzed")
    store = builders.publish(folder / "artefacts")
    with running(folder, artefacts=store.root, threads=1) as service:
        yield schemathesis.openapi.from_url(f"{service.url}/openapi.json")


def fuzz(schema: BaseSchema, method: str, path: str, mode: GenerationMode) -> None:
    @given(schema[path][method].as_strategy(generation_mode=mode))
    @settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def check(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(excluded_checks=UNSAYABLE.get(path, []))

    check()


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_requests_that_follow_the_document_get_what_it_promises(schema: BaseSchema, method: str, path: str) -> None:
    fuzz(schema, method, path, GenerationMode.POSITIVE)


@pytest.mark.parametrize("path", ["/classify", "/classify/batch", "/explain"])
def test_requests_that_break_the_document_are_refused_as_it_says(schema: BaseSchema, path: str) -> None:
    fuzz(schema, "POST", path, GenerationMode.NEGATIVE)


def test_every_operation_of_the_document_is_fuzzed(document: dict[str, Any]) -> None:
    assert {(method.upper(), path) for method, path, _ in operations(document)} == set(OPERATIONS)
