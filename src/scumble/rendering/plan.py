"""What a render will do, settled before the first pixel: plate, looks, frames, files, sizes, colour space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from scumble.core.colour import ColourSpace
from scumble.core.downloads import PERSON_WHEEL, has_person_models
from scumble.core.errors import BadOutput, BadPlate, BadSettings
from scumble.core.frames import Frame, Margin, format_frames
from scumble.core.keyed import Keys
from scumble.look.look import Look
from scumble.media.aov import channels_of
from scumble.media.codecs import codec_of
from scumble.media.movie_reader import MoviePlate
from scumble.media.open import open_plate
from scumble.media.picture_reader import channel_names, part_names
from scumble.media.picture_writer import space_of
from scumble.media.plate import Plate, is_movie
from scumble.media.sequence import StillsPlate
from scumble.network.engine import Precision, find_engine
from scumble.network.tiling import canvas, on_grid
from scumble.rendering.options import LINES, MOST_OVERSCAN, RenderSettings
from scumble.rendering.output import checked_output, movie_space, proxy_size, sound_of
from scumble.rendering.plan_words import (
    aspect_is_lost,
    carried_in_words,
    cuts_in_words,
    files_in_words,
    hold_in_words,
    keeps_alpha,
    matte_in_words,
    notes_of_movie,
    review_in_words,
    stabiliser_in_words,
    vectors_in,
)
from scumble.rendering.review import compared_size, missing_letters, reduced
from scumble.shot.matte import Matte, shaped
from scumble.shot.open_matte import parse_matte


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
            said += notes_of_movie(self, self.plate)
        if aspect_is_lost(self):
            name = codec_of(self.output, self.plate.bits, self.settings.codec)[0]
            said.append(
                f"pixel aspect {self.plate.pixel_aspect} is lost: {name} in .mkv has no place for it; take .mov"
            )
        if self.plate.has_alpha and not keeps_alpha(self):
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
                f"shots      {cuts_in_words(self)}",
                *(
                    f"look       {look.name} ({look.hash})" + (f" at {frame}" if len(self.looks) > 1 else "")
                    for frame, look in self.looks
                ),
                *(f"look       {look.name} ({look.hash}) in {matte}" for matte, look in self.matte_looks),
                *([f"carried    {carried_in_words(self)}"] if carried_in_words(self) else []),
                f"matte      {matte_in_words(self.settings)}",
                f"strength   {self.settings.strength}",
                f"network    {self.network_size[0]}x{self.network_size[1]}, {self.settings.engine}, {self.precision}",
                *([f"review     {review_in_words(self)}"] if review_in_words(self) else []),
                f"stabilise  {stabiliser_in_words(self)}",
                f"painted    {hold_in_words(self)}",
                f"sound      {sound_of(self)[1]}",
                f"output     {self.output} ({files_in_words(self)})",
                *(f"note       {note}" for note in self.notes() if not note.startswith("sound")),
            ]
        )


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
        space = movie_space(plate.colour_space, codec.bits)
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
