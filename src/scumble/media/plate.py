"""What a plate and a writer are, whatever their files: the contract of movies, sequences and stills."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol

from scumble.core.colour import ColourSpace
from scumble.core.errors import BadPlate
from scumble.core.frames import NO_MARGIN, Frame, FrameRange, Margin, Metadata
from scumble.core.memory import free_memory
from scumble.media.h273 import NO_TAGS, Tags
from scumble.media.hdr import Hdr
from scumble.media.ocio import Colours

WRITTEN_MOVIES = {".mp4", ".mov", ".mkv", ".m4v"}

# what is read besides; a file without a known suffix is asked what it is
MOVIES = WRITTEN_MOVIES | {
    ".avi", ".mxf", ".mts", ".m2ts", ".ts", ".webm", ".mpg", ".mpeg", ".3gp", ".y4m", ".wmv", ".flv", ".ogv", ".dv",
}  # fmt: skip

STILLS = {".png", ".exr", ".jpg", ".jpeg", ".tif", ".tiff", ".dpx", ".webp"}

MOST_PIXELS = 1 << 28  # 16384 x 16384: as float32 RGB 3 GB; a header that says more is damaged or a bomb


BYTES_TO_READ = 28  # a pixel, measured at 7680x4320: 24 without alpha and 32 with it

LARGE = 1 << 22  # pixels; what is smaller is read without asking how much memory there is, which takes a tenth of a ms


@dataclass(frozen=True)
class ColourOrigin:
    """Where a plate's colour space is known from."""

    words: str
    is_assumed: bool = False
    """Nothing says it: it is what such files usually have."""
    is_doubtful: bool = False
    """The file says something else, which Scumble does not know."""

    def __str__(self) -> str:
        return f"assumed: {self.words}" if self.is_assumed else self.words


BY_PROFILE = ColourOrigin("its ICC profile")


