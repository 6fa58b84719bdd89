"""What a render will do, settled before the first pixel: plate, looks, frames, files, sizes, colour space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

from scumble.aov import AOVS, channels_of
from scumble.colour import DISPLAY, ColourSpace
from scumble.engine import Precision, find_engine
from scumble.errors import BadOutput, BadPlate, BadSettings
from scumble.frames import Frame, Margin, format_frames
from scumble.keys import Keys
from scumble.look import Look
from scumble.marks import is_ours
from scumble.matte import NOWHERE, Matte, parse_matte, shaped
from scumble.media import (
    MOVIES,
    STILLS,
    Plate,
    PlateOptions,
    formats,
    is_movie,
    open_plate,
)
from scumble.media.movie import MoviePlate, codec_of
from scumble.media.pattern import output_pattern, parse_pattern
from scumble.media.stills import StillsPlate, channel_names, part_names, space_of
from scumble.motion import Vectors, vectors_of
from scumble.ocio import Colours
from scumble.palette import Colouring, Palette
from scumble.review import Compare, compared_size, missing_letters, reduced
from scumble.tiling import canvas, on_grid
from scumble.weights import PERSON_WHEEL, has_person_models

LINES = 720  # the network's size unless asked otherwise: what it was trained to see
MOST_OVERSCAN = 16  # times the picture's pixels: more is a window that has gone astray


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
    keep_exposure: float = 0.0
    """0 is as light or dark as the style, 1 as the plate."""
    hold_blacks: bool = False
    """Leave what is near the plate's black and white points as it is."""
    palette: Palette | None = None
    """Colours of another picture instead of the style's."""
    carry: float = 1.0
    """How much of its painted key frames a matched look carries along the shot; 0 is the network alone."""
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
    aovs: tuple[str, ...] = ()
    """Parts of the painting to be written as layers of the EXR, of luma, chroma, detail and matte."""
    proxy: Literal[1, 2, 4] = 1
    """Paint at a half or a quarter of the plate's size, with the strokes and colours of the whole."""
    compare: Compare | None = None
    """Put the plate beside the painting (side), above it (stack), or in the left half of the frame (wipe)."""
    burn_in: bool = False
    """Write shot, frame, timecode and look into the picture."""
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

    @property
    def colouring(self) -> Colouring:
        """Which colours the painting takes."""
        return Colouring(self.keep_color, self.keep_exposure, self.palette)

    def __post_init__(self) -> None:
        for name, known in _choices().items():
            if getattr(self, name) not in known:
                given = ", ".join(str(choice) for choice in known if choice is not None)
                raise BadSettings(f"{name.replace('_', '-')} {getattr(self, name)!r}: give one of {given}")
        strengths = self.strength.values if isinstance(self.strength, Keys) else (self.strength,)
        if not all(0 <= value <= 1 for value in strengths):
            raise BadSettings(f"strength {self.strength}: give a number from 0 to 1")
        if not 0 <= self.keep_color <= 1:
            raise BadSettings(f"keep-color {self.keep_color}: give a number from 0 to 1")
        if not 0 <= self.keep_exposure <= 1:
            raise BadSettings(f"keep-exposure {self.keep_exposure}: give a number from 0 to 1")
        if not 0 <= self.carry <= 1:
            raise BadSettings(f"carry {self.carry}: give a number from 0 to 1")
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
            raise BadSettings("invert-matte turns a matte around; give a matte with it, as in --auto-matte person")
        if self.lines is not None and self.lines != 0 and not 16 <= self.lines <= 20000:
            raise BadSettings(f"lines {self.lines}: give a number from 16 to 20000, or full")
        if self.aovs and self.on > 1 and self.on_warp is None:
            raise BadSettings(
                "--aov: a painting that is held belongs to another frame's plate, so that its parts would not mix"
                " with their own; let it move along by --on-warp, or leave --on out"
            )
        if self.out_layer in self.aovs:
            raise BadSettings(f"out-layer {self.out_layer!r} is one of --aov; give another --out-layer")
        if self.proxy > 1 and self.grain:
            raise BadSettings("grain is taken off at the plate's own size: leave --grain out of a proxy")
        if (self.compare or self.proxy > 1 or self.burn_in) and (self.aovs or self.out_layer):
            raise BadSettings("proxies, comparisons and burn-ins have no layers: leave --aov and --out-layer out")
        if self.out_layer and self.out_space:
            raise BadSettings("an EXR's layers are in one colour space: give --out-layer or --out-space, not both")
        if any(character in self.out_layer for character in "\0/\\") or self.out_layer.strip(".") != self.out_layer:
            raise BadSettings(f"out-layer {self.out_layer!r}: not a name for a layer; write one as in paint")
        unknown = next((name for name in self.aovs if name not in AOVS), None)
        if unknown is not None:
            raise BadSettings(f"aov {unknown!r}: give some of {', '.join(AOVS)}")


