"""A frame's way: plate, working space, look, full size, mix, plate space, file. Decode, compute and encode overlap."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np

from scumble import __version__, tiling
from scumble.baking import shot_statistics, shots_of
from scumble.colour import Working, from_working, to_working
from scumble.engine import Painter, Precision, find_engine, open_engine
from scumble.errors import BadInput, BadOutput, BadPlate, BadSettings
from scumble.files import check_writable
from scumble.frames import Frame, Pixels, format_frames
from scumble.look import BakedLook, Look, bake
from scumble.media import STILLS, Plate, Writer, WriterSettings, formats, is_movie, open_plate, open_writer
from scumble.media.movie import MoviePlate
from scumble.media.pattern import output_pattern, parse_pattern
from scumble.media.stills import StillsPlate
from scumble.motion import DIRECTIONS, Motion, OpticalFlow, RenderedVectors, Vectors, vectors_of
from scumble.palette import Palette
from scumble.shots import Shot, own_frames
from scumble.stabiliser import Seen, steady
from scumble.statistics_file import Measured, load, save
from scumble.upsampling import joint_upsample, resized

LINES = 720  # the network's size unless asked otherwise: what it was trained to see
QUEUE = 4  # frames read ahead and waiting to be written


@dataclass(frozen=True)
class RenderSettings:
    """How a shot is painted."""

    frames: tuple[int, ...] | None = None
    """Frames to paint; all by default. Statistics come from the whole plate in any case."""
    first_frame: int | None = None
    """Number of the first frame; movies start at 1 otherwise."""
    frame_rate: Fraction | None = None
    """Frames per second of a movie made from a sequence; the plate's own, else 24."""
    quality: int = 85
    """0 to 100, for movies, JPEG and WebP."""
    strength: float = 1.0
    """0 keeps the plate, 1 is the painting; mixed in the working space."""
    keep_color: float = 0.0
    """0 takes the style's colours, 1 keeps the plate's."""
    palette: Palette | None = None
    """Colours of another picture instead of the style's."""
    stroke: float = 1.0
    """Size of strokes: 2 paints at half as many lines."""
    lines: int | None = None
    """Lines at which the network sees the plate instead of min(height, 720) / stroke; 0 is the plate's own."""
    precision: Literal["auto", "f32", "fast"] = "auto"
    """f32 is exact on every machine; fast is bf16; auto is fast for 8-bit movies only."""
    engine: str = "openvino"
    """Name in `scumble.engine.ENGINES`."""
    cuts: str | None = None
    """auto finds the plate's shots, none takes it for one, a text file lists first frames; auto for movies only."""
    stats: Path | None = None
    """File of statistics to paint with; measured and written when it is not there."""
    stabilize: Literal["vectors", "flow"] | None = None
    """Average every frame with its neighbours along the motion: of the plate's vector channels, or optical flow."""
    window: int = 2
    """Frames on each side that the stabiliser sees, 1 to 3."""
    vectors: str = ""
    """Layer of motion vectors as LAYER[:forward|backward][:up|down]; recognised by its name otherwise."""
    overwrite: bool = False
    """Replace outputs that are there."""

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise BadSettings(f"strength {self.strength}: give a number from 0 to 1")
        if not 0 <= self.keep_color <= 1:
            raise BadSettings(f"keep-color {self.keep_color}: give a number from 0 to 1")
        if not 0.1 <= self.stroke <= 20:
            raise BadSettings(f"stroke {self.stroke}: give a number from 0.1 to 20")
        if not 0 <= self.quality <= 100:
            raise BadSettings(f"quality {self.quality}: give a number from 0 to 100")
        if not 1 <= self.window <= 3:
            raise BadSettings(f"window {self.window}: give 1, 2 or 3 frames on each side")
        if self.lines is not None and self.lines != 0 and not 16 <= self.lines <= 20000:
            raise BadSettings(f"lines {self.lines}: give a number from 16 to 20000, or full")


@dataclass(frozen=True)
class FrameDone:
    """The one progress event: a frame of a shot was written, `seconds` after the render began."""

    shot: str
    number: int
    seconds: float


