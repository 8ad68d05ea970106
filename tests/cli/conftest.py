"""The command line over the tiny artefact."""

from pathlib import Path

import pytest

from tests import builders
from tests.cli.command import Command


@pytest.fixture
def artefacts(tmp_path: Path) -> Path:
    return builders.publish(tmp_path / "artefacts").root


@pytest.fixture
def papers(artefacts: Path) -> Command:
    """Runs `papers ...` with this artefact, in this process."""
    return Command(artefacts)
