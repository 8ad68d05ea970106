"""Processors that may really be used."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from model_store.cpus import available_cpus, usable_cpus


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")
    return path


@pytest.mark.parametrize(
    ("quota", "cpus"),
    [("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), ("max 100000", 8), ("1 0", 8), ("odd", 8)],
)
def test_the_quota_of_cgroup_v2_counts(tmp_path: Path, quota: str, cpus: int) -> None:
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert usable_cpus(affinity=8, cgroup=tmp_path) == cpus


@pytest.mark.parametrize(("quota", "cpus"), [("300000", 3), ("-1", 8)])
@pytest.mark.parametrize("mount", ["cpu", "cpu,cpuacct"])
def test_the_quota_of_cgroup_v1_counts(tmp_path: Path, mount: str, quota: str, cpus: int) -> None:
    membership = written(tmp_path / "membership", "4:memory:/\n3:cpu,cpuacct:/docker/1f2e")
    written(tmp_path / mount / "cpu.cfs_quota_us", quota)
    written(tmp_path / mount / "cpu.cfs_period_us", "100000")
    assert usable_cpus(affinity=8, cgroup=tmp_path, membership=membership) == cpus


@pytest.mark.parametrize("mount", ["", "unified"])
@pytest.mark.parametrize(
    ("limited", "cpus"),
    [
        ("system.slice/papers.service", 2),
        ("system.slice", 2),
        ("system.slice/another.service", 8),
        ("user.slice", 8),
    ],
)
def test_the_quotas_of_all_slices_around_a_service_count(tmp_path: Path, mount: str, limited: str, cpus: int) -> None:
    membership = written(tmp_path / "membership", "0::/system.slice/papers.service")
    root = tmp_path / mount
    written(root / "system.slice/papers.service/cpu.max", "max 100000")
    written(root / limited / "cpu.max", "200000 100000")
    assert usable_cpus(affinity=8, cgroup=tmp_path, membership=membership) == cpus


def test_the_smallest_of_several_quotas_counts(tmp_path: Path) -> None:
    membership = written(tmp_path / "membership", "0::/a/b")
    written(tmp_path / "a/cpu.max", "200000 100000")
    written(tmp_path / "a/b/cpu.max", "400000 100000")
    assert usable_cpus(affinity=8, cgroup=tmp_path, membership=membership) == 2


@pytest.mark.parametrize("path", ["/docker/1f2e", "/../../host.slice", "/kubepods/pod:with:colons/x"])
def test_a_container_sees_the_path_of_its_host_and_mounts_its_own_group(tmp_path: Path, path: str) -> None:
    membership = written(tmp_path / "membership", f"0::{path}")
    written(tmp_path / "mount/cpu.max", "300000 100000")
    written(tmp_path / "host.slice/cpu.max", "100000 100000")
    assert usable_cpus(affinity=8, cgroup=tmp_path / "mount", membership=membership) == 3


def test_affinity_counts_where_no_cgroup_is_mounted(tmp_path: Path) -> None:
    assert usable_cpus(affinity=3, cgroup=tmp_path, membership=tmp_path / "nowhere") == 3


@pytest.mark.parametrize(
    ("system", "cpus"),
    [
        (SimpleNamespace(process_cpu_count=lambda: 3, cpu_count=lambda: 8), 3),
        (SimpleNamespace(sched_getaffinity=lambda _: {0, 5}, cpu_count=lambda: 8), 2),
        (SimpleNamespace(cpu_count=lambda: 8), 8),
        (SimpleNamespace(cpu_count=lambda: None), 1),
    ],
    ids=["Python 3.13", "Linux", "macOS", "unknown"],
)
def test_processors_are_counted_on_every_system(system: SimpleNamespace, cpus: int) -> None:
    assert available_cpus(system) == cpus


def test_the_machine_s_own_numbers_give_at_least_one() -> None:
    assert usable_cpus() >= 1
