"""What is said to the service, step by step, and what its replies mean. Sends nothing and never sleeps.

An exchange is a generator: it yields requests and pauses, is sent the replies, and returns the
answer. So the clients that block and those that await share everything but the sending.
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

# The service's default; what it really is, a refusal tells.
_MOST_PAPERS = 64
# These speak of the paper (or of how many came with it), not of the service as a whole.
_OF_THE_PAPER = frozenset({"body_too_large", "invalid_request", "deadline_passed", "engine_stalled"})
_SPLIT = frozenset({"body_too_large", "deadline_passed"})


class Request(NamedTuple):
    """To be sent."""

    method: str
    path: str
    body: bytes | None = None


class Pause(NamedTuple):
    """To be slept; the reply to it is None."""

    seconds: float


@dataclass(frozen=True)
class Done(Generic[T]):
    """The end: nothing more is to be sent or slept."""

    answer: T


Reply = httpx.Response | httpx.RequestError | None
Exchange = Generator[Request | Pause, Reply, T]


def step(exchange: Exchange[T], reply: Reply) -> Request | Pause | Done[T]:
    """What is to be done after this reply; the first one is None."""
    try:
        return exchange.send(reply)
    except StopIteration as end:
        return Done(end.value)


class _Batch(BaseModel):
    results: list[dict[str, object]]
    model: Model


class Exchanges:
    """All that can be asked, with one policy of retries; remembers how many papers the service takes at once."""

    def __init__(self, retries: Retries, clock: Callable[[], float], random: Callable[[], float]) -> None:
        self._retries = retries
        self._clock = clock
        self._random = random
        self._most_papers = _MOST_PAPERS
        self._met = False

    def batches(self, papers: Iterable[Paper]) -> Iterator[list[Paper]]:
        """The papers in lists as long as the service takes, drawn as they are asked for."""
        rest = iter(papers)
        while batch := list(islice(rest, self._most_papers)):
            yield batch

    def classify(self, paper: Paper) -> Exchange[Result]:
        """One paper; a paper that cannot be classified raises."""
        reply = yield from self._asked(Request("POST", "/classify", _json(_document(paper))))
        return _read(Result, reply)

    def classify_batch(self, papers: list[Paper]) -> Exchange[list[Answer]]:
        """One answer per paper, in order; sent in parts if the service wants smaller ones."""
        request = Request("POST", "/classify/batch", _json({"papers": [_document(paper) for paper in papers]}))
        try:
            reply = yield from self._asked(request, patient=len(papers) == 1)
        except ServiceError as error:
            return (yield from self._again(papers, error))
        answers = _answers(_read(_Batch, reply), len(papers))
        for i, answer in enumerate(answers):
            if isinstance(answer, Failure) and self._retries.covers(answer.error.status):
                answers[i] = yield from self._alone(papers[i])
        return answers

    def explain(self, paper: Paper) -> Exchange[Explanation]:
        """One paper and its evidence; a paper that cannot be explained raises."""
        reply = yield from self._asked(Request("POST", "/explain", _json(_document(paper))))
        return _read(Explanation, reply)

    def card(self) -> Exchange[Card]:
        """The model card."""
        return _read(Card, (yield from self._asked(Request("GET", "/model"))))

    def ready(self) -> Exchange[bool]:
        """Whether papers would be classified now; asked once, since waiting is the caller's affair."""
        reply = yield Request("GET", "/readyz")
        if isinstance(reply, httpx.Response) and reply.status_code not in (200, 502, 503, 504):
            raise error_of(reply)
        return isinstance(reply, httpx.Response) and reply.is_success

    def reload(self) -> Exchange[Reload]:
        """Have the wanted version loaded; asking again is harmless, so it is retried like the rest."""
        return _read(Reload, (yield from self._asked(Request("POST", "/admin/reload"))))

    def _asked(self, request: Request, *, patient: bool = True) -> Exchange[httpx.Response]:
        began, tried = self._clock(), 0
        while True:
            reply = yield request
            self._met = self._met or isinstance(reply, httpx.Response)
            if isinstance(reply, httpx.Response) and reply.is_success:
                return reply
            error, tried = error_of(_present(reply)), tried + 1
            spent = self._clock() - began
            hopeless = self._hopeless(reply, error, patient)
            pause = None if hopeless else self._retries.pause(tried, spent, error.retry_after_s, self._random())
            if pause is None:
                raise error
            yield Pause(pause)

    def _hopeless(self, reply: Reply, error: ServiceError, patient: bool) -> bool:
        if isinstance(reply, httpx.ConnectError) and not self._met:
            return not self._retries.before_first_answer
        # A batch that took too long takes as long again: it is not repeated, it is split.
        return not self._retries.covers(error.status) or (error.code in _SPLIT and not patient)

    def _again(self, papers: list[Paper], error: ServiceError) -> Exchange[list[Answer]]:
        if len(papers) == 1:
            return [_as_value(papers[0], error)]
        size = self._smaller(len(papers), error)
        answers: list[Answer] = []
        for i in range(0, len(papers), size):
            answers += yield from self.classify_batch(papers[i : i + size])
        return answers

    def _alone(self, paper: Paper) -> Exchange[Answer]:
        try:
            return (yield from self.classify(paper))
        except ServiceError as error:
            return _as_value(paper, error)

    def _smaller(self, papers: int, error: ServiceError) -> int:
        if error.code in _SPLIT:
            return papers // 2
        limit = _papers_limit(error.problem)
        if limit is None or limit >= papers:
            raise error
        self._most_papers = limit
        return limit


def _present(reply: Reply) -> httpx.Response | httpx.RequestError:
    if reply is None:
        raise TypeError("a request got None for a reply; expected a response or the error of the request")
    return reply


def _document(paper: Paper) -> dict[str, str]:
    return {name: value for name, value in paper._asdict().items() if value is not None}


def _json(document: object) -> bytes:
    # ASCII: half a surrogate pair travels as an escape, and the service refuses that one paper by its place.
    return json.dumps(document).encode("ascii")


def _read(shape: type[Shape], reply: httpx.Response) -> Shape:
    try:
        return shape.model_validate_json(reply.content)
    except ValidationError:
        raise _unreadable(reply.status_code) from None


def _unreadable(status: int) -> ServiceError:
    return ServiceError("unreadable", "the answer has another shape than expected; is this the right service?", status)


def _answers(batch: _Batch, expected: int) -> list[Answer]:
    if len(batch.results) != expected:
        raise _unreadable(200)
    try:
        return [_answer(result, batch.model) for result in batch.results]
    except ValidationError:
        raise _unreadable(200) from None


def _answer(result: dict[str, object], model: Model) -> Answer:
    return Failure.model_validate(result) if "error" in result else Result.model_validate({**result, "model": model})


def _as_value(paper: Paper, error: ServiceError) -> Failure:
    if error.problem is None or error.code not in _OF_THE_PAPER:
        raise error
    return Failure(id=paper.id, error=error.problem)


def _papers_limit(problem: Problem | None) -> int | None:
    pointers = [fault.pointer for fault in (problem and problem.errors) or []]
    return problem.limit if problem and pointers == ["#/papers"] else None
