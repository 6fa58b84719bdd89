"""What a command says on the terminal: notes, refusals, progress."""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Literal, Never

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from scumble.core.progress import Progress

SECONDS_A_LINE = 30.0  # between lines of progress in a log

FIRST_LINE = 10.0  # seconds before the first line of a training, so that its speed is known

SECONDS_AN_EVENT = 1.0  # between JSON lines that carry neither a frame nor figures

Shown = Literal["bar", "json", "openjd", "none"]

PROGRESS_HELP = "A bar, one JSON line an event, lines that Open Job Description reads, or nothing."

is_told_openjd = False  # whether --progress openjd was given: a refusal then has a line for the farm too

goes_on = ""  # how a command that is stopped can be gone on with, in words

stderr = Console(stderr=True, highlight=False, markup=False, emoji=False)


def heed(kind: Shown) -> Shown:
    """Called by the command line when --progress is read."""
    global is_told_openjd  # noqa: PLW0603 - errors are shown where no command is any more
    is_told_openjd = kind == "openjd"
    return kind


def say(line: str) -> None:
    stderr.print(line, soft_wrap=True)


def say_note(line: str) -> None:
    """What the user should act on."""
    say(f"note: {line}")


def refuse(sentence: str, code: int) -> Never:
    """One line on stderr, whatever a library put into its message, and the exit code."""
    line = " ".join(sentence.split())
    if is_told_openjd:
        print(f"openjd_fail: {_line(line)}", flush=True)
    stderr.print(f"scumble: {line}", style="bold red", soft_wrap=True)
    sys.exit(code)


class Display:
    """Shows `Progress` events: as a bar on a terminal and lines in a log, as lines on stdout for a farm, or not at all."""

    def __init__(self, kind: Shown = "bar", stays: bool = False) -> None:
        self.kind = kind
        self.bar: Bar | None = None
        self.first: Progress | None = None  # of the count that is under way
        if kind == "bar" and stderr.is_terminal:
            columns = (TextColumn("{task.description:40.40}"), BarColumn(), TextColumn("{task.fields[count]}"))
            self.bar = Bar(*columns, TimeRemainingColumn(), console=stderr, transient=not stays)

    def __enter__(self) -> Display:
        self.began = self.last = time.monotonic()
        if self.bar is not None:
            self.bar.start()
            self.row = self.bar.add_task("", total=None, count="")
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def __call__(self, event: Progress) -> None:
        """Show an event."""
        if self.kind == "json":
            self._print_json(event)
        elif self.kind == "openjd":
            self._print_openjd(event)
        elif self.kind == "bar":
            self._show(event)

    def _show(self, event: Progress) -> None:
        if event.text:
            (say_note if event.is_note else say)(event.text)
            return
        now = time.monotonic()
        if self.first is None or _counts(self.first) != _counts(event):
            self.first, self.began = event, now
            if event.step is not None:
                self.last = now - SECONDS_A_LINE + FIRST_LINE
        if event.figures:
            say(self._in_words(event))
            self.last = now
        elif self.bar is not None:
            self.bar.update(
                self.row,
                description=event.task,
                completed=event.done,
                total=event.total,
                count=f"{_count(event)}  {self._speed(event)}",
            )
        elif now - self.last > SECONDS_A_LINE and event.done:
            self.last = now
            say(self._in_words(event))

    def _in_words(self, event: Progress) -> str:
        """A line of a log."""
        parts = [part for part in (self._speed(event), self._left(event)) if part]
        pace = f"({', '.join(parts)})" if parts else ""
        if event.figures:
            values = "  ".join(f"{k} {v:.3f}" for k, v in event.figures.items())
            mark = "  best" if event.is_best else ""
            return f"{_count(event)}  {event.judged}: {values}{mark}  {pace}".rstrip()
        head = _count(event) if event.step is not None else f"{event.task}: {_count(event)}"
        return f"{head}  {pace}".rstrip()

    def _speed(self, event: Progress) -> str:
        assert self.first is not None
        spent = time.monotonic() - self.began
        if spent <= 0:
            return ""
        if event.step is not None and self.first.step is not None:
            return f"{(event.step - self.first.step) / spent:.1f} steps/s"
        return f"{(event.done - self.first.done) / spent:.2f} frames/s" if event.frame is not None else ""

    def _left(self, event: Progress) -> str:
        assert self.first is not None
        done = event.done - self.first.done
        seconds = time.monotonic() - self.began
        return f"{seconds * (event.total - event.done) / done / 60:.0f} min left" if done > 0 else ""

    def _print_json(self, event: Progress) -> None:
        line = as_json(event)
        if line["event"] == "progress":
            if time.monotonic() - self.last < SECONDS_AN_EVENT:
                return
            self.last = time.monotonic()
        print(json.dumps(line), flush=True)

    def _print_openjd(self, event: Progress) -> None:
        """https://github.com/OpenJobDescription/openjd-specifications/wiki: messages on stdout."""
        if event.text:
            print(f"openjd_status: {_line(event.text)}", flush=True)
            return
        if event.frame is None and time.monotonic() - self.last < SECONDS_AN_EVENT:
            return
        self.last = time.monotonic()
        if event.total:
            print(f"openjd_progress: {100 * event.done / event.total:.2f}", flush=True)
        print(f"openjd_status: {_line(f'{event.task}: {_count(event)}')}", flush=True)


def _line(text: str) -> str:
    return " ".join(text.split())[:1000]


def as_json(event: Progress) -> dict[str, Any]:
    """An event as the line that `--progress json` prints."""
    count = {"done": round(event.done, 5), "total": event.total}
    if event.text:
        return {"event": "note" if event.is_note else "text", "text": event.text}
    if event.frame is not None:
        return {
            "event": "frame",
            "shot": event.task,
            "frame": event.frame,
            "seconds": round(event.seconds, 3),
            **count,
        }
    step = {} if event.step is None else {"step": event.step}
    if event.figures:
        best = {"best": event.is_best}
        return {"event": "figures", "on": event.judged, **step, **count, "figures": dict(event.figures), **best}
    return {"event": "progress", "task": event.task, **step, **count}


def _counts(event: Progress) -> tuple[float, bool]:
    """What tells one count from another: each file of a folder is a task of its own within one count."""
    return event.total, event.step is None


def _count(event: Progress) -> str:
    if event.step is not None:
        return f"step {event.step}  {event.done / max(event.total, 1e-9):.0%}"
    return f"{event.done:g} of {event.total:g}" + (" frames" if event.frame is not None else "")