class Plate(ABC):
    """A shot to be painted. Opening reads headers only; `read` is lazy and in order.

    What only some kinds of plate have is here too, with what it is for the others.
    """

    kind: Literal["movie", "sequence", "still"]
    path: Path
    options: PlateOptions
    """With which it was opened."""
    numbers: tuple[int, ...]
    margin: Margin = NO_MARGIN
    """With which it is read where none is asked for; see `within`."""
    repeated: frozenset[int] = frozenset()
    """Frames that the plate lacks, and that repeat others."""
    frame_rate: Fraction | None
    size: tuple[int, int]
    """Width and height in pixels."""
    pixel_aspect: Fraction | None
    """Width of a pixel to its height, where it is not square."""
    colour_space: ColourSpace
    colour_origin: ColourOrigin
    bits: int
    """Bits a channel: 8, 10, 12, 16; 32 for float."""
    has_alpha: bool
    has_sound: bool = False
    has_tracks: bool = False
    """Whether its file is a movie's, which may have other tracks."""
    tags: Tags = NO_TAGS
    """What a movie says of its colours."""
    hdr: Hdr | None = None
    """HDR10's static metadata of a movie."""
    is_rgb: bool = True
    """Whether its pictures are coded as RGB, so that matrix and range say nothing."""
    layer: str = ""
    """Colour layer of an EXR that is read; the beauty by default."""
    views: tuple[str, ...] = ()
    """The eyes of a stereo EXR, the default one first; empty for one picture."""
    channels: Mapping[int, Path] = MappingProxyType({})
    """EXR files by frame number, whose other channels can be read; empty for other plates."""
    is_interlaced: bool = False
    is_variable: bool = False
    """Whether frames are shown for times of different length."""
    time_base: Fraction = Fraction(1, 90000)
    """Seconds of which the times of frames are whole multiples."""
    is_mirrored: bool = False
    """Whether its pictures are mirrored for display."""
    undecodable: int = 0
    """Frames at its beginning that nothing can decode, and that are left out."""
    repeated_stamps: int = 0
    """Frames that share their time with the frame before."""
    other_pictures: int = 0
    """Pictures in the plate's file, of other sizes than the first, that are left out."""
    lost_timecode: str = ""
    """What the plate says for a timecode, where that is none."""
    rotation: int = 0
    """Degrees by which its pictures are turned for display."""

    @property
    def is_movie(self) -> bool:
        """Whether frames are numbered by their order in one file, not by their own names."""
        return self.kind == "movie"

    @property
    def has_profile(self) -> bool:
        """Whether its colour space is that of an ICC profile, which other formats of pictures take too."""
        return self.colour_origin == BY_PROFILE

    @property
    def frame_range(self) -> FrameRange:
        """First to last number that there is."""
        return FrameRange(self.numbers[0], self.numbers[-1])

    @property
    def own_name(self) -> str:
        """The name of a painting that is called like the plate; a movie's is a sequence of PNG."""
        return f"{self.path.stem}.####.png" if self.is_movie else self.path.name

    @property
    def shot_name(self) -> str:
        """What the shot is called."""
        return self.path.stem

    @abstractmethod
    def file_of(self, number: int) -> Path:
        """The file that a frame is read from."""

    def files_of(self, numbers: Sequence[int]) -> list[Path]:
        """The files that these frames are read from: one for each frame, or the movie once."""
        return [self.path] if self.is_movie and numbers else [self.file_of(n) for n in numbers]

    def check(self, numbers: Sequence[int]) -> None:
        """Raises BadPlate for a frame that is not of a kind with the first one, by its header; for sequences."""
        return

    @abstractmethod
    def metadata(self, number: int) -> Metadata:
        """What the plate says of a frame beside its pixels."""

    def seconds(self, number: int) -> Fraction:
        """When a frame is shown, by the plate's own clock; the number after the last gives the end.

        A movie's clock need not begin at 0.
        """
        return (number - self.numbers[0]) / (self.frame_rate or Fraction(24))

    def window(self, numbers: Sequence[int], wanted: Sequence[int] = ()) -> Margin:
        """The smallest window that holds the data of these frames, by its distances from the display window.

        Raises BadPlate for a `wanted` frame that cannot be read; others are passed over.
        """
        return NO_MARGIN

    def within(self, margin: Margin) -> Plate:
        """The same plate, read with this margin where none is asked for."""
        return self

    def repeating(self, holes: Sequence[int]) -> Plate:
        """The plate with each missing frame a repetition of the one before it, of the first one at its beginning."""
        raise BadPlate(f"{self.path}: {self.kind} without missing frames; leave --missing out")

    def with_view(self, view: str) -> Plate:
        """The same frames of a stereo EXR as another eye sees them. Raises BadPlate."""
        raise BadPlate(f"{self.path}: a {self.kind} has one picture a frame; leave --view out")

    @abstractmethod
    def read(self, numbers: Sequence[int], margin: Margin = NO_MARGIN) -> Iterator[Frame]:
        """The frames of these numbers, ascending, with `margin` around. Raises BadPlate naming file and frame."""

    def read_what_can(self, numbers: Sequence[int], must: Container[int] = ()) -> Iterator[Frame]:
        """`read` for measuring: frames that cannot be read are passed over.

        Raises BadPlate for one that `must` be read, and if none can.
        """
        left, found, reason = tuple(numbers), 0, None
        while left:
            done = 0
            try:
                for frame in self.read(left):
                    done += 1
                    yield frame
                left = ()
            except BadPlate as error:
                if left[done] in must:
                    raise
                reason, left = error, left[done + 1 :]
            found += done
        if reason is not None and not found:
            raise reason


class Writer(Protocol):
    """Takes frames in order; a file appears whole or not at all."""

    def write(self, frame: Frame) -> None: ...

    def close(self) -> None:
        """Finish: movies get their sound and their name."""
        ...

    def abort(self) -> None:
        """Leave nothing half-written."""
        ...


@dataclass(frozen=True)
class Tracks:
    """Tracks of a movie that an output takes, by their place in the movie."""

    sound: tuple[int, ...] = ()
    subtitles: tuple[int, ...] = ()
    lost: tuple[str, ...] = ()
    """A note for each track that this output does not take."""
    refused: str = ""
    """A sentence about sound that another container would take; empty without any."""


