"""The service within this process and event loop, for tests that look inside or bring a faulty classifier."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import httpx
from starlette.types import Receive, Scope, Send

from app.inference.classifier import Classifier
from app.inference.engine import Engine
from app.main import create_app
from app.observability.metrics import Telemetry
from app.settings import Settings


class InProcess(NamedTuple):
    """A client of a service, and parts of the service itself."""

    client: httpx.AsyncClient
    engine: Engine
    telemetry: Telemetry

    async def classify(self, *titles: str) -> httpx.Response:
        if len(titles) == 1:
            return await self.client.post("/classify", json={"title": titles[0]})
        return await self.client.post("/classify/batch", json={"papers": [{"title": title} for title in titles]})

    def metric(self, sample: str) -> float:
        """The value of one line of /metrics, 0 if it is not there."""
        lines = self.telemetry.exposition().decode().splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{sample} ")), 0.0)


@asynccontextmanager
async def in_process(settings: Settings, classifier: Classifier | None = None) -> AsyncIterator[InProcess]:
    """A running service; ends with the block."""
    app = create_app(settings, classifier)
    async with app.router.lifespan_context(app) as given:
        state = dict(given or {})

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": dict(state)}, receive, send)

        transport = httpx.ASGITransport(with_state)
        async with httpx.AsyncClient(transport=transport, base_url="http://papers", timeout=30) as client:
            yield InProcess(client, state["engine"], state["telemetry"])
