"""Settings of glibc's allocator: little resident memory for serving, few page faults for training."""

import ctypes
from typing import Any

# From glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
_M_ARENA_MAX = -8


def share_one_heap(libc: Any = None) -> bool:
    """Let all threads of this process allocate from one heap; to be called before threads are started.

    glibc gives each thread a heap of its own, and each keeps what the longest paper needed: with
    four threads 285 MB stayed resident instead of 145 MB, at the same speed, since a run makes few
    and large allocations. Returns whether this took effect; other C libraries have no such heaps.
    """
    return _call(libc, "mallopt", _M_ARENA_MAX, 1)


def return_freed_memory(libc: Any = None) -> bool:
    """Return freed memory to the system, such as that of an artefact's files once its graphs are loaded.

    glibc does that by itself only at the end of its heap. Returns whether any memory was returned.
    """
    return _call(libc, "malloc_trim", 0)


def keep_freed_memory(libc: Any = None) -> bool:
    """Let this process reuse freed memory instead of returning it to the system.

    glibc maps large blocks, such as the tensors of a training step, and returns them when they are freed. The kernel
    then clears every page anew, which took a sixth of a step of 24 papers with 352 word pieces. Returns whether this
    took effect; other C libraries are not changed.
    """
    return _call(libc, "mallopt", _M_MMAP_MAX, 0) and _call(libc, "mallopt", _M_TRIM_THRESHOLD, -1)


def _call(libc: Any, function: str, *numbers: int) -> bool:
    """Call a function of glibc; False if it reports a failure, or the C library has no such function."""
    try:
        return bool(getattr(libc or ctypes.CDLL(None), function)(*numbers))
    except (AttributeError, OSError):
        return False
