"""A job's work: the same functions as the command line's, told to the store as they go."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from scumble import api
from scumble.core.colour import DISPLAY, over_black
from scumble.core.errors import BadInput
from scumble.core.files import written_whole
from scumble.core.frames import Frame, Pixels
from scumble.core.pixels import resized
from scumble.core.progress import Progress
from scumble.core.working_space import to_working
from scumble.look.look import Look
from scumble.media.open import open_plate, open_writer
from scumble.media.pattern import parse_pattern
from scumble.media.plate import Plate, PlateOptions, WriterSettings, is_movie
from scumble.quality import html_report, qc
from scumble.rendering.options import settings_of
from scumble.rendering.run import FrameDone
from scumble.studio.desk import Desk, is_mixed
from scumble.studio.requests import Match, Qc, Render, Train, with_defaults
from scumble.studio.store import Job
from scumble.studio.submit import key_paths, output_name

THUMBNAILS = 24  # of a render, spread over its frames

THUMBNAIL = 192  # pixels wide

PROXY = 1280  # most pixels that a movie in the page is wide

SECONDS = 0.25  # between what the store is told

AGAIN = "start the job again, which goes on where it was"

PATIENCE = 25.0  # seconds that a training has to save what it has learned


def perform(job: Job, desk: Desk) -> str:
    """Do a job and return notes for its user. Raises ScumbleError."""
    asked = with_defaults(job.kind, job.request)
    works: dict[str, Callable[[Job, Desk, Any], str]] = {"render": _render, "match": _match, "train": _train, "qc": _qc}
    return works[job.kind](job, desk, asked)


def shown(frame: Frame) -> Pixels:
    """A frame as a screen shows it: (H, W, 3) of 0 to 1 in sRGB, linear light through the view, over black."""
    pixels = to_working(frame.pixels, frame.colour_space).pixels
    if frame.alpha is not None:
        pixels = over_black(pixels, frame.alpha, DISPLAY)
    return np.clip(np.nan_to_num(pixels), 0, 1).astype(np.float32)


def fitting(size: tuple[int, int], width: int, aspect: Fraction | None = None) -> tuple[int, int]:
    """Width and height with square pixels, at most `width` wide and as high, even, as video wants it."""
    full = size[0] * float(aspect or 1)
    wide = min(width, full, full * width / size[1])
    return max(2, round(wide / 2) * 2), max(2, round(wide * size[1] / full / 2) * 2)


def _render(job: Job, desk: Desk, asked: Render) -> str:
    home = desk.store.home(job.id)
    plate, settings = desk.plate(asked), desk.settings(asked)
    look = Look.load(home / "look.look")  # as it was when the job was submitted
    if asked.styles and not is_mixed(asked):  # the look itself, as on the command line: not rounded by a file
        stored, look = look, desk.look(asked)
        if look.hash != stored.hash:
            raise BadInput("the style pictures have changed since the job was submitted; submit it again")
    output = home / "out" / output_name(asked, plate, look)
    numbers = settings_of(settings).frames or plate.numbers
    every = max(1, -(-len(numbers) // THUMBNAILS))
    wanted = set(numbers[::every]) if len(numbers) > 1 else set()
    told = _StoreProgress(job, desk, len(numbers))

    def watch(frame: Frame) -> None:
        if frame.number in wanted:
            height, width = frame.pixels.shape[:2]
            small = resized(shown(frame), fitting((width, height), THUMBNAIL, plate.pixel_aspect))
            with written_whole(home / "thumbs" / f"{frame.number:08d}.jpg") as part:
                part.write_bytes(html_report.jpeg(small))

    done = None
    # a movie or a still appears only when it is whole: where one is, the job was stopped after it
    if parse_pattern(output) is not None or not output.exists():
        done = api.render(desk.path(asked.plate), look, output, on_frame=told.frame, watch=watch, **settings)
    desk.store.tell(job.id, done=len(numbers), message="proxy")
    _show(open_plate(output, None if is_movie(output) else plate.numbers[0]), home)
    if done is None:
        return ""
    if len(done.files) > 1:
        _pack(done.files, home / "sequence.zip")
    kept = [f"{done.kept} frames were there already, made in the same way"] if done.kept else []
    return "\n".join([*kept, *done.notes])


def _show(result: Plate, home: Path) -> None:
    """Make what the page shows of a result: a movie that browsers play, or a picture."""
    size = fitting(result.size, PROXY, result.pixel_aspect)
    frames = (Frame(f.number, resized(shown(f), size), DISPLAY) for f in result.read(result.numbers))
    if len(result.numbers) == 1:
        with written_whole(home / "proxy.jpg") as part:
            part.write_bytes(html_report.jpeg(next(frames).pixels, 92))
        return
    writer = open_writer(
        home / "proxy.mp4",
        WriterSettings(
            frame_rate=result.frame_rate or Fraction(24), size=size, quality=80, codec="h264", out_space=DISPLAY
        ),
    )
    try:
        for frame in frames:
            writer.write(frame)
        writer.close()
    except BaseException:
        writer.abort()
        raise


def _pack(files: tuple[Path, ...], target: Path) -> None:
    """Files in a zip, stored as they are: pictures are compressed already."""
    with written_whole(target) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as packed:
        for file in files:
            packed.write(file, file.name)


class _StoreProgress:
    """Tells the store about frames, a few times a second at most."""

    def __init__(self, job: Job, desk: Desk, total: int) -> None:
        self.job, self.store = job, desk.store
        self.count, self.total, self.last = 0, total, 0.0
        self.store.tell(job.id, done=0, total=total)

    def frame(self, event: FrameDone) -> None:
        self.count += 1
        if time.monotonic() - self.last > SECONDS or self.count == self.total:
            self.last = time.monotonic()
            self.store.tell(self.job.id, done=self.count)


def _match(job: Job, desk: Desk, asked: Match) -> str:
    keys = [f"{number}={path}" for number, path in key_paths(desk, asked)]
    words = ["look", "match", "--plate", str(desk.path(asked.plate)), "--painted", *keys]
    words += [] if asked.carry else ["--no-carry"]
    return _taught(job, desk, asked, words)


def _train(job: Job, desk: Desk, asked: Train) -> str:
    styles = [str(file) for reference in asked.styles for file in desk.files(reference)]
    contents = []
    for reference in asked.content:
        desk.open(reference)
        contents.append(str(desk.path(reference)))
    words = ["look", "train", "--content", *contents, "--style", *styles]
    words += ["--from-scratch"] if asked.from_scratch else []
    if (desk.store.home(job.id) / "run" / "metrics.jsonl").exists():
        words.append("--resume")
    return _taught(job, desk, asked, words)


def _taught(job: Job, desk: Desk, asked: Match | Train, words: list[str]) -> str:
    """Run a command that trains a look, which ends as look.look in the job's folder."""
    home = desk.store.home(job.id)
    if (home / "look.look").exists():  # finished, but for saying so
        return ""
    words += ["-o", str(home / "look.look"), "--run", str(home / "run"), "--name", asked.name]
    words += ["--minutes", f"{asked.minutes:g}"]
    words += ["--layer", asked.layer] if asked.layer else []
    words += ["--in-space", asked.in_space] if asked.in_space else []
    if asked.start:
        start = home / "start.look"
        if not start.exists():
            desk.named(asked.start).save(start)
        words += ["--start", str(start)]
    notes = run_command(words, lambda event: _tell_event(job, desk, event))
    return "\n".join(notes)


