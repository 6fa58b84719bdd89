"""Files of several pictures: a WebP that moves, a TIFF of pages. Like a movie they have one file for all frames."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from scumble.core.errors import BadPlate
from scumble.core.frames import NO_MARGIN, Frame, Margin, Metadata
from scumble.media.colour_tags import plate_space
from scumble.media.movie_times import times_of
from scumble.media.picture_reader import read_header, read_pages, sizes_of_pages
from scumble.media.plate import Plate, PlateOptions

MILLISECOND = Fraction(1, 1000)  # the unit of a WebP's times

LEAST = 10  # milliseconds: players take less for a tenth of a second


class PagesPlate(Plate):
    """See `Plate`. Frames are numbered in the order of the file; pages of a TIFF have no times."""

    kind = "movie"

    def __init__(self, path: Path, first_frame: int = 1, options: PlateOptions = PlateOptions()) -> None:
        if options.layer or options.view:
            raise BadPlate(f"{path}: layers and views are for EXR; leave --layer and --view out")
        self.path, self.options = path, options
        header, count = read_header(path), len(milliseconds_of(path)) or len(sizes_of_pages(path))
        self._header = header
        self.size, self.bits, self.has_alpha = header.size, header.bits, header.has_alpha
        self.colour_space, self.colour_origin = plate_space(path, header, options)
        self.pixel_aspect, self.frame_rate = header.metadata.pixel_aspect, None
        self.numbers = tuple(range(first_frame, first_frame + count))
        self._shown: tuple[Fraction, ...] = ()
        lengths = [n if n > LEAST else 100 for n in milliseconds_of(path)]
        if len(lengths) == count:
            begins = [sum(lengths[:place]) for place in range(count)]
            times = times_of(begins, MILLISECOND, lengths[-1], ())
            assert times is not None
            self.frame_rate, self.is_variable, self.time_base = times.rate, times.is_variable, MILLISECOND
            self._shown = times.shown

    def seconds(self, number: int) -> Fraction:
        """See `Plate.seconds`."""
        return self._shown[number - self.numbers[0]] if self._shown else super().seconds(number)

    def file_of(self, number: int) -> Path:
        """See `Plate.file_of`."""
        return self.path

    def metadata(self, number: int) -> Metadata:
        """See `Plate.metadata`."""
        return Metadata(None, self.frame_rate, None, self.pixel_aspect)

    def read(self, numbers: Sequence[int], margin: Margin = NO_MARGIN) -> Iterator[Frame]:
        """See `Plate.read`."""
        outside = [n for n in numbers if n not in self.frame_range]
        if outside:
            raise BadPlate(f"{self.path}: frame {outside[0]} is outside the file's {self.frame_range}")
        places = {n: n - self.numbers[0] for n in numbers}
        of_webp = self.path.suffix.lower() == ".webp"
        yield from self._moving(places) if of_webp else read_pages(self.path, places, self.colour_space)

    def _moving(self, places: Mapping[int, int]) -> Iterator[Frame]:
        """Frames of a WebP: OpenImageIO gives the first one again and again if alpha is not to be multiplied."""
        from PIL import Image

        try:
            with Image.open(self.path) as picture:
                for number, place in places.items():
                    picture.seek(place)
                    codes = np.asarray(picture.convert("RGBA"), np.float32) / np.float32(255)
                    alpha = np.ascontiguousarray(codes[:, :, 3:]) if self.has_alpha else None
                    pixels = np.ascontiguousarray(codes[:, :, :3])
                    yield Frame(number, pixels, self.colour_space, alpha, self._header.metadata)
        except (OSError, EOFError, ValueError) as error:
            raise BadPlate(f"{self.path}: frame {number} cannot be decoded; take another copy of it") from error


def has_pages(path: Path) -> bool:
    """Whether a TIFF or WebP holds several pictures of one size."""
    if path.suffix.lower() == ".webp":
        return len(milliseconds_of(path)) > 1
    if path.suffix.lower() not in (".tif", ".tiff"):
        return False
    sizes = sizes_of_pages(path)
    return len(sizes) > 1 and len(set(sizes)) == 1


def milliseconds_of(path: Path) -> list[int]:
    """How long each picture of a WebP that moves is shown; none of other files [WebP Container Specification, ANMF]."""
    lengths = []
    with path.open("rb") as f:
        head = f.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WEBP":
            return []
        while len(chunk := f.read(8)) == 8:
            name, size = struct.unpack("<4sI", chunk)
            begin = f.read(16) if name == b"ANMF" else b""
            if len(begin) == 16:
                lengths.append(int.from_bytes(begin[12:15], "little"))
            f.seek(size + size % 2 - len(begin), 1)
    return lengths
