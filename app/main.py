"""The composition root: `create_app` builds the parts of one service and puts them together."""

import os
import re
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import fields
from importlib.util import find_spec
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.security import HTTPBearer
from fastapi.telemetry import TelemetryConfig
from starlette._utils import get_route_path
from starlette.middleware import Middleware
from starlette.routing import Route

from app.api import annif, open_inference, openapi, pages, routes
from app.api.cors import ProblemCors
from app.api.dependencies import State
from app.api.errors import PROBLEMS
from app.api.exception_handlers import add_exception_handlers
from app.api.head import HeadMiddleware
from app.api.keys import ApiKeys
from app.api.middleware import (
    AllowedHostsMiddleware,
    ApiKeyMiddleware,
    RequestLogMiddleware,
    ResponseHeadersMiddleware,
)
from app.api.overload import AdmissionMiddleware
from app.api.reload import Reloader
from app.api.root_path import RootPathMiddleware
from app.explain.explainer import Explainer
from app.inference.classifier import Classifier
from app.inference.engine import Engine
from app.inference.options import EngineOptions
from app.inference.versions import Versions
from app.observability.engine_events import EngineEvents
from app.observability.metrics import Telemetry
from app.server.headers import HeaderMiddleware
from app.server.limits import BodyLimitMiddleware, DeadlineMiddleware, DisconnectMiddleware
from app.settings import LOCAL_HOSTS, Settings, SettingsError
from model_store.remote import open_store

