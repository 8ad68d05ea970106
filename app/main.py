"""create_app: the wiring of one service, on one screen. Knows which parts there are, not what they do."""

import os
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from app.api import docs, openapi, page, problems, routes
from app.api.cors import ProblemCors
from app.api.door import Door, Doorkeeper
from app.api.keys import ApiKeys
from app.api.middleware import Gate, Observe
from app.errors import InternalError, MethodNotAllowed, NotFound, ServiceError
from app.inference.reload import Classifier, Versions
from app.observability.metrics import Telemetry
from app.observability.request_log import record_of
from app.server.limits import Patience
from app.server.turnstile import State, Turnstile
from app.service import Service
from app.settings import Settings, SettingsError
from model_store.store import Store

_WHERE_TRACES_GO = {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"}


def create_app(settings: Settings, classifier: Classifier | None = None, telemetry: Telemetry | None = None) -> FastAPI:
    """A service over `classifier`, or over the artefact that the settings name.

    Loads, verifies and replays the artefact before it returns; raises ArtefactError or
    SettingsError with one sentence that says what is wrong.
    """
    telemetry = telemetry or Telemetry(os.environ.get("PROMETHEUS_MULTIPROC_DIR"))
    versions = Versions(classifier) if classifier else Versions.open(Store(settings.artefacts), settings.version)
    keys = ApiKeys(settings.api_key_file)
    service = Service(settings, versions, keys, telemetry)
    keeper = Doorkeeper(service.engine.refusal, _paths("classify"), settings.max_body_bytes)
    turnstile = Turnstile(keeper, service)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[State]:
        async with service.running():
            yield {"service": service, "turnstile": turnstile}

    app = FastAPI(
        title=openapi.TITLE,
        description=openapi.DESCRIPTION,
        version=openapi.API_VERSION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        telemetry=_tracing(settings, os.environ),
        middleware=_middleware(service, keeper),
        exception_handlers={ServiceError: _refused, HTTPException: _refused_by_framework},
    )
    app.include_router(routes.router)
    app.include_router(docs.router)
    app.include_router(page.router)
    described = openapi.document(app, settings.max_papers, keys=keys.required)
    app.openapi = lambda: described  # type: ignore[method-assign]
    return app


def _tracing(settings: Settings, environ: Mapping[str, str]) -> TelemetryConfig:
    """FastAPI's own OpenTelemetry: requests as spans, exported as the OTEL_ variables say; nothing unless asked for."""
    on = settings.traces
    if on and find_spec("opentelemetry.sdk") is None:
        raise SettingsError("PAPERS_TRACES needs the extra `otel`, which is not installed")
    if on and not environ.keys() & _WHERE_TRACES_GO:
        raise SettingsError("PAPERS_TRACES needs OTEL_EXPORTER_OTLP_ENDPOINT, a collector's address")
    paths = _paths()

    def is_not_ours(scope: MutableMapping[str, Any]) -> bool:
        # A span has path and query as they came; no path of ours takes a query, so it may be anybody's text.
        return scope["type"] == "http" and (scope["path"] not in paths or bool(scope["query_string"]))

    return {
        "tracing": on,
        "auto_configure": on,
        "metrics": False,
        "logs": False,
        "operation_spans": False,
        "exclude": is_not_ours,
    }


def _paths(tag: str | None = None) -> frozenset[str]:
    """The templates of our own paths, or of those with a tag."""
    known = [route for route in routes.router.routes if isinstance(route, APIRoute)]
    return frozenset(route.path for route in known if tag is None or tag in route.tags)


def _middleware(service: Service, keeper: Doorkeeper) -> list[Middleware]:
    """From outside to inside."""
    settings = service.settings
    cors = [Middleware(ProblemCors, origins=settings.cors_origins)] if settings.cors_origins else []
    return [
        Middleware(Observe, telemetry=service.telemetry, paths=_paths(), health=service.engine.health),
        *cors,
        Middleware(Gate, keys=service.keys, open_health=settings.open_health),
        Middleware(Door, keeper=keeper),
        Middleware(Patience, settings=settings),
    ]


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, ServiceError):
        raise error
    record = record_of(request.scope)
    record.problems.append(problems.kind_of(error).code)
    return problems.response(error, record.id)


async def _refused_by_framework(request: Request, error: Exception) -> Response:
    """Only routing raises these: everything else of ours is a ServiceError."""
    if not isinstance(error, HTTPException):
        raise error
    known = {404: NotFound("There is nothing under this path."), 405: MethodNotAllowed("Not with this method.")}
    answer = await _refused(request, known.get(error.status_code, InternalError("An unexpected fault.")))
    answer.headers.update(error.headers or {})
    return answer
