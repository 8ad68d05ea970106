"""Dockerfile and Compose: what they ask of a builder and what they take away from the service."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from app.settings import Settings
from tests.app.running import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def image_settings() -> dict[str, str]:
    return dict(re.findall(r"(PAPERS_\w+)=(\S+)", DOCKERFILE))


def compose(path: str = "docker-compose.yml") -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((ROOT / path).read_text())["services"]
    return services


def settings_of(service: Mapping[str, Any]) -> Settings:
    return Settings.read(image_settings() | service.get("environment", {}))


def test_the_dockerfile_needs_no_particular_builder() -> None:
    instructions = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)
    # The first is refused by Docker 20.10 and Podman 4, the others need BuildKit.
    for option in ("--start-interval", "--chmod", "--mount", "<<"):
        assert option not in instructions


def test_the_final_stage_drops_root_and_checks_itself_as_the_user_of_the_service() -> None:
    final = DOCKERFILE.split("\nFROM")[-1]
    assert "pip install" not in final
    assert final.index("USER 10001:10001") < final.index("RUN python")
    assert "not u.find_spec('torch')" in final


@pytest.mark.parametrize("service", [compose()["papers"], compose()["replica"]], ids=["papers", "replica"])
def test_compose_drops_all_privileges_that_the_service_does_not_need(service: dict[str, Any]) -> None:
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["user"] == "10001:10001"
    assert "no-new-privileges:true" in service["security_opt"]
    assert {"cpus", "mem_limit", "pids_limit"} <= service.keys()
    # A mounted folder may be unreadable to the container's user or under SELinux; the image has its own artefacts.
    assert "volumes" not in service


def test_artefacts_of_the_host_are_mounted_read_only_and_readable_under_selinux() -> None:
    (volume,) = compose("deploy/compose.artefacts.yml")["papers"]["volumes"]
    assert volume.endswith(":ro,z")


@pytest.mark.parametrize("service", [compose()["papers"], compose()["replica"]], ids=["papers", "replica"])
def test_compose_waits_until_the_service_has_drained(service: dict[str, Any]) -> None:
    settings = settings_of(service)
    flush_s = 3
    needed = settings.drain_notice_s + settings.drain_timeout_s + flush_s
    assert float(service["stop_grace_period"].removesuffix("s")) > needed


def test_ports_are_published_on_this_machine_only() -> None:
    published = [port for service in compose().values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_images_carry_the_version_of_the_project() -> None:
    assert {service["image"].partition(":")[2] for service in compose().values()} == {VERSION}
    assert f"newTag: {VERSION}" in (ROOT / "deploy/kubernetes/base/kustomization.yaml").read_text()
