"""Tasks run in their order by whatever runs them, and again where a machine was lost."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from scumble.core.errors import BadInput, ScumbleError
from scumble.core.progress import Progress, ignore, note
from scumble.farm.tasks import Task

TRIES = 3  # of a task that fails by itself; one that is refused (exit code 2) is not tried again

LOSSES = 10  # machines that a task may lose

UNSEEN = 60.0  # seconds for which files of another machine may not be seen here yet

WAIT = 1.0  # seconds between two looks at what runs


@dataclass(frozen=True)
class Ended:
    """How a task ended."""

    task: Task
    code: int
    """Of the command; 0 is done, 2 refused."""
    words: str = ""
    """What it said on stderr."""
    is_lost: bool = False
    """Whether the machine or process under it went away: no fault of the task."""


class Mapper(Protocol):
    """Runs tasks somewhere."""

    def places(self) -> int:
        """Tasks that may be handed over at once. Raises ScumbleError where nothing can run any more."""

    def start(self, task: Task) -> None:
        """Hands a task over."""

    def ended(self, seconds: float) -> list[Ended]:
        """Tasks that ended since; waits for one at most so long. Raises ScumbleError where nothing can run any more."""

    def stop(self) -> None:
        """Ends what runs."""


@dataclass(frozen=True)
class Finished:
    """All tasks of a render are done, or one of them cannot be."""

    name: str
    error: ScumbleError | None = None


def run_tasks(
    renders: Sequence[tuple[str, Sequence[Task]]], mapper: Mapper, tell: Callable[[Progress], None] = ignore
) -> Iterator[Finished]:
    """Run the tasks of named renders; each is given when it is done or has failed. What fails stops no other render.

    Raises ScumbleError where nothing can run any more.
    """
    waiting = deque(sorted(((name, task) for name, tasks in renders for task in tasks), key=lambda pair: pair[1].order))
    left = {name: len(tasks) for name, tasks in renders}
    frames = {name: sum(len(t.frames) for t in tasks if t.step != "encode") for name, tasks in renders}
    total, done, began = sum(frames.values()), 0, time.monotonic()
    well: set[str] = set()
    tries: dict[str, int] = {}
    lost: dict[str, int] = {}
    failed: set[str] = set()
    running: dict[str, str] = {}  # tasks by name, and their renders
    try:
        while any(left[name] and name not in failed for name in left):
            free = mapper.places() - len(running)
            later: deque[tuple[str, Task]] = deque()
            while waiting and free > 0:
                name, task = waiting.popleft()
                if name in failed:
                    continue
                if not set(task.needs) <= well:
                    later.append((name, task))
                    continue
                mapper.start(task)
                running[task.name] = name
                free -= 1
            waiting.extendleft(reversed(later))
            for end in map(_checked, mapper.ended(WAIT)):
                task, name = end.task, running.pop(end.task.name)
                if name in failed:
                    continue
                if end.code == 0:
                    well.add(task.name)
                    left[name] -= 1
                    if task.step != "encode":
                        done += len(task.frames)
                    last = task.frames[-1] if task.frames else None
                    tell(Progress(name, done, total, time.monotonic() - began, last))
                    if not left[name]:
                        yield Finished(name)
                    continue
                counts, most = (lost, LOSSES) if end.is_lost else (tries, TRIES)
                counts[task.name] = counts.get(task.name, 0) + 1
                if end.code != 2 and counts[task.name] < most:
                    tell(note(f"{task.name}: {_reason(end)}; it is tried again"))
                    waiting.appendleft((name, task))
                    continue
                failed.add(name)
                total -= frames[name]
                kind = BadInput if end.code == 2 else ScumbleError
                yield Finished(name, kind(_reason(end) if end.code == 2 else f"{task.name}: {_reason(end)}"))
    finally:
        mapper.stop()


def _checked(end: Ended) -> Ended:
    """A task that ended well on another machine has its files here too, or the disk is not shared."""
    is_whole = end.task.step in ("render", "encode") and "--overwrite" not in end.task.command
    if end.is_lost and is_whole and all(Path(file).exists() for file in end.task.files):
        return replace(end, code=0, is_lost=False)  # lost after its work: files appear whole
    if end.code:
        return end
    until = time.monotonic() + UNSEEN
    while (missing := next((file for file in end.task.files if not Path(file).exists()), None)) is not None:
        if time.monotonic() > until:
            break
        with suppress(OSError):  # network disks remember for a while what was not there; a listing asks them anew
            os.listdir(Path(missing).parent)
        time.sleep(WAIT)
    if missing is None:
        return end
    words = f"{missing}: was written where this machine does not see it; give an output that all machines share"
    return Ended(end.task, 2, words)


def _reason(end: Ended) -> str:
    """A sentence from what a command said last."""
    lines = [line.strip() for line in end.words.splitlines() if line.strip()]
    refusals = [line for line in lines if line.startswith("scumble: ")]
    said = (refusals or lines or [""])[-1].removeprefix("scumble: ")
    if end.is_lost:
        return said or "the machine that ran it was lost"
    if end.code < 0:
        return f"was stopped by signal {-end.code}"
    return said or f"ended with exit code {end.code}"