_METRICS_DIR = "PROMETHEUS_MULTIPROC_DIR"
_OTLP_ENDPOINTS = {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"}
# Shorter than any Retry-After, so that clients that honour it lose no time.
_REJECTION_DELAY_S = 0.5
# Suffixes of the routes of compatible APIs that classify papers.
_WORK = ("/suggest", "/suggest-batch", "/infer")
# Any other query may contain a text.
_TRACEABLE_QUERY = re.compile(rb"(top=[0-9]{1,9})?")


def create_app(settings: Settings, classifier: Classifier | None = None, telemetry: Telemetry | None = None) -> FastAPI:
    """A service over `classifier`, or over the artefact that the settings name.

    Loads the artefact, verifies it and reproduces its golden papers before it returns; raises ArtefactError or
    SettingsError.
    """
    telemetry = telemetry or Telemetry(_shared_metrics(os.environ), {kind.code for kind in PROBLEMS.values()})
    versions = Versions(classifier) if classifier else _versions(settings)
    engine = Engine(_engine_options(settings), versions, EngineEvents(telemetry))
    state = _state(settings, engine, telemetry)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[State]:
        async with state["engine"].running():
            yield state

    app = FastAPI(
        title=openapi.TITLE,
        description=openapi.DESCRIPTION,
        version=openapi.API_VERSION,
        lifespan=lifespan,
        servers=[{"url": settings.root_path}] if settings.root_path else None,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        telemetry=_tracing(settings, os.environ),
        middleware=_middleware(state),
    )
    openapi.describe(app, settings.max_papers)
    add_exception_handlers(app)
    _include_routers(app, settings, state["keys"])
    return app


def _shared_metrics(environ: Mapping[str, str]) -> str | None:
    folder = environ.get(_METRICS_DIR)
    if folder is not None and not os.access(folder, os.W_OK | os.X_OK):
        raise SettingsError(f"{_METRICS_DIR} is {folder!r}, expected an existing folder that this process may write to")
    return folder


def _include_routers(app: FastAPI, settings: Settings, keys: ApiKeys) -> None:
    # ApiKeyMiddleware checks keys before a body is read; this dependency only declares them in the OpenAPI document.
    with_key = [Depends(HTTPBearer(scheme_name="key", auto_error=False))] if keys.required else []
    app.include_router(routes.classification, dependencies=with_key)
    app.include_router(routes.operation, dependencies=with_key)
    app.include_router(routes.health)
    app.include_router(pages.router)
    app.add_api_route("", pages.add_slash, include_in_schema=False)
    for router in _compatible_apis(settings):
        app.include_router(router)


def _versions(settings: Settings) -> Versions:
    return Versions.open(
        open_store(settings.artefacts), settings.version, settings.model, settings.threads, settings.manifest_sha256
    )


def _engine_options(settings: Settings) -> EngineOptions:
    return EngineOptions(**{field.name: getattr(settings, field.name) for field in fields(EngineOptions)})


def _state(settings: Settings, engine: Engine, telemetry: Telemetry) -> State:
    keys = ApiKeys(settings.api_key_file)
    return State(
        settings=settings,
        engine=engine,
        explainer=Explainer(engine, _explained_sentences(settings), settings.max_waiting_explanations),
        keys=keys,
        reloader=Reloader(keys, engine),
        telemetry=telemetry,
    )


def _explained_sentences(settings: Settings) -> int:
    """The most sentences of which an explanation, with the whole paper and its title, still fits into the queue."""
    return max(1, min(settings.max_explained_sentences, settings.max_queue - 2))


def _middleware(state: State) -> list[Middleware]:
    """All middleware, outermost first."""
    settings, engine = state["settings"], state["engine"]
    return [
        Middleware(RootPathMiddleware, root_path=settings.root_path),
        Middleware(RequestLogMiddleware, telemetry=state["telemetry"], paths=_api_paths()),
        Middleware(ResponseHeadersMiddleware, health=engine.health),
        Middleware(HeadMiddleware),
        Middleware(HeaderMiddleware),
        *_browser_middleware(settings),
        Middleware(ApiKeyMiddleware, keys=state["keys"], open_metrics=settings.open_health),
        Middleware(
            AdmissionMiddleware,
            rejection=engine.refusal,
            takes_papers=_work_path(state).fullmatch,
            max_body_bytes=settings.max_body_bytes,
            delay_s=_REJECTION_DELAY_S,
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
    """Protection against web pages of other hosts and origins."""
    if settings.allowed_hosts:
        hosts = [Middleware(AllowedHostsMiddleware, hosts=settings.allowed_hosts)]
    elif settings.is_local and not settings.api_key_file and not settings.cors_origins:
        hosts = [Middleware(AllowedHostsMiddleware, hosts=LOCAL_HOSTS, browsers_only=True)]
    else:
        hosts = []
    return hosts + ([Middleware(ProblemCors, origins=settings.cors_origins)] if settings.cors_origins else [])


def _tracing(settings: Settings, environ: Mapping[str, str]) -> TelemetryConfig:
    """FastAPI's OpenTelemetry support: requests as spans, exported according to the OTEL_ variables."""
    on = settings.traces
    if on and find_spec("opentelemetry.sdk") is None:
        raise SettingsError("PAPERS_TRACES needs the extra `otel`, which is not installed")
    if on and not environ.keys() & _OTLP_ENDPOINTS:
        raise SettingsError("PAPERS_TRACES needs OTEL_EXPORTER_OTLP_ENDPOINT, a collector's address")
    paths = _api_paths()

    def is_excluded(scope: MutableMapping[str, Any]) -> bool:
        # A span records path and query as sent; those outside this API may contain a submitted text.
        # No middleware has run yet that would set the path prefix.
        route_path = get_route_path({**scope, "root_path": settings.root_path})
        is_ours = route_path in paths and _TRACEABLE_QUERY.fullmatch(scope["query_string"])
        return scope["type"] == "http" and not is_ours

    return {
        "tracing": on,
        "auto_configure": on,
        "metrics": False,
        "logs": False,
        "operation_spans": False,
        "exclude": is_excluded,
    }


def _compatible_apis(settings: Settings) -> list[APIRouter]:
    return [
        *([annif.router] if settings.annif_api else []),
        *([open_inference.router] if settings.open_inference_api else []),
    ]


def _work_path(state: State) -> re.Pattern[str]:
    """Matches the paths that classify papers; in those of compatible APIs, with the model's name and any version."""
    compatible = {path for path in _paths(*_compatible_apis(state["settings"])) if path.endswith(_WORK)}
    name = re.escape(state["engine"].current.manifest.name)
    patterns = [
        re.sub(r"{(project_id|name)}", name, path).replace("{version}", "[^/]+")
        for path in _paths(routes.classification) | compatible
    ]
    return re.compile("|".join(patterns))


def _api_paths() -> frozenset[str]:
    return _paths(routes.classification, routes.operation, routes.health)


def _paths(*routers: APIRouter) -> frozenset[str]:
    return frozenset(route.path for router in routers for route in router.routes if isinstance(route, Route))
