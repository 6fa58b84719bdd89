"""Plates and writers: movies, image sequences and stills, opened by suffix and pattern."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from scumble.errors import BadPlate
from scumble.frames import Frame, FrameRange

MOVIES = {".mp4", ".mov", ".mkv", ".m4v"}
STILLS = {".png", ".exr", ".jpg", ".jpeg", ".tif", ".tiff", ".dpx", ".webp"}


MOST_PIXELS = 1 << 28  # 16384 x 16384: as float32 RGB 3 GB; a header that says more is damaged or a bomb


class Plate(Protocol):
    """A shot to be painted. Opening reads headers only; `read` is lazy and in order."""

    path: Path
    kind: str  # movie, sequence or still
    numbers: tuple[int, ...]
    frame_rate: Fraction | None
    size: tuple[int, int]  # width, height in pixels
    colour_space: str
    bits: int  # bits a channel: 8, 10, 12, 16; 32 for float

    @property
    def frame_range(self) -> FrameRange: ...

    def files_of(self, numbers: Sequence[int]) -> list[Path]:
        """The files that these frames are read from."""
        ...

    def read(self, numbers: Sequence[int]) -> Iterator[Frame]:
        """The frames of these numbers, ascending. Raises BadPlate naming file and frame."""
        ...


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
    sound_from: Path | None = None
    """Movie whose sound is copied."""
    sound_span: tuple[Fraction, Fraction | None] = (Fraction(0), None)
    """Seconds of that sound that belong to the frames written; None is its end."""
    pixel_aspect: Fraction | None = None
    """Width of a pixel to its height, where it is not square."""
    notes: dict[str, str] = field(default_factory=dict)
    """What the header should say of the render: look, version, precision."""


def is_movie(path: Path) -> bool:
    """By suffix."""
    return path.suffix.lower() in MOVIES


def formats() -> str:
    """The formats that can be read and written, in words."""
    return f"movies: {' '.join(sorted(MOVIES))}; pictures: {' '.join(sorted(STILLS))}"


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


def check_size(path: Path, width: int, height: int) -> None:
    """Raises BadPlate for a picture without pixels or with more than `MOST_PIXELS`, before any is decoded."""
    if width < 1 or height < 1:
        raise BadPlate(f"{path}: a picture of {width}x{height} pixels; take another copy of it")
    if width * height > MOST_PIXELS:
        raise BadPlate(
            f"{path}: {width}x{height} pixels are more than the {MOST_PIXELS // 10**6} million that Scumble takes;"
            " cut it into parts"
        )


def open_plate(path: Path, first_frame: int | None = None) -> Plate:
    """A movie, an image sequence (`shot.%04d.png`, `shot.####.exr`, a folder) or a still.

    Movie frames are numbered from `first_frame`, 1 by default. Raises BadPlate.
    """
    if is_movie(path):
        from scumble.media.movie import MoviePlate

        return MoviePlate(path, 1 if first_frame is None else first_frame)
    from scumble.media.stills import open_stills

    return open_stills(path, first_frame)


def open_writer(path: Path, settings: WriterSettings) -> Writer:
    """A writer by suffix and pattern. Raises BadOutput for a format that cannot be written."""
    if is_movie(path):
        from scumble.media.movie import MovieWriter

        return MovieWriter(path, settings)
    from scumble.media.stills import StillsWriter

    return StillsWriter(path, settings)
