"""A frame's way: plate, working space, look, full size, mix, plate space, file. Decode, compute and encode overlap."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np

from scumble import __version__
from scumble.baking import shot_statistics, shots_of
from scumble.colour import DISPLAY, ColourSpace
from scumble.engine import Precision, find_engine, open_engine
from scumble.errors import BadInput, BadOutput, BadPlate, BadSettings
from scumble.files import check_writable, clear_parts
from scumble.frames import Frame, Margin, format_frames
from scumble.keys import Keys
from scumble.look import Look, bake
from scumble.matte import NOWHERE, Matte, is_named, parse_matte, shaped, shares
from scumble.media import (
    STILLS,
    Plate,
    PlateOptions,
    Writer,
    WriterSettings,
    formats,
    is_movie,
    open_plate,
    open_writer,
)
from scumble.media.exr import MARK, check_whole
from scumble.media.movie import MoviePlate, codec_of
from scumble.media.pattern import output_pattern, parse_pattern
from scumble.media.stills import StillsPlate, channel_names, part_names, read_header, space_of
from scumble.motion import Motion, OpticalFlow, RenderedVectors, Vectors, vectors_of
from scumble.ocio import Colours
from scumble.painting import Painting, Weighted, composed, finished, painting_of
from scumble.palette import Palette
from scumble.sequence import held, keys, steadied, windows
from scumble.shots import frames_of, own_frames
from scumble.statistics_file import Measured, load, save
from scumble.tiling import canvas, on_grid

LINES = 720  # the network's size unless asked otherwise: what it was trained to see
HASH = 16  # digits of the hash that names how a frame was made
MOST_HASHED = 1 << 28  # bytes of a source file that are all hashed; more is a movie
MOST_OVERSCAN = 16  # times the picture's pixels: more is a window that has gone astray
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
    strength: float | Keys = 1.0
    """0 keeps the plate, 1 is the painting; mixed in the working space; a number, or keys over frames."""
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
    grain: Literal["keep", "remove"] | None = None
    """Take the plate's grain off before painting, and give it back after (keep) or not (remove)."""
    matte: str = ""
    """Where to paint: PATH of a sequence, movie or still, channel:NAME of the plate, or crypto:NAME[,NAME...]."""
    invert_matte: bool = False
    """Paint outside the matte instead."""
    feather: float = 0.0
    """Pixels of the plate over which the edges of mattes are softened."""
    on: int = 1
    """Paint every so many frames and hold them between, as drawn animation does: 2 is on twos."""
    on_warp: Literal["vectors", "flow"] | None = None
    """Let what is held move with the plate, along its vector channels or optical flow."""
    vectors: str = ""
    """Layer of motion vectors as LAYER[:forward|backward][:up|down]; recognised by its name otherwise."""
    layer: str = ""
    """Colour layer of an EXR, by layer or part; the beauty by default."""
    out_layer: str = ""
    """Layer for the painting beside the untouched beauty of an EXR; the beauty itself by default."""
    in_space: str = ""
    """Colour space of the plate, whatever its tags say."""
    out_space: str = ""
    """Colour space of the output; the plate's own where the format can hold it."""
    ocio: str | None = None
    """OpenColorIO configuration; $OCIO, or a built-in ACES one, by default."""
    missing: Literal["error", "hold", "skip"] = "error"
    """What to do about frames that the sequence lacks: stop, repeat the one before, or leave them out."""
    codec: str = ""
    """Codec of a movie, a name in `scumble.media.movie.CODECS`; by suffix and bits by default."""
    overwrite: bool = False
    """Replace outputs that are there, whoever made them."""

    @property
    def plate_options(self) -> PlateOptions:
        """How the plate is to be understood."""
        colours = Colours(self.ocio)
        if self.ocio is not None:
            colours.check()
        return PlateOptions(self.layer, self.in_space, colours)

    def __post_init__(self) -> None:
        strengths = self.strength.values if isinstance(self.strength, Keys) else (self.strength,)
        if not all(0 <= value <= 1 for value in strengths):
            raise BadSettings(f"strength {self.strength}: give a number from 0 to 1")
        if not 0 <= self.keep_color <= 1:
            raise BadSettings(f"keep-color {self.keep_color}: give a number from 0 to 1")
        if not 0.1 <= self.stroke <= 20:
            raise BadSettings(f"stroke {self.stroke}: give a number from 0.1 to 20")
        if not 0 <= self.quality <= 100:
            raise BadSettings(f"quality {self.quality}: give a number from 0 to 100")
        if not 1 <= self.on <= 24:
            raise BadSettings(f"on {self.on}: give a number of frames from 1 to 24")
        if self.on_warp is not None and self.on == 1:
            raise BadSettings("on-warp moves what is held; give --on 2 with it")
        if self.vectors and "vectors" not in (self.stabilize, self.on_warp):
            raise BadSettings("vectors are for --stabilize vectors and --on-warp vectors; give one of them")
        if not 1 <= self.window <= 3:
            raise BadSettings(f"window {self.window}: give 1, 2 or 3 frames on each side")
        if not 0 <= self.feather <= 1000:
            raise BadSettings(f"feather {self.feather}: give a number of pixels from 0 to 1000")
        if self.invert_matte and not self.matte:
            raise BadSettings("invert-matte turns a matte around; give --matte, --matte-channel or --crypto with it")
        if self.lines is not None and self.lines != 0 and not 16 <= self.lines <= 20000:
            raise BadSettings(f"lines {self.lines}: give a number from 16 to 20000, or full")
        if self.out_layer and self.out_space:
            raise BadSettings("an EXR's layers are in one colour space: give --out-layer or --out-space, not both")
        if any(character in self.out_layer for character in "\0/\\") or self.out_layer.strip(".") != self.out_layer:
            raise BadSettings(f"out-layer {self.out_layer!r}: not a name for a layer; write one as in paint")


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
    looks: tuple[tuple[int, Look], ...]  # with the frames at which they stand alone
    output: Path
    numbers: tuple[int, ...]
    files: tuple[Path, ...]
    network_size: tuple[int, int]  # width, height of the display window as the network sees it
    margin: Margin  # overscan that is painted along, on the network's grid
    space: ColourSpace  # of the output
    precision: Precision
    settings: RenderSettings
    matte: Matte | None = None  # of the looks; all of the frame without one
    matte_looks: tuple[tuple[Matte, Look], ...] = ()  # over them, each in a matte of its own

    @property
    def look(self) -> Look:
        """The first look."""
        return self.looks[0][1]

    def shares(self, number: int) -> list[float]:
        """Of each look in a frame: a cross-fade from key to key."""
        marks = [Keys(tuple((f, float(i == k)) for i, (f, _) in enumerate(self.looks))) for k in range(len(self.looks))]
        return [mark.at(number) for mark in marks]

    def notes(self) -> list[str]:
        """What a user should know of the output that was not asked for."""
        said = []
        _, sound = _sound(self)
        if sound.startswith("left out"):
            said.append(f"sound {sound}")
        tells = self.plate.kind != "movie" and self.plate.colour_space.kind == "scene"
        if tells and self.plate.colour_note.startswith("assumed"):
            said.append(
                f"the plate does not say its colour space: taken for {self.plate.colour_space};"
                " --in-space names another"
            )
        if self.held:
            said.append(f"frames {format_frames(sorted(self.held))} are missing: each repeats the one before it")
        if isinstance(self.plate, MoviePlate):
            said += _notes_of_movie(self, self.plate)
        if _aspect_is_lost(self):
            name = codec_of(self.output, self.plate.bits, self.settings.codec)[0]
            said.append(
                f"pixel aspect {self.plate.pixel_aspect} is lost: {name} in .mkv has no place for it; take .mov"
            )
        if self.plate.has_alpha and not _keeps_alpha(self):
            said.append("the output has no alpha: what is transparent stands over black; prores-4444 or EXR keep it")
        if self.settings.stabilize == "vectors":
            vectors = _vectors(self)
            if vectors.backward is None or vectors.forward is None:
                side = "later" if vectors.backward is None else "earlier"
                said.append(f"the vectors lead one way ({vectors}): the stabiliser sees {side} frames only")
        if is_movie(self.output) and (self.plate.size[0] % 2 or self.plate.size[1] % 2):
            codec = codec_of(self.output, self.plate.bits, self.settings.codec)[1]
            coded = codec.coded(self.plate.size)
            if coded != self.plate.size:
                even = "x".join(map(str, coded))
                said.append(f"the movie is {even}: its codec needs even sides, the last row or column is repeated")
        return said

    @property
    def held(self) -> frozenset[int]:
        """Frames that the plate lacks and that repeat others."""
        return self.plate.held if isinstance(self.plate, StillsPlate) else frozenset()

    @property
    def mattes(self) -> list[Matte]:
        """All mattes."""
        return [*([] if self.matte is None else [self.matte]), *(matte for matte, _ in self.matte_looks)]

    @cached_property
    def configuration(self) -> str:
        """What the colour spaces hang on, where they are not Scumble's own."""
        own = self.plate.colour_space.conversion is None and self.space.conversion is None
        return "" if own else self.settings.plate_options.colours.key

    @property
    def canvas_size(self) -> tuple[int, int]:
        """Width and height at which the network sees display window and margin."""
        return canvas(self.plate.size, self.network_size, self.margin)

    def __str__(self) -> str:
        p = self.plate
        rate = f", {p.frame_rate} frames/s" if p.frame_rate else ""
        return "\n".join(
            [
                f"plate      {p.path} ({p.kind}, {p.size[0]}x{p.size[1]}, {p.bits} bits{rate})",
                f"colour     {p.colour_space} ({p.colour_note}), written as {self.space}",
                f"frames     {format_frames(self.numbers)} ({len(self.numbers)} of {len(p.numbers)})",
                f"shots      {_cuts_in_words(self)}",
                *(
                    f"look       {look.name} ({look.hash})" + (f" at {frame}" if len(self.looks) > 1 else "")
                    for frame, look in self.looks
                ),
                *(f"look       {look.name} ({look.hash}) in {matte}" for matte, look in self.matte_looks),
                f"matte      {_matte_in_words(self.settings)}",
                f"strength   {self.settings.strength}",
                f"network    {self.network_size[0]}x{self.network_size[1]}, {self.settings.engine}, {self.precision}",
                f"stabilise  {_stabiliser_in_words(self)}",
                f"painted    {_hold_in_words(self)}",
                f"sound      {_sound(self)[1]}",
                f"output     {self.output} ({_files_in_words(self)})",
                *(f"note       {note}" for note in self.notes() if not note.startswith("sound")),
            ]
        )


