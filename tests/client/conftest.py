"""A client of the application with the tiny artefact."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.settings import Settings
from client import Client
from tests import builders
from tests.client.bridges import served


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(artefacts=builders.publish(tmp_path / "artefacts").root, threads=2, max_papers=8)


@pytest.fixture
def client(settings: Settings) -> Iterator[Client]:
    with served(settings) as transport, Client(transport=transport) as client:
        yield client
