"""What all tests share: no clock in property tests, and a clear reason where papers are absent."""

from pathlib import Path

import hypothesis
import pytest

SHARED = Path(__file__).parents[2] / "shared"


def pytest_configure() -> None:
    """Speed is not a property of a function: a busy machine must not fail a test."""
    hypothesis.settings.register_profile("project", deadline=None, derandomize=True)
    hypothesis.settings.load_profile("project")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the shared papers where there are none."""
    if SHARED.is_dir():
        return
    skip = pytest.mark.skip(reason=f"needs papers and encoder in {SHARED.name}/ beside the checkout, there is none")
    for item in items:
        if "shared" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with papers and encoder; use together with the marker `shared`."""
    return SHARED
