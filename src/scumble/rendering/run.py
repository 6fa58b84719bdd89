"""A render from plan to files: measure, find what is to do, paint, write. Decoding, painting and encoding overlap."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from scumble.core.files import clear_parts
from scumble.core.frames import Frame, Pixels
from scumble.core.keyed import Keyed
from scumble.core.pixels import resized
from scumble.core.progress import Progress, ignore
from scumble.core.threads import threads
from scumble.core.version import __version__
from scumble.look.look import Look
from scumble.media.aov import STROKE
from scumble.media.open import open_writer
from scumble.rendering.frame import Painting, composed, finished, finished_in_parts, painting_of
from scumble.rendering.io_threads import Behind, ahead, places_for
from scumble.rendering.job import Job, job_of
from scumble.rendering.measure import measure
from scumble.rendering.memory_bound import bound_of
from scumble.rendering.on_twos import on_twos
from scumble.rendering.options import RenderSettings
from scumble.rendering.output import Output
from scumble.rendering.plan import Plan, vectors_in
from scumble.rendering.recipe import looks_in_words, stamp_of
from scumble.rendering.review import burnt_in, compared, reduced
from scumble.rendering.schedule import Schedule
from scumble.rendering.stabiliser import steadied
from scumble.rendering.stamp import is_done
from scumble.shot.matte import Matte, shares
from scumble.shot.matte_spec import NOWHERE
from scumble.shot.motion import Motion, OpticalFlow, RenderedVectors
from scumble.shot.open_matte import noticed, prepare


class FrameDone(Progress):
    """A frame is on disk, `seconds` after the render began; `done` counts frames that were there already too."""

    @property
    def shot(self) -> str:
        """File name of the plate."""
        return self.task

    @property
    def number(self) -> int:
        """Of the frame."""
        assert self.frame is not None
        return self.frame


@dataclass(frozen=True)
class Rendered:
    """What was done."""

    files: tuple[Path, ...]
    frames: int
    seconds: float
    kept: int = 0
    """Frames that were there already, made in the same way."""
    notes: tuple[str, ...] = ()
    """Notes for the user."""


def render(
    source: Path,
    look: Look | Sequence[tuple[int, Look]],
    output: Path,
    settings: RenderSettings = RenderSettings(),
    tell: Callable[[FrameDone], None] = ignore,
    matte_looks: Sequence[tuple[str, Look]] = (),
) -> Rendered:
    """Paint a shot: `run(job_of(...))`."""
    return run(job_of(source, look, output, settings, matte_looks), tell)


def run(
    job: Job,
    tell: Callable[[FrameDone], None] = ignore,
    watch: Callable[[Frame], None] = lambda _: None,
) -> Rendered:
    """Do what was planned. Raises ScumbleError; a movie is finished or not there, done frames of a sequence stay.

    `tell` hears of every frame that was written; `watch` gets each frame before it is written.
    """
    plan, output, started = job.plan, job.output, time.monotonic()
    cv2.setNumThreads(threads() or -1)
    output.check()  # refused before any work
    clear_parts(output.files)
    for matte in plan.mattes:
        prepare(matte)
    schedule = Schedule(plan, measure(plan), bound_of(plan, output))  # each shot measured once; who paints which frame
    todo = _to_do(plan, output, schedule)
    if todo:
        shot, total, count = plan.plate.path.name, len(plan.numbers), itertools.count(len(plan.numbers) - len(todo) + 1)
        _paint(
            replace(plan, numbers=todo),
            output,
            schedule,
            watch,
            lambda n: tell(FrameDone(shot, next(count), total, time.monotonic() - started, n)),
        )
    notes = (*schedule.bound.notes, *schedule.notes(), *(note for matte in plan.mattes for note in noticed(matte)))
    seconds, kept = time.monotonic() - started, len(plan.numbers) - len(todo)
    return Rendered(output.files, len(todo), seconds, kept, notes if todo else ())


def _to_do(plan: Plan, output: Output, schedule: Schedule) -> tuple[int, ...]:
    """The frames that still have to be painted: without a file of the same recipe."""
    if not output.is_sequence or plan.settings.overwrite:
        return plan.numbers
    frames = zip(plan.numbers, output.files, strict=True)
    return tuple(n for n, f in frames if not f.exists() or not is_done(f, stamp_of(plan, output, schedule, n)))


def _paint(
    plan: Plan, output: Output, schedule: Schedule, watch: Callable[[Frame], None], written: Callable[[int], None]
) -> None:
    """Paint and write the frames of a plan, decoding ahead and encoding behind."""
    settings = plan.settings
    needed = schedule.neighbours.painted(plan.numbers)
    for matte in plan.mattes:  # a missing matte is found before any work, also under neighbours that must be painted
        for number in needed:
            matte.files_of(number)
    words = settings.strength if isinstance(settings.strength, Keyed) else f"{settings.strength:g}"
    stamp = f"Scumble {__version__}, look {looks_in_words(plan)}, {plan.precision}, strength {words}"
    breadth = STROKE * plan.plate.size[1] / plan.network_size[1]
    described = output.writer_settings(breadth, stamp, lambda n: stamp_of(plan, output, schedule, n))
    writer = open_writer(output.path, described)
    try:
        with ExitStack() as stack:
            eyes = [plan, *(replace(plan, plate=eye) for eye in output.eyes)]
            places = places_for(plan.frame_bytes, schedule.bound.waiting)
            painted = [_painted(own, schedule, stack.enter_context(ahead(own.read(needed), places))) for own in eyes]
            behind = stack.enter_context(Behind(writer, places))
            for done, *others in zip(*painted, strict=True):
                whole = replace(done, eyes=tuple(others)) if others else done
                watch(whole)
                behind.put(whole, written)
                del done, others, whole  # a large frame does not stay while the next one is painted
        writer.close()
    except BaseException:
        writer.abort()
        raise


def _painted(plan: Plan, schedule: Schedule, frames: Iterator[Frame]) -> Iterator[Frame]:
    """The frames of a plan as they are written, painted with one schedule for all eyes of a stereo plate."""
    settings, neighbours = plan.settings, schedule.neighbours
    # `map` holds on to no frame while it is written, as a loop would: those of 8K are large
    paintings: Iterator[Painting] = map(partial(_painting, plan, schedule), frames)
    if settings.stabilize is not None:
        motion = _motion(plan, settings.stabilize)
        paintings = steadied(neighbours.steadied(plan.numbers), neighbours, motion, paintings)
    if settings.on > 1:
        motion_held = _motion(plan, settings.on_warp) if settings.on_warp else None
        paintings = on_twos(plan.numbers, neighbours, motion_held, paintings)
    # a comparison shows each frame's own plate beside what is held
    own = plan.read(plan.numbers) if settings.compare and settings.on > 1 else None

    def finish(painting: Painting) -> Frame:
        return _done(plan, painting, painting.frame if own is None else next(own))

    yield from map(finish, paintings)


def painting_alone(plan: Plan, schedule: Schedule, number: int) -> Painting:
    """One frame of a plan painted by itself, neither steadied nor held."""
    return _painting(plan, schedule, next(iter(plan.read((number,)))))


def frame_alone(plan: Plan, painting: Painting) -> Frame:
    """That painting as it would be written, at the plan's strength."""
    return _done(plan, painting, painting.frame)


