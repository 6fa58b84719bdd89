"""Keeps one worker process alive, ends cancelled jobs, and reports a worker that died."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from scumble.core.errors import BadOutput
from scumble.studio.store import Store

LOOK = 0.2  # seconds between checks of the worker

GRACE = 30.0  # seconds that a job may take to stop: a training saves its step

CLEANING = 3600.0  # seconds between searches for old uploads

RESTART = 1.0  # seconds before a worker that died is started again


class Supervisor:
    """As a context: the worker runs inside it. One at a time may have a folder; another raises BadOutput."""

    def __init__(self, store: Store, folders: Sequence[Path] = ()) -> None:
        self.store = store
        self.folders = [str(folder) for folder in folders]
        self.worker: subprocess.Popen[bytes] | None = None
        self.ending = threading.Event()
        self.asked: dict[str, float] = {}  # cancelled jobs, and when the worker was asked to stop them

    def __enter__(self) -> Supervisor:
        self.lock = sqlite3.connect(self.store.folder / "lock.sqlite", timeout=0, check_same_thread=False)
        try:
            self.lock.execute("BEGIN EXCLUSIVE")  # the lock ends with this process, however it ends
        except sqlite3.OperationalError as error:
            self.lock.close()
            raise BadOutput(
                f"{self.store.folder}: another studio works there; end it, or give another --data"
            ) from error
        for job in self.store.running():  # the last server ended before they did
            self.store.requeue(job.id)
        self.store.clean()
        self.thread = threading.Thread(target=self._keep, name="supervisor", daemon=True)
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ending.set()
        self.thread.join()
        self.lock.close()

    def _keep(self) -> None:
        cleaned = time.monotonic()
        while not self.ending.wait(LOOK):
            try:
                self._look()
                if time.monotonic() - cleaned > CLEANING:
                    cleaned = time.monotonic()
                    self.store.clean_uploads()
            except Exception:  # a full disk, no more processes: it is tried again
                with suppress(OSError), (self.store.folder / "faults.log").open("a", encoding="utf-8") as log:
                    log.write(traceback.format_exc())
                self.ending.wait(RESTART)
        if self.worker is not None:
            self._end(self.worker)

    def _look(self) -> None:
        if self.worker is None:
            self.worker = self._start()
        elif self.worker.poll() is not None:
            _close(self.worker)
            _sweep(self.worker.pid)
            self._take_down(self.worker.returncode)
            self.worker = None
            self.ending.wait(RESTART)
        else:
            self._stop_cancelled(self.worker)

    def _start(self) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-P", "-m", "scumble.studio.worker", str(self.store.folder), *self.folders]
        return subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True)

    def _take_down(self, code: int) -> None:
        """The worker has ended: its job has failed, or was cancelled."""
        self.asked.clear()
        known = -code in {int(number) for number in signal.Signals}
        how = f"by {signal.Signals(-code).name}" if known else f"with exit code {code}"
        for job in self.store.running():
            if job.cancel or code in (-signal.SIGTERM, 128 + signal.SIGTERM):  # ours, meant for the job before it
                self.store.requeue(job.id)
            else:
                self.store.end(
                    job.id,
                    "failed",
                    f"the process that did this job was ended {how}, perhaps for want of memory;"
                    " the studio goes on: start the job again, or give it fewer lines",
                )

    def _stop_cancelled(self, worker: subprocess.Popen[bytes]) -> None:
        running = self.store.running()
        self.asked = {job: when for job, when in self.asked.items() if job in {r.id for r in running}}
        for job in running:
            if not job.cancel:
                continue
            if job.id not in self.asked:
                self.asked[job.id] = time.monotonic()
                worker.terminate()
            elif time.monotonic() - self.asked[job.id] > GRACE:
                worker.kill()

    def _end(self, worker: subprocess.Popen[bytes]) -> None:
        worker.terminate()
        try:
            worker.wait(GRACE)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
        _close(worker)
        _sweep(worker.pid)
        for job in self.store.running():
            self.store.requeue(job.id)


def _close(worker: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        if worker.stdin is not None:
            worker.stdin.close()


def _sweep(group: int) -> None:
    """End the training that a dead worker had begun."""
    if hasattr(os, "killpg"):
        with suppress(OSError):
            os.killpg(group, signal.SIGKILL)
