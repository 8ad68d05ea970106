"""The client's models and the OpenAPI document have the same fields with the same types."""

from typing import Any

import pytest
from pydantic import BaseModel

from app.main import create_app
from app.settings import Settings
from client import exchanges, shapes
from tests import builders

COUNTERPARTS: dict[type[BaseModel], str] = {
    shapes.Input: "InputOut",
    shapes.Model: "ModelOut",
    shapes.Result: "ClassifyOut",
    shapes.Sentence: "SentenceOut",
    shapes.Evidence: "EvidenceOut",
    shapes.Explanation: "ExplainOut",
    shapes.Reload: "ReloadOut",
    shapes.Fault: "FaultOut",
    shapes.Problem: "Problem",
    shapes.Failure: "FailureOut",
    shapes.LabelQuality: "LabelQualityOut",
    shapes.LabelCard: "LabelCard",
    shapes.Exit: "ExitOut",
    shapes.Card: "CardOut",
}
NAMES = {shape.__name__: name for shape, name in COUNTERPARTS.items()}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    store = builders.publish(tmp_path_factory.mktemp("drift") / "artefacts")
    return create_app(Settings(artefacts=store.root)).openapi()


def kind(schema: dict[str, Any]) -> Any:
    """The type that a schema describes, without descriptions, bounds and null."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return NAMES.get(name, name)
    if "anyOf" in schema:
        (schema,) = (option for option in schema["anyOf"] if option != {"type": "null"})
        return kind(schema)
    inner = schema.get("items") or schema.get("additionalProperties")
    return (schema.get("type"), kind(inner) if isinstance(inner, dict) else None, tuple(schema.get("enum", ())))


def fields(schema: dict[str, Any]) -> dict[str, Any]:
    """Type of every field, and whether it is required."""
    required = schema.get("required", [])
    found = {name: (kind(field), name in required) for name, field in schema["properties"].items()}
    if "probabilities" in found:
        # A later service may say more of a paper than this client knows words for.
        found["status"] = ("any word", "status" in required)
    if "changes" in found:
        found["changes"] = ("any words", "changes" in required)
    # Free objects say so differently on the two sides, and mean the same.
    return {name: (("object", None, ()), need) if free(what) else (what, need) for name, (what, need) in found.items()}


def free(what: Any) -> bool:
    return bool(what[0] == "object" and what[1] in (None, (None, None, ()), "JsonValue"))


@pytest.mark.parametrize("shape", COUNTERPARTS, ids=lambda shape: shape.__name__)
def test_client_and_document_have_the_same_fields(shape: type[BaseModel], document: dict[str, Any]) -> None:
    described = document["components"]["schemas"][COUNTERPARTS[shape]]
    assert fields(shape.model_json_schema()) == fields(described)


def test_every_shape_is_compared() -> None:
    made = {shape for shape in vars(shapes).values() if isinstance(shape, type) and issubclass(shape, BaseModel)}
    assert {shape for shape in made if shape.__module__ == shapes.__name__ and shape.__name__[0] != "_"} == {
        *COUNTERPARTS
    }


def test_a_paper_is_sent_as_described(document: dict[str, Any]) -> None:
    assert set(shapes.Paper._fields) == set(document["components"]["schemas"]["PaperIn"]["properties"])


def test_a_result_of_a_batch_is_a_result_without_its_model(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert {*schemas["ClassifyOut"]["properties"]} - {*schemas["ResultOut"]["properties"]} == {"model"}
    assert {*schemas["BatchOut"]["properties"]} == {*exchanges._Batch.model_fields}


def test_the_paths_exist(document: dict[str, Any]) -> None:
    posted, got = ("/classify", "/classify/batch", "/explain", "/admin/reload"), ("/model", "/readyz")
    assert all("post" in document["paths"][path] for path in posted)
    assert all("get" in document["paths"][path] for path in got)
