"""Which requests are sent, retried and split, and how responses are interpreted.

An exchange is a generator that yields requests and pauses, receives the responses, and returns the result. It does
no I/O, so the client that blocks and the one that awaits share it.
"""

import json
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from client.errors import ServiceError, error_of
from client.retries import Retries
from client.shapes import Answer, Card, Explanation, Failure, Model, Paper, Problem, Reload, Result

T = TypeVar("T")
Shape = TypeVar("Shape", bound=BaseModel)

# The service's default limit; a service with another one states it when it refuses a batch.
_MAX_PAPERS = 64
# Codes that concern the paper, or the size of its batch, rather than the service as a whole.
_PAPER_CODES = frozenset({"body_too_large", "invalid_request", "deadline_passed", "engine_stalled"})
# Codes after which a smaller batch may succeed: it arrives sooner, fits the limit, or meets the deadline.
_SPLIT_STATUSES = frozenset({408, 413, 504})


class Request(NamedTuple):
    """A request to send."""

    method: str
    path: str
    body: bytes | None = None


class Pause(NamedTuple):
    """A pause before the next request; the reply to it is None."""

    seconds: float


@dataclass(frozen=True)
class Done(Generic[T]):
    """The end of an exchange, with its result."""

    answer: T


Reply = httpx.Response | httpx.RequestError | None
Exchange = Generator[Request | Pause, Reply, T]


def step(exchange: Exchange[T], reply: Reply) -> Request | Pause | Done[T]:
    """Resume an exchange with the reply to its last request or pause, None at first, and return what it does next."""
    try:
        return exchange.send(reply)
    except StopIteration as end:
        return Done(end.value)


class _Batch(BaseModel):
    results: list[dict[str, object]]
    model: Model


