"""Who speaks to other machines: every Python process that a test starts with this environment writes it down."""

from __future__ import annotations

import os
from pathlib import Path

WATCH = """
import os, sys
def hook(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
        address = arguments[1] if event != "socket.getaddrinfo" else arguments
        host = address[0] if isinstance(address, tuple) else address
        if isinstance(host, bytes):
            host = host.decode()
        if host not in (None, "", "127.0.0.1", "localhost", "::1", "0.0.0.0"):
            with open(os.environ["SCUMBLE_TEST_OUTGOING"], "a") as log:
                log.write(f"{event} {host}\\n")
sys.addaudithook(hook)
"""


def watched(folder: Path, log: Path) -> dict[str, str]:
    """An environment in which Python processes append to `log` what they connect to beyond this machine."""
    (folder / "sitecustomize.py").write_text(WATCH)
    before = os.environ.get("PYTHONPATH")
    return {
        "PYTHONPATH": os.pathsep.join([str(folder), *([before] if before else [])]),
        "SCUMBLE_TEST_OUTGOING": str(log),
    }