@dataclass(frozen=True)
class Rendered:
    """What was done."""

    files: tuple[Path, ...]
    frames: int
    seconds: float
    kept: int = 0
    """Frames that were there already, made in the same way."""


def plan(
    source: Path | Plate,
    look: Look | Sequence[tuple[int, Look]],
    output: Path,
    settings: RenderSettings,
    matte_looks: Sequence[tuple[str, Look]] = (),
) -> Plan:
    """Open the plate and settle everything that a render needs to know, writing nothing.

    Several looks come with the frames at which each stands alone; between those they cross-fade. Raises
    BadPlate for frames that are not there, BadOutput for an output that is in the way.
    """
    plate = open_plate(source, settings.first_frame, settings.plate_options) if isinstance(source, Path) else source
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
    if holes and settings.missing == "skip":
        numbers = tuple(n for n in numbers if n in set(plate.numbers))
        if not numbers:
            raise BadPlate(f"{name}: all of these frames are missing ({format_frames(holes[:50])})")
    elif holes and settings.missing == "hold":
        assert isinstance(plate, StillsPlate)
        plate = plate.holding(holes)
    elif holes:
        raise BadPlate(
            f"{name}: frame {holes[0]} is missing from {plate.frame_range} (missing: {format_frames(holes[:50])});"
            " give --missing hold to repeat the frame before, --missing skip, or"
            f" --frames {format_frames(sorted(set(numbers) & set(plate.numbers)))}"
        )
    if output.is_dir() or (not output.suffix and parse_pattern(output) is None):
        output = output / _same_name(plate)
    if not is_movie(output) and output.suffix.lower() not in STILLS:
        raise BadOutput(f"{output}: {output.suffix or 'no suffix'} is not a format that Scumble writes; {formats()}")
    looks = ((0, look),) if isinstance(look, Look) else tuple(sorted(look, key=lambda keyed: keyed[0]))
    twice = next((a for (a, _), (b, _) in pairwise(looks) if a == b), None)
    if twice is not None:
        raise BadSettings(
            f"frame {twice} has two looks; give each a frame of its own, as in --look A@1001 --look B@1050"
        )
    if len(looks) > 1 and settings.stats is not None:
        raise BadSettings("statistics are of one look; leave --stats out where looks cross-fade")
    find_engine(settings.engine)
    files = _output_files(output, numbers)
    for folder in {f.parent for f in files}:
        blocked = next((p for p in (folder, *folder.parents) if p.exists() and not p.is_dir()), None)
        if blocked is not None:
            raise BadOutput(f"{output}: {blocked} is a file, not a folder; choose another output")
    sources = {f.resolve() for f in (plate.files.values() if isinstance(plate, StillsPlate) else [plate.path])}
    if any(f.resolve() in sources for f in files):
        raise BadOutput(f"{output}: the output is the plate itself; choose another output")
    sequence = parse_pattern(output) is not None
    foreign = next((f for f in files if f.exists() and not settings.overwrite and not (sequence and _ours(f))), None)
    if foreign is not None:
        made = ", and was not made by Scumble" if sequence else ""
        raise BadOutput(f"{foreign}: is there already{made}; give --overwrite to replace it")
    height = plate.size[1]
    lines = float(min(height, LINES) if settings.lines is None else settings.lines or height)
    lines = max(16.0, lines / settings.stroke)
    size = (max(16, round(plate.size[0] * lines / height)), round(lines))
    precision: Precision
    if settings.precision == "auto":
        precision = "fast" if plate.kind == "movie" and plate.bits == 8 and is_movie(output) else "f32"
    else:
        precision = settings.precision
    if is_movie(output):
        codec = codec_of(output, plate.bits, settings.codec, plate.size)[1]
        space = _movie_space(plate.colour_space, codec.bits)
    else:
        read_from = None if plate.kind == "movie" else plate.files_of(plate.numbers[:1])[0]
        space = space_of(output, plate.colour_space, plate.bits, read_from)
        if settings.codec:
            raise BadSettings(f"{output}: --codec is for movies")
    if settings.out_space:
        space = settings.plate_options.colours.space(settings.out_space)
    is_exr = output.suffix.lower() == ".exr"
    margin = Margin()
    if is_exr and isinstance(plate, StillsPlate):  # of the whole plate, so that all chunks see it at one size
        margin = plate.overscan(plate.numbers, numbers)
        if any(margin):
            size, margin = on_grid(plate.size, size, margin, looks[0][1].architecture.stride)
            width, height = plate.size[0] + margin.left + margin.right, plate.size[1] + margin.top + margin.bottom
            if width * height > MOST_OVERSCAN * plate.size[0] * plate.size[1]:
                raise BadPlate(
                    f"{name}: with all its overscan the plate is {width}x{height}, its picture {plate.size[0]}x"
                    f"{plate.size[1]}; crop its data windows (Nuke: Crop, reformat off)"
                )
    if settings.out_layer:
        first = plate.files_of(numbers)[0]
        if not (is_exr and first.suffix.lower() == ".exr"):
            raise BadSettings("--out-layer puts the painting beside the beauty of an EXR; give an EXR plate and output")
        taken = next((c for c in channel_names(first) if c.startswith(f"{settings.out_layer}.")), None)
        taken = taken or next((part for part in part_names(first) if part == settings.out_layer), None)
        if taken:
            raise BadOutput(f"{first}: the plate has a channel or part {taken}; give another --out-layer")
    if settings.feather and not settings.matte and not matte_looks:
        raise BadSettings(
            "feather softens a matte's edges; give --matte, --matte-channel, --crypto or --matte-look with it"
        )
    matte = None
    if settings.matte:
        matte = shaped(parse_matte(settings.matte, plate, numbers), settings.invert_matte, settings.feather)
    others = tuple(
        (shaped(parse_matte(words, plate, numbers), False, settings.feather), other) for words, other in matte_looks
    )
    job = Plan(plate, looks, output, numbers, files, size, margin, space, precision, settings, matte, others)
    if "vectors" in (settings.stabilize, settings.on_warp):  # refused before any work
        vectors = _vectors(job)
        if settings.on_warp == "vectors" and vectors.backward is None:
            raise BadSettings(f"{name}: no motion to the frame before ({vectors}); take --on-warp flow")
    return job


