"""Upgrade and rollback: the clients, services and artefacts of this version and of the one before work together."""

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from client import Client, Failure, Paper, Result
from tests import builders
from tests.app.running import ROOT, Running, environment, running

# The last commit of the version before.
VERSION_BEFORE = "eb2ec75"
PAPERS = (("quantum star", "A particle."), ("a proof", "algebra"), ("", ""))
ASK = """
import json, sys
from client import Client, Paper
papers = json.loads(sys.argv[2])
with Client(sys.argv[1]) as client:
    answers = list(client.classify_many(Paper(*paper) for paper in papers))
    print(json.dumps({
        "many": [getattr(answer, "labels", None) for answer in answers],
        "one": client.classify(*papers[0]).labels,
        "explained": client.explain(*papers[0]).evidence[0].label,
        "card": [label.name for label in client.card().labels],
        "ready": client.ready(),
    }))
"""


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of the version before, from the history of this repository."""
    folders = ("app", "client", "model_store", "tests", ":(exclude)model_store/artefacts")
    archive = subprocess.run(
        ["git", "archive", VERSION_BEFORE, "--", *folders], cwd=ROOT, capture_output=True, check=False
    )
    if archive.returncode:
        pytest.skip(f"needs the commit {VERSION_BEFORE}, which this clone does not have")
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    # A package of that version that is not installed any more; only its documentation page used it.
    (folder / "swagger_ui_bundle.py").write_text("from pathlib import Path\nswagger_ui_path = Path()\n")
    return folder


@pytest.fixture(scope="module")
def store_before(before: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that the version before has published."""
    root = tmp_path_factory.mktemp("store") / "artefacts"
    publish = "import sys; from pathlib import Path; from tests import builders; builders.publish(Path(sys.argv[1]))"
    python(before, publish, str(root))
    return root


def python(folder: Path, code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    environ = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def running_before(before: Path, store: Path, folder: Path) -> Iterator[Running]:
    log = folder / "before.log"
    environ = environment({"PYTHONPATH": str(before)}, artefacts=store, threads=1)
    with log.open("wb") as stream:
        process = subprocess.Popen([sys.executable, "-m", "app"], cwd=before, env=environ, stderr=stream)
    try:
        yield Running(process, log)
    finally:
        process.kill()
        process.wait(10)


def ask(url: str) -> dict[str, Any]:
    """What the client of this version is told; the same as `ASK` prints."""
    with Client(url) as client:
        answers = list(client.classify_many(Paper(*paper) for paper in PAPERS))
        return {
            "many": [answer.labels if isinstance(answer, Result) else None for answer in answers],
            "one": client.classify(*PAPERS[0]).labels,
            "explained": client.explain(*PAPERS[0]).evidence[0].label,
            "card": [label.name for label in client.card().labels],
            "ready": client.ready(),
        }


EXPECTED = {
    "many": [["Physics"], ["Mathematics"], None],
    "one": ["Physics"],
    "explained": "Physics",
    "card": ["Computer Science", "Physics", "Mathematics"],
    "ready": True,
}


def test_the_client_of_the_version_before_works_with_this_service(before: Path, tmp_path: Path) -> None:
    store = builders.publish(tmp_path / "artefacts")
    with running(tmp_path, artefacts=store.root, threads=1) as service:
        assert json.loads(python(before, ASK, service.url, json.dumps(PAPERS))) == EXPECTED


def test_this_client_works_with_the_service_of_the_version_before(
    before: Path, store_before: Path, tmp_path: Path
) -> None:
    with running_before(before, store_before, tmp_path) as service:
        assert ask(service.url) == EXPECTED
        with Client(service.url) as client:
            *_, empty = client.classify_many(Paper(*paper) for paper in PAPERS)
            assert isinstance(empty, Failure)
            assert empty.error.code == "invalid_request"


def test_this_service_reads_a_store_of_the_version_before(store_before: Path, tmp_path: Path) -> None:
    with running(tmp_path, artefacts=store_before, threads=1) as service:
        assert ask(service.url) == EXPECTED
