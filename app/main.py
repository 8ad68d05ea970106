"""create_app: the wiring of one service, on one screen. Knows which parts there are, not what they do."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from app import docs, openapi, page, problems, routes
from app.cors import ProblemCors
from app.errors import InternalError, MethodNotAllowed, NotFound, ServiceError
from app.keys import ApiKeys
from app.middleware import Gate, Observe
from app.patience import Patience
from app.record import record_of
from app.service import Service, State
from app.settings import Settings, SettingsError
from app.telemetry import Telemetry
from app.versions import Classifier, Versions
from model_store.store import Store


def create_app(settings: Settings, classifier: Classifier | None = None, telemetry: Telemetry | None = None) -> FastAPI:
    """A service over `classifier`, or over the artefact that the settings name.

    Loads, verifies and replays the artefact before it returns; raises ArtefactError or
    SettingsError with one sentence that says what is wrong.
    """
    telemetry = telemetry or Telemetry(os.environ.get("PROMETHEUS_MULTIPROC_DIR"))
    versions = Versions(classifier) if classifier else Versions.open(Store(settings.artefacts), settings.version)
    keys = ApiKeys(settings.api_key_file)
    service = Service(settings, versions, keys, telemetry)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[State]:
        async with service.running():
            yield {"service": service}

    app = FastAPI(
        title=openapi.TITLE,
        description=openapi.DESCRIPTION,
        version=openapi.API_VERSION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        telemetry=_tracing(settings),
        middleware=_middleware(service),
        exception_handlers={ServiceError: _refused, HTTPException: _refused_by_framework},
    )
    app.include_router(routes.router)
    app.include_router(docs.router)
    app.include_router(page.router)
    described = openapi.document(app, settings.max_papers, keys=keys.required)
    app.openapi = lambda: described  # type: ignore[method-assign]
    return app


def _tracing(settings: Settings) -> TelemetryConfig:
    """FastAPI's own OpenTelemetry: requests as spans, exported as the OTEL_ variables say; nothing unless asked for."""
    if settings.traces and find_spec("opentelemetry.sdk") is None:
        raise SettingsError("PAPERS_TRACES needs the extra `otel`, which is not installed")
    on = settings.traces
    return {"tracing": on, "auto_configure": on, "metrics": False, "logs": False, "operation_spans": False}


def _middleware(service: Service) -> list[Middleware]:
    """From outside to inside."""
    settings = service.settings
    cors = [Middleware(ProblemCors, origins=settings.cors_origins)] if settings.cors_origins else []
    paths = frozenset(route.path for route in routes.router.routes if isinstance(route, APIRoute))
    return [
        Middleware(Observe, telemetry=service.telemetry, paths=paths, health=service.engine.health),
        *cors,
        Middleware(Gate, keys=service.keys, open_health=settings.open_health),
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