def _movie_space(plate: ColourSpace, bits: int) -> ColourSpace:
    """What a movie is written in: the plate's own space where its numbers fit, else sRGB as Rec. 709."""
    if plate.kind == "display":
        return plate
    return DISPLAY if plate.is_linear or bits < 10 else plate


def _ours(path: Path) -> bool:
    """Whether a picture was made by Scumble, whole or not; an empty file is nobody's."""
    if not path.is_file():
        return False
    with suppress(BadPlate):
        return made_by(path) is not None
    with suppress(OSError), path.open("rb") as f:  # not whole: the mark itself may be there
        begin = f.read(1 << 20)
        return not begin or (b"Scumble " in begin and b" render " in begin)
    return False


def _notes_of_movie(job: Plan, plate: MoviePlate) -> list[str]:
    said = []
    if plate.interlaced:
        said.append("the plate is interlaced: its fields are painted as whole frames; deinterlace it first")
    if plate.variable:
        kept = "kept" if _times(job) else "lost in a sequence or at another rate"
        said.append(f"the plate's frame rate varies: the times of its frames are {kept}")
    if plate.rotation:
        said.append(f"the plate is turned by {plate.rotation} degrees for display: the output is upright")
    if (
        plate.has_alpha
        and is_movie(job.output)
        and not codec_of(job.output, plate.bits, job.settings.codec)[1].with_alpha
    ):
        said.append("the output's codec has no alpha; take prores-4444 to keep it")
    return said


