"""Processors that may really be used."""

from pathlib import Path

import pytest

from model_store.cpus import usable_cpus


@pytest.mark.parametrize(
    ("quota", "cpus"), [("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), ("max 100000", 8)]
)
def test_the_quota_of_cgroup_v2_counts(tmp_path: Path, quota: str, cpus: int) -> None:
    (tmp_path / "cpu.max").write_text(quota + "\n")
    assert usable_cpus(affinity=8, cgroup=tmp_path) == cpus


@pytest.mark.parametrize(("quota", "cpus"), [("300000", 3), ("-1", 8)])
def test_the_quota_of_cgroup_v1_counts(tmp_path: Path, quota: str, cpus: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000")
    assert usable_cpus(affinity=8, cgroup=tmp_path) == cpus


def test_affinity_counts_where_no_cgroup_is_mounted(tmp_path: Path) -> None:
    assert usable_cpus(affinity=3, cgroup=tmp_path) == 3


def test_the_machine_s_own_numbers_give_at_least_one() -> None:
    assert usable_cpus() >= 1