@cache
def _choices() -> dict[str, tuple[object, ...]]:
    """The settings that are one of a few words, and those words."""
    found = {}
    for name, hint in get_type_hints(RenderSettings).items():
        words = [w for part in (hint, *get_args(hint)) if get_origin(part) is Literal for w in get_args(part)]
        if words:
            found[name] = (*words, *([None] if type(None) in get_args(hint) else []))
    return found


@dataclass(frozen=True)
class Plan:
    """What a render would do; prints as the text of `--dry-run`."""

    plate: Plate
    looks: tuple[tuple[int, Look], ...]  # with the frames at which they stand alone
    output: Path
    numbers: tuple[int, ...]
    files: tuple[Path, ...]
    network_size: tuple[int, int]  # width, height of the display window as the network sees it
    frame_size: tuple[int, int]  # width, height at which frames are worked on: the plate's, but for proxies
    margin: Margin  # overscan that is painted along, on the network's grid
    space: ColourSpace  # of the output
    precision: Precision
    settings: RenderSettings
    matte: Matte | None = None  # of the looks; all of the frame without one
    matte_looks: tuple[tuple[Matte, Look], ...] = ()  # over them, each in a matte of its own
    matte_words: tuple[str, ...] = ()  # by which those mattes were asked for

    @property
    def look(self) -> Look:
        """The first look."""
        return self.looks[0][1]

    @property
    def all_looks(self) -> list[Look]:
        """Those of the frame and those in mattes of their own."""
        return [look for _, look in (*self.looks, *self.matte_looks)]

    def shares(self, number: int) -> list[float]:
        """Of each look in a frame: a cross-fade from key to key."""
        marks = [Keys(tuple((f, float(i == k)) for i, (f, _) in enumerate(self.looks))) for k in range(len(self.looks))]
        return [mark.at(number) for mark in marks]

    def strength_at(self, number: int) -> float:
        """Strength in a frame."""
        strength = self.settings.strength
        return strength.at(number) if isinstance(strength, Keys) else strength

    def notes(self) -> list[str]:
        """What a user should know of the output that was not asked for."""
        said = []
        _, sound = sound_of(self)
        if sound.startswith("left out"):
            said.append(f"sound {sound}")
        tells = self.plate.kind != "movie" and self.plate.colour_space.kind == "scene"
        if tells and self.plate.colour_note.startswith("assumed"):
            said.append(
                f"the plate does not say its colour space: taken for {self.plate.colour_space};"
                " --in-space names another"
            )
        repeated = sorted(self.held & set(self.numbers))
        if repeated:
            said.append(f"frames {format_frames(repeated)} are missing: each repeats the one before it")
        if isinstance(self.plate, MoviePlate):
            said += _notes_of_movie(self, self.plate)
        if _aspect_is_lost(self):
            name = codec_of(self.output, self.plate.bits, self.settings.codec)[0]
            said.append(
                f"pixel aspect {self.plate.pixel_aspect} is lost: {name} in .mkv has no place for it; take .mov"
            )
        if self.plate.has_alpha and not _keeps_alpha(self):
            said.append("the output has no alpha: what is transparent stands over black; prores-4444 or EXR keep it")
        if self.settings.burn_in:
            names = [self.plate.path.name, *(look.name for _, look in (*self.looks, *self.matte_looks))]
            missing = missing_letters("".join(names))
            if missing:
                said.append(f"no font here has the letters {missing[:20]}: install one, such as Noto Sans CJK")
        asked = (self.settings.matte, *self.matte_words)
        if any(words.startswith("auto:") for words in asked) and not has_person_models():
            said.append(f"the models that find people are fetched first (36 MB of {PERSON_WHEEL}, once)")
        if self.settings.stabilize == "vectors":
            vectors = vectors_in(self)
            if vectors.backward is None or vectors.forward is None:
                side = "later" if vectors.backward is None else "earlier"
                said.append(f"the vectors lead one way ({vectors}): the stabiliser sees {side} frames only")
        if is_movie(self.output) and (self.output_size[0] % 2 or self.output_size[1] % 2):
            codec = codec_of(self.output, self.plate.bits, self.settings.codec)[1]
            coded = codec.coded(self.output_size)
            if coded != self.output_size:
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

    def read(self, numbers: Sequence[int]) -> Iterator[Frame]:
        """The plate's frames, at the size at which they are painted."""
        frames = self.plate.read(numbers, self.margin)
        return frames if self.frame_size == self.plate.size else (reduced(f, self.frame_size) for f in frames)

    @property
    def proxy_size(self) -> tuple[int, int]:
        """Width and height of a painted frame."""
        return proxy_size(self.plate.size, self.settings.proxy)

    @property
    def output_size(self) -> tuple[int, int]:
        """Width and height of what is written."""
        return compared_size(self.proxy_size, self.settings.compare)

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
                *([f"carried    {_carried_in_words(self)}"] if _carried_in_words(self) else []),
                f"matte      {_matte_in_words(self.settings)}",
                f"strength   {self.settings.strength}",
                f"network    {self.network_size[0]}x{self.network_size[1]}, {self.settings.engine}, {self.precision}",
                *([f"review     {_review_in_words(self)}"] if _review_in_words(self) else []),
                f"stabilise  {_stabiliser_in_words(self)}",
                f"painted    {_hold_in_words(self)}",
                f"sound      {sound_of(self)[1]}",
                f"output     {self.output} ({_files_in_words(self)})",
                *(f"note       {note}" for note in self.notes() if not note.startswith("sound")),
            ]
        )


