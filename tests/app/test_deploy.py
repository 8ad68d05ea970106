"""Image, compose and Kubernetes say what the service needs and nothing it does not know."""

import re
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from app.settings import Settings
from tests.app.running import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()


def compose() -> dict[str, Any]:
    service: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["papers"]
    return service


def kubernetes(kind: str) -> dict[str, Any]:
    documents = yaml.safe_load_all((ROOT / "deploy/kubernetes.yaml").read_text())
    found: dict[str, Any] = next(document for document in documents if document["kind"] == kind)
    return found


def pod() -> dict[str, Any]:
    template: dict[str, Any] = kubernetes("Deployment")["spec"]["template"]["spec"]
    return template


def environments() -> list[dict[str, str]]:
    image = dict(re.findall(r"(PAPERS_\w+)=(\S+)", DOCKERFILE))
    cluster = {entry["name"]: entry["value"] for entry in pod()["containers"][0]["env"]}
    return [image, image | compose()["environment"], image | cluster]


@pytest.mark.parametrize("given", environments())
def test_the_settings_of_every_deployment_are_accepted(given: dict[str, str]) -> None:
    assert Settings.read(given).host == "0.0.0.0"  # noqa: S104


def test_the_image_runs_without_privileges_and_without_torch() -> None:
    final = DOCKERFILE.split("FROM")[-1]
    assert "USER 10001" in final
    assert "not u.find_spec('torch')" in final
    assert "pip" not in final
    assert "/readyz" in final[final.index("HEALTHCHECK") :]


def test_compose_takes_everything_away_that_is_not_needed() -> None:
    service = compose()
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert all(volume.endswith(":ro") for volume in service["volumes"])
    assert {"cpus", "mem_limit", "pids_limit"} <= service.keys()


def test_kubernetes_takes_everything_away_that_is_not_needed() -> None:
    rights = pod()["containers"][0]["securityContext"]
    assert rights == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert kubernetes("NetworkPolicy")["spec"]["egress"] == []


def test_nobody_kills_the_service_before_it_has_drained() -> None:
    assert float(compose()["stop_grace_period"].rstrip("s")) > Settings().drain_timeout_s + 3
    given = Settings.read(environments()[2])
    assert pod()["terminationGracePeriodSeconds"] > given.drain_timeout_s + 3
