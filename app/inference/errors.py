"""Errors of the engine.

InferenceError
├── QueueFull          too much work is waiting; trying again later helps
├── RequestTooLarge    the request would not fit even into an empty queue; trying again does not help
├── NotReady           no inference has succeeded lately
├── Draining           the engine is shutting down
├── EngineStalled      the worker thread that had the paper hung or died
├── DeadlinePassed     the request took longer than allowed
├── InferenceFailed    the network raised an error or returned something other than numbers
└── ReloadRefused      the new artefact is unusable

They are independent of HTTP; the API layer maps them to status codes and problem types. Messages never
contain a submitted text.
"""


class InferenceError(Exception):
    """Base class of all errors that the engine raises on purpose."""

    def __init__(
        self,
        detail: str,
        *,
        limit: int | None = None,
        actual: int | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        """`limit` and `actual` are set for exceeded sizes, `retry_after_s` where trying again may help."""
        super().__init__(detail)
        self.detail = detail
        self.limit = limit
        self.actual = actual
        self.retry_after_s = retry_after_s


class QueueFull(InferenceError):
    """Too much work is waiting; accepting more would only make all requests wait longer."""


class RequestTooLarge(InferenceError):
    """The request needs more room than the queue has, even when nothing else is waiting."""


class NotReady(InferenceError):
    """No inference has succeeded lately."""


class Draining(InferenceError):
    """The service is shutting down and takes no new work."""


class EngineStalled(InferenceError):
    """The worker thread that had the paper hung or died."""


class DeadlinePassed(InferenceError):
    """The request took longer than allowed; its remaining work was dropped."""


class InferenceFailed(InferenceError):
    """The network raised an error, or returned something other than numbers."""


class ReloadRefused(InferenceError):
    """A reload found no usable artefact; the one in service stays in service."""
