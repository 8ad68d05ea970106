"""Settings of the allocator, where the C library is glibc."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from model_store.memory import keep_freed_memory, return_freed_memory, share_one_heap

# Blocks of 64 kB, each allocated and freed in a thread of its own; prints how many heaps malloc has now.
_PROGRAM = """
import ctypes, re, threading
from model_store.memory import share_one_heap

{call}
libc = ctypes.CDLL(None)
threads = [threading.Thread(target=lambda: [bytearray(64_000) for _ in range(100)]) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc.fopen.restype = ctypes.c_void_p
stream = libc.fopen(b"/dev/stdout", b"w")
libc.malloc_info(0, ctypes.c_void_p(stream))
libc.fclose(ctypes.c_void_p(stream))
"""


def heaps(call: str) -> int:
    ran = subprocess.run([sys.executable, "-c", _PROGRAM.format(call=call)], capture_output=True, text=True, check=True)
    return ran.stdout.count("<heap nr=")


@pytest.mark.skipif(not hasattr(__import__("ctypes").CDLL(None), "mallopt"), reason="the C library is not glibc")
def test_threads_share_one_heap() -> None:
    assert heaps("share_one_heap()") == 1
    assert heaps("") > 1


# Small blocks become free below one that stays in use, so that the heap cannot shrink from its end.
_HOLES = """
from pathlib import Path
from model_store.memory import return_freed_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

blocks = [bytearray(60_000) for _ in range(1000)]
del blocks[:-1]
before = resident()
assert return_freed_memory()
print(before - resident())
"""


@pytest.mark.skipif(not hasattr(__import__("ctypes").CDLL(None), "malloc_trim"), reason="the C library is not glibc")
def test_freed_memory_is_returned() -> None:
    ran = subprocess.run([sys.executable, "-c", _HOLES], capture_output=True, text=True, check=True)
    assert 4096 * int(ran.stdout) > 40_000_000


# The same large block, allocated, filled and freed again and again; prints the page faults after the first time.
_LARGE_BLOCKS = """
import resource
from model_store.memory import keep_freed_memory

{call}
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
bytearray(64_000_000)
before = faults()
for _ in range(5):
    bytearray(64_000_000)
print(faults() - before)
"""


@pytest.mark.skipif(not hasattr(__import__("ctypes").CDLL(None), "mallopt"), reason="the C library is not glibc")
def test_large_blocks_are_reused() -> None:
    def faults(call: str) -> int:
        program = _LARGE_BLOCKS.format(call=call)
        return int(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)

    assert faults("assert keep_freed_memory()") < 1000
    # With huge pages a block takes few faults either way.
    assert faults("") >= faults("keep_freed_memory()")


def test_other_c_libraries_are_not_changed() -> None:
    assert not share_one_heap(SimpleNamespace())
    assert not return_freed_memory(SimpleNamespace())
    assert not keep_freed_memory(SimpleNamespace())
