"""Where a render goes: which files, in which colour space, with which of the plate's sound and times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Literal

from scumble.core.colour import DISPLAY, ColourSpace
from scumble.core.errors import BadOutput, BadPlate, BadSettings
from scumble.core.files import check_writable
from scumble.media.aov import channels_of
from scumble.media.codecs import CONTAINERS, Codec, codec_of
from scumble.media.h273 import FULL, LIMITED, Tags, numbers_of, tags_for
from scumble.media.movie_pixels import same_matrix
from scumble.media.pattern import NamedFolder, output_pattern, parse_pattern
from scumble.media.picture_reader import channel_names, part_names
from scumble.media.picture_writer import DEPTHS, space_of
from scumble.media.plate import (
    STILLS,
    WRITTEN_MOVIES,
    Plate,
    Tracks,
    WriterSettings,
    not_a_format,
)
from scumble.media.tracks import tracks_of
from scumble.rendering.options import RenderSettings
from scumble.rendering.review import compared_size
from scumble.rendering.stamp import is_ours

Sound = Literal["none", "copied", "no container", "another rate", "frames left out"]


@dataclass(frozen=True)
class Output:
    """Files for the frames of a plate; nothing of them is touched before `check`."""

    path: Path
    plate: Plate
    numbers: tuple[int, ...]
    files: tuple[Path, ...]
    space: ColourSpace
    settings: RenderSettings

    @property
    def is_movie(self) -> bool:
        return is_written_movie(self.path)

    @property
    def is_sequence(self) -> bool:
        return parse_pattern(self.path) is not None

    @property
    def is_exr(self) -> bool:
        """Whether it holds what else an EXR plate has: other channels, overscan, eyes."""
        return self.path.suffix.lower() == ".exr" and not self.settings.flat

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of what is written."""
        return compared_size(proxy_size(self.plate.size, self.settings.proxy), self.settings.compare)

    @property
    def codec(self) -> tuple[str, Codec]:
        """A movie's codec with its name."""
        return codec_of(self.path, self.plate.bits, self.settings.codec, self.size)

    @cached_property
    def configuration(self) -> str:
        """Identity of the OpenColorIO configuration; empty if both spaces are Scumble's own."""
        own = self.plate.colour_space.conversion is None and self.space.conversion is None
        return "" if own else self.settings.plate_options.colours.identity

    @property
    def whole(self) -> bool:
        """Whether no frame is left out between the first and the last."""
        return self.numbers == tuple(range(self.numbers[0], self.numbers[-1] + 1))

    @property
    def keeps_times(self) -> bool:
        """Whether a movie becomes a movie of the same times, so that its other tracks fit."""
        same_rate = self.settings.frame_rate in (None, self.plate.frame_rate)
        return self.plate.is_movie and self.is_movie and same_rate and self.whole

    @cached_property
    def tracks(self) -> Tracks:
        """The plate's tracks that are copied."""
        return tracks_of(self.plate.path, self.path) if self.keeps_times and self.plate.has_tracks else Tracks()

    @property
    def sound(self) -> Sound:
        """What becomes of the plate's sound."""
        plate = self.plate
        if not plate.has_sound or not self.is_movie:
            return "none"
        if self.keeps_times:
            return "copied" if self.tracks.sound else "no container"
        return "frames left out" if self.settings.frame_rate in (None, plate.frame_rate) else "another rate"

    @property
    def span(self) -> tuple[Fraction, Fraction | None]:
        """Seconds of the plate that are painted; without an end, all of the rest."""
        plate, numbers = self.plate, self.numbers
        end = None if numbers[-1] == plate.numbers[-1] else plate.seconds(numbers[-1] + 1)
        return plate.seconds(numbers[0]), end

    @property
    def times(self) -> tuple[Fraction, ...]:
        """Seconds at which a movie of varying rate shows its frames, from the first that is painted on."""
        plate, numbers = self.plate, self.numbers
        if not plate.is_variable or self.settings.frame_rate is not None:
            return ()
        if not self.whole:
            return ()
        return tuple(plate.seconds(n) - plate.seconds(numbers[0]) for n in (*numbers, numbers[-1] + 1))

    @property
    def keeps_codes(self) -> bool:
        """Whether the numbers of the plate's colours stay, so that its own tags go on being true."""
        return self.space == self.plate.colour_space and not (self.settings.in_space or self.settings.out_space)

    @property
    def tags(self) -> Tags:
        """What a movie says of its colours: what the plate says, where its codes stay."""
        plate, codec, own = self.plate, self.codec[1], tags_for(self.space)
        if not plate.is_movie:
            return own
        tags = own._replace(range=own.range if plate.is_rgb else plate.tags.range)
        if self.keeps_codes:
            tags = same_matrix(plate.tags, plate.size[1], self.size[1])
            if plate.is_rgb and not codec.is_rgb:
                tags = tags._replace(matrix=own.matrix, range=own.range) if tags.say_space else own
        return tags if tags.range != FULL or codec.takes_full_range else tags._replace(range=LIMITED)

    @property
    def keeps_alpha(self) -> bool:
        if self.is_movie:
            return bool(self.codec[1].with_alpha)
        return self.path.suffix.lower() not in (".jpg", ".jpeg", ".dpx")

    @cached_property
    def eyes(self) -> tuple[Plate, ...]:
        """The other eyes of a stereo plate, where the output holds and thus paints all of them."""
        plate, settings = self.plate, self.settings
        alone = settings.proxy > 1 or settings.compare or settings.burn_in
        if not (plate.views and self.is_exr) or plate.options.view or alone:
            return ()
        eyes = []
        for view in plate.views[1:]:
            with suppress(BadPlate):  # an eye that lacks the layer stays as it is, with a note
                eyes.append(plate.with_view(view))
        return tuple(eyes)

    @property
    def loses_aspect(self) -> bool:
        """FFmpeg writes Matroska's display size only for codecs that carry the aspect themselves."""
        if self.plate.pixel_aspect is None or not self.is_movie:
            return False
        return CONTAINERS[self.path.suffix.lower()].muxer == "matroska" and not self.codec[1].carries_aspect

    def check(self) -> None:
        """Refuse, before any work, frames unlike the others, and files in the way. Raises BadPlate, BadOutput."""
        check_files(self.path, self.files, self.plate, self.settings.overwrite, self.is_sequence)
        check_writable(self.files[0])
        self.plate.check([number for number in self.numbers if number not in self.plate.repeated])

    def writer_settings(self, breadth: float, stamp: str, frame_stamp: Callable[[int], str]) -> WriterSettings:
        """How it is written: `breadth` of strokes in pixels, what the headers of file and frames say."""
        plate, settings = self.plate, self.settings
        times = self.times if self.is_movie else ()
        return WriterSettings(
            frame_rate=settings.frame_rate or plate.frame_rate or Fraction(24),
            quality=settings.quality,
            size=self.size,
            bits=settings.bits or plate.bits,
            wants_bits=settings.bits is not None,
            out_space=self.space,
            layer=settings.layer,
            out_layer=settings.out_layer,
            aovs=settings.aovs,
            breadth=breadth,
            tags=self.tags if self.is_movie else None,
            hdr=plate.hdr if self.is_movie and self.keeps_codes else None,
            tracks_from=plate.path if self.keeps_times and plate.has_tracks else None,
            tracks=self.tracks,
            span=self.span if self.keeps_times else (Fraction(0), None),
            alpha=plate.has_alpha,
            times=times,
            time_base=plate.time_base if times else Fraction(1, 90000),
            codec=settings.codec,
            told=bool(settings.in_space),
            metadata=plate.metadata(self.numbers[0]),
            stamp=stamp,
            frame_stamp=frame_stamp,
        )