@dataclass(frozen=True)
class Plan:
    """What a render would do; prints as the text of `--dry-run`."""

    plate: Plate
    look: Look
    output: Path
    numbers: tuple[int, ...]
    files: tuple[Path, ...]
    network_size: tuple[int, int]  # width, height
    precision: Precision
    settings: RenderSettings

    def notes(self) -> list[str]:
        """What a user should know of the output that was not asked for."""
        said = []
        _, sound = _sound(self)
        if sound.startswith("left out"):
            said.append(f"sound {sound}")
        if is_movie(self.output) and (self.plate.size[0] % 2 or self.plate.size[1] % 2):
            even = "x".join(str(side + side % 2) for side in self.plate.size)
            said.append(f"the movie is {even}: 4:2:0 needs even sides, the last row or column is repeated")
        return said

    def __str__(self) -> str:
        p = self.plate
        rate = f", {p.frame_rate} frames/s" if p.frame_rate else ""
        return "\n".join(
            [
                f"plate      {p.path} ({p.kind}, {p.size[0]}x{p.size[1]}, {p.bits} bits, {p.colour_space}{rate})",
                f"frames     {format_frames(self.numbers)} ({len(self.numbers)} of {len(p.numbers)})",
                f"shots      {_cuts_in_words(self)}",
                f"look       {self.look.name} ({self.look.hash})",
                f"network    {self.network_size[0]}x{self.network_size[1]}, {self.settings.engine}, {self.precision}",
                f"stabilise  {_stabiliser_in_words(self)}",
                f"sound      {_sound(self)[1]}",
                f"output     {self.output} ({len(self.files)} file{'s' * (len(self.files) != 1)})",
                *(f"note       {note}" for note in self.notes() if not note.startswith("sound")),
            ]
        )


@dataclass(frozen=True)
class Rendered:
    """What was done."""

    files: tuple[Path, ...]
    frames: int
    seconds: float


def plan(source: Path | Plate, look: Look, output: Path, settings: RenderSettings) -> Plan:
    """Open the plate and settle everything that a render needs to know, writing nothing.

    Raises BadPlate for frames that are not there, BadOutput for an output that is in the way.
    """
    plate = open_plate(source, settings.first_frame) if isinstance(source, Path) else source
    name = plate.path
    # without --frames every number between first and last is wanted: holes are found before any painting
    numbers = tuple(plate.frame_range) if settings.frames is None else settings.frames
    outside = [n for n in numbers if n not in plate.frame_range]
    if not numbers or outside:
        raise BadPlate(
            f"{name}: frame {outside[0] if outside else '(none)'} is outside the plate's {plate.frame_range};"
            " give --frames inside it"
        )
    holes = sorted(set(numbers) - set(plate.numbers))
    if holes:
        raise BadPlate(
            f"{name}: frame {holes[0]} is missing from {plate.frame_range} (missing: {format_frames(holes[:50])});"
            f" paint the rest with --frames {format_frames(sorted(set(numbers) & set(plate.numbers)))}"
        )
    if output.is_dir() or (not output.suffix and parse_pattern(output) is None):
        output = output / _same_name(plate)
    if not is_movie(output) and output.suffix.lower() not in STILLS:
        raise BadOutput(f"{output}: {output.suffix or 'no suffix'} is not a format that Scumble writes; {formats()}")
    find_engine(settings.engine)
    files = _output_files(output, numbers)
    for folder in {f.parent for f in files}:
        blocked = next((p for p in (folder, *folder.parents) if p.exists() and not p.is_dir()), None)
        if blocked is not None:
            raise BadOutput(f"{output}: {blocked} is a file, not a folder; choose another output")
    sources = {f.resolve() for f in (plate.files.values() if isinstance(plate, StillsPlate) else [plate.path])}
    if any(f.resolve() in sources for f in files):
        raise BadOutput(f"{output}: the output is the plate itself; choose another output")
    there = [f for f in files if f.exists()]
    if there and not settings.overwrite:
        raise BadOutput(f"{there[0]}: is there already; give --overwrite to replace it")
    height = plate.size[1]
    lines = float(min(height, LINES) if settings.lines is None else settings.lines or height)
    lines = max(16.0, lines / settings.stroke)
    size = (max(16, round(plate.size[0] * lines / height)), round(lines))
    precision: Precision
    if settings.precision == "auto":
        precision = "fast" if plate.kind == "movie" and plate.bits == 8 and is_movie(output) else "f32"
    else:
        precision = settings.precision
    return Plan(plate, look, output, numbers, files, size, precision, settings)


