"""The one exception of the client. Knows problem documents and what proxies send instead of them."""

import httpx
from pydantic import ValidationError

from client.retries import retry_after
from client.shapes import Problem


class ServiceError(Exception):
    """The service refused, failed or was not reached.

    `status` is None if there was no HTTP answer; `code` is the problem's, or "unreachable",
    "no_problem" (an error from something in between) or "unreadable" (an answer of another shape).
    """

    def __init__(self, code: str, detail: str, status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(f"{status} {code}: {detail}" if status else f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.status = status
        self.retry_after_s = retry_after_s
        self.problem: Problem | None = None


def error_of(reply: httpx.Response | httpx.RequestError) -> ServiceError:
    """The exception for a reply that is no success."""
    if isinstance(reply, httpx.RequestError):
        return _silence(reply)
    wait = retry_after(reply.headers)
    try:
        problem = Problem.model_validate_json(reply.content)
    except ValidationError:
        detail = "an error without a problem document; something between here and the service sent it"
        return ServiceError("no_problem", detail, reply.status_code, wait)
    error = ServiceError(problem.code, problem.detail, reply.status_code, wait)
    error.problem = problem
    return error


def _silence(error: httpx.RequestError) -> ServiceError:
    # By type: the words of a connection error differ by system, and may name proxies with passwords.
    url = error.request.url
    # Without a password that may be in it.
    place = f"{url.scheme}://{url.netloc.decode('ascii')}"
    hint = "is the service running, and is the URL right?" if isinstance(error, httpx.ConnectError) else "is it busy?"
    return ServiceError("unreachable", f"no answer from {place} ({type(error).__name__}); {hint}")