def output_to(path: Path, plate: Plate, numbers: tuple[int, ...], settings: RenderSettings) -> Output:
    """The output of a render of these frames. Raises BadOutput and BadSettings for what cannot be written so."""
    path = named_output(plate, path)
    if is_written_movie(path):
        written = compared_size(proxy_size(plate.size, settings.proxy), settings.compare)
        space = movie_space(plate, codec_of(path, plate.bits, settings.codec, written)[1].bits)
    else:
        read_from = None if plate.is_movie else plate.file_of(plate.numbers[0])
        space = space_of(path, plate.colour_space, settings.bits or plate.bits, read_from, plate.has_profile)
        if settings.codec:
            raise BadSettings(f"{path}: --codec is for movies")
    depths = DEPTHS.get(path.suffix.lower(), ())
    if settings.bits and settings.bits not in depths:
        give = f"give {' or '.join(map(str, depths))}" if depths else "a movie's bits are those of its --codec"
        raise BadSettings(f"{path}: --bits {settings.bits} cannot be had in {path.suffix}; {give}")
    if settings.out_space:
        space = settings.plate_options.colours.space(settings.out_space)
    output = Output(path, plate, numbers, output_files(path, numbers), space, settings)
    _check_layers(output)
    if output.tracks.refused:
        raise BadOutput(output.tracks.refused)
    return output


