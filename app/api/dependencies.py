"""Dependencies of the routes: parts of the running service, and validated papers."""

from collections.abc import Sequence
from typing import Annotated, Any, TypedDict, cast

from fastapi import Body, Depends, Query, Request, Response
from fastapi.openapi.models import Example
from pydantic import ValidationError, WithJsonSchema

from app.api.errors import InvalidRequest
from app.api.keys import ApiKeys
from app.api.reload import Reloader
from app.api.schemas import PAPER_EXAMPLE, TITLE_EXAMPLE, BatchIn, PaperIn
from app.api.validation import Refused, Submitted, invalid_request, no_text, too_large
from app.explain.explainer import Explainer, Explanation
from app.inference.engine import Answer, Engine, Prediction
from app.observability.metrics import Telemetry
from app.observability.request_log import RequestLog, request_log_of
from app.settings import Settings
from model_store.papers import Paper

_PAPER_EXAMPLES: dict[str, Example] = {"both": {"value": PAPER_EXAMPLE}, "title only": {"value": TITLE_EXAMPLE}}
_BATCH_EXAMPLES: dict[str, Example] = {
    "two papers": {"value": {"papers": [PAPER_EXAMPLE, TITLE_EXAMPLE]}},
    "one of them invalid": {"value": {"papers": [{"title": "A market of small bets"}, {"id": "blank", "title": " "}]}},
}


class State(TypedDict):
    """The parts of the running service; the lifespan provides them to every request."""

    settings: Settings
    engine: Engine
    explainer: Explainer
    keys: ApiKeys
    reloader: Reloader
    telemetry: Telemetry


def state_of(request: Request) -> State:
    """The parts of the running service.

    Dependencies that every paper needs call this function. FastAPI solves a dependency anew wherever it is declared,
    even if its value is cached, which takes some 5 % of the event loop's time each (benchmarks/LOG.md).
    """
    return cast(State, request.state)


async def state(request: Request) -> State:
    """The same as a dependency."""
    return state_of(request)


StateDep = Annotated[State, Depends(state)]


class Work:
    """Classifies and explains papers for one request; adds the timings to its log record and response headers."""

    def __init__(self, state: State, record: RequestLog, response: Response) -> None:
        self.record = record
        self._engine = state["engine"]
        self._explainer = state["explainer"]
        self._response = response

    async def classify(self, papers: Sequence[Paper]) -> Answer:
        """One outcome per paper; raises InferenceError if the request as a whole is refused."""
        answer = await self._engine.classify(papers, self.record.deadline)
        self._report(answer)
        return answer

    async def explain(self, paper: Paper) -> Explanation:
        """The outcome for one paper with its evidence; raises InferenceError."""
        explanation = await self._explainer.explain(paper, self.record.deadline)
        self._report(explanation.answer)
        return explanation

    def _report(self, answer: Answer) -> None:
        predictions = [outcome for outcome in answer.outcomes if isinstance(outcome, Prediction)]
        record = self.record
        record.papers = len(answer.outcomes)
        record.tokens = sum(prediction.encoding.tokens for prediction in predictions)
        record.tokenize_s = answer.tokenize_s
        record.queue_s = max((prediction.scored.queue_s for prediction in predictions), default=0.0)
        record.infer_s = sum(prediction.scored.infer_s for prediction in predictions)
        record.model_version = answer.manifest.version
        self._response.headers["Server-Timing"] = record.server_timing
        self._response.headers["X-Model-Version"] = answer.manifest.version


async def work(request: Request, response: Response) -> Work:
    """The work of this request."""
    return Work(state_of(request), request_log_of(request.scope), response)


async def submitted_paper(
    paper: Annotated[PaperIn, Body(openapi_examples=_PAPER_EXAMPLES)], request: Request
) -> Submitted:
    """The paper in the body; raises InvalidRequest."""
    settings = state_of(request)["settings"]
    return Submitted(paper.id, checked_paper(paper.title or "", paper.abstract or "", settings, "#"))


async def submitted_batch(
    batch: Annotated[BatchIn, Body(openapi_examples=_BATCH_EXAMPLES)], request: Request
) -> list[Submitted | Refused]:
    """The papers in the body, each valid or invalid by itself; raises InvalidRequest if there are too many."""
    settings = state_of(request)["settings"]
    if len(batch.papers) > settings.max_papers:
        raise too_large("#/papers", "papers", settings.max_papers, len(batch.papers))
    return [_validated(document, settings, f"#/papers/{i}") for i, document in enumerate(batch.papers)]


WorkDep = Annotated[Work, Depends(work)]
TopDep = Annotated[
    int | None,
    Query(ge=1, description="return only this many labels, the most probable first, and all those in `labels`"),
    # OpenAPI 3.0 has no type "null".
    WithJsonSchema({"type": "integer", "minimum": 1}),
]
PaperDep = Annotated[Submitted, Depends(submitted_paper)]
BatchDep = Annotated[list[Submitted | Refused], Depends(submitted_batch)]


def _validated(document: Any, settings: Settings, pointer: str) -> Submitted | Refused:
    try:
        paper = PaperIn.model_validate(document)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        return Refused(_valid_id(document), invalid_request(errors, pointer))
    try:
        return Submitted(paper.id, checked_paper(paper.title or "", paper.abstract or "", settings, pointer))
    except InvalidRequest as refusal:
        return Refused(paper.id, refusal)


def _valid_id(document: Any) -> str | None:
    try:
        return PaperIn.model_validate({"id": document["id"]}).id
    except (ValidationError, TypeError, KeyError):
        return None


def checked_paper(title: str, abstract: str, settings: Settings, pointer: str) -> Paper:
    """The paper at a JSON pointer; raises InvalidRequest if a text is too long or both are blank."""
    if len(title) > settings.max_title_chars:
        raise too_large(f"{pointer}/title", "characters", settings.max_title_chars, len(title))
    if len(abstract) > settings.max_abstract_chars:
        raise too_large(f"{pointer}/abstract", "characters", settings.max_abstract_chars, len(abstract))
    if not title.strip() and not abstract.strip():
        raise no_text(pointer)
    return Paper(title, abstract)
