"""`make push-image`: SBOM and provenance go with the image, and only a clean checkout is pushed.

With buildx, which needs registries beyond this machine, by the commands that are called; with skopeo, in
tests/image/test_push.py.
"""

import os
import subprocess
from pathlib import Path

import pytest

from tests.app.running import ROOT

IMAGE = "registry.example/paper-subjects:0.1.0"


class Push:
    """The script, with commands in place of Docker and Git that record how they were called."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.docker = folder / "docker.log"
        self.put("docker", f'echo "$*" >> {self.docker}; [[ "$*" != "buildx inspect"* ]]')
        self.put("git", "true")
        self.put("skopeo", "false")

    def put(self, command: str, script: str) -> None:
        path = self._folder / command
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        search = {"PATH": f"{self._folder}:{os.environ['PATH']}"}
        command = [str(ROOT / "deploy/push_image.sh"), *arguments]
        return subprocess.run(command, env=os.environ | search, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def push(tmp_path: Path) -> Push:
    return Push(tmp_path)


def test_the_image_is_pushed_with_sbom_and_provenance_by_a_builder_that_keeps_them(push: Push) -> None:
    assert push(IMAGE).returncode == 0
    called = push.docker.read_text().splitlines()
    assert "buildx create --name paper-subjects --driver docker-container" in called
    (built,) = [line for line in called if line.startswith("buildx build")]
    assert {"--sbom=true", "--provenance=mode=max", "--push", IMAGE} <= set(built.split())
    assert called[-1].startswith(f"buildx imagetools inspect {IMAGE}")


@pytest.mark.parametrize(
    ("command", "script", "reason"),
    [("git", "echo ' M app/main.py'", "commit them first"), ("docker", "false", "neither docker buildx nor skopeo")],
    ids=["changes", "no tool"],
)
def test_nothing_is_pushed_where_the_provenance_would_be_wrong_or_missing(
    push: Push, command: str, script: str, reason: str
) -> None:
    push.put(command, script)
    done = push(IMAGE)
    assert done.returncode != 0
    assert reason in done.stderr
    assert not push.docker.exists() or "build --" not in push.docker.read_text()


def test_an_image_without_a_name_is_refused(push: Push) -> None:
    done = push("")
    assert done.returncode != 0
    assert "make push-image IMAGE=" in done.stderr
