"""One heap for all threads, where the C library has several."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from model_store.memory import share_one_heap

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


def test_another_c_library_is_left_alone() -> None:
    assert not share_one_heap(SimpleNamespace())
