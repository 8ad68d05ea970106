"""The parts of one running service, and what concerns several of them. Knows no paths and no bodies."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from starlette.requests import Request

from app.api.body import Limits
from app.api.keys import ApiKeys
from app.errors import ServiceError
from app.explain.explainer import Explainer
from app.inference.engine import Engine
from app.inference.reload import Versions
from app.observability import logs
from app.observability.metrics import Telemetry
from app.observability.request_log import Record
from app.settings import Settings, SettingsError


class Service:
    """Settings, engine, explainer, keys and numbers of one service."""

    def __init__(self, settings: Settings, versions: Versions, keys: ApiKeys, telemetry: Telemetry) -> None:
        self.settings = settings
        self.engine = Engine(settings, versions, telemetry)
        self.explainer = Explainer(self.engine, settings.max_explained_sentences, settings.max_waiting_explanations)
        self.keys = keys
        self.telemetry = telemetry
        self.limits = Limits(settings.max_papers, settings.max_title_chars, settings.max_abstract_chars)

    def deadline(self, record: Record) -> float:
        """The time.monotonic() at which this request is cancelled."""
        return record.deadline

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work while the block runs."""
        async with self.engine.running():
            yield

    async def reload(self) -> Literal["switched", "unchanged"]:
        """Read the API keys and the wanted version again; raises ArtefactRefused. Unusable keys are only logged."""
        try:
            self.keys.reload()
        except SettingsError as error:
            logs.event(logging.ERROR, "API keys not reloaded, the old ones stay", reason=str(error))
        return await self.engine.reload()

    async def reload_quietly(self) -> None:
        """The same for a signal, which nobody answers: a refusal is in the log already."""
        try:
            await self.reload()
        except ServiceError:
            return


def service_of(request: Request) -> Service:
    """The service that answers this request."""
    service: Service = request.state.service
    return service
