"""A frame's way: plate, working space, look, full size, mix, plate space, file. Decode, compute and encode overlap."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from scumble.core.files import check_writable, clear_parts
from scumble.core.frames import Frame, Pixels
from scumble.core.pixels import resized
from scumble.look.look import Look
from scumble.media.open import open_writer
from scumble.media.pattern import parse_pattern
from scumble.media.sequence import StillsPlate
from scumble.rendering.frame import Painting, composed, finished, finished_in_parts, painting_of
from scumble.rendering.io_threads import Behind, ahead
from scumble.rendering.neighbours import keys, windows
from scumble.rendering.on_twos import held
from scumble.rendering.options import RenderSettings
from scumble.rendering.output import shot_name, writer_settings
from scumble.rendering.plan import Plan, plan
from scumble.rendering.plan_words import vectors_in
from scumble.rendering.recipe import mark_of
from scumble.rendering.review import burnt_in, compared, reduced
from scumble.rendering.schedule import Painters
from scumble.rendering.stabiliser import steadied
from scumble.rendering.stamp import is_done
from scumble.shot.matte import NOWHERE, Matte, shares
from scumble.shot.motion import Motion, OpticalFlow, RenderedVectors
from scumble.shot.open_matte import noticed, prepare


@dataclass(frozen=True)
class FrameDone:
    """The one progress event: a frame of a shot was written, `seconds` after the render began."""

    shot: str
    number: int
    seconds: float


@dataclass(frozen=True)
class Rendered:
    """What was done."""

    files: tuple[Path, ...]
    frames: int
    seconds: float
    kept: int = 0
    """Frames that were there already, made in the same way."""
    notes: tuple[str, ...] = ()
    """What was seen on the way that its user should know."""


def render(
    source: Path,
    look: Look | Sequence[tuple[int, Look]],
    output: Path,
    settings: RenderSettings = RenderSettings(),
    on_event: Callable[[FrameDone], None] = lambda _: None,
    matte_looks: Sequence[tuple[str, Look]] = (),
) -> Rendered:
    """Paint a shot: `run(plan(...))`."""
    return run(plan(source, look, output, settings, matte_looks), on_event)


def run(
    job: Plan,
    on_event: Callable[[FrameDone], None] = lambda _: None,
    watch: Callable[[Frame], None] = lambda _: None,
) -> Rendered:
    """Do what was planned. Raises ScumbleError; a movie is finished or not there, done frames of a sequence stay.

    `on_event` is told of every frame that was written, `watch` shown every frame that is about to be.
    """
    started = time.monotonic()
    wanted, files = len(job.numbers), job.files
    check_writable(job.files[0])  # first: what cannot be written is said at once
    clear_parts(job.files)
    for matte in job.mattes:
        prepare(matte)
    painters = Painters(job)
    if parse_pattern(job.output) is not None and not job.settings.overwrite:
        frames = zip(job.numbers, job.files, strict=True)
        left = [(n, f) for n, f in frames if not f.exists() or not is_done(f, mark_of(job, painters, n))]
        if not left:
            return Rendered(files, 0, time.monotonic() - started, wanted)
        job = replace(job, numbers=tuple(n for n, _ in left), files=tuple(f for _, f in left))
    _paint(job, painters, lambda n: on_event(FrameDone(job.plate.path.name, n, time.monotonic() - started)), watch)
    notes = (*painters.notes(), *(note for matte in job.mattes for note in noticed(matte)))
    return Rendered(files, len(job.numbers), time.monotonic() - started, wanted - len(job.numbers), notes)


def _paint(job: Plan, painters: Painters, written: Callable[[int], None], watch: Callable[[Frame], None]) -> None:
    """Paint and write the frames of a plan, decoding ahead and encoding behind."""
    settings = job.settings
    shown, steady = _shown_and_steadied(job, painters)
    wanted = _painted(job, painters, steady)
    for matte in job.mattes:  # a hole is found before any work, under neighbours that are painted along too
        for number in wanted:
            matte.files_of(number)
    writer = open_writer(job.output, writer_settings(job, lambda n: mark_of(job, painters, n)))
    try:
        with ahead(job.read(wanted)) as frames, Behind(writer) as behind:
            paintings: Iterator[Painting] = (_painting(job, painters, f) for f in frames)
            if settings.stabilize is not None:
                motion = _motion(job, settings.stabilize)
                paintings = steadied(steady, settings.window, painters.together, motion, paintings)
            if settings.on > 1:
                motion_held = _motion(job, settings.on_warp) if settings.on_warp else None
                paintings = held(shown, settings.on, painters.first_of, motion_held, paintings)
            # a comparison shows each frame's own plate beside what is held
            own = job.read(shown) if settings.compare and settings.on > 1 else None
            for painting in paintings:
                done = _done(job, painting, painting.frame if own is None else next(own))
                watch(done)
                behind.put(done, written)
        writer.close()
    except BaseException:
        writer.abort()
        raise


def painting_alone(job: Plan, painters: Painters, number: int) -> Painting:
    """One frame of a plan painted by itself, neither steadied nor held."""
    return _painting(job, painters, next(iter(job.read((number,)))))


def frame_alone(job: Plan, painting: Painting) -> Frame:
    """That painting as it would be written, at the plan's strength."""
    return _done(job, painting, painting.frame)


