"""A frame's way: plate, working space, look, full size, mix, plate space, file. Decode, compute and encode overlap."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from scumble import __version__
from scumble.aov import STROKE
from scumble.files import check_writable, clear_parts
from scumble.frames import Frame, Pixels
from scumble.look import Look
from scumble.marks import HASH, digest, is_done
from scumble.matte import NOWHERE, Matte, is_named, noticed, prepare, shares
from scumble.media import (
    WriterSettings,
    is_movie,
    open_writer,
)
from scumble.media.movie import MoviePlate
from scumble.media.pattern import parse_pattern
from scumble.media.stills import StillsPlate
from scumble.motion import Motion, OpticalFlow, RenderedVectors
from scumble.painters import Painters
from scumble.painting import Painting, composed, finished, finished_in_parts, painting_of
from scumble.pipeline import Behind, ahead
from scumble.plan import Plan, RenderSettings, looks_in_words, plan, shot_name, sound_of, times_of, vectors_in
from scumble.review import burnt_in, compared, reduced
from scumble.sequence import held, keys, steadied, windows
from scumble.upsampling import resized


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
        left = [(n, f) for n, f in frames if not f.exists() or not is_done(f, _mark(job, painters, n))]
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
    writer = open_writer(job.output, _writer_settings(job, lambda n: _mark(job, painters, n)))
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


def _mark(job: Plan, painters: Painters, number: int) -> str:
    """What a frame's header says: a hash of all that its pixels hang on, and how it was made, in words.

    The hash comes first: DPX cuts the text after 100 characters.
    """
    settings, sources = job.settings, painters.sources(number)
    looks = painters.of_words(number)
    strength = job.strength_at(number)
    words = f"look {looks_in_words(job)}, {job.precision}, strength {strength:g}" + "".join(
        f", {name} {value}"
        for name, value in (
            ("keep_color", settings.keep_color),
            ("keep_exposure", settings.keep_exposure),
            ("hold_blacks", settings.hold_blacks),
            ("stabilize", settings.stabilize),
            ("grain", settings.grain),
            ("proxy", settings.proxy if settings.proxy > 1 else None),
            ("compare", settings.compare),
            ("on", settings.on if settings.on > 1 else None),
            ("space", job.space),
        )
        if value
    )
    facts = {
        "version": __version__,
        "looks": looks,
        "strength": strength,
        "settings": [
            *(
                settings.colouring.as_values(),
                settings.hold_blacks,
                settings.stroke,
                settings.quality,
                settings.engine,
                settings.stabilize,
            ),
            *(settings.window, settings.grain, settings.on, settings.on_warp, settings.vectors, settings.layer),
            *(settings.out_layer, settings.aovs, settings.proxy, settings.compare),
            [job.plate.path.name, looks_in_words(job)] if settings.burn_in else None,
        ],
        "spaces": [str(job.plate.colour_space), str(job.space), job.configuration],
        "size": [job.network_size, job.margin, job.plate.size, job.plate.bits, job.precision],
        "plate": [digest(file) for file in job.plate.files_of(sources)],
        "frames": [n - number for n in sources],
        # files count by their contents alone
        "mattes": [
            settings.matte if is_named(settings.matte) else "",
            settings.invert_matte,
            settings.feather,
            [words if is_named(words) else "" for words in job.matte_words],
        ],
        "matte_looks": [other.of_words(number) for other in painters.others],
        "matte_files": [digest(f) for matte in job.mattes for n in sources for f in matte.files_of(n)],
        "place": number - job.plate.numbers[0] if job.plate.kind == "movie" else 0,
    }
    render = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:HASH]
    return f"Scumble {__version__} render {render}, {words}"


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


def _writer_settings(job: Plan, frame_mark: Callable[[int], str]) -> WriterSettings:
    plate, settings = job.plate, job.settings
    span, _ = sound_of(job)
    times = times_of(job) if is_movie(job.output) else ()
    return WriterSettings(
        frame_rate=settings.frame_rate or plate.frame_rate or Fraction(24),
        quality=settings.quality,
        size=job.output_size,
        bits=plate.bits,
        out_space=job.space,
        layer=settings.layer,
        out_layer=settings.out_layer,
        aovs=settings.aovs,
        breadth=STROKE * job.plate.size[1] / job.network_size[1],
        sound_from=plate.path if span else None,
        sound_span=span or (Fraction(0), None),
        alpha=plate.has_alpha,
        times=times,
        time_base=plate.time_base if times and isinstance(plate, MoviePlate) else Fraction(1, 90000),
        codec=settings.codec,
        told=bool(settings.in_space),
        metadata=plate.metadata(job.numbers[0]),
        mark=f"Scumble {__version__}, look {looks_in_words(job)}, {job.precision}, strength {settings.strength}",
        frame_mark=frame_mark,
    )