def _carried_in_words(job: Plan) -> str:
    numbers = sorted({key.number for look in job.all_looks for key in look.keys})
    if not numbers or not job.settings.carry:
        return ""
    share = "" if job.settings.carry == 1 else f", {job.settings.carry:g} of them"
    return f"key frames {format_frames(numbers)}{share}"


def proxy_size(size: tuple[int, int], proxy: int) -> tuple[int, int]:
    """A plate's size divided by `proxy`."""
    return max(1, round(size[0] / proxy)), max(1, round(size[1] / proxy))


def shot_name(plate: Plate) -> str:
    """What a plate's shot is called: its file's name, or a sequence's without numbers, or its folder's."""
    if isinstance(plate, StillsPlate) and plate.pattern is not None:
        return plate.pattern.before.rstrip("._-") or plate.pattern.folder.absolute().name
    return plate.path.stem


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
        # all of the plate's, so that its shots are the same whatever part is painted
        plate = plate.holding(sorted(set(plate.frame_range) - set(plate.numbers)))
    elif holes:
        raise BadPlate(
            f"{name}: frame {holes[0]} is missing from {plate.frame_range} (missing: {format_frames(holes[:50])});"
            " give --missing hold to repeat the frame before, --missing skip, or"
            f" --frames {format_frames(sorted(set(numbers) & set(plate.numbers)))}"
        )
    looks = ((0, look),) if isinstance(look, Look) else tuple(sorted(look, key=lambda keyed: keyed[0]))
    twice = next((a for (a, _), (b, _) in pairwise(looks) if a == b), None)
    if twice is not None:
        raise BadSettings(
            f"frame {twice} has two looks; give each a frame of its own, as in --look A@1001 --look B@1050"
        )
    if len(looks) + len(matte_looks) > 1 and settings.stats is not None:
        raise BadSettings("statistics are of one look; leave --stats out where there are several")
    find_engine(settings.engine)
    output, files = checked_output(plate, output, numbers, settings.overwrite)
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
        written = compared_size(proxy_size(plate.size, settings.proxy), settings.compare)
        codec = codec_of(output, plate.bits, settings.codec, written)[1]
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
    # for review the file's other layers and windows do not go along
    as_plate = settings.proxy == 1 and settings.compare is None and not settings.burn_in
    if is_exr and as_plate and isinstance(plate, StillsPlate):
        # of the whole plate, so that all chunks see it at one size
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
    if settings.aovs:
        if not (is_exr and space.is_linear):
            raise BadSettings(
                f"--aov: the parts of a painting are signed and sum in linear light; give an EXR output in a linear"
                f" space, not {output.name} in {space}"
            )
        first = plate.files_of(numbers)[0]
        is_layered = first.suffix.lower() == ".exr"
        names = [*channel_names(first), *(f"{part}." for part in part_names(first))] if is_layered else []
        taken = next((c for c in channels_of(settings.aovs) if c in names or f"{c.split('.')[0]}." in names), None)
        if taken:
            raise BadOutput(f"{first}: the plate has a channel {taken}; leave {taken.split('.')[0]} out of --aov")
    if settings.feather and not settings.matte and not matte_looks:
        raise BadSettings("feather softens a matte's edges; give a matte with it, as in --auto-matte person")
    matte = None
    if settings.matte:
        matte = shaped(parse_matte(settings.matte, plate, numbers), settings.invert_matte, settings.feather)
    others = tuple(
        (shaped(parse_matte(words, plate, numbers), False, settings.feather), other) for words, other in matte_looks
    )
    small = proxy_size(plate.size, settings.proxy)
    frame_size = size if small[1] < size[1] and settings.proxy > 1 else small
    sizes, words = (size, frame_size, margin), tuple(asked for asked, _ in matte_looks)
    job = Plan(plate, looks, output, numbers, files, *sizes, space, precision, settings, matte, others, words)
    if "vectors" in (settings.stabilize, settings.on_warp):  # refused before any work
        vectors = vectors_in(job)
        if settings.on_warp == "vectors" and vectors.backward is None:
            raise BadSettings(f"{name}: no motion to the frame before ({vectors}); take --on-warp flow")
    return job


