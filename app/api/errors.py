"""Errors of the HTTP layer, and the one table from every error to its status, code and texts.

The engine's errors are defined in `app.inference.errors`, independently of HTTP; `PROBLEMS` maps both kinds.
Exception handlers, the responses of the OpenAPI document and the pages under /problems are derived from it.
Messages never contain a submitted text.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple

from starlette.responses import JSONResponse, Response

from app.api.schemas import FaultOut, Problem
from app.inference.errors import (
    DeadlinePassed,
    Draining,
    EngineStalled,
    InferenceError,
    InferenceFailed,
    NotReady,
    QueueFull,
    ReloadRefused,
    RequestTooLarge,
)

PROBLEM_JSON = "application/problem+json"
# Clients of the Open Inference Protocol read the sentence from a member of this name.
_OPEN_INFERENCE, _OPEN_INFERENCE_ERROR = "/v2/", "error"


class ApiError(Exception):
    """Base class of the errors that the HTTP layer raises."""

    def __init__(
        self,
        detail: str,
        *,
        errors: Sequence[FaultOut] = (),
        limit: int | None = None,
        actual: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`errors` are the invalid fields; `limit` and `actual` are set for exceeded sizes."""
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.limit = limit
        self.actual = actual
        self.headers = dict(headers or {})
        self.retry_after_s: int | None = None


class BadRequest(ApiError):
    """The bytes on the connection are not an HTTP request."""


class NotJson(ApiError):
    """The body cannot be parsed as JSON."""


class Unauthorized(ApiError):
    """An API key is required, and the request has none or an unknown one."""


class Forbidden(ApiError):
    """The operation is not available in this deployment or to this API key."""


class NotFound(ApiError):
    """There is no resource at this path."""


class MethodNotAllowed(ApiError):
    """The resource exists but does not support the method."""


class BodyTimeout(ApiError):
    """The body did not arrive in time."""


class KeysRefused(ApiError):
    """The API key file could not be reloaded; the previous keys stay valid."""


class BodyTooLarge(ApiError):
    """The body is larger than the limit."""


class UnsupportedMediaType(ApiError):
    """The body is declared as something other than uncompressed JSON in UTF-8."""


class InvalidRequest(ApiError):
    """The body is JSON but does not match the schema, or a parameter is invalid."""


class HeadersTooLarge(ApiError):
    """The request line and headers together exceed the limit."""


class TooManyConnections(ApiError):
    """The server has as many connections as it may have, and none of them is idle."""


class InternalError(ApiError):
    """The service failed; this is a bug."""


# Every error that is answered with a problem document.
ServiceError = ApiError | InferenceError


class ProblemType(NamedTuple):
    """A problem type as clients see it; `code` is also the last segment of its page, /problems/<code>."""

    status: int
    code: str
    title: str
    remedy: str


_LATER = "Try again after the number of seconds in the Retry-After header."
_INTERNAL = ProblemType(500, "internal_error", "Internal error", "Report the request id; the log has the details.")

PROBLEMS: dict[type[ServiceError], ProblemType] = {
    BadRequest: ProblemType(400, "bad_request", "Invalid HTTP request", "Send a valid HTTP/1.1 request."),
    NotJson: ProblemType(400, "not_json", "The body is not valid JSON", "Send one JSON object, encoded in UTF-8."),
    Unauthorized: ProblemType(401, "unauthorized", "A valid API key is required", "Send Authorization: Bearer <key>."),
    Forbidden: ProblemType(403, "forbidden", "The operation is not available", "The detail says what it requires."),
    NotFound: ProblemType(404, "not_found", "Not found", "See /docs for the available paths."),
    MethodNotAllowed: ProblemType(405, "method_not_allowed", "Method not allowed", "Use a method in the Allow header."),
    BodyTimeout: ProblemType(408, "body_timeout", "The body arrived too slowly", "Send the body without long pauses."),
    ReloadRefused: ProblemType(
        409,
        "artefact_refused",
        "The new artefact is unusable",
        "The log gives the reason; the previous version stays in service.",
    ),
    KeysRefused: ProblemType(
        409, "keys_refused", "The API key file is unusable", "The log gives the reason; the previous keys stay valid."
    ),
    BodyTooLarge: ProblemType(413, "body_too_large", "The body is too large", "Send fewer or shorter papers."),
    RequestTooLarge: ProblemType(
        413, "request_too_large", "The request does not fit into the queue", "Send fewer or shorter papers."
    ),
    UnsupportedMediaType: ProblemType(
        415, "unsupported_media_type", "The body is not declared as JSON", "Send application/json, uncompressed."
    ),
    InvalidRequest: ProblemType(422, "invalid_request", "The request is invalid", "Correct the fields in `errors`."),
    QueueFull: ProblemType(429, "queue_full", "Too much work is waiting", _LATER),
    HeadersTooLarge: ProblemType(431, "headers_too_large", "The headers are too large", "Send fewer or shorter ones."),
    InternalError: _INTERNAL,
    InferenceFailed: _INTERNAL,
    NotReady: ProblemType(503, "not_ready", "The service is not ready", _LATER),
    TooManyConnections: ProblemType(
        503, "too_many_connections", "Too many connections", "Use fewer connections, or try again later."
    ),
    Draining: ProblemType(503, "draining", "The service is shutting down", "Try again; another instance will answer."),
    EngineStalled: ProblemType(503, "engine_stalled", "The worker stalled", "Try again; the worker was replaced."),
    DeadlinePassed: ProblemType(504, "deadline_passed", "The deadline passed", "Send smaller batches, or try later."),
}

