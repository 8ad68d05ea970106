"""Exception handlers: every error is answered with a problem document."""

from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette._utils import get_route_path
from starlette.exceptions import HTTPException

from app.api.errors import (
    ApiError,
    InternalError,
    MethodNotAllowed,
    NotFound,
    ServiceError,
    problem_response,
    problem_type,
)
from app.api.validation import invalid_parameter, invalid_request
from app.inference.errors import InferenceError
from app.observability.request_log import request_log_of


def add_exception_handlers(app: FastAPI) -> None:
    """Handle our own errors, FastAPI's validation errors and the router's HTTP errors.

    Any other exception is a bug, which the outermost middleware logs and answers.
    """
    app.add_exception_handler(ApiError, _handle_service_error)
    app.add_exception_handler(InferenceError, _handle_service_error)
    app.add_exception_handler(RequestValidationError, _handle_validation_error)
    app.add_exception_handler(HTTPException, _handle_http_exception)


async def _handle_service_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, ServiceError):
        raise error
    return _respond(request, error)


async def _handle_validation_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    # The first part of each location is the source of the field: "body" or "query".
    source, *_ = error.errors()[0]["loc"]
    errors = [{**field, "loc": field["loc"][1:]} for field in error.errors() if field["loc"][0] == source]
    return _respond(request, invalid_request(errors) if source == "body" else invalid_parameter(errors))


async def _handle_http_exception(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    headers = error.headers
    known = {
        404: NotFound("There is no resource at this path.", headers=headers),
        405: _method_not_allowed(headers or {}),
    }
    return _respond(request, known.get(error.status_code, InternalError("An unexpected error occurred.")))


def _method_not_allowed(headers: Mapping[str, str]) -> MethodNotAllowed:
    # Where there is GET, HEAD is answered as well; see app.api.head.
    allowed = headers.get("Allow", "").replace("GET", "GET, HEAD")
    return MethodNotAllowed(f"The resource does not support this method, only {allowed}.", headers={"Allow": allowed})


def _respond(request: Request, error: ServiceError) -> Response:
    record = request_log_of(request.scope)
    record.problems.append(problem_type(type(error)).code)
    return problem_response(error, record.id, root_path=record.root_path, path=get_route_path(request.scope))
