"""Threads that only help are scheduled as batch work, and only these."""

import os
import threading
from pathlib import Path

import pytest

from model_store.graph import OnnxGraph
from model_store.scheduling import batch_threads
from tests import builders

pytestmark = pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="the system is not Linux")


def policy_of_a_new_thread() -> int:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(os.sched_getscheduler(0)))
    thread.start()
    thread.join()
    return found[0]


def test_threads_started_in_the_block_are_batch_threads() -> None:
    with batch_threads():
        assert policy_of_a_new_thread() == os.SCHED_BATCH
    assert policy_of_a_new_thread() == os.SCHED_OTHER


def test_the_policy_is_restored_after_an_error() -> None:
    with pytest.raises(RuntimeError), batch_threads():
        raise RuntimeError
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_a_thread_with_a_policy_of_its_own_keeps_it() -> None:
    with batch_threads():
        with batch_threads():
            assert os.sched_getscheduler(0) == os.SCHED_BATCH
        assert os.sched_getscheduler(0) == os.SCHED_BATCH


def batch_thread_count() -> int:
    threads = [int(entry.name) for entry in Path("/proc/self/task").iterdir()]
    return sum(os.sched_getscheduler(thread) == os.SCHED_BATCH for thread in threads)


def test_the_threads_within_a_run_are_batch_threads() -> None:
    before = batch_thread_count()
    alone = OnnxGraph(builders.graph(), threads=1)
    assert batch_thread_count() == before
    helped = OnnxGraph(builders.graph(), threads=3)
    assert batch_thread_count() == before + 2
    assert alone is not helped