def _same_name(plate: Plate) -> str:
    """The plate's own name, for an output that is a folder; a movie becomes a sequence of PNG."""
    if plate.kind == "movie":
        return f"{plate.path.stem}.####.png"
    if plate.kind == "still":
        return plate.path.name
    assert isinstance(plate, StillsPlate)
    if plate.pattern is None:
        return plate.path.name
    return Path(str(plate.pattern)).name


def _output_files(output: Path, numbers: Sequence[int]) -> tuple[Path, ...]:
    if is_movie(output):
        return (output,)
    if len(numbers) == 1 and parse_pattern(output) is None:
        return (output,)
    pattern = output_pattern(output)
    return tuple(pattern.path(n) for n in numbers)


@dataclass(frozen=True)
class Weighted:
    """A baked look, what computes it, and its share in a frame."""

    baked: BakedLook
    painter: Painter
    share: float = 1.0


@dataclass(frozen=True)
class Painting:
    """A frame, its picture in the working space, and its painting (H, W, 3) there."""

    frame: Frame
    working: Working
    pixels: Pixels


def paint_frame(looks: Sequence[Weighted], frame: Frame, size: tuple[int, int], strength: float) -> Pixels:
    """One frame (H, W, 3) in plate space to its painting in plate space; `size` is the network's."""
    return finished(painting_of(looks, frame, size), strength)


def painting_of(looks: Sequence[Weighted], frame: Frame, size: tuple[int, int]) -> Painting:
    """Paint a frame at the network's size and bring the painting to the plate's.

    Paintings of several looks are mixed in the working space by their shares, which sum to 1.
    """
    working = to_working(frame.pixels, frame.colour_space)
    plate = working.pixels
    proxy = resized(plate, size)
    found = [tiling.paint(proxy, w.painter, w.baked.architecture.stride, w.baked.halo) for w in looks]
    painted = found[0]
    if len(found) > 1:
        painted = sum((np.float32(w.share) * p for w, p in zip(looks, found, strict=True)), np.float32(0) * painted)
    if painted.shape != plate.shape:
        painted = (
            joint_upsample(painted, proxy, plate)
            if painted.shape[0] < plate.shape[0]
            else resized(painted, (plate.shape[1], plate.shape[0]))
        )
    return Painting(frame, working, painted)


def finished(painting: Painting, strength: float) -> Pixels:
    """The painting mixed with its plate, in plate space."""
    frame, working, painted = painting.frame, painting.working, painting.pixels
    if strength < 1:
        painted = working.pixels + np.float32(strength) * (painted - working.pixels)
    result = from_working(painted, working)
    if frame.alpha is not None:  # where nothing is, nothing is painted
        result = np.where(frame.alpha > 0, result, frame.pixels)
    return result


def render(
    source: Path,
    look: Look,
    output: Path,
    settings: RenderSettings = RenderSettings(),
    on_event: Callable[[FrameDone], None] = lambda _: None,
) -> Rendered:
    """Paint a shot: `run(plan(...))`."""
    return run(plan(source, look, output, settings), on_event)


def run(job: Plan, on_event: Callable[[FrameDone], None] = lambda _: None) -> Rendered:
    """Do what was planned. Raises ScumbleError; a movie is finished or not there, done frames of a sequence stay."""
    started = time.monotonic()
    plate, settings = job.plate, job.settings
    shot = plate.path.name
    check_writable(job.files[0])  # first: what cannot be written is said at once
    writer = open_writer(job.output, _writer_settings(job))
    try:
        painters = Painters(job)
        with _ahead(plate.read(_read_for(job, painters))) as frames, _Behind(writer) as behind:
            paintings = (painting_of(painters.of(f.number), f, job.network_size) for f in frames)
            for painting in _steadied(job, painters, paintings) if settings.stabilize else paintings:
                frame = painting.frame
                done = Frame(frame.number, finished(painting, settings.strength), frame.colour_space, frame.alpha)
                behind.put(done, lambda n: on_event(FrameDone(shot, n, time.monotonic() - started)))
        writer.close()
    except BaseException:
        writer.abort()
        raise
    return Rendered(job.files, len(job.numbers), time.monotonic() - started)


def _read_for(job: Plan, painters: Painters) -> tuple[int, ...]:
    """The frames asked for and, for the stabiliser, the neighbours that are read and painted beside them."""
    if job.settings.stabilize is None:
        return job.numbers
    return tuple(sorted({m for n in job.numbers for m in _window(job, painters, n)}))


