"""Parts of the OpenAPI document that FastAPI cannot derive from signatures.

These are title, version, problem documents, and limits that are settings.
"""

from typing import Any

from fastapi import FastAPI

from app.api.errors import EXAMPLES, PROBLEM_JSON, ServiceError, problem, problem_type

TITLE = "Paper subjects"
DESCRIPTION = "Labels papers by subject. Errors are RFC 9457 problem documents."
# The version of the API, not of the package.
API_VERSION = "1.0.0"
# The bundled Swagger UI and most client generators read no later version.
_OPENAPI_VERSION = "3.0.3"
_REQUEST_ID = "0b6f7a52c9d1461f8a3a6a7a0a4b6a55"
_PROBLEM_SCHEMA = {"$ref": "#/components/schemas/Problem"}


def problem_responses(*errors: type[ServiceError]) -> dict[int | str, dict[str, Any]]:
    """The responses of an operation that may fail with these errors, each with an example."""
    responses: dict[int | str, dict[str, Any]] = {}
    for error in EXAMPLES:
        if isinstance(error, errors):
            kind = problem_type(type(error))
            response = responses.setdefault(kind.status, _response(kind.title))
            document = problem(error, _REQUEST_ID).model_dump(exclude_none=True)
            response["content"][PROBLEM_JSON]["examples"][kind.code] = {"summary": kind.title, "value": document}
            if error.retry_after_s is not None:
                response["headers"]["Retry-After"] = {"schema": {"type": "integer"}, "description": "seconds"}
    return responses


def describe(app: FastAPI, max_papers: int) -> None:
    """Set the OpenAPI version, and the largest batch, which is a setting and so not part of the class BatchIn.

    See "Extending OpenAPI" in the FastAPI documentation.
    """
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        document["components"]["schemas"]["BatchIn"]["properties"]["papers"]["maxItems"] = max_papers
        return document

    app.openapi_version = _OPENAPI_VERSION
    app.openapi = openapi  # type: ignore[method-assign]


def _response(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "headers": {},
        "content": {PROBLEM_JSON: {"schema": _PROBLEM_SCHEMA, "examples": {}}},
    }