def _tell_event(job: Job, desk: Desk, event: dict[str, Any]) -> None:
    """An event of a training for the job's card: how far it is, and its last figures or sentence."""
    done = round(100 * event["done"]) if "step" in event else None
    message = event.get("text")
    if event["event"] == "figures":
        values = "  ".join(f"{name} {value:.3f}" for name, value in event["figures"].items())
        message = f"step {event['step']}  {event['on']}: {values}"
    elif event["event"] == "progress" and "step" not in event:
        message = f"{event['task']}: {event['done']:g} of {event['total']:g}"
    desk.store.tell(job.id, done=done, total=100, message=message)


def run_command(words: list[str], tell: Callable[[dict[str, Any]], None]) -> list[str]:
    """Run a command that trains; `tell` hears its events; what it noted. Raises BadInput with its sentence.

    In a process of its own, which is stopped with this one: a training's memory is free again after it.
    """
    notes: list[str] = []
    line = [sys.executable, "-P", "-m", "scumble.cli", *words, "--progress", "json"]
    with tempfile.TemporaryFile(mode="w+", encoding="utf-8", errors="replace") as refusal:
        process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=refusal, text=True, errors="replace")
        assert process.stdout is not None
        try:
            for printed in process.stdout:
                try:
                    event = json.loads(printed)
                except ValueError:  # a library printed a line of its own
                    continue
                if event["event"] == "note":
                    notes.append(event["text"])
                tell(event)
            code = process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        refusal.seek(0)
        said = refusal.read().strip().splitlines() or [f"ended with exit code {code}"]
    if code < 0:
        raise BadInput(f"the training was ended by {signal.Signals(-code).name}, perhaps for want of memory; {AGAIN}")
    if code:
        raise BadInput(said[-1].removeprefix("scumble: "))
    return notes


def _qc(job: Job, desk: Desk, asked: Qc) -> str:
    judged = desk.store.job(asked.job)
    request = with_defaults("render", judged.request) if judged.kind == "render" else None
    if request is None or judged.state != "done":
        raise BadInput(f"job {asked.job}: not a render that is done; a report is made of one")
    if request.compare or request.burn_in:
        raise BadInput("a report compares the render with its plate: render without comparison and burn-in first")
    look = Look.load(desk.store.home(judged.id) / "look.look")
    output = desk.store.home(judged.id) / "out" / output_name(request, desk.plate(request), look)
    settings = settings_of(desk.settings(request))

    def tell(event: Progress) -> None:
        desk.store.tell(job.id, done=event.done, total=event.total)

    done = qc.examine(
        desk.path(request.plate),
        output,
        frames=settings.frames,
        tell=tell,
        cuts=settings.cuts,
        first_frame=settings.first_frame,
        plate_options=settings.plate_options,
        render_options=PlateOptions(layer=settings.layer if output.suffix == ".exr" else ""),
    )
    limits = qc.Limits()
    html_report.write(desk.store.home(job.id) / "report.html", *qc.page(done, limits))
    return "passes" if qc.passes(done, limits) else "does not pass: see the report"
