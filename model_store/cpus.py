"""How many processors this process may really use.

The host's count is the wrong answer in a container: sixty-four threads on a quota of two spend
their time being throttled. What counts is the affinity mask and the cgroup quota.
"""

import math
import os
from pathlib import Path


def usable_cpus(affinity: int | None = None, cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """The smaller of affinity mask and cgroup quota (v2 or v1), at least 1.

    A quota of 1.5 counts as 2: one thread would leave a third of it unused.
    """
    cpus = len(os.sched_getaffinity(0)) if affinity is None else affinity
    quota = _quota(cgroup)
    return max(1, cpus if quota is None else min(cpus, math.ceil(quota)))


def _quota(cgroup: Path) -> float | None:
    """Processors' worth of time per period, None if unlimited or unknown."""
    try:
        if (cgroup / "cpu.max").exists():
            limit, period = (cgroup / "cpu.max").read_text().split()
        else:
            limit = (cgroup / "cpu/cpu.cfs_quota_us").read_text()
            period = (cgroup / "cpu/cpu.cfs_period_us").read_text()
        return int(limit) / int(period) if int(limit) > 0 else None
    except (OSError, ValueError):
        # No cgroup mounted, or "max": nothing limits this process.
        return None
