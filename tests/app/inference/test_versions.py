"""A reload is a task of its own, one at a time; whoever asks for it may go away."""

import asyncio
import threading
import time
from pathlib import Path

import pytest

from app.inference.classifier import Classifier
from app.inference.errors import ReloadRefused
from app.inference.versions import ArtefactReloader, Versions, threads_per_run
from model_store.errors import ArtefactDamaged, StoreUnavailable
from model_store.store import LATEST, Artefact, Store
from tests import builders


class Loading(Versions):
    """Loads the successor when it is allowed to, or fails."""

    def __init__(self, current: Classifier, successor: Classifier | Exception | None) -> None:
        super().__init__(current)
        self.allowed = threading.Event()
        self.loads = 0
        self._successor = successor

    def successor(self) -> Classifier | None:
        self.loads += 1
        self.allowed.wait(10)
        if isinstance(self._successor, Exception):
            raise self._successor
        return self._successor


@pytest.fixture
def classifier(store: Store) -> Classifier:
    return store.open().classifier()


def test_six_cancelled_reloads_load_one_artefact(store: Store, classifier: Classifier) -> None:
    successor = store.open().classifier()
    versions = Loading(classifier, successor)
    finished: list[str] = []

    async def scene() -> None:
        reloader = ArtefactReloader(versions, lambda outcome, error: finished.append(outcome))
        for _ in range(6):
            request = asyncio.create_task(reloader.reload(None))
            await asyncio.sleep(0.01)
            request.cancel()
            await asyncio.gather(request, return_exceptions=True)
        versions.allowed.set()
        assert await reloader.reload(None) == "switched"

    asyncio.run(scene())
    assert (versions.loads, finished, versions.current) == (1, ["switched"], successor)


def test_a_reload_that_takes_longer_than_its_caller_waits_is_accepted_and_goes_on(classifier: Classifier) -> None:
    versions = Loading(classifier, None)

    async def scene() -> None:
        reloader = ArtefactReloader(versions, lambda outcome, error: None)
        assert await reloader.reload(time.monotonic() + 0.02) == "accepted"
        joined = asyncio.create_task(reloader.reload(None))
        versions.allowed.set()
        assert await joined == "unchanged"

    asyncio.run(scene())
    assert versions.loads == 1


@pytest.mark.parametrize("error", [ArtefactDamaged("half a file"), OSError("no disk")])
def test_every_caller_gets_the_refusal_and_the_next_reload_starts_again(
    classifier: Classifier, error: Exception
) -> None:
    versions = Loading(classifier, error)
    versions.allowed.set()
    reported: list[Exception | None] = []

    async def scene() -> None:
        reloader = ArtefactReloader(versions, lambda outcome, error: reported.append(error))
        both = await asyncio.gather(reloader.reload(None), reloader.reload(None), return_exceptions=True)
        assert [type(outcome) for outcome in both] == [ReloadRefused] * 2
        with pytest.raises(ReloadRefused):
            await reloader.reload(None)

    asyncio.run(scene())
    assert (versions.loads, reported, versions.current) == (2, [error, error], classifier)


def test_the_end_of_the_service_does_not_wait_for_a_reload(classifier: Classifier) -> None:
    versions = Loading(classifier, None)

    async def scene() -> None:
        reloader = ArtefactReloader(versions, lambda outcome, error: None)
        assert await reloader.reload(time.monotonic() + 0.02) == "accepted"

    begun = time.monotonic()
    asyncio.run(scene())  # waits for the threads of its executor
    assert time.monotonic() - begun < 5
    versions.allowed.set()


def test_only_the_newest_version_is_loaded_or_none(store: Store, tmp_path: Path) -> None:
    """A remote store that lists a version and cannot copy it answers "latest" with an earlier copy."""
    builders.publish(store.root, "1.1.0")

    class Unreachable(Store):
        def open(self, name: str | None = None, version: str = LATEST, sha256: str | None = None) -> Artefact:
            if version == "1.1.0":
                raise StoreUnavailable("1.1.0 cannot be copied")
            return super().open(name, "1.0.0", sha256)

    versions = Versions.open(Unreachable(store.root), LATEST)
    with pytest.raises(StoreUnavailable):
        versions.successor()


@pytest.mark.parametrize(("workers", "threads"), [(1, 1), (2, 2), (4, 4), (16, 4)])
def test_one_paper_uses_a_few_threads_at_most(workers: int, threads: int) -> None:
    assert threads_per_run(workers) == threads