def _aspect_is_lost(job: Plan) -> bool:
    """FFmpeg writes Matroska's display size only for codecs that carry the aspect themselves."""
    if job.output.suffix.lower() != ".mkv" or job.plate.pixel_aspect is None:
        return False
    return codec_of(job.output, job.plate.bits, job.settings.codec)[1].encoder in ("ffv1", "prores_ks")


def _keeps_alpha(job: Plan) -> bool:
    if is_movie(job.output):
        return bool(codec_of(job.output, job.plate.bits, job.settings.codec)[1].with_alpha)
    return job.output.suffix.lower() not in (".jpg", ".jpeg", ".dpx")


def _times(job: Plan) -> tuple[Fraction, ...]:
    """Seconds at which a movie of varying rate shows its frames, from the first that is painted on."""
    plate, numbers = job.plate, job.numbers
    whole = numbers == tuple(range(numbers[0], numbers[-1] + 1))
    if not isinstance(plate, MoviePlate) or not plate.variable or job.settings.frame_rate is not None or not whole:
        return ()
    return tuple(plate.seconds(n) - plate.seconds(numbers[0]) for n in (*numbers, numbers[-1] + 1))


def _matte_in_words(settings: RenderSettings) -> str:
    if not settings.matte:
        return "none: all of the frame"
    if settings.matte == NOWHERE:
        return "the plate shows where no look has one"
    feather = f", feather {settings.feather:g}" if settings.feather else ""
    return f"{settings.matte}{', inverted' if settings.invert_matte else ''}{feather}"


