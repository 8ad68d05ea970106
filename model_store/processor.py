"""Whether the processor can run numpy and onnxruntime; imports neither."""

import platform
from pathlib import Path

# x86-64-v2, for which the wheels of numpy and onnxruntime are built, by the names that Linux has for its parts.
_NEEDED = ("cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3")


def missing_features(cpuinfo: Path = Path("/proc/cpuinfo"), architecture: str | None = None) -> list[str]:
    """The features of x86-64-v2 that an x86-64 processor lacks; empty if they are unknown."""
    if (architecture or platform.machine()) not in ("x86_64", "AMD64"):
        return []
    flags = first_processor(cpuinfo).get("flags", "").split()
    return [name for name in _NEEDED if name not in flags] if flags else []


def sentence_for_old_processor(missing: list[str]) -> str:
    """The error message for a processor that lacks features."""
    return (
        f"this processor lacks {', '.join(missing)} and is below x86-64-v2, which numpy and onnxruntime need; "
        "in a virtual machine, set the CPU type to host or x86-64-v2"
    )


def first_processor(cpuinfo: Path) -> dict[str, str]:
    """The entries of /proc/cpuinfo for the first processor; empty if there are none."""
    try:
        paragraph = cpuinfo.read_text().split("\n\n")[0]
    except OSError:
        return {}
    pairs = [line.partition(":") for line in paragraph.splitlines()]
    return {name.strip(): value.strip() for name, _, value in pairs}