def _done(plan: Plan, painting: Painting, own: Frame) -> Frame:
    """A painting as it is written; `own` is the plate's frame that it is compared with."""
    settings, number = plan.settings, painting.frame.number
    strength = plan.strength_at(number)
    if settings.aovs:
        pixels, paint = finished_in_parts(painting, strength)
        done = replace(painting.frame, pixels=pixels, paint=paint)
    else:
        done = replace(painting.frame, pixels=finished(painting, strength))
    if number != painting.painted_from:  # a held painting: everything else is the frame's own
        file = plan.plate.file_of(number)
        done = replace(done, metadata=plan.plate.metadata(number), source=file if done.source is not None else None)
    if settings.flat:
        done = replace(done, source=None)
    if settings.proxy > 1:
        done, own = reduced(done, plan.proxy_size), reduced(own, plan.proxy_size)
    if settings.compare is not None:
        done = compared(own, done, settings.compare)
    if settings.burn_in:
        done = burnt_in(done, _burn_in(plan, done))
    return done


def _burn_in(plan: Plan, frame: Frame) -> tuple[str, str, str]:
    """The three texts of a frame: shot, number with timecode, looks."""
    shown = [look.name for (_, look), share in zip(plan.looks, plan.shares(frame.number), strict=True) if share > 0]
    shown = [] if plan.settings.matte == str(NOWHERE) else shown
    looks = " + ".join([*shown, *(look.name for _, look in plan.matte_looks)])
    return (
        plan.plate.shot_name,
        "  ".join([str(frame.number), *([frame.metadata.timecode] if frame.metadata.timecode else [])]),
        looks,
    )


def _painting(plan: Plan, schedule: Schedule, frame: Frame) -> Painting:
    """A frame as it is painted in the working space, by all looks, each in its matte."""
    settings = plan.settings

    def by(own: Schedule) -> Painting:
        return painting_of(own.of(frame.number), frame, plan.canvas_size, settings.grain, settings.hold_blacks)

    if plan.matte is None and not plan.matte_looks:
        return by(schedule)
    height, width = frame.pixels.shape[:2]

    def of(matte: Matte) -> Pixels:
        return resized(matte.of(frame.number, frame.margin), (width, height)).reshape(height, width, 1)

    own = np.ones((height, width, 1), np.float32) if plan.matte is None else of(plan.matte)
    parts = shares([of(matte) for matte, _ in plan.matte_looks])
    if not parts:
        return replace(by(schedule), matte=own)
    left = np.clip(1 - np.sum(np.stack(parts), axis=0), 0, 1)
    paintings = [by(schedule), *map(by, schedule.others)]
    return composed(paintings, [(own * left).astype(np.float32), *parts])


def _motion(plan: Plan, kind: str) -> Motion:
    if kind == "flow":
        return OpticalFlow()
    return RenderedVectors(plan.plate.channels, vectors_in(plan), plan.margin)