def _files_in_words(job: Plan) -> str:
    count = f"{len(job.files)} file{'s' * (len(job.files) != 1)}"
    if not is_movie(job.output):
        return count
    name, codec = codec_of(job.output, job.plate.bits, job.settings.codec)
    return f"{count}, {name}, {codec.bits} bits"


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


def run(job: Plan, on_event: Callable[[FrameDone], None] = lambda _: None) -> Rendered:
    """Do what was planned. Raises ScumbleError; a movie is finished or not there, done frames of a sequence stay."""
    started = time.monotonic()
    wanted = len(job.numbers)
    check_writable(job.files[0])  # first: what cannot be written is said at once
    clear_parts(job.files)
    painters = Painters(job)
    if parse_pattern(job.output) is not None and not job.settings.overwrite:
        frames = zip(job.numbers, job.files, strict=True)
        left = [(n, f) for n, f in frames if not f.exists() or not _is_done(f, _mark(job, painters, n))]
        if not left:
            return Rendered(job.files, 0, time.monotonic() - started, wanted)
        job = replace(job, numbers=tuple(n for n, _ in left), files=tuple(f for _, f in left))
    _paint(job, painters, lambda n: on_event(FrameDone(job.plate.path.name, n, time.monotonic() - started)))
    files = job.files if is_movie(job.output) else _output_files(job.output, job.numbers)
    return Rendered(files, len(job.numbers), time.monotonic() - started, wanted - len(job.numbers))