def _window(job: Plan, painters: Painters, number: int) -> list[int]:
    """Frames that a frame is averaged with, itself among them: of the same shot, without a hole between."""
    there = set(job.plate.numbers)
    found = [number]
    for step in (-1, 1):
        for distance in range(1, job.settings.window + 1):
            other = number + step * distance
            if other not in there or not painters.share_a_shot(number, other):
                break
            found.append(other)
    return sorted(found)


def _steadied(job: Plan, painters: Painters, paintings: Iterator[Painting]) -> Iterator[Painting]:
    """Paintings of the frames asked for, each as soon as its window is complete."""
    motion = _motion(job)
    known: dict[int, Painting] = {}
    for number in job.numbers:
        wanted = _window(job, painters, number)
        while max(known, default=wanted[-1] - 1) < wanted[-1]:
            painting = next(paintings)
            known[painting.frame.number] = painting
            motion.see(painting.frame.number, painting.working.pixels)
        window = {n: Seen(known[n].working.pixels, known[n].pixels) for n in wanted}
        yield replace(known[number], pixels=steady(number, window, motion))
        known = {n: p for n, p in known.items() if n > number - job.settings.window}
        motion.forget(number - job.settings.window)


def _motion(job: Plan) -> Motion:
    if job.settings.stabilize == "flow":
        return OpticalFlow()
    vectors = _vectors(job)
    assert isinstance(job.plate, StillsPlate)
    return RenderedVectors(job.plate.files, vectors)


def _vectors(job: Plan) -> Vectors:
    """The plate's motion channels. Raises BadSettings where it cannot have any."""
    if not isinstance(job.plate, StillsPlate) or job.plate.path.suffix.lower() != ".exr":
        raise BadSettings(f"{job.plate.path}: motion vectors stand in EXR sequences; take --stabilize flow")
    layer, *more = job.settings.vectors.split(":")
    direction = next((word for word in more if word in DIRECTIONS), "")
    axis = next((word for word in more if word in ("up", "down")), "")
    if len(more) != bool(direction) + bool(axis):
        raise BadSettings(f"vectors {job.settings.vectors!r}: write LAYER[:forward|backward][:up|down]")
    first = job.plate.files[job.numbers[0]]
    return vectors_of(first, layer, direction, axis == "up" if axis else None)


def _stabiliser_in_words(job: Plan) -> str:
    if job.settings.stabilize is None:
        return "no"
    along = "optical flow" if job.settings.stabilize == "flow" else f"vectors: {_vectors(job)}"
    return f"{job.settings.window} frames on each side, along {along}"


class Painters:
    """The look baked with every shot that is rendered, compiled when its turn comes."""

    def __init__(self, job: Plan) -> None:
        self.job = job
        self.engine = open_engine(job.settings.engine)
        self.measured = _measured(job)
        self.ready: dict[int, Weighted] = {}

    def of(self, number: int) -> list[Weighted]:
        """What paints a frame, with shares that sum to 1: two within a dissolve, else one."""
        places = [i for i, m in enumerate(self.measured) if number in m.shot] or [0]
        self.ready = {i: self.ready[i] if i in self.ready else self._baked(i) for i in places}
        shares = [self.measured[i].shot.share(number) for i in places]
        # a later shot comes over the ones before it
        left = 1.0
        for k in range(len(places) - 1, -1, -1):
            shares[k], left = left * (shares[k] if k else 1.0), left * (1 - shares[k])
        return [replace(self.ready[i], share=s) for i, s in zip(places, shares, strict=True) if s > 0]

    def share_a_shot(self, n: int, m: int) -> bool:
        """Whether two frames stand in one shot."""
        return any(n in s.shot and m in s.shot for s in self.measured)

    def _baked(self, place: int) -> Weighted:
        settings = self.job.settings
        baked = bake(self.job.look, self.measured[place].statistics, settings.keep_color, settings.palette)
        return Weighted(baked, self.engine.painter(baked, self.job.precision))


