"""The properties of a machine that matter for int8 inference: processor features, processors, quota."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from model_store.cpus import usable_cpus
from model_store.processor import first_processor

# More processors than any machine has: a smaller result is the quota.
_UNLIMITED = 1 << 20
# By the kernel's names. One of the fast ones multiplies int8 in a single instruction; without
# them AVX2 takes three and may saturate on the way, which the golden papers show.
_X86 = ("avx2", "avx512_vnni", "avx_vnni", "amx_int8")
_ARM = ("asimddp", "i8mm")
_FAST = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"})


@dataclass(frozen=True)
class Machine:
    """`features` are those that matter for int8, None where the system does not report them."""

    architecture: str
    processor: str
    features: dict[str, bool] | None
    processors: int
    affinity: int
    quota: int | None
    threads: int

    @property
    def fast_int8(self) -> bool | None:
        """Whether one instruction multiplies int8."""
        return None if self.features is None else any(self.features[name] for name in _FAST & self.features.keys())


def read_machine(
    cpuinfo: Path = Path("/proc/cpuinfo"),
    cgroup: Path = Path("/sys/fs/cgroup"),
    architecture: str | None = None,
) -> Machine:
    """This machine, as the process may use it."""
    architecture = architecture or platform.machine()
    facts = first_processor(cpuinfo)
    # The line is called flags on x86, Features on ARM.
    flags = facts.get("flags", facts.get("Features", "")).split()
    names = _ARM if architecture in ("aarch64", "arm64") else _X86
    quota = usable_cpus(_UNLIMITED, cgroup)
    return Machine(
        architecture=architecture,
        processor=facts.get("model name", "unknown"),
        features={name: name in flags for name in names} if flags else None,
        processors=os.cpu_count() or 1,
        affinity=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        quota=None if quota == _UNLIMITED else quota,
        threads=usable_cpus(cgroup=cgroup),
    )
