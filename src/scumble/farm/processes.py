"""Tasks run by several processes of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from typing import IO

from scumble.farm.run import Ended
from scumble.farm.tasks import Task

PAUSE = 0.05  # seconds between two looks at the processes

PATIENCE = 10.0  # seconds for a process to end when it is asked to


class Processes:
    """At most `count` at once, which share the machine's cores."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.running: list[tuple[Task, subprocess.Popen[bytes], IO[bytes]]] = []
        each = max(1, (os.cpu_count() or 1) // count)
        self.environment = {"SCUMBLE_THREADS": str(each), **os.environ, "SCUMBLE_ENDS_WITH_PARENT": "1"}

    def places(self) -> int:
        return self.count

    def start(self, task: Task) -> None:
        said = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the process has ended
        words = [sys.executable, "-P", "-m", "scumble.cli", *task.command[1:], "--progress=none"]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=said, env=self.environment)
        self.running.append((task, process, said))

    def ended(self, seconds: float) -> list[Ended]:
        until = time.monotonic() + seconds
        while True:
            ended = [entry for entry in self.running if entry[1].poll() is not None]
            if ended or time.monotonic() >= until:
                break
            time.sleep(PAUSE)
        self.running = [entry for entry in self.running if entry not in ended]
        return [Ended(task, process.returncode, _text(said)) for task, process, said in ended]

    def stop(self) -> None:
        for _, process, _ in self.running:
            process.terminate()
        until = time.monotonic() + PATIENCE
        for _, process, said in self.running:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            said.close()
        self.running = []


def _text(said: IO[bytes]) -> str:
    with said:
        said.seek(0)
        return said.read().decode("utf-8", "replace")
