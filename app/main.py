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
from app.api.keys import ApiKeys
from app.api.middleware import (
    AdmissionMiddleware,
    AllowedHostsMiddleware,
    ApiKeyMiddleware,
    RequestLogMiddleware,
    ResponseHeadersMiddleware,
)
from app.errors import InternalError, MethodNotAllowed, NotFound, ServiceError
from app.inference.reload import Classifier, Versions
from app.observability.metrics import Telemetry
from app.observability.request_log import record_of
from app.server.limits import BodyLimitMiddleware, DeadlineMiddleware, DisconnectMiddleware, HeaderMiddleware
from app.service import Service
from app.settings import LOCAL_HOSTS, Settings, SettingsError
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

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Service]]:
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
        telemetry=_tracing(settings, os.environ),
        middleware=_middleware(service),
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


def _middleware(service: Service) -> list[Middleware]:
    """From outside to inside; each is described in its class."""
    settings = service.settings
    return [
        Middleware(RequestLogMiddleware, telemetry=service.telemetry, paths=_paths()),
        Middleware(ResponseHeadersMiddleware, health=service.engine.health),
        Middleware(HeaderMiddleware),
        *_browser_middleware(settings),
        Middleware(ApiKeyMiddleware, keys=service.keys, open_metrics=settings.open_health),
        Middleware(
            AdmissionMiddleware,
            rejection=service.engine.refusal,
            paths=_paths("classify"),
            max_body_bytes=settings.max_body_bytes,
        ),
        Middleware(
            BodyLimitMiddleware,
            max_bytes=settings.max_body_bytes,
            max_silence_s=settings.body_timeout_s,
            min_bytes_per_s=settings.min_body_bytes_per_s,
        ),
        Middleware(DisconnectMiddleware),
        Middleware(DeadlineMiddleware, seconds=settings.request_timeout_s),
    ]


def _browser_middleware(settings: Settings) -> list[Middleware]:
    """What concerns web pages: which host names they may use, and which origins."""
    if settings.allowed_hosts:
        hosts = [Middleware(AllowedHostsMiddleware, hosts=settings.allowed_hosts)]
    elif settings.is_local and not settings.api_key_file and not settings.cors_origins:
        hosts = [Middleware(AllowedHostsMiddleware, hosts=LOCAL_HOSTS, browsers_only=True)]
    else:
        hosts = []
    return hosts + ([Middleware(ProblemCors, origins=settings.cors_origins)] if settings.cors_origins else [])


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