@dataclass(frozen=True)
class WriterSettings:
    """What an output should be like."""

    frame_rate: Fraction = Fraction(24)
    """Frames per second of a movie."""
    quality: int = 85
    """0 to 100, for movies, JPEG and WebP."""
    size: tuple[int, int] = (0, 0)
    """Width and height in pixels."""
    bits: int = 8
    """Bits a channel of the plate, kept where the format can."""
    wants_bits: bool = False
    """Whether these bits were asked for instead of the plate's: an EXR's colours then change their type."""
    out_space: ColourSpace | None = None
    """Colour space of the files; the plate's own where the format can hold it."""
    layer: str = ""
    """The plate's colour layer, in an EXR that has several."""
    out_layer: str = ""
    """Layer for the painting, beside the plate's own, in an EXR."""
    aovs: tuple[str, ...] = ()
    """Parts of the painting to be written as layers of an EXR, names in `scumble.media.aov.AOVS`."""
    breadth: float = 4.0
    """Pixels by which their details differ from their luma."""
    grey: bool = False
    """Write the first channel alone, as pictures of one value are."""
    told: bool = False
    """Whether the plate's colour space was named by the user, whatever its tags say."""
    tags: Tags | None = None
    """What a movie should say of its colours; by its colour space otherwise."""
    hdr: Hdr | None = None
    """HDR10's static metadata, for encoders that write it."""
    tracks_from: Path | None = None
    """Movie whose other tracks, chapters and header go along."""
    tracks: Tracks = Tracks()
    """Which of its tracks are copied."""
    span: tuple[Fraction, Fraction | None] = (Fraction(0), None)
    """Seconds of that movie that belong to the frames written; None is its end."""
    alpha: bool = False
    """Whether frames have alpha that should be kept where the codec can."""
    times: tuple[Fraction, ...] = ()
    """Seconds at which a movie's frames are shown, and the end of the last, where their rate varies."""
    time_base: Fraction = Fraction(1, 90000)
    """Seconds of which those are whole multiples."""
    codec: str = ""
    """Name in `scumble.media.codecs.CODECS`; by suffix and bits otherwise."""
    metadata: Metadata = field(default_factory=Metadata)
    """Of a movie's first frame."""
    stamp: str = ""
    """What the header should say of the render: version, look, precision, settings."""
    frame_stamp: Callable[[int], str] | None = None
    """The same of each frame by itself, asked for when it is written."""

    def stamp_of(self, number: int) -> str:
        """What the header of a frame's file should say."""
        return self.stamp if self.frame_stamp is None else self.frame_stamp(number)


def is_movie(path: Path) -> bool:
    """Whether a path names a movie, by its suffix."""
    return path.suffix.lower() in MOVIES


def formats(written: bool = False) -> str:
    """The formats that can be read, or `written`, in words."""
    movies = WRITTEN_MOVIES if written else MOVIES
    return f"movies: {' '.join(sorted(movies))}; pictures: {' '.join(sorted(STILLS))}"


def not_a_format(path: Path) -> str:
    """The sentence for an output of a suffix that is not written."""
    return f"{path}: {path.suffix or 'no suffix'} is not a format that Scumble writes; {formats(written=True)}"


def other_kind(path: Path) -> str:
    """What is wrong where a file's suffix says that it is no picture, and what to do; empty where it says nothing."""
    suffix = path.suffix.lower()
    if suffix in MOVIES:
        return "a movie, not a picture; name a picture, such as one of its frames"
    if suffix == ".look":
        return "a look, not a picture; paint with it by --look"
    if suffix and suffix not in STILLS:
        return f"Scumble does not read {suffix}; write it as PNG, TIFF or JPEG"
    return ""


def check_name(path: Path) -> None:
    """Raises BadPlate for a name that is not UTF-8, as in old archives: libraries of pictures do not open it."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise BadPlate(f"{str(path)!a}: its name is not UTF-8; rename the file or folder") from error


def check_size(path: Path, width: int, height: int) -> None:
    """Raises BadPlate for a picture without pixels or with more than `MOST_PIXELS`, before any is decoded."""
    if width < 1 or height < 1:
        raise BadPlate(f"{path}: a picture of {width}x{height} pixels; take another copy of it")
    if width * height > MOST_PIXELS:
        raise BadPlate(
            f"{path}: {width}x{height} pixels are more than the {MOST_PIXELS // 10**6} million that Scumble takes;"
            " cut it into parts"
        )


def check_can_be_read(path: Path, width: int, height: int) -> None:
    """Raises BadPlate where a large picture does not fit in the memory that is free."""
    if width * height > LARGE:
        check_memory(path, width, height, BYTES_TO_READ)


def check_memory(path: Path, width: int, height: int, bytes_a_pixel: int) -> None:
    """Raises BadPlate where so large a picture does not fit in the memory that is free."""
    needed, free = width * height * bytes_a_pixel, free_memory()
    if free is not None and needed > free:
        raise BadPlate(
            f"{path}: {width}x{height} pixels need {needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free;"
            " cut it into parts, or take a machine with more"
        )


@dataclass(frozen=True)
class PlateOptions:
    """How a plate is to be understood."""

    layer: str = ""
    """Colour layer of an EXR, by layer or part; the beauty by default."""
    in_space: str = ""
    """Its colour space, whatever its tags say."""
    colours: Colours = field(default_factory=Colours)
    """Where colour spaces are looked up."""
    view: str = ""
    """Eye of a stereo EXR; all of them, or the default one where only one can be held."""
    timecode: str = ""
    """Of a movie's first frame, where the movie says none."""