def _paint(job: Plan, painters: Painters, written: Callable[[int], None]) -> None:
    """Paint and write the frames of a plan, decoding ahead and encoding behind."""
    plate, settings = job.plate, job.settings
    shown, steady = _shown_and_steadied(job, painters)
    wanted = _painted(job, painters, steady)
    for matte in job.mattes:  # a hole is found before any work, under neighbours that are painted along too
        for number in wanted:
            matte.files_of(number)
    writer = open_writer(job.output, _writer_settings(job, lambda n: _mark(job, painters, n)))
    try:
        with _ahead(plate.read(wanted, job.margin)) as frames, _Behind(writer) as behind:
            paintings: Iterator[Painting] = (_painting(job, painters, f) for f in frames)
            if settings.stabilize is not None:
                motion = _motion(job, settings.stabilize)
                paintings = steadied(steady, settings.window, painters.together, motion, paintings)
            if settings.on > 1:
                motion_held = _motion(job, settings.on_warp) if settings.on_warp else None
                paintings = held(shown, settings.on, painters.first_of, motion_held, paintings)
            for painting in paintings:
                strength = settings.strength
                share = strength.at(painting.frame.number) if isinstance(strength, Keys) else strength
                done = replace(painting.frame, pixels=finished(painting, share))
                if done.number != painting.key:  # held: all that is not painted is the frame's own
                    (own,) = plate.files_of((done.number,))
                    source = own if done.source is not None else None
                    done = replace(done, metadata=plate.metadata(done.number), source=source)
                behind.put(done, written)
        writer.close()
    except BaseException:
        writer.abort()
        raise


def _painting(job: Plan, painters: Painters, frame: Frame) -> Painting:
    """A frame as it is painted in the working space, by all looks, each in its matte."""
    painting = painting_of(painters.of(frame.number), frame, job.canvas_size, job.settings.grain)
    if job.matte is None and not job.matte_looks:
        return painting
    height, width = frame.pixels.shape[:2]
    own = np.ones((height, width, 1), np.float32) if job.matte is None else job.matte.of(frame.number, frame.margin)
    parts = shares([matte.of(frame.number, frame.margin) for matte, _ in job.matte_looks])
    if not parts:
        return replace(painting, matte=own)
    left = np.clip(1 - np.sum(np.stack(parts), axis=0), 0, 1)
    others = [painting_of(p.of(frame.number), frame, job.canvas_size, job.settings.grain) for p in painters.others]
    return composed([painting, *others], [(own * left).astype(np.float32), *parts])


def _is_done(path: Path, mark: str) -> bool:
    """Whether a frame is there, was made in this way and from this plate, and is whole."""
    try:
        if not path.is_file() or made_by(path) != _render_of(mark):
            return False
        check_whole(path)
    except BadPlate:
        return False
    return True


def _render_of(mark: str) -> str:
    return mark.partition(" render ")[2][:HASH]


def made_by(path: Path) -> str | None:
    """The hash of the render that a picture names in its header; None for one that was not made by Scumble."""
    said = read_header(path).says
    mark = str(said.get(MARK) or said.get("Software") or "")
    found = _render_of(mark) if mark.startswith("Scumble ") else ""
    return found if len(found) == HASH else None


def _mark(job: Plan, painters: Painters, number: int) -> str:
    """What a frame's header says: a hash of all that its pixels hang on, and how it was made, in words.

    The hash comes first: DPX cuts the text after 100 characters.
    """
    settings, sources = job.settings, painters.sources(number)
    looks = painters.of_words(number)
    strength = settings.strength.at(number) if isinstance(settings.strength, Keys) else settings.strength
    words = f"look {_looks_in_words(job)}, {job.precision}, strength {strength:g}" + "".join(
        f", {name} {value}"
        for name, value in (
            ("keep_color", settings.keep_color),
            ("stabilize", settings.stabilize),
            ("grain", settings.grain),
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
            *(settings.keep_color, settings.stroke, settings.quality, settings.engine, settings.stabilize),
            *(settings.window, settings.grain, settings.on, settings.on_warp, settings.vectors, settings.layer),
            settings.out_layer,
        ],
        "spaces": [str(job.plate.colour_space), str(job.space), job.configuration],
        "size": [job.network_size, job.margin, job.plate.size, job.plate.bits, job.precision],
        "plate": [_digest(file) for file in job.plate.files_of(sources)],
        "frames": [n - number for n in sources],
        # files count by their contents alone
        "mattes": [
            settings.matte if is_named(settings.matte) else "",
            settings.invert_matte,
            settings.feather,
            len(job.matte_looks),
        ],
        "matte_looks": [other.of_words(number) for other in painters.others],
        "matte_files": [_digest(f) for matte in job.mattes for n in sources for f in matte.files_of(n)],
        "place": number - job.plate.numbers[0] if job.plate.kind == "movie" else 0,
    }
    render = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:HASH]
    return f"Scumble {__version__} render {render}, {words}"


