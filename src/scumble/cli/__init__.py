"""The command line, one module a group of commands."""

import os
import signal
import sys
import threading


def _stopped_early(number: int, _: object) -> None:
    """Ctrl-C while modules are imported: nothing has begun, so nothing has to be unwound."""
    os.write(2, b"scumble: stopped\n")
    os._exit(128 + number)


# only in a process that is the command itself, not in one that imports it
if (
    os.path.basename(sys.argv[0]) in ("scumble", "scumble.exe")
    and threading.current_thread() is threading.main_thread()
):
    signal.signal(signal.SIGINT, _stopped_early)

from scumble.cli.program import main  # noqa: E402

__all__ = ["main"]
