"""The Kubernetes manifests: valid by the API's own schemas, and without privileges."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml  # type: ignore[import-untyped]

from app.observability.metrics import Telemetry
from app.settings import Settings
from tests.app.running import ROOT
from tests.deploy.test_image_files import image_settings

KUBERNETES = ROOT / "deploy/kubernetes"
OVERLAYS = ("base", "overlays/openshift", "overlays/own-artefacts")
# The oldest release whose autoscaling/v2 and policy/v1 are what they are today, and a current one.
RELEASES = ("1.27", "1.34")
# Definitions that are not Kubernetes' own.
FOREIGN = ("route.openshift.io", "kustomize.config.k8s.io")


def read(path: Path) -> list[dict[str, Any]]:
    documents = yaml.safe_load_all(path.read_text())
    return [document for document in documents if isinstance(document, dict)]


def rendered(overlay: str) -> list[dict[str, Any]]:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("needs kubectl, which renders the overlays")
    done = subprocess.run(
        [kubectl, "kustomize", KUBERNETES / overlay], capture_output=True, text=True, check=True, timeout=60
    )
    return list(yaml.safe_load_all(done.stdout))


def base(kind: str) -> dict[str, Any]:
    documents = (document for path in (KUBERNETES / "base").iterdir() for document in read(path))
    return next(document for document in documents if document["kind"] == kind)


def container() -> dict[str, Any]:
    (only,) = base("Deployment")["spec"]["template"]["spec"]["containers"]
    found: dict[str, Any] = only
    return found


def deployed_settings() -> Settings:
    return Settings.read(image_settings() | {entry["name"]: entry["value"] for entry in container()["env"]})


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_rendered_manifest_is_valid(overlay: str, release: str) -> None:
    own = [one for one in rendered(overlay) if not one["apiVersion"].startswith(FOREIGN)]
    assert len(own) == 5
    for manifest in own:
        kubernetes_validate.validate(manifest, release, strict=True)


def test_the_validator_refuses_a_misspelt_field() -> None:
    service = base("Service")
    service["spec"]["prots"] = service["spec"].pop("ports")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(service, RELEASES[-1], strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_image_has_a_floating_tag(overlay: str) -> None:
    images = [
        container["image"]
        for manifest in rendered(overlay)
        if manifest["kind"] == "Deployment"
        for container in manifest["spec"]["template"]["spec"]["containers"]
    ]
    assert images == ["paper-subjects:0.1.0"]


def test_the_settings_of_the_deployment_are_accepted() -> None:
    settings = deployed_settings()
    assert settings.api_key_file is not None
    assert not settings.open_health
    # Google's balancer keeps idle connections for 600 s, Azure's for up to as long.
    assert settings.keep_alive_timeout_s > 600


def test_a_pod_is_removed_from_the_service_before_it_drains_and_drains_before_it_is_killed() -> None:
    command, leaving_s = container()["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"
    grace_s = base("Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    settings, flush_s = deployed_settings(), 3
    assert grace_s > float(leaving_s) + settings.drain_notice_s + settings.drain_timeout_s + flush_s


def test_keys_come_from_a_secret() -> None:
    volumes = {volume["name"]: volume for volume in base("Deployment")["spec"]["template"]["spec"]["volumes"]}
    (mount,) = [mount for mount in container()["volumeMounts"] if mount["name"] == "keys"]
    assert "secret" in volumes["keys"]
    assert mount["readOnly"]


def test_the_deployment_drops_all_privileges_that_the_service_does_not_need() -> None:
    pod = base("Deployment")["spec"]["template"]["spec"]
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_platform_chooses_the_user(overlay: str) -> None:
    (deployment,) = [manifest for manifest in rendered(overlay) if manifest["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    contexts = [pod["securityContext"], *(container["securityContext"] for container in pod["containers"])]
    assert not any({"runAsUser", "runAsGroup", "fsGroup"} & context.keys() for context in contexts)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_only_selected_namespaces_have_access_and_pods_have_no_egress(overlay: str) -> None:
    (policy,) = [manifest for manifest in rendered(overlay) if manifest["kind"] == "NetworkPolicy"]
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert policy["spec"]["egress"] == []
    for rule in policy["spec"]["ingress"]:
        assert rule["from"]
        assert all(peer["namespaceSelector"]["matchLabels"] for peer in rule["from"])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_network_policy_concerns_the_pods_of_the_service_and_admits_prometheus(overlay: str) -> None:
    documents = {manifest["kind"]: manifest for manifest in rendered(overlay)}
    policy, labels = (
        documents["NetworkPolicy"]["spec"],
        documents["Deployment"]["spec"]["template"]["metadata"]["labels"],
    )
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert policy["podSelector"]["matchLabels"]
    peers = [peer for rule in policy["ingress"] for peer in rule["from"] if "podSelector" in peer]
    (expression,) = [one for peer in peers for one in peer["podSelector"]["matchExpressions"]]
    assert expression == {"key": "app.kubernetes.io/name", "operator": "In", "values": ["prometheus"]}
    assert not any("matchLabels" in peer["podSelector"] for peer in peers)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_service_the_budget_and_the_rollout_select_the_pods(overlay: str) -> None:
    documents = {manifest["kind"]: manifest for manifest in rendered(overlay)}
    labels = documents["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    for selector in (
        documents["Service"]["spec"]["selector"],
        documents["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        documents["Deployment"]["spec"]["selector"]["matchLabels"],
    ):
        assert selector
        assert selector.items() <= labels


def test_one_pod_may_be_missing_and_the_smallest_fleet_has_two() -> None:
    # `minAvailable: 2` would block every drain of a node while there are only two pods.
    assert base("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert base("HorizontalPodAutoscaler")["spec"]["minReplicas"] == 2


def test_a_pod_has_the_memory_that_it_needs() -> None:
    goal = re.search(r"\| resident under load, MB \| ≤ (\d+) \| ([\d.]+) \|", (ROOT / "docs/benchmarks.md").read_text())
    assert goal
    needed, measured = (float(figure) * 1e6 for figure in goal.groups())
    memory = {name: mebibytes(value["memory"]) for name, value in container()["resources"].items()}
    assert memory["requests"] > max(needed, measured)
    # A reload holds two artefacts for a moment, and bodies may take 64 times PAPERS_MAX_BODY_BYTES.
    assert memory["limits"] > 2 * needed + 64 * deployed_settings().max_body_bytes


def mebibytes(quantity: str) -> float:
    units = {"Mi": 2**20, "Gi": 2**30}
    return float(quantity[:-2]) * units[quantity[-2:]]


def test_the_autoscaler_follows_a_metric_of_the_service() -> None:
    names = [
        metric["pods"]["metric"]["name"]
        for metric in base("HorizontalPodAutoscaler")["spec"]["metrics"]
        if metric["type"] == "Pods"
    ]
    assert names == ["papers_queue_depth"]
    assert set(names) <= exposed_metrics()


def exposed_metrics() -> set[str]:
    exposition = Telemetry().exposition().decode()
    return set(re.findall(r"^# TYPE (\w+)", exposition, flags=re.MULTILINE))