def _digest(path: Path) -> str:
    """Of a file's bytes; of a large one, a movie, of its size, both its ends and its time."""
    try:
        facts = path.stat()
        return _digest_of(path, facts.st_size, facts.st_mtime_ns)
    except OSError as error:
        raise BadPlate(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


@lru_cache(maxsize=64)  # the stabiliser asks for the same files again and again
def _digest_of(path: Path, size: int, time_ns: int) -> str:
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    with path.open("rb") as f:
        if size <= MOST_HASHED:
            digest.update(f.read())
        else:
            digest.update(f.read(1 << 20))
            f.seek(-(1 << 20), os.SEEK_END)
            digest.update(f.read() + str(time_ns).encode())
    return digest.hexdigest()


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
    vectors = _vectors(job)
    assert isinstance(job.plate, StillsPlate)
    return RenderedVectors(job.plate.files, vectors, job.margin)


def _vectors(job: Plan) -> Vectors:
    """The plate's motion channels. Raises BadSettings where it cannot have any."""
    if not isinstance(job.plate, StillsPlate) or job.plate.files[job.numbers[0]].suffix.lower() != ".exr":
        raise BadSettings(f"{job.plate.path}: motion vectors stand in EXR sequences; take flow instead")
    return vectors_of(job.plate.files[job.numbers[0]], job.settings.vectors)


def _hold_in_words(job: Plan) -> str:
    settings = job.settings
    if settings.on == 1:
        return "every frame"
    along = {None: "", "flow": " along optical flow", "vectors": ""}[settings.on_warp]
    if settings.on_warp == "vectors":
        along = f" along vectors: {_vectors(job)}"
    return f"every {settings.on} frames, held{along}"


def _stabiliser_in_words(job: Plan) -> str:
    if job.settings.stabilize is None:
        return "no"
    along = "optical flow" if job.settings.stabilize == "flow" else f"vectors: {_vectors(job)}"
    return f"{job.settings.window} frames on each side, along {along}"


class Painters:
    """The looks baked with every shot that is rendered, compiled when their turn comes."""

    def __init__(self, job: Plan) -> None:
        self.job = job
        self.engine = open_engine(job.settings.engine)
        self.measured = [_measured(job, look) for _, look in job.looks]
        self.shots = [m.shot for m in self.measured[0]]
        self.places: dict[int, list[int]] = {}  # of the shots that a frame of the plate stands in
        for place, shot in enumerate(self.shots):
            for n in frames_of(shot, job.plate.numbers):
                self.places.setdefault(n, []).append(place)
        self.run_of: dict[int, int] = {}  # first frame of the run without holes that a frame stands in
        for n in job.plate.numbers:
            behind_hole = n - 1 in job.held and n not in job.held
            self.run_of[n] = n if behind_hole else self.run_of.get(n - 1, n)
        self.ready: dict[tuple[int, int], Weighted] = {}
        # looks in mattes of their own paint beside these
        self.others = [Painters(replace(job, looks=((0, look),), matte_looks=())) for _, look in job.matte_looks]
        self.digests: dict[tuple[int, int], str] = {}

    def of(self, number: int) -> list[Weighted]:
        """What paints a frame, with shares that sum to 1: one, but for dissolves and cross-fades of looks."""
        wanted = self._shares(number)
        self.ready = {key: self.ready[key] if key in self.ready else self._baked(*key) for key in wanted}
        return [replace(self.ready[key], share=share) for key, share in wanted.items()]

    def _shares(self, number: int) -> dict[tuple[int, int], float]:
        """Shares of looks and shots in a frame."""
        places = self._places(number)
        shares = [self.shots[i].share(number) for i in places]
        # a later shot comes over the ones before it
        left = 1.0
        for k in range(len(places) - 1, -1, -1):
            shares[k], left = left * (shares[k] if k else 1.0), left * (1 - shares[k])
        return {
            (look, place): by_look * by_shot
            for look, by_look in enumerate(self.job.shares(number))
            for place, by_shot in zip(places, shares, strict=True)
            if by_look * by_shot > 0
        }

    def of_words(self, number: int) -> list[list[object]]:
        """What paints a frame, as plain values: looks and shots with their shares, and digests of their statistics."""
        return [
            [self.job.looks[look][1].hash, share, self._digest(look, place)]
            for (look, place), share in self._shares(number).items()
        ]

    def _digest(self, look: int, place: int) -> str:
        if (look, place) not in self.digests:
            statistics = self.measured[look][place].statistics
            digest = hashlib.blake2b(statistics.palette.mean.tobytes(), digest_size=16)
            digest.update(statistics.palette.covariance.tobytes())
            for name in statistics.mean:
                digest.update(statistics.mean[name].tobytes() + statistics.variance[name].tobytes())
            digest.update(repr(statistics.facts.get("grain", 0.0)).encode())
            self.digests[look, place] = digest.hexdigest()
        return self.digests[look, place]

    def sources(self, number: int) -> list[int]:
        """The frames of the plate that a frame's pixels hang on: its neighbours where it is steadied, what is held."""
        settings = self.job.settings
        steady: tuple[int, ...] = (number,)
        if settings.on > 1:
            steady = keys((number,), settings.on, self.first_of, settings.on_warp is not None)
        if settings.stabilize is not None:
            steady = windows(steady, settings.window, self.together)
        return sorted({*steady, number})

    def together(self, n: int, m: int) -> bool:
        """Whether two frames stand in one shot of the plate, without a hole between them."""
        between = range(min(n, m), max(n, m) + 1)
        no_hole = all(k in self.run_of and k not in self.job.held for k in between)
        return no_hole and not set(self.places.get(n, ())).isdisjoint(self.places.get(m, ()))

    def first_of(self, number: int) -> int:
        """First frame of the shot that a frame belongs to, of the later one in a dissolve; behind a hole the next."""
        return max(self.shots[self._places(number)[-1]].first, self.run_of[number])

    def _places(self, number: int) -> list[int]:
        return self.places.get(number, [0])

    def _baked(self, look: int, place: int) -> Weighted:
        settings = self.job.settings
        statistics = self.measured[look][place].statistics
        baked = bake(self.job.looks[look][1], statistics, settings.keep_color, settings.palette)
        return Weighted(baked, self.engine.painter(baked, self.job.precision))


def _measured(job: Plan, look: Look) -> list[Measured]:
    """Statistics of the shots that the render touches, from the file of statistics where there is one."""
    plate, settings = job.plate, job.settings
    made_with = {
        "keep_color": settings.keep_color,
        "palette": settings.palette and [settings.palette.mean.tolist(), settings.palette.covariance.tolist()],
        "lines": job.network_size[1],
        "without_grain": settings.grain is not None,
        "space": str(plate.colour_space),
    }
    if settings.stats is not None and settings.stats.exists():
        found = load(settings.stats, look, made_with)
        if len(found) == 1:  # one shot's, shared by all of the plate
            return [Measured(shot, found[0].statistics) for shot in shots_of(plate, settings.cuts)]
        missing = next((n for n in job.numbers if not any(n in m.shot for m in found)), None)
        if missing is not None:
            raise BadInput(f"{settings.stats}: frame {missing} is in none of its shots; measure again")
        return found
    shots = shots_of(plate, settings.cuts)
    own = own_frames(shots, plate.numbers)
    # neighbours that the stabiliser sees, and frames that are held, may stand in the shot beside
    around = (settings.window if settings.stabilize else 0) + settings.on - 1
    without_grain = settings.grain is not None
    wanted = []
    for shot, mine in zip(shots, own, strict=True):
        # a file is for other renders too: all shots; else only what is painted
        if settings.stats is not None or any(shot.first - around <= n <= shot.last + around for n in job.numbers):
            statistics = shot_statistics(
                look, plate, job.network_size, settings.keep_color, settings.palette, shot, mine, without_grain
            )
            wanted.append(Measured(shot, statistics))
    if settings.stats is not None:
        save(settings.stats, look, wanted, made_with)
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


def _writer_settings(job: Plan, frame_mark: Callable[[int], str]) -> WriterSettings:
    plate, settings = job.plate, job.settings
    span, _ = _sound(job)
    times = _times(job) if is_movie(job.output) else ()
    return WriterSettings(
        frame_rate=settings.frame_rate or plate.frame_rate or Fraction(24),
        quality=settings.quality,
        size=plate.size,
        bits=plate.bits,
        out_space=job.space,
        layer=settings.layer,
        out_layer=settings.out_layer,
        sound_from=plate.path if span else None,
        sound_span=span or (Fraction(0), None),
        alpha=plate.has_alpha,
        times=times,
        time_base=plate.time_base if times and isinstance(plate, MoviePlate) else Fraction(1, 90000),
        codec=settings.codec,
        told=bool(settings.in_space),
        metadata=plate.metadata(job.numbers[0]),
        mark=f"Scumble {__version__}, look {_looks_in_words(job)}, {job.precision}, strength {settings.strength}",
        frame_mark=frame_mark,
    )


def _looks_in_words(job: Plan) -> str:
    return " + ".join(f"{look.name} {look.hash}" for _, look in job.looks)


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
