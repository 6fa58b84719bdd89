"""What a command says on the terminal: notes, refusals, progress."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Never

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_A_LINE = 30.0  # between lines of progress in a log

note = Console(stderr=True, highlight=False, markup=False, emoji=False)


def say(line: str) -> None:
    note.print(line, soft_wrap=True)


def refuse(sentence: str, code: int) -> Never:
    """One line on stderr, whatever a library put into its message, and the exit code."""
    line = " ".join(sentence.split())
    note.print(f"scumble: {line}", style="bold red", soft_wrap=True)
    sys.exit(code)


class render_progress:  # noqa: N801 - reads as a phrase: with _progress("bar", ...)
    """Shows `FrameDone` events as asked for, in a log a line now and then; on stderr, but for JSON lines."""

    def __init__(self, kind: str, total: int, title: str) -> None:
        self.kind, self.total, self.title = kind, total, title
        self.bar: Progress | None = None
        self.said = time.monotonic()
        if kind == "bar" and note.is_terminal:
            rate = TextColumn("{task.fields[rate]:.2f} frames/s")
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
            self.bar = Progress(*columns, console=note)

    def __enter__(self) -> Callable[[Any], None]:
        self.started = time.monotonic()
        self.count = 0
        if self.bar is not None:
            self.bar.start()
            self.task = self.bar.add_task(self.title, total=self.total, rate=0.0)
        return self.tick

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def tick(self, event: Any) -> None:
        """One frame is done."""
        self.count += 1
        now = time.monotonic()
        rate = self.count / max(1e-6, now - self.started)
        if self.bar is not None:
            self.bar.update(self.task, advance=1, rate=rate)
        elif self.kind == "bar" and now - self.said > SECONDS_A_LINE:
            self.said = now
            left = (self.total - self.count) / rate / 60
            say(f"{self.title}: {self.count} of {self.total} frames, {rate:.2f} frames/s, {left:.0f} min left")
        elif self.kind == "json":
            line = {"event": "frame", "shot": event.shot, "frame": event.number, "seconds": round(event.seconds, 3)}
            print(json.dumps({**line, "done": self.count, "total": self.total}), flush=True)


@contextmanager
def counting() -> Iterator[Callable[[str, int, int], None]]:
    """Tell it name, done and total: a bar on a terminal, a line now and then in a log."""
    columns = (TextColumn("{task.description:40.40}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    began = said = time.monotonic()
    with Progress(*columns, console=note, transient=True, disable=not note.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def tell(name: str, done: int, total: int) -> None:
            nonlocal said
            bar.update(task, description=name, completed=done, total=total)
            now = time.monotonic()
            if not note.is_terminal and done and now - said > SECONDS_A_LINE:
                said = now
                say(f"{name}: {done} of {total}, {(now - began) * (total - done) / done / 60:.0f} min left")

        yield tell
