"""The one worker process beside the server: takes jobs from the store, one after the other, until it is ended.

    python -m scumble.studio.worker FOLDER [FOLDER_TO_READ...]

Ends when its standard input does: when the server is no more, however it ended.
"""

from __future__ import annotations

import faulthandler
import os
import secrets
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path

from scumble.core.errors import ScumbleError
from scumble.studio.desk import Desk
from scumble.studio.store import Job, Store
from scumble.studio.work import perform

PAUSE = 0.2  # seconds between checks of an empty queue

NICE = 5  # previews of the page come before a render


def main() -> None:
    """Work until the server ends."""
    store = Store(Path(sys.argv[1]), worker=f"{os.getpid()}-{secrets.token_hex(4)}")
    desk = Desk(store, tuple(map(Path, sys.argv[2:])))
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is the server's: it ends its worker
    if hasattr(os, "nice"):
        os.nice(NICE)
    faulthandler.enable()
    threading.Thread(target=_watch_server, daemon=True).start()
    while True:
        job = store.claim()
        if job is None:
            time.sleep(PAUSE)
        else:
            work(job, desk)


def _end(number: int, _: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # only once: a second signal must not disturb saving
    sys.exit(128 + number)


def work(job: Job, desk: Desk) -> None:
    """Do a job and take down how it ended. Raises SystemExit where the process was asked to end."""
    store = desk.store
    try:
        notes = perform(job, desk)
    except ScumbleError as error:
        store.end(job.id, "failed", " ".join(str(error).split()))
    except MemoryError:
        store.end(job.id, "failed", "not enough memory; give fewer lines, or a machine with more")
    except (SystemExit, KeyboardInterrupt):
        store.requeue(job.id)
        raise SystemExit(0) from None
    except Exception as error:
        with suppress(OSError):
            (store.home(job.id) / "log.txt").write_text(traceback.format_exc(), "utf-8")
        store.end(
            job.id, "failed", f"a fault of Scumble's ({type(error).__name__}); please report it with the job's log"
        )
    else:
        all_of_it = max(1.0, store.job(job.id).total)
        store.tell(job.id, done=all_of_it, total=all_of_it)
        store.end(job.id, "done", message=notes)


def _watch_server() -> None:
    """End with the server: its end of the pipe closes even when it is killed."""
    while sys.stdin.buffer.read(1):
        pass
    if os.name == "nt":
        os._exit(0)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)  # time for the current step and its checkpoint
    os._exit(1)


if __name__ == "__main__":
    main()
