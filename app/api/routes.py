"""The paths, and nothing but translation: from bodies to papers, from outcomes to bodies."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import JsonValue

from app.api import answers, body, media
from app.api.card import card, matches
from app.api.openapi import body_of, may_fail
from app.api.schemas import (
    PAPER_EXAMPLE,
    BatchIn,
    BatchOut,
    CardOut,
    ClassifyOut,
    ExplainOut,
    HealthOut,
    PaperIn,
    ReloadOut,
)
from app.errors import (
    ArtefactRefused,
    BodyTimeout,
    BodyTooLarge,
    DeadlinePassed,
    Draining,
    EngineStalled,
    Forbidden,
    InternalError,
    InvalidRequest,
    NotJson,
    NotReady,
    QueueFull,
    Unauthorized,
    UnsupportedMediaType,
)
from app.observability.request_log import record_of
from app.service import service_of

_ANYWHERE = (BodyTimeout, BodyTooLarge, UnsupportedMediaType, InternalError, DeadlinePassed)
_WORK = (*_ANYWHERE, NotJson, Unauthorized, InvalidRequest, QueueFull, NotReady, Draining, EngineStalled)
_ONE: dict[str, JsonValue] = {"both": PAPER_EXAMPLE, "title only": {"title": "On primes in short intervals"}}
_SEVERAL: dict[str, JsonValue] = {
    "two papers": {"papers": [PAPER_EXAMPLE, {"title": "On primes in short intervals"}]},
    "one of them invalid": {"papers": [{"title": "A market of small bets"}, {"id": "blank", "title": " "}]},
}

router = APIRouter()


@router.post(
    "/classify",
    summary="Classify one paper",
    tags=["classify"],
    response_model=ClassifyOut,
    response_model_exclude_none=True,
    responses=may_fail(*_WORK),
    openapi_extra=body_of(PaperIn, _ONE),
)
async def classify(request: Request, response: Response) -> ClassifyOut:
    """A probability for every label, the labels that reach their threshold, and whether a person should look."""
    service, record = service_of(request), record_of(request.scope)
    document = await media.json_document(request)
    paper = body.read_paper(document, service.limits)
    answer = await service.engine.classify([answers.paper(paper)], service.deadline(record))
    answers.note(answer, record, response.headers)
    return answers.single(paper, answer)


@router.post(
    "/classify/batch",
    summary="Classify several papers",
    tags=["classify"],
    response_model=BatchOut,
    response_model_exclude_none=True,
    responses=may_fail(*_WORK),
    openapi_extra=body_of(BatchIn, _SEVERAL),
)
async def classify_batch(request: Request, response: Response) -> BatchOut:
    """One result per paper, in order; an invalid paper gets an error in its place and hurts no other."""
    service, record = service_of(request), record_of(request.scope)
    readings = body.read_batch(await media.json_document(request), service.limits)
    papers = [answers.paper(reading.paper) for reading in readings if isinstance(reading.paper, PaperIn)]
    answer = await service.engine.classify(papers, service.deadline(record))
    answers.note(answer, record, response.headers)
    return answers.batch(readings, answer, record)


@router.post(
    "/explain",
    summary="Classify one paper and show the evidence",
    tags=["classify"],
    response_model=ExplainOut,
    response_model_exclude_none=True,
    responses=may_fail(*_WORK),
    openapi_extra=body_of(PaperIn, _ONE),
)
async def explain(request: Request, response: Response) -> ExplainOut:
    """Which sentences speak for and against each label given: each is left out once and the paper scored anew.

    Costs one classification per sentence, so papers are explained one after the other, and 429 comes sooner.
    A sentence the model never saw weighs 0; leaving out an earlier one may let it in.
    """
    service, record = service_of(request), record_of(request.scope)
    paper = body.read_paper(await media.json_document(request), service.limits)
    explanation = await service.explainer.explain(answers.paper(paper), service.deadline(record))
    answers.note(explanation.answer, record, response.headers)
    return answers.explained(paper, explanation)


@router.get(
    "/model",
    summary="The model card",
    tags=["about"],
    response_model=CardOut,
    response_model_exclude_none=True,
    responses={304: {"description": "Unchanged since the ETag that was sent"}, **may_fail(Unauthorized, InternalError)},
)
async def model(request: Request, response: Response) -> CardOut | Response:
    """Labels with thresholds and quality, data, base encoder, quantization and its cost, limits, licence."""
    current = service_of(request).engine.current
    headers = {"ETag": f'"{current.sha256}"', "Cache-Control": "no-cache"}
    if matches(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return card(current.manifest, current.sha256)


@router.get("/livez", summary="Alive?", tags=["health"], responses=may_fail(NotReady, Unauthorized, InternalError))
async def livez(request: Request) -> HealthOut:
    """The process and its engine make progress, or can still get well by themselves."""
    if not service_of(request).engine.alive:
        raise NotReady("The engine stalled beyond repair; restart the process.", retry_after_s=10)
    return HealthOut(status="live")


@router.get(
    "/readyz", summary="Ready?", tags=["health"], responses=may_fail(NotReady, Draining, Unauthorized, InternalError)
)
async def readyz(request: Request) -> HealthOut:
    """The golden papers were replayed at the start, and a real inference has succeeded lately."""
    if ailment := service_of(request).engine.health.ailment():
        raise ailment
    return HealthOut(status="ready")


@router.get(
    "/metrics",
    summary="Numbers for Prometheus",
    tags=["health"],
    response_class=Response,
    responses={
        200: {"content": {CONTENT_TYPE_LATEST: {"schema": {"type": "string"}, "example": "papers_ready 1.0\n"}}},
        **may_fail(Unauthorized, InternalError),
    },
)
async def metrics(request: Request) -> Response:
    """Everything that is counted, in Prometheus' text format."""
    return Response(service_of(request).telemetry.exposition(), media_type=CONTENT_TYPE_LATEST)


@router.post(
    "/admin/reload",
    summary="Load the wanted version anew",
    tags=["operate"],
    responses=may_fail(*_ANYWHERE, Unauthorized, Forbidden, ArtefactRefused),
)
async def reload(request: Request) -> ReloadOut:
    """Verify the version that PAPERS_VERSION names, replay its golden papers, then switch; a bad one is refused."""
    service = service_of(request)
    if not service.keys.required:
        raise Forbidden("Reloading over HTTP needs API keys; set PAPERS_API_KEY_FILE, or send SIGHUP.")
    if service.settings.processes > 1:
        raise Forbidden("Over HTTP one process of several would reload; send SIGHUP, which reaches all.")
    outcome = await service.reload()
    return ReloadOut(outcome=outcome, model=answers.model(service.engine.current))