def _done(job: Plan, painting: Painting, own: Frame) -> Frame:
    """A painting as it is written; `own` is the plate's frame that it is compared with."""
    settings, number = job.settings, painting.frame.number
    strength = job.strength_at(number)
    if settings.aovs:
        pixels, paint = finished_in_parts(painting, strength)
        done = replace(painting.frame, pixels=pixels, paint=paint)
    else:
        done = replace(painting.frame, pixels=finished(painting, strength))
    if number != painting.key:  # held: all that is not painted is the frame's own
        (file,) = job.plate.files_of((number,))
        done = replace(done, metadata=job.plate.metadata(number), source=file if done.source is not None else None)
    if settings.proxy > 1:
        done, own = reduced(done, job.proxy_size), reduced(own, job.proxy_size)
    if settings.compare is not None:
        done = compared(own, done, settings.compare)
    if settings.burn_in:
        done = burnt_in(done, _burn_in(job, done))
    return done


def _burn_in(job: Plan, frame: Frame) -> tuple[str, str, str]:
    """Shot; number and timecode; the looks of a frame."""
    shown = [look.name for (_, look), share in zip(job.looks, job.shares(frame.number), strict=True) if share > 0]
    shown = [] if job.settings.matte == NOWHERE else shown
    looks = " + ".join([*shown, *(look.name for _, look in job.matte_looks)])
    return (
        shot_name(job.plate),
        "  ".join([str(frame.number), *([frame.metadata.timecode] if frame.metadata.timecode else [])]),
        looks,
    )


def _painting(job: Plan, painters: Painters, frame: Frame) -> Painting:
    """A frame as it is painted in the working space, by all looks, each in its matte."""
    settings = job.settings

    def by(own: Painters) -> Painting:
        return painting_of(own.of(frame.number), frame, job.canvas_size, settings.grain, settings.hold_blacks)

    if job.matte is None and not job.matte_looks:
        return by(painters)
    height, width = frame.pixels.shape[:2]

    def of(matte: Matte) -> Pixels:
        return resized(matte.of(frame.number, frame.margin), (width, height)).reshape(height, width, 1)

    own = np.ones((height, width, 1), np.float32) if job.matte is None else of(job.matte)
    parts = shares([of(matte) for matte, _ in job.matte_looks])
    if not parts:
        return replace(by(painters), matte=own)
    left = np.clip(1 - np.sum(np.stack(parts), axis=0), 0, 1)
    paintings = [by(painters), *map(by, painters.others)]
    return composed(paintings, [(own * left).astype(np.float32), *parts])


def _shown_and_steadied(job: Plan, painters: Painters) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The frames that come out, and those whose paintings are wanted for them: all, or what is held."""
    settings = job.settings
    if settings.on == 1:
        return job.numbers, job.numbers
    return job.numbers, keys(job.numbers, settings.on, painters.first_of, settings.on_warp is not None)


def _painted(job: Plan, painters: Painters, steady: tuple[int, ...]) -> tuple[int, ...]:
    """The frames that are read and painted, the stabiliser's neighbours among them."""
    if job.settings.stabilize is None:
        return steady
    return windows(steady, job.settings.window, painters.together)


def _motion(job: Plan, kind: str) -> Motion:
    if kind == "flow":
        return OpticalFlow()
    vectors = vectors_in(job)
    assert isinstance(job.plate, StillsPlate)
    return RenderedVectors(job.plate.files, vectors, job.margin)
