"""A process among others: how many threads it may use, and when it ends."""

from __future__ import annotations

import os
import signal

from scumble.core.errors import BadSettings

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def threads() -> int:
    """`$SCUMBLE_THREADS`, as farms set it; 0 leaves it to the libraries, which take all cores. Raises BadSettings."""
    text = os.environ.get("SCUMBLE_THREADS", "") or "0"
    if not (text.isascii() and text.isdigit() and len(text) < 5):
        raise BadSettings(f"SCUMBLE_THREADS={text[:40]}: give a number of threads, or leave it unset for all cores")
    return int(text)


def allowed_cores() -> int:
    """Cores on which this process may run: fewer than the machine has, where a farm or a container says so."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def end_with_parent() -> None:
    """Let Linux stop this process when its parent dies, however that happens: nobody waits for its work any more."""
    import ctypes  # not needed at every start

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
