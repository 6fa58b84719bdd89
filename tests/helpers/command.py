"""The command line, run as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from helpers.forked import forks

CACHE = tempfile.TemporaryDirectory(prefix="scumble-")


def scumble(*arguments: str | Path, **more: object) -> subprocess.CompletedProcess[str]:
    """The command with these arguments: on Linux in a copy of a process that has imported everything.

    With anything but a folder and a cache, and elsewhere, the installed command beside the Python that runs the tests.
    """
    cache = os.environ.get("SCUMBLE_CACHE", CACHE.name)  # a thread may stand between two tests, where there is none
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "SCUMBLE_CACHE": str(more.pop("cache", cache))}
    words = [str(argument) for argument in arguments]
    if sys.platform == "linux" and set(more) <= {"cwd"}:
        return forks().run(words, Path(str(more.get("cwd", os.getcwd()))), environment)
    return installed(*words, env=environment, **more)


def installed(*arguments: str | Path, **more: object) -> subprocess.CompletedProcess[str]:
    """The installed command itself."""
    command = Path(sys.executable).with_name("scumble" + (".exe" if sys.platform == "win32" else ""))
    return subprocess.run([command, *map(str, arguments)], capture_output=True, text=True, check=False, **more)
