"""A client of the service over the tiny artefact."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from model_store.store import Store
from tests import builders


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return builders.publish(tmp_path / "artefacts")


@pytest.fixture
def settings(store: Store) -> Settings:
    return Settings(artefacts=store.root, threads=2)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings)) as client:
        yield client
