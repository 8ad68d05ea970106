"""Errors that have to do with HTTP, and the one table from every error to status and code.

The engine's own errors are in `app.inference.errors`. Messages never hold the submitted text.
"""

from collections.abc import Sequence
from typing import NamedTuple

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

__all__ = ["DeadlinePassed", "Draining", "EngineStalled", "NotReady", "QueueFull"]


class Fault(NamedTuple):
    """One wrong place in a document: a JSON pointer (RFC 6901, as URI fragment) and what is wrong there."""

    pointer: str
    detail: str


# Every error that is answered with a problem document, from here or from the engine.
ServiceError = InferenceError
ArtefactRefused = ReloadRefused


class BodyError(ServiceError):
    """The body is not what it should be; `faults` says where."""

    def __init__(
        self, detail: str, *, faults: Sequence[Fault] = (), limit: int | None = None, actual: int | None = None
    ) -> None:
        super().__init__(detail, limit=limit, actual=actual)
        self.faults = tuple(faults)


class BadRequest(ServiceError):
    """The bytes on the connection are no HTTP request."""


class NotJson(BodyError):
    """The body cannot be read as JSON."""


class Unauthorized(ServiceError):
    """An API key is required and missing or wrong."""


class Forbidden(ServiceError):
    """This deployment does not offer the operation."""


class NotFound(ServiceError):
    """There is nothing under this path."""


class MethodNotAllowed(ServiceError):
    """The path exists, the method does not apply to it."""


class BodyTimeout(ServiceError):
    """The body did not arrive in time."""


class BodyTooLarge(ServiceError):
    """The body is larger than the limit."""


class UnsupportedMediaType(ServiceError):
    """The body is declared as something other than plain JSON."""


class InvalidRequest(BodyError):
    """JSON of the wrong shape."""


class HeadersTooLarge(ServiceError):
    """Request line and headers together are over the limit."""


class InternalError(ServiceError):
    """A bug of ours."""


class Kind(NamedTuple):
    """A problem type as callers know it; `code` also names its page, /problems/<code>."""

    code: str
    status: int
    title: str
    remedy: str


KINDS: dict[type[ServiceError], Kind] = {
    BadRequest: Kind("bad_request", 400, "This is no HTTP request", "Send HTTP/1.1."),
    NotJson: Kind("not_json", 400, "The body is no JSON", "Send one UTF-8 JSON object without duplicate names."),
    Unauthorized: Kind("unauthorized", 401, "A valid API key is required", "Send Authorization: Bearer <key>."),
    Forbidden: Kind("forbidden", 403, "Not offered here", "Ask the operator; the detail names the setting."),
    NotFound: Kind("not_found", 404, "No such page", "See /docs for the paths there are."),
    MethodNotAllowed: Kind("method_not_allowed", 405, "Wrong method", "Use a method named in the Allow header."),
    BodyTimeout: Kind("body_timeout", 408, "The body took too long", "Send the whole body without pauses."),
    ArtefactRefused: Kind(
        "artefact_refused", 409, "The new artefact is unusable", "The log says why; the old version keeps answering."
    ),
    BodyTooLarge: Kind("body_too_large", 413, "The body is too large", "Send fewer or shorter papers at once."),
    RequestTooLarge: Kind(
        "request_too_large", 413, "The request does not fit the queue", "Send fewer or shorter papers at once."
    ),
    UnsupportedMediaType: Kind(
        "unsupported_media_type", 415, "The body is not declared as JSON", "Send application/json, uncompressed."
    ),
    InvalidRequest: Kind("invalid_request", 422, "The JSON has the wrong shape", "Correct the places in `errors`."),
    QueueFull: Kind("queue_full", 429, "Too much work is waiting", "Come back after the Retry-After header's seconds."),
    HeadersTooLarge: Kind("headers_too_large", 431, "The headers are too large", "Send fewer or shorter headers."),
    InternalError: Kind(
        "internal_error", 500, "A fault of the service", "Report the request id; the log has the rest."
    ),
    NotReady: Kind("not_ready", 503, "The service is not ready", "Come back after the Retry-After header's seconds."),
    Draining: Kind("draining", 503, "The service is shutting down", "Send it again; another instance will answer."),
    EngineStalled: Kind("engine_stalled", 503, "The engine stalled", "Send it again; the stalled part was replaced."),
    DeadlinePassed: Kind("deadline_passed", 504, "It took too long", "Send smaller batches, or come back later."),
}
# One problem type for every fault of the service itself.
KINDS[InferenceFailed] = KINDS[InternalError]