def checked_output(
    plate: Plate, output: Path, numbers: Sequence[int], overwrite: bool, painting: bool = True
) -> tuple[Path, tuple[Path, ...]]:
    """The output with its name, where it is a folder, and the files that will be written.

    A `painting` may be a movie, and goes on with frames that Scumble made; mattes do neither. Raises
    BadOutput for a format that cannot be written, and for files that are in the way.
    """
    if output.is_dir() or (not output.suffix and parse_pattern(output) is None):
        name = Path(_same_name(plate))
        output = output / (name if painting or name.suffix.lower() == ".exr" else name.with_suffix(".png"))
    if not painting and output.suffix.lower() in MOVIES | {".jpg", ".jpeg", ".webp"}:
        raise BadOutput(f"{output}: {output.suffix} would change codes; give PNG, TIFF or EXR, as in roto.####.png")
    if not is_movie(output) and output.suffix.lower() not in STILLS:
        raise BadOutput(f"{output}: {output.suffix or 'no suffix'} is not a format that Scumble writes; {formats()}")
    files = output_files(output, numbers)
    for folder in {f.parent for f in files}:
        blocked = next((p for p in (folder, *folder.parents) if p.exists() and not p.is_dir()), None)
        if blocked is not None:
            raise BadOutput(f"{output}: {blocked} is a file, not a folder; choose another output")
    sources = {f.resolve() for f in (plate.files.values() if isinstance(plate, StillsPlate) else [plate.path])}
    if any(f.resolve() in sources for f in files):
        raise BadOutput(f"{output}: the output is the plate itself; choose another output")
    sequence = painting and parse_pattern(output) is not None
    foreign = next((f for f in files if f.exists() and not overwrite and not (sequence and is_ours(f))), None)
    if foreign is not None:
        made = ", and was not made by Scumble" if sequence else ""
        raise BadOutput(f"{foreign}: is there already{made}; give --overwrite to replace it")
    return output, files


def _movie_space(plate: ColourSpace, bits: int) -> ColourSpace:
    """What a movie is written in: the plate's own space where its numbers fit, else sRGB as Rec. 709."""
    if plate.kind == "display":
        return plate
    return DISPLAY if plate.is_linear or bits < 10 else plate


def _notes_of_movie(job: Plan, plate: MoviePlate) -> list[str]:
    said = []
    if plate.interlaced:
        said.append("the plate is interlaced: its fields are painted as whole frames; deinterlace it first")
    if plate.variable:
        kept = "kept" if times_of(job) else "lost in a sequence or at another rate"
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


def times_of(job: Plan) -> tuple[Fraction, ...]:
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


def _review_in_words(job: Plan) -> str:
    settings, size = job.settings, "x".join(map(str, job.output_size))
    words = [f"proxy 1/{settings.proxy}"] if settings.proxy > 1 else []
    words += [f"plate and painting, {settings.compare}"] if settings.compare else []
    words += ["burn-in"] if settings.burn_in else []
    return f"{', '.join(words)}, {size}" if words else ""


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


def output_files(output: Path, numbers: Sequence[int]) -> tuple[Path, ...]:
    """The files that an output stands for: one movie, one still, or a picture a frame."""
    if is_movie(output):
        return (output,)
    if len(numbers) == 1 and parse_pattern(output) is None:
        return (output,)
    pattern = output_pattern(output)
    return tuple(pattern.path(n) for n in numbers)


def vectors_in(job: Plan) -> Vectors:
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
        along = f" along vectors: {vectors_in(job)}"
    return f"every {settings.on} frames, held{along}"


def _stabiliser_in_words(job: Plan) -> str:
    if job.settings.stabilize is None:
        return "no"
    along = "optical flow" if job.settings.stabilize == "flow" else f"vectors: {vectors_in(job)}"
    return f"{job.settings.window} frames on each side, along {along}"


def _cuts_in_words(job: Plan) -> str:
    if job.settings.stats is not None and job.settings.stats.exists():
        return f"statistics of {job.settings.stats}"
    cuts = job.settings.cuts or ("auto" if job.plate.kind == "movie" else "none")
    return {"auto": "found when rendering", "none": "one"}.get(cuts, f"by {cuts}")


def sound_of(job: Plan) -> tuple[tuple[Fraction, Fraction | None] | None, str]:
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


def looks_in_words(job: Plan) -> str:
    """Names and hashes of the looks, as headers have them."""
    return " + ".join(f"{look.name} {look.hash}" for _, look in job.looks)
