"""The paths of the API. Each handler translates between HTTP and the engine and does nothing else."""

import time

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app.api.card import CardOut, card, matches
from app.api.dependencies import BatchDep, PaperDep, StateDep, TopDep, WorkDep
from app.api.errors import (
    BodyTimeout,
    BodyTooLarge,
    Forbidden,
    InternalError,
    InvalidRequest,
    KeysRefused,
    NotJson,
    Unauthorized,
    UnsupportedMediaType,
)
from app.api.json_route import JsonRoute
from app.api.openapi import problem_responses
from app.api.results import batch_out, classify_out, explain_out, model_out
from app.api.schemas import BatchOut, ClassifyOut, ExplainOut, HealthOut, ReloadOut
from app.api.validation import Submitted
from app.inference.errors import (
    DeadlinePassed,
    Draining,
    EngineStalled,
    NotReady,
    QueueFull,
    ReloadRefused,
    RequestTooLarge,
)
from app.observability.request_log import request_log_of

_BODY_ERRORS = (BodyTimeout, BodyTooLarge, RequestTooLarge, UnsupportedMediaType, NotJson, InvalidRequest)
_ENGINE_ERRORS = (QueueFull, NotReady, Draining, EngineStalled, DeadlinePassed)

_EVERYWHERE = (Unauthorized, InternalError)

classification = APIRouter(
    tags=["classify"],
    route_class=JsonRoute,
    responses=problem_responses(*_EVERYWHERE, *_BODY_ERRORS, *_ENGINE_ERRORS),
)
operation = APIRouter(responses=problem_responses(*_EVERYWHERE))
health = APIRouter(tags=["health"], responses=problem_responses(*_EVERYWHERE))


@classification.post("/classify", summary="Classify one paper", response_model_exclude_none=True)
async def classify(paper: PaperDep, work: WorkDep, top: TopDep = None) -> ClassifyOut:
    """A probability for every label, the labels that meet their threshold, and whether a person should check them."""
    return classify_out(paper, await work.classify([paper.paper]), top)


@classification.post("/classify/batch", summary="Classify several papers", response_model_exclude_none=True)
async def classify_batch(papers: BatchDep, work: WorkDep, top: TopDep = None) -> BatchOut:
    """One result per paper, in order; an invalid paper has an error in its place and does not affect the others."""
    answer = await work.classify([paper.paper for paper in papers if isinstance(paper, Submitted)])
    return batch_out(papers, answer, work.record, top)


@classification.post("/explain", summary="Classify one paper and show the evidence", response_model_exclude_none=True)
async def explain(paper: PaperDep, work: WorkDep, top: TopDep = None) -> ExplainOut:
    """Which sentences speak for and against each label: each is left out once and the paper is scored again.

    Costs one inference per sentence, so papers are explained one at a time, and fewer requests are accepted. A
    sentence that was cut off has weight 0.
    """
    return explain_out(paper, await work.explain(paper.paper), top)


@operation.get(
    "/model",
    summary="The model card",
    tags=["about"],
    response_model=CardOut,
    response_model_exclude_none=True,
    responses={304: {"description": "Unchanged since the ETag that was sent"}},
)
async def model(request: Request, state: StateDep, response: Response) -> CardOut | Response:
    """Labels with thresholds and quality, data, base encoder, quantization and its cost, limits, licence."""
    current = state["engine"].current
    headers = {"ETag": f'"{current.sha256}"', "Cache-Control": "no-cache"}
    if matches(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return card(current.manifest, current.sha256)


@health.get("/livez", summary="Liveness probe", responses=problem_responses(NotReady))
async def livez(state: StateDep) -> HealthOut:
    """The process and its engine make progress, or can still recover by themselves."""
    if not state["engine"].alive:
        raise NotReady("The engine stalled and cannot recover; restart the process.", retry_after_s=10)
    return HealthOut(status="live")


@health.get("/readyz", summary="Readiness probe", responses=problem_responses(NotReady, Draining))
async def readyz(state: StateDep) -> HealthOut:
    """The golden papers were reproduced at the start, and an inference has succeeded recently."""
    if reason := state["engine"].health.unready_reason():
        raise reason
    return HealthOut(status="ready")


@health.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {"content": {CONTENT_TYPE_LATEST: {"schema": {"type": "string"}, "example": "papers_ready 1.0\n"}}}
    },
)
async def metrics(state: StateDep) -> Response:
    """All metrics in Prometheus' text format."""
    return Response(state["telemetry"].exposition(), media_type=CONTENT_TYPE_LATEST)


@operation.post(
    "/admin/reload",
    summary="Reload the artefact and the API keys",
    tags=["operate"],
    responses={
        202: {
            "model": ReloadOut,
            "description": "Still loading; another reload waits for the same one",
        },
        **problem_responses(
            BodyTimeout, BodyTooLarge, UnsupportedMediaType, Forbidden, ReloadRefused, KeysRefused, DeadlinePassed
        ),
    },
)
async def reload(request: Request, state: StateDep, response: Response) -> ReloadOut:
    """Verify the version that PAPERS_VERSION names, reproduce its golden papers, then switch; a bad one is refused."""
    if not state["keys"].required:
        raise Forbidden("Reloading over HTTP requires API keys; set PAPERS_API_KEY_FILE, or send SIGHUP.")
    if not state["keys"].may_reload(request_log_of(request.scope).key_name):
        raise Forbidden("This API key may not reload; the key file marks those that may with `:reload`.")
    if state["settings"].processes > 1:
        raise Forbidden("Over HTTP only one of several processes would reload; send SIGHUP, which reaches all.")
    # Answered before the deadline, which would cancel the request while the reload continues.
    outcome = await state["reloader"].reload(time.monotonic() + state["settings"].request_timeout_s / 2)
    if outcome == "accepted":
        response.status_code = 202
    current = state["engine"].current
    return ReloadOut(outcome=outcome, model=model_out(current.manifest, current.sha256))