def _measured(job: Plan) -> list[Measured]:
    """Statistics of the shots that the render touches, from the file of statistics where there is one."""
    plate, settings = job.plate, job.settings
    made_with = {"keep_color": settings.keep_color, "palette": settings.palette is not None}
    if settings.stats is not None and settings.stats.exists():
        found = load(settings.stats, job.look, made_with)
        if len(found) == 1:  # one shot's, shared by all of the plate
            return [Measured(Shot(plate.numbers[0], plate.numbers[-1]), found[0].statistics)]
        missing = next((n for n in job.numbers if not any(n in m.shot for m in found)), None)
        if missing is not None:
            raise BadInput(f"{settings.stats}: frame {missing} is in none of its shots; measure again")
        return found
    shots = shots_of(plate, settings.cuts)
    own = own_frames(shots, plate.numbers)
    around = settings.window if settings.stabilize else 0
    wanted = []
    for shot, mine in zip(shots, own, strict=True):
        # a file is for other renders too: all shots; else only what is painted
        if settings.stats is not None or any(shot.first - around <= n <= shot.last + around for n in job.numbers):
            statistics = shot_statistics(
                job.look, plate, job.network_size, settings.keep_color, settings.palette, shot, mine
            )
            wanted.append(Measured(shot, statistics))
    if settings.stats is not None:
        save(settings.stats, job.look, wanted, made_with)
    return wanted


def _cuts_in_words(job: Plan) -> str:
    if job.settings.stats is not None and job.settings.stats.exists():
        return f"statistics of {job.settings.stats}"
    cuts = job.settings.cuts or ("auto" if job.plate.kind == "movie" else "none")
    return {"auto": "found when rendering", "none": "one"}.get(cuts, f"by {cuts}")


def _sound(job: Plan) -> tuple[tuple[Fraction, Fraction | None] | None, str]:
    """The span of the plate's sound that goes along, or None; and the words for the plan."""
    plate, numbers = job.plate, job.numbers
    if not isinstance(plate, MoviePlate) or not plate.has_sound or not is_movie(job.output):
        return None, "none"
    if job.settings.frame_rate not in (None, plate.frame_rate):
        return None, "left out: the frame rate is another one"
    if numbers != tuple(range(numbers[0], numbers[-1] + 1)):
        return None, "left out: frames are left out"
    end = None if numbers[-1] == plate.numbers[-1] else plate.seconds(numbers[-1] + 1)
    return (plate.seconds(numbers[0]), end), "copied"


def _writer_settings(job: Plan) -> WriterSettings:
    plate, settings = job.plate, job.settings
    span, _ = _sound(job)
    return WriterSettings(
        frame_rate=settings.frame_rate or plate.frame_rate or Fraction(24),
        quality=settings.quality,
        size=plate.size,
        bits=plate.bits,
        sound_from=plate.path if span else None,
        sound_span=span or (Fraction(0), None),
        pixel_aspect=plate.pixel_aspect if isinstance(plate, MoviePlate) else None,
        notes={"comment": f"scumble {__version__}, look {job.look.name} {job.look.hash}, {job.precision}"},
    )


class _ahead:  # noqa: N801 - reads as a phrase: with _ahead(frames)
    """A bounded thread that decodes ahead; its errors come out where the frames do."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        self.frames = frames
        self.queue: queue.Queue[Any] = queue.Queue(QUEUE)
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, name="scumble-reader", daemon=True)

    def __enter__(self) -> Iterator[Frame]:
        self.thread.start()
        return self._out()

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.thread.join()

    def _put(self, item: Any) -> None:
        while not self.stopped.is_set():
            try:
                self.queue.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def _run(self) -> None:
        try:
            for frame in self.frames:
                self._put(frame)
                if self.stopped.is_set():
                    return
            self._put(None)
        except BaseException as error:  # handed to the main thread
            self._put(error)

    def _out(self) -> Iterator[Frame]:
        while (item := self.queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item


class _Behind:
    """A thread that writes; an error of the writer is raised at the next `put` or at the end."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.queue: queue.Queue[Any] = queue.Queue(QUEUE)
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, name="scumble-writer", daemon=True)

    def __enter__(self) -> _Behind:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.queue.put(None)
        self.thread.join()
        if self.error is not None:
            raise self.error

    def put(self, frame: Frame, written: Callable[[int], None]) -> None:
        """Hand over a frame; `written` is called with its number when it is on disk."""
        if self.error is not None:
            raise self.error
        self.queue.put((frame, written))

    def _run(self) -> None:
        while (item := self.queue.get()) is not None:
            if self.error is not None:
                continue  # drain, so that `put` never waits for ever
            frame, written = item
            try:
                self.writer.write(frame)
                written(frame.number)
            except BaseException as error:  # handed to the main thread
                self.error = error
