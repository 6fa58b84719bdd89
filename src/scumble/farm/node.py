"""A task as another machine runs it. Nothing here imports from Scumble: Ray sends this file's functions by value."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys

SAID = 20000  # characters of what a command said that go back


def command_here() -> list[str]:
    """How Scumble is called on this machine: $SCUMBLE_COMMAND, the command on the path, or this Python's module."""
    own = os.environ.get("SCUMBLE_COMMAND")
    if own:
        return shlex.split(own)
    found = shutil.which("scumble")
    return [found] if found else [sys.executable, "-P", "-m", "scumble.cli"]


def run_on_node(words: list[str], threads: int) -> tuple[int, str, str]:
    """Run `scumble` with these words: its exit code, what it said last on stderr, and the machine by Ray's name."""
    import ray

    process = subprocess.Popen(
        [*command_here(), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "SCUMBLE_ENDS_WITH_PARENT": "1", "SCUMBLE_THREADS": str(threads)},
    )
    try:
        said = process.communicate()[1]
    except BaseException:
        process.terminate()
        process.wait()
        raise
    machine = str(ray.get_runtime_context().get_node_id())
    return process.returncode, said.decode("utf-8", "replace")[-SAID:], machine
