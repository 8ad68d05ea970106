"""The number of processors that this process may use.

A container sees all processors of its host. Sixty-four threads on a quota of two would be
stopped by the kernel for most of each period, so the CPU quotas of control groups count as well.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def usable_cpus(
    affinity: int | None = None,
    cgroup: Path = Path("/sys/fs/cgroup"),
    membership: Path = Path("/proc/self/cgroup"),
) -> int:
    """The smaller of the affinity mask and the CPU quotas of this process, at least 1.

    A quota of 1.5 counts as 2, because one thread would leave a third of it unused. `cgroup` is where
    control groups are mounted, `membership` is the file that lists those of this process.
    """
    cpus = available_cpus() if affinity is None else affinity
    quotas = [math.ceil(quota) for quota in _quotas(cgroup, membership)]
    return max(1, min([cpus, *quotas]))


def available_cpus(system: Any = os) -> int:
    """Processors that this process may be scheduled on; all where the system does not report it, as on macOS."""
    if hasattr(system, "process_cpu_count"):
        return system.process_cpu_count() or 1
    if hasattr(system, "sched_getaffinity"):
        return len(system.sched_getaffinity(0))
    return system.cpu_count() or 1


def _quotas(cgroup: Path, membership: Path) -> Iterator[float]:
    """Quotas in processors, of the control groups of this process and of all that contain them."""
    for controllers, path in _groups(membership):
        if controllers == "":
            # Version 2, mounted here or, beside version 1, in a folder of its own.
            for folder in (*_upwards(cgroup, path), *_upwards(cgroup / "unified", path)):
                yield from _quota_v2(folder)
        elif "cpu" in controllers.split(","):
            for mount in {cgroup / controllers, cgroup / "cpu"}:
                for folder in _upwards(mount, path):
                    yield from _quota_v1(folder)


def _groups(membership: Path) -> list[tuple[str, str]]:
    """Controllers and path of each group, from lines such as "4:cpu,cpuacct:/user.slice" (see cgroups(7))."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        lines = []
    groups = [tuple(line.split(":", 2)[1:]) for line in lines if line.count(":") >= 2]
    # If the membership is unknown, only the quota of the mounted group itself counts.
    return [(controllers, path) for controllers, path in groups] or [("", "/"), ("cpu", "/")]


def _upwards(mount: Path, path: str) -> list[Path]:
    """The folder of a group and those of the groups around it, up to the mount.

    In a container the path may be the host's; its folders do not exist and are skipped. A
    path with ".." lies outside what is mounted.
    """
    parts = [] if ".." in path.split("/") else [part for part in path.split("/") if part]
    return [mount.joinpath(*parts[:depth]) for depth in range(len(parts), -1, -1)]


def _quota_v2(folder: Path) -> Iterator[float]:
    try:
        limit, period = (folder / "cpu.max").read_text().split()
        yield from _positive(int(limit) / int(period))
    except (OSError, ValueError, ZeroDivisionError):
        # There is no such file at the root of the hierarchy, and "max" stands for no limit.
        return


def _quota_v1(folder: Path) -> Iterator[float]:
    try:
        limit = int((folder / "cpu.cfs_quota_us").read_text())
        yield from _positive(limit / int((folder / "cpu.cfs_period_us").read_text()))
    except (OSError, ValueError, ZeroDivisionError):
        return


def _positive(quota: float) -> list[float]:
    """-1 stands for no limit."""
    return [quota] if quota > 0 else []
