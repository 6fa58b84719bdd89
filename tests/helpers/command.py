"""The command line, run as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

CACHE = tempfile.TemporaryDirectory(prefix="scumble-")


def scumble(*arguments: str | Path, **more: object) -> subprocess.CompletedProcess[str]:
    """The installed command, beside the Python that runs the tests."""
    command = Path(sys.executable).with_name("scumble" + (".exe" if sys.platform == "win32" else ""))
    cache = os.environ.get("SCUMBLE_CACHE", CACHE.name)  # a thread may stand between two tests, where there is none
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "SCUMBLE_CACHE": str(more.pop("cache", cache))}
    return subprocess.run(
        [command, *map(str, arguments)], capture_output=True, text=True, check=False, env=environment, **more
    )
