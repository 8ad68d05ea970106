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
    try:
        return bool((libc or ctypes.CDLL(None)).mallopt(_M_ARENA_MAX, 1))
    except (AttributeError, OSError):
        return False


def return_freed_memory(libc: Any = None) -> bool:
    """Return freed memory to the system, such as that of an artefact's files once its graphs are loaded.

    glibc does that by itself only at the end of its heap. Returns whether any memory was returned.
    """
    try:
        return bool((libc or ctypes.CDLL(None)).malloc_trim(0))
    except (AttributeError, OSError):
        return False


def keep_freed_memory(libc: Any = None) -> bool:
    """Let this process reuse freed memory instead of returning it to the system.

    glibc maps large blocks, such as the tensors of a training step, and returns them when they are freed. The kernel
    then clears every page anew, which took a sixth of a step of 24 papers with 352 word pieces. Returns whether this
    took effect; other C libraries are not changed.
    """
    try:
        mallopt = (libc or ctypes.CDLL(None)).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, -1))