# Realistic examples for the OpenAPI document.
EXAMPLES: tuple[ServiceError, ...] = (
    NotJson("The body is not valid JSON; parsing stopped at character 17."),
    Unauthorized("This service requires an API key; the request has none or an unknown one."),
    Forbidden("Reloading over HTTP requires API keys; set PAPERS_API_KEY_FILE, or send SIGHUP."),
    BodyTimeout("The body did not arrive within 5 s."),
    ReloadRefused("The artefact was refused, the log gives the reason; version 1.0.0 stays in service."),
    KeysRefused("The API key file was refused, the log gives the reason; the previous keys stay valid."),
    BodyTooLarge("The body has more than 1048576 bytes; send fewer papers.", limit=1048576, actual=1050000),
    RequestTooLarge("The request has 70000 word pieces, the queue holds 65536.", limit=65536, actual=70000),
    UnsupportedMediaType("The body is not declared as JSON; expected Content-Type: application/json."),
    InvalidRequest("#/title: expected a string.", errors=[FaultOut(pointer="#/title", detail="expected a string")]),
    QueueFull("Too many papers are waiting; try again in 3 s.", limit=256, actual=271, retry_after_s=3),
    InternalError("An unexpected error occurred."),
    NotReady("No inference has succeeded lately.", retry_after_s=1),
    Draining("The service is shutting down and accepts no new work.", retry_after_s=1),
    EngineStalled("The worker that had this paper stalled.", retry_after_s=1),
    DeadlinePassed("The request was not finished within 10 s; its work was dropped."),
)


def problem_type(error: type[ServiceError]) -> ProblemType:
    """The row of the table; a class without a row of its own has its parent's."""
    return next(PROBLEMS[base] for base in error.__mro__ if base in PROBLEMS)


def problem(error: ServiceError, request_id: str, root_path: str = "") -> Problem:
    """The problem document of one error; `root_path` is the prefix below which a proxy serves the service."""
    kind = problem_type(type(error))
    return Problem(
        type=f"{root_path}/problems/{kind.code}",
        title=kind.title,
        status=kind.status,
        detail=error.detail,
        instance=request_id,
        code=kind.code,
        errors=list(error.errors) or None if isinstance(error, ApiError) else None,
        limit=error.limit,
        actual=error.actual,
        retry_after_seconds=error.retry_after_s,
    )


def problem_response(
    error: ServiceError,
    request_id: str,
    headers: Mapping[str, str] | None = None,
    root_path: str = "",
    path: str = "",
) -> Response:
    """The response for one error of a request for `path`, with the headers that belong to it and those given."""
    document = problem(error, request_id, root_path)
    own = error.headers if isinstance(error, ApiError) else {}
    retry_after = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    content = document.model_dump(exclude_none=True)
    if f"{path}/".startswith(_OPEN_INFERENCE):
        content[_OPEN_INFERENCE_ERROR] = document.detail
    sent = {**retry_after, **own, **(headers or {})}
    return JSONResponse(content, document.status, headers=sent, media_type=PROBLEM_JSON)


def explanation(code: str) -> dict[str, str] | None:
    """What a problem type means and what to do about it, None for an unknown code."""
    for error, kind in PROBLEMS.items():
        if kind.code == code:
            status = f"{kind.status} {HTTPStatus(kind.status).phrase}"
            meaning = (error.__doc__ or "").strip()
            return {"code": code, "status": status, "title": kind.title, "meaning": meaning, "remedy": kind.remedy}
    return None
