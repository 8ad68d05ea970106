"""`make push-image` with skopeo: one digest in a registry names the image, its SBOM and its provenance."""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.image.conftest import free_port
from tests.image.engine import BUILD_TIMEOUT_S, call, container, inspect, wait_until_healthy
from tests.image.test_image import PAPER

pytestmark = pytest.mark.image


class Pushed(NamedTuple):
    """An image in a registry, and from what it was built."""

    name: str
    base: str
    commit: str


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a registry on this machine."""
    for program in ("docker-registry", "skopeo"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}: make engine")
    folder = tmp_path_factory.mktemp("registry")
    port = free_port()
    settings = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(folder)}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    (folder / "settings.yml").write_text(json.dumps(settings))
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(["docker-registry", "serve", folder / "settings.yml"], stdout=log, stderr=log)
    try:
        wait_until_listening(int(port))
        yield f"127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def wait_until_listening(port: int) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            assert time.monotonic() < until
            time.sleep(0.1)


@pytest.fixture(scope="module")
def pushed(registry: str, image: str, base: str, checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Pushed:
    """The image as `make push-image` leaves it in the registry; `image` was built before, so most layers exist."""
    tag = f"{registry}/python:base"
    call("docker", "tag", base, tag)
    call("docker", "push", "--quiet", tag, timeout=BUILD_TIMEOUT_S)
    repository = tmp_path_factory.mktemp("repository") / "checkout"
    shutil.copytree(checkout, repository)
    git = ("git", "-C", repository, "-c", "user.name=A", "-c", "user.email=a@example.org")
    for command in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message=all")):
        call(*git, *command)
    programs = without_buildx(tmp_path_factory.mktemp("programs"))
    script = ("bash", repository / "deploy/push_image.sh")
    output = call(*script, f"{registry}/paper-subjects:1", tag, timeout=BUILD_TIMEOUT_S, variables=programs)
    digest = output.splitlines()[-1]
    base_digest = call("skopeo", "inspect", "--tls-verify=false", "--format={{.Digest}}", f"docker://{tag}")
    return Pushed(f"{registry}/paper-subjects@{digest}", f"{tag}@{base_digest}", call(*git, "rev-parse", "HEAD"))


def without_buildx(folder: Path) -> dict[str, str]:
    """A search path with Docker as Debian 12 installs it."""
    command = folder / "docker"
    command.write_text(f'#!/bin/sh\n[ "$1" != buildx ] && exec {shutil.which("docker")} "$@"\n')
    command.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "DOCKER_BUILDKIT": "0"}


@pytest.fixture(scope="module")
def index(pushed: Pushed) -> dict[str, Any]:
    """What the digest names."""
    content: dict[str, Any] = json.loads(
        call("skopeo", "inspect", "--tls-verify=false", "--raw", f"docker://{pushed.name}")
    )
    return content


@pytest.fixture(scope="module")
def stated(pushed: Pushed, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The statements about the image by predicate type, from a copy of everything that the digest names."""
    folder = tmp_path_factory.mktemp("copy")
    call("skopeo", "copy", "--all", "--src-tls-verify=false", f"docker://{pushed.name}", f"dir:{folder}", timeout=120)
    small = [path.read_bytes() for path in folder.iterdir() if path.stat().st_size < 1_000_000]
    statements = [json.loads(content) for content in small if content.startswith(b'{"_type"')]
    return {statement["predicateType"]: statement for statement in statements}


def test_the_image_is_pulled_and_run_by_its_digest(pushed: Pushed) -> None:
    call("docker", "pull", "--quiet", pushed.name, timeout=120)
    port = free_port()
    with container("--read-only", "--tmpfs=/tmp", f"--publish=127.0.0.1:{port}:8000", pushed.name) as name:
        wait_until_healthy(name)
        assert pushed.name in json.loads(call("docker", "inspect", inspect(name)["Image"]))[0]["RepoDigests"]
        assert "Physics" in httpx.post(f"http://127.0.0.1:{port}/classify", json=PAPER, timeout=30).json()["labels"]


def test_all_statements_are_about_the_image_that_is_run(index: dict[str, Any], stated: dict[str, Any]) -> None:
    image, attestations = index["manifests"]
    assert image["platform"]["os"] == "linux"
    assert attestations["annotations"]["vnd.docker.reference.digest"] == image["digest"]
    subjects = [subject for statement in stated.values() for subject in statement["subject"]]
    assert ["sha256:" + subject["digest"]["sha256"] for subject in subjects] == [image["digest"]] * 2


def test_the_provenance_names_the_commit_and_the_base_by_digest(pushed: Pushed, stated: dict[str, Any]) -> None:
    definition = stated["https://slsa.dev/provenance/v1"]["predicate"]["buildDefinition"]
    assert definition["externalParameters"]["buildArgs"] == {"PYTHON": pushed.base}
    source, base = definition["resolvedDependencies"]
    assert source["digest"] == {"gitCommit": pushed.commit}
    assert base["digest"]["sha256"] == pushed.base.partition("@sha256:")[2]


def test_the_sbom_lists_the_packages_of_python_and_of_debian(stated: dict[str, Any], checkout: Path) -> None:
    components = stated["https://cyclonedx.org/bom"]["predicate"]["components"]
    urls = {component["purl"].partition("?")[0].partition("@")[0] for component in components}
    pins = (checkout / "requirements/serve.txt").read_text()
    assert {f"pkg:pypi/{name}" for name in ("fastapi", "numpy", "onnxruntime", "uvicorn")} <= urls
    assert all(
        f"{part['name'].lower().replace('_', '-')}=={part['version']}" in pins
        for part in components
        if "pypi" in part["purl"]
    )
    assert {"pkg:deb/debian/libc6", "pkg:deb/debian/zlib1g"} <= urls
