"""A new version comes into service without a failed request; a bad one never does."""

import asyncio
import hashlib
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings
from model_store.store import GRAPH, MANIFEST, Store
from tests import builders
from tests.app.inprocess import InProcess, in_process

KEY = "correct horse"
AUTH = {"authorization": f"Bearer {KEY}"}


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text(f"# who may reload\noperator:{hashlib.sha256(KEY.encode()).hexdigest()}:reload\n")
    return path


def run(store: Store, key_file: Path, scenario: Callable[[InProcess], Awaitable[None]], **settings: Any) -> None:
    async def run_scenario() -> None:
        options = Settings(artefacts=store.root, threads=2, api_key_file=key_file, **settings)
        async with in_process(options) as papers:
            papers.client.headers.update(AUTH)
            await scenario(papers)

    asyncio.run(run_scenario())


def publish_strange(store: Store, version: str, **files: bytes) -> None:
    """A version whose checksums hold, and which is no good all the same."""
    builders.publish(store.root, version)
    builders.tamper(store.root / "tiny-subjects" / version, **files)


def test_a_newer_version_is_switched_to(store: Store, key_file: Path) -> None:
    async def scenario(papers: InProcess) -> None:
        builders.publish(store.root, "1.2.0")
        answer = await papers.client.post("/admin/reload")
        assert (answer.json()["outcome"], answer.json()["model"]["version"]) == ("switched", "1.2.0")
        assert (await papers.classify("star")).headers["x-model-version"] == "1.2.0"
        assert papers.metric('papers_reloads_total{outcome="switched"}') == 1
        sha = papers.engine.current.sha256
        assert papers.metric(f'papers_model_info{{name="tiny-subjects",sha256="{sha}",version="1.2.0"}}') == 1

    run(store, key_file, scenario)


def test_without_a_newer_version_nothing_changes(store: Store, key_file: Path) -> None:
    async def scenario(papers: InProcess) -> None:
        assert (await papers.client.post("/admin/reload")).json()["outcome"] == "unchanged"

    run(store, key_file, scenario)


def test_a_pinned_version_stays_whatever_is_published(store: Store, key_file: Path) -> None:
    async def scenario(papers: InProcess) -> None:
        builders.publish(store.root, "1.2.0")
        assert (await papers.client.post("/admin/reload")).json()["outcome"] == "unchanged"

    run(store, key_file, scenario, version="1.0.0")


async def refused(papers: InProcess) -> None:
    answer = await papers.client.post("/admin/reload")
    assert (answer.status_code, answer.json()["code"]) == (409, "artefact_refused")
    assert (await papers.classify("star")).headers["x-model-version"] == "1.0.0"
    assert papers.metric('papers_reloads_total{outcome="refused"}') == 1


def test_a_damaged_version_is_refused_and_the_old_one_keeps_answering(store: Store, key_file: Path) -> None:
    async def scenario(papers: InProcess) -> None:
        builders.publish(store.root, "1.2.0")
        (store.root / "tiny-subjects" / "1.2.0" / GRAPH).write_bytes(b"half")
        await refused(papers)

    run(store, key_file, scenario)


def test_a_version_that_computes_other_scores_is_refused_and_counted(store: Store, key_file: Path) -> None:
    async def scenario(papers: InProcess) -> None:
        publish_strange(store, "1.2.0", model=builders.graph(pull=3.0))
        await refused(papers)
        assert papers.metric("papers_golden_failures_total") == 1

    run(store, key_file, scenario)


# A tokenizer that makes the Rust library panic, which is not an Exception.
PANIC = json.dumps(
    json.loads(builders.tokenizer().to_str()) | {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}
).encode()
ANY_SCORES = b'{"tolerance": 0.99, "papers": [{"title": "star", "scores": [0.5, 0.5, 0.5]}]}'


@pytest.mark.parametrize(
    "files",
    [
        {"model": b"no graph"}, {"tokenizer": b"{}"}, {"tokenizer": PANIC}, {"golden": b"[]"},
        {"golden": ANY_SCORES},
    ],
    ids=["no graph", "no tokenizer", "panic", "no golden papers", "any scores"],
)  # fmt: skip
def test_a_version_that_cannot_be_loaded_is_refused(store: Store, key_file: Path, files: dict[str, bytes]) -> None:
    async def scenario(papers: InProcess) -> None:
        publish_strange(store, "1.2.0", **files)
        await refused(papers)

    run(store, key_file, scenario)


def never_ending(folder: Path) -> None:
    (folder / GRAPH).unlink()
    os.mkfifo(folder / GRAPH)


def elsewhere(folder: Path) -> None:
    (folder / GRAPH).unlink()
    (folder / GRAPH).symlink_to("/dev/zero")


def another_version(folder: Path) -> None:
    folder.rename(folder.with_name("9.9.9"))


def endless_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).symlink_to("/dev/zero")


@pytest.mark.parametrize("harm", [never_ending, elsewhere, another_version, endless_manifest])
def test_a_malicious_version_is_refused(store: Store, key_file: Path, harm: Callable[[Path], None]) -> None:
    async def scenario(papers: InProcess) -> None:
        builders.publish(store.root, "1.2.0")
        harm(store.root / "tiny-subjects" / "1.2.0")
        await refused(papers)

    run(store, key_file, scenario)


def test_no_request_fails_while_versions_change(store: Store, key_file: Path) -> None:
    async def scenario(papers: InProcess) -> None:
        async def ask() -> list[str]:
            versions = []
            while not finished.is_set():
                answer = await papers.classify("star", "proof")
                assert answer.status_code == 200
                versions.append(answer.json()["model"]["version"])
            return versions

        finished = asyncio.Event()
        asking = [asyncio.create_task(ask()) for _ in range(4)]
        for minor in range(1, 5):
            builders.publish(store.root, f"1.{minor}.0")
            assert (await papers.client.post("/admin/reload")).status_code == 200
        finished.set()
        for versions in await asyncio.gather(*asking):
            assert versions == sorted(versions)
        assert (await papers.classify("star")).json()["model"]["version"] == "1.4.0"

    run(store, key_file, scenario)


def test_reloading_over_http_needs_keys_to_be_in_use(store: Store) -> None:
    async def scenario() -> None:
        async with in_process(Settings(artefacts=store.root)) as papers:
            answer = await papers.client.post("/admin/reload")
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")

    asyncio.run(scenario())


def test_a_reload_takes_new_keys_and_keeps_the_old_ones_if_the_file_is_broken(store: Store, key_file: Path) -> None:
    async def scenario(papers: InProcess) -> None:
        good = key_file.read_text()
        key_file.write_text("nonsense")
        refused = await papers.client.post("/admin/reload")
        assert (refused.status_code, refused.json()["code"]) == (409, "keys_refused")
        key_file.write_text(good.replace("operator", "somebody").replace(good.split(":")[1][:4], "0000"))
        assert (await papers.client.post("/admin/reload")).status_code == 200
        assert (await papers.client.post("/admin/reload")).status_code == 401

    run(store, key_file, scenario)
