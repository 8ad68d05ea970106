"""How the system schedules threads."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def batch_threads() -> Iterator[None]:
    """Let threads that are started in this block work where a processor is idle, but not displace others on waking.

    This is Linux's SCHED_BATCH, which a thread takes over from the one that starts it; see sched(7). Systems without
    it, and those that forbid it, schedule these threads like all others.
    """
    changed = False
    with suppress(AttributeError, OSError):
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
            changed = True
    try:
        yield
    finally:
        if changed:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
