"""The OpenAPI document: what FastAPI cannot see by itself. Knows shapes and errors, no behaviour.

Bodies are read by `app.body` rather than by FastAPI, so their schemas are put in here; so is the
problem document of every error, with an example. Version 3.0.3, since the bundled Swagger UI and
most generators of clients read no later one.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, JsonValue
from pydantic.json_schema import models_json_schema

from app.api.problems import PROBLEM_JSON, kind_of, problem
from app.api.schemas import BatchIn, PaperIn, Problem
from app.errors import (
    ArtefactRefused,
    BodyTimeout,
    BodyTooLarge,
    DeadlinePassed,
    Draining,
    EngineStalled,
    Fault,
    Forbidden,
    InternalError,
    InvalidRequest,
    NotJson,
    NotReady,
    QueueFull,
    ServiceError,
    Unauthorized,
    UnsupportedMediaType,
)

TITLE = "Paper subjects"
DESCRIPTION = "Labels papers by subject. Errors are RFC 9457 problem documents."
# Of the face that programs rely on, not of the package.
API_VERSION = "1.0.0"
OPENAPI_VERSION = "3.0.3"
_REF = "#/components/schemas/{model}"
_INSTANCE = "0b6f7a52c9d1461f8a3a6a7a0a4b6a55"

_EXAMPLES: tuple[ServiceError, ...] = (
    NotJson("The body is no JSON: it breaks off or goes wrong at character 17."),
    Unauthorized("An API key is required here; it is missing or unknown."),
    Forbidden("Reloading over HTTP needs API keys; set PAPERS_API_KEY_FILE, or send SIGHUP."),
    BodyTimeout("The body did not arrive within 5 s."),
    ArtefactRefused("The artefact was refused, the log says why; version 1.0.0 keeps answering."),
    BodyTooLarge("The body has more than 1048576 bytes; send fewer papers at once.", limit=1048576, actual=1050000),
    UnsupportedMediaType("The body is declared as text/plain; expected application/json in UTF-8."),
    InvalidRequest("#/title: expected a string.", faults=[Fault("#/title", "expected a string")]),
    QueueFull("Too many papers are waiting; come back in 3 s.", limit=256, actual=271, retry_after_s=3),
    InternalError("An unexpected fault."),
    NotReady("No inference has succeeded lately.", retry_after_s=1),
    Draining("The service is shutting down and takes no new work.", retry_after_s=1),
    EngineStalled("The engine stalled on this paper.", retry_after_s=1),
    DeadlinePassed("Not done within 10 s; the work was dropped."),
)


def may_fail(*errors: type[ServiceError]) -> dict[int | str, dict[str, Any]]:
    """The responses of an operation that may end in these errors, each with an example."""
    responses: dict[int | str, dict[str, Any]] = {}
    for error in (example for example in _EXAMPLES if isinstance(example, errors)):
        kind = kind_of(error)
        entry = responses.setdefault(kind.status, _response(kind.title))
        document = problem(error, _INSTANCE).model_dump(exclude_none=True)
        entry["content"][PROBLEM_JSON]["examples"][kind.code] = {"summary": kind.title, "value": document}
        if error.retry_after_s is not None:
            entry["headers"]["Retry-After"] = {"schema": {"type": "integer"}, "description": "seconds"}
    return responses


def body_of(shape: type[BaseModel], examples: dict[str, JsonValue]) -> dict[str, Any]:
    """The request body of an operation, with examples by name."""
    media = {
        "schema": {"$ref": _REF.format(model=shape.__name__)},
        "examples": {name: {"value": value} for name, value in examples.items()},
    }
    return {"requestBody": {"required": True, "content": {"application/json": media}}}


def document(app: FastAPI, most_papers: int, *, keys: bool) -> dict[str, Any]:
    """The whole document; `keys` says whether API keys are in use."""
    made = get_openapi(
        title=app.title, version=app.version, openapi_version=OPENAPI_VERSION, description=app.description,
        routes=app.routes,
    )  # fmt: skip
    schemas = made["components"]["schemas"]
    for shape in (PaperIn, BatchIn, Problem):
        _, extra = models_json_schema([(shape, "validation")], ref_template=_REF)
        schemas |= extra["$defs"]
    schemas["BatchIn"]["properties"]["papers"] |= {
        "maxItems": most_papers,
        "items": {"$ref": _REF.format(model="PaperIn")},
    }
    if keys:
        made["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        made["security"] = [{"key": []}]
    return made


def _response(description: str) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model="Problem")}
    return {"description": description, "headers": {}, "content": {PROBLEM_JSON: {"schema": schema, "examples": {}}}}
