"""The one exception of the client, made from problem documents and from what proxies send instead of them."""

import httpx
from pydantic import ValidationError

from client.retries import retry_after
from client.shapes import Problem


class ServiceError(Exception):
    """The service refused the request, failed, or could not be reached.

    `status` is the HTTP status, None if no response came. `code` is that of the problem document, or "unreachable",
    "no_problem" (the error came from a proxy or balancer) or "unreadable" (the response has an unexpected shape).
    """

    def __init__(self, code: str, detail: str, status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(f"{status} {code}: {detail}" if status else f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.status = status
        self.retry_after_s = retry_after_s
        self.problem: Problem | None = None


def error_of(reply: httpx.Response | httpx.RequestError) -> ServiceError:
    """The exception for a response other than 2xx, or for a request that got none."""
    if isinstance(reply, httpx.RequestError):
        return _unreachable(reply)
    wait = retry_after(reply.headers)
    try:
        problem = Problem.model_validate_json(reply.content)
    except ValidationError:
        detail = "an error without a problem document, sent by a proxy or balancer before the service"
        return ServiceError("no_problem", detail, reply.status_code, wait)
    error = ServiceError(problem.code, problem.detail, reply.status_code, wait)
    error.problem = problem
    return error


def _unreachable(error: httpx.RequestError) -> ServiceError:
    # The text of a connection error differs by system and may contain a proxy's password; its type does not.
    url = error.request.url
    # `netloc` leaves out user name and password.
    place = f"{url.scheme}://{url.netloc.decode('ascii')}"
    hint = "is the service running, and is the URL right?" if isinstance(error, httpx.ConnectError) else "is it busy?"
    return ServiceError("unreachable", f"no answer from {place} ({type(error).__name__}); {hint}")