def _check_layers(output: Output) -> None:
    """Layers that are asked for have a place in the file, and none is there already. Raises BadSettings, BadOutput."""
    settings, plate = output.settings, output.plate
    if settings.out_layer:
        first = plate.file_of(output.numbers[0])
        if not (output.is_exr and first.suffix.lower() == ".exr"):
            raise BadSettings("--out-layer puts the painting beside the beauty of an EXR; give an EXR plate and output")
        taken = next((c for c in channel_names(first) if c.startswith(f"{settings.out_layer}.")), None)
        taken = taken or next((part for part in part_names(first) if part == settings.out_layer), None)
        if taken:
            raise BadOutput(f"{first}: the plate has a channel or part {taken}; give another --out-layer")
    if settings.aovs:
        if not (output.is_exr and output.space.is_linear):
            raise BadSettings(
                f"--aov: the parts of a painting are signed and sum in linear light; give an EXR output in a linear"
                f" space, not {output.path.name} in {output.space}"
            )
        first = plate.file_of(output.numbers[0])
        is_layered = first.suffix.lower() == ".exr"
        names = [*channel_names(first), *(f"{part}." for part in part_names(first))] if is_layered else []
        taken = next((c for c in channels_of(settings.aovs) if c in names or f"{c.split('.')[0]}." in names), None)
        if taken:
            raise BadOutput(f"{first}: the plate has a channel {taken}; leave {taken.split('.')[0]} out of --aov")


def is_written_movie(path: Path) -> bool:
    """Whether an output is a movie, by its suffix."""
    return path.suffix.lower() in WRITTEN_MOVIES


def proxy_size(size: tuple[int, int], proxy: int) -> tuple[int, int]:
    """A plate's size divided by `proxy`."""
    return max(1, round(size[0] / proxy)), max(1, round(size[1] / proxy))


def named_output(plate: Plate, output: Path, painting: bool = True) -> Path:
    """The output with its name, where it is a folder. A `painting` may be a movie; mattes may not.

    Raises BadOutput for a format that cannot be written.
    """
    named_folder = isinstance(output, NamedFolder)
    if named_folder or output.is_dir() or (not output.suffix and parse_pattern(output) is None):
        name = Path(plate.own_name)
        output = Path(output) / (name if painting or name.suffix.lower() == ".exr" else name.with_suffix(".png"))
    if not painting and output.suffix.lower() in WRITTEN_MOVIES | {".jpg", ".jpeg", ".webp"}:
        raise BadOutput(f"{output}: {output.suffix} would change codes; give PNG, TIFF or EXR, as in roto.####.png")
    if not is_written_movie(output) and output.suffix.lower() not in STILLS:
        raise BadOutput(not_a_format(output))
    return output


def check_files(output: Path, files: Sequence[Path], plate: Plate, overwrite: bool, goes_on: bool) -> None:
    """Refuse files that are in the way; `goes_on` leaves frames that Scumble made. Raises BadOutput."""
    for folder in {f.parent for f in files}:
        blocked = next((p for p in (folder, *folder.parents) if p.exists() and not p.is_dir()), None)
        if blocked is not None:
            raise BadOutput(f"{output}: {blocked} is a file, not a folder; choose another output")
    sources = {f.resolve() for f in plate.files_of(plate.numbers)}
    if any(f.resolve() in sources for f in files):
        raise BadOutput(f"{output}: the output is the plate itself; choose another output")
    foreign = next((f for f in files if f.exists() and not overwrite and not (goes_on and is_ours(f))), None)
    if foreign is not None:
        made = ", and was not made by Scumble" if goes_on else ""
        raise BadOutput(f"{foreign}: is there already{made}; give --overwrite to replace it")


def movie_space(plate: Plate, bits: int) -> ColourSpace:
    """The colour space of a movie: the plate's own if its numbers fit and have a name, else sRGB tagged as Rec. 709."""
    space = plate.colour_space
    if plate.is_movie and bits >= plate.bits:
        return space
    if space.kind == "display":
        return space if numbers_of(space) or plate.options.in_space else DISPLAY
    return DISPLAY if space.is_linear or bits < 10 else space


def output_files(output: Path, numbers: Sequence[int]) -> tuple[Path, ...]:
    """The files that an output stands for: one movie, one still, or a picture a frame."""
    if is_written_movie(output):
        return (output,)
    if len(numbers) == 1 and parse_pattern(output) is None:
        return (output,)
    pattern = output_pattern(output)
    return tuple(pattern.path(n) for n in numbers)