class Exchanges:
    """All requests to one service; remembers its limit for a batch."""

    def __init__(self, retries: Retries, clock: Callable[[], float], random: Callable[[], float]) -> None:
        self._retries = retries
        self._clock = clock
        self._random = random
        self._max_papers = _MAX_PAPERS
        self._has_answered = False

    def batches(self, papers: Iterable[Paper]) -> Iterator[list[Paper]]:
        """The papers in lists no longer than the service's limit, drawn from the iterable as needed."""
        rest = iter(papers)
        while batch := list(islice(rest, self._max_papers)):
            yield batch

    def classify(self, paper: Paper) -> Exchange[Result]:
        """Classify one paper; raises ServiceError."""
        reply = yield from self._send(Request("POST", "/classify", _json(_document(paper))))
        return _read(Result, reply)

    def classify_batch(self, papers: list[Paper]) -> Exchange[list[Answer]]:
        """Classify a batch, in smaller parts if it is too large, too slow to arrive or too slow to finish."""
        request = Request("POST", "/classify/batch", _json({"papers": [_document(paper) for paper in papers]}))
        try:
            reply = yield from self._send(request, splittable=len(papers) > 1)
        except ServiceError as error:
            return (yield from self._classify_in_parts(papers, error))
        answers = _answers(_read(_Batch, reply), len(papers))
        for i, answer in enumerate(answers):
            if isinstance(answer, Failure) and self._retries.covers(answer.error.status):
                answers[i] = yield from self._classify_alone(papers[i])
        return answers

    def explain(self, paper: Paper) -> Exchange[Explanation]:
        """Classify and explain one paper; raises ServiceError."""
        reply = yield from self._send(Request("POST", "/explain", _json(_document(paper))))
        return _read(Explanation, reply)

    def card(self) -> Exchange[Card]:
        """The model card; raises ServiceError."""
        return _read(Card, (yield from self._send(Request("GET", "/model"))))

    def ready(self) -> Exchange[bool]:
        """Whether the service is ready; asked once, without retries."""
        reply = yield Request("GET", "/readyz")
        if isinstance(reply, httpx.Response) and reply.status_code not in (200, 502, 503, 504):
            raise error_of(reply)
        return isinstance(reply, httpx.Response) and reply.is_success

    def reload(self) -> Exchange[Reload]:
        """Make the service load its version; raises ServiceError. Repeating it is harmless."""
        return _read(Reload, (yield from self._send(Request("POST", "/admin/reload"))))

    def _send(self, request: Request, *, splittable: bool = False) -> Exchange[httpx.Response]:
        """Send a request, and repeat it if the retries allow, until the response is 2xx; raises ServiceError."""
        began, tried = self._clock(), 0
        while True:
            reply = yield request
            self._has_answered = self._has_answered or isinstance(reply, httpx.Response)
            if isinstance(reply, httpx.Response) and reply.is_success:
                return reply
            error, tried = error_of(_not_none(reply)), tried + 1
            pause = None
            if self._is_repeated(reply, error, splittable):
                pause = self._retries.pause(tried, self._clock() - began, error.retry_after_s, self._random())
            if pause is None:
                raise error
            yield Pause(pause)

    def _is_repeated(self, reply: Reply, error: ServiceError, splittable: bool) -> bool:
        if isinstance(reply, httpx.ConnectError) and not self._has_answered:
            return self._retries.before_first_answer
        if splittable and error.status in _SPLIT_STATUSES:
            # A repetition would take as long again; the batch is split instead.
            return False
        return self._retries.covers(error.status)

    def _classify_in_parts(self, papers: list[Paper], error: ServiceError) -> Exchange[list[Answer]]:
        if len(papers) == 1:
            return [_as_failure(papers[0], error)]
        size = self._smaller_size(len(papers), error)
        answers: list[Answer] = []
        for i in range(0, len(papers), size):
            answers += yield from self.classify_batch(papers[i : i + size])
        return answers

    def _classify_alone(self, paper: Paper) -> Exchange[Answer]:
        try:
            return (yield from self.classify(paper))
        except ServiceError as error:
            return _as_failure(paper, error)

    def _smaller_size(self, papers: int, error: ServiceError) -> int:
        """The size of the parts of a refused batch; raises the error if parts would be refused as well."""
        if error.status in _SPLIT_STATUSES:
            return papers // 2
        limit = _papers_limit(error.problem)
        if limit is None or limit >= papers:
            raise error
        self._max_papers = limit
        return limit


def _not_none(reply: Reply) -> httpx.Response | httpx.RequestError:
    if reply is None:
        raise TypeError("a request got None for a reply; expected a response or the error of the request")
    return reply


def _document(paper: Paper) -> dict[str, str]:
    return {name: value for name, value in paper._asdict().items() if value is not None}


def _json(document: object) -> bytes:
    # ASCII, so that a lone surrogate is sent as an escape, and the service refuses only the paper that has it.
    return json.dumps(document).encode("ascii")


def _read(shape: type[Shape], reply: httpx.Response) -> Shape:
    try:
        return shape.model_validate_json(reply.content)
    except ValidationError:
        raise _unreadable(reply.status_code) from None


def _unreadable(status: int) -> ServiceError:
    return ServiceError("unreadable", "the response has an unexpected shape; is this the right service?", status)


def _answers(batch: _Batch, expected: int) -> list[Answer]:
    if len(batch.results) != expected:
        raise _unreadable(200)
    try:
        return [_answer(result, batch.model) for result in batch.results]
    except ValidationError:
        raise _unreadable(200) from None


def _answer(result: dict[str, object], model: Model) -> Answer:
    return Failure.model_validate(result) if "error" in result else Result.model_validate({**result, "model": model})


def _as_failure(paper: Paper, error: ServiceError) -> Failure:
    if error.problem is None or error.code not in _PAPER_CODES:
        raise error
    return Failure(id=paper.id, error=error.problem)


def _papers_limit(problem: Problem | None) -> int | None:
    pointers = [fault.pointer for fault in (problem and problem.errors) or []]
    return problem.limit if problem and pointers == ["#/papers"] else None
