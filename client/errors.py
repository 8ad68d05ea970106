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
        # By type: the words of a connection error differ by system, and may name proxies with passwords.
        return ServiceError("unreachable", f"no answer from the service ({type(reply).__name__}); is the URL right?")
    wait = retry_after(reply.headers)
    try:
        problem = Problem.model_validate_json(reply.content)
    except ValidationError:
        detail = "an error without a problem document; something between here and the service sent it"
        return ServiceError("no_problem", detail, reply.status_code, wait)
    error = ServiceError(problem.code, problem.detail, reply.status_code, wait)
    error.problem = problem
    return error
