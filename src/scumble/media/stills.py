"""Still pictures and numbered sequences of them, read and written through OpenImageIO."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio

from scumble import colour
from scumble.errors import BadOutput, BadPlate
from scumble.files import written_whole
from scumble.frames import Frame, FrameRange, Pixels, format_frames
from scumble.media import STILLS, Plate, WriterSettings
from scumble.media.pattern import Pattern, folder_pattern, parse_pattern

FLOAT_FORMATS = {".exr"}
DEPTHS = {"uint8": 8, "uint10": 10, "uint12": 12, "uint16": 16, "half": 16, "float": 32}


def open_stills(path: Path, first_frame: int | None = None) -> StillsPlate:
    """A pattern, a folder with one sequence, or a single picture. Raises BadPlate."""
    pattern = parse_pattern(path)
    if path.is_dir():
        pattern = folder_pattern(path, STILLS)
    elif pattern is None or path.is_file():
        if path.suffix.lower() not in STILLS:
            raise BadPlate(f"{path}: {path.suffix or 'no suffix'} is not a format that Scumble reads")
        if not path.is_file():
            raise BadPlate(f"{path}: no such file")
        return StillsPlate(path, "still", {1 if first_frame is None else first_frame: path})
    files = pattern.find()
    if not files:
        raise BadPlate(f"{pattern}: no frame of this sequence found; check the folder and the number of digits")
    if first_frame is not None:
        moved = first_frame - min(files)
        files = {number + moved: file for number, file in files.items()}
    return StillsPlate(path, "sequence", files, pattern)


class StillsPlate(Plate):
    """See `scumble.media.Plate`."""

    frame_rate: Fraction | None = None

    def __init__(self, path: Path, kind: str, files: dict[int, Path], pattern: Pattern | None = None) -> None:
        self.path, self.kind, self.files, self.pattern = path, kind, files, pattern
        self.numbers = tuple(files)
        first = next(iter(files.values()))
        spec = _spec(first)
        self.size = (spec.width, spec.height)
        self.bits = DEPTHS.get(str(spec.format), 8)
        self.bits = int(spec.get_int_attribute("oiio:BitsPerSample", self.bits))
        linear = first.suffix.lower() in FLOAT_FORMATS
        self.colour_space = colour.LINEAR if linear else colour.DISPLAY
        rate = spec.getattribute("FramesPerSecond")
        if isinstance(rate, tuple) and len(rate) == 2 and rate[1]:
            self.frame_rate = Fraction(int(rate[0]), int(rate[1]))

    @property
    def frame_range(self) -> FrameRange:
        """First to last number on disk."""
        return FrameRange(self.numbers[0], self.numbers[-1])

    def read(self, numbers: Sequence[int]) -> Iterator[Frame]:
        """See `scumble.media.Plate.read`."""
        missing = [n for n in numbers if n not in self.files]
        if missing:
            raise BadPlate(
                f"{self.path}: frame {missing[0]} is missing ({format_frames(missing[:50])});"
                f" the plate has {format_frames(self.numbers)}"
            )
        for number in numbers:
            pixels, alpha = read_picture(self.files[number])
            if (pixels.shape[1], pixels.shape[0]) != self.size:
                raise BadPlate(
                    f"{self.files[number]}: frame {number} is {pixels.shape[1]}x{pixels.shape[0]},"
                    f" the plate {self.size[0]}x{self.size[1]}; a plate has one size"
                )
            yield Frame(number, pixels, self.colour_space, alpha)


def read_picture(path: Path) -> tuple[Pixels, Pixels | None]:
    """RGB (H, W, 3) and alpha (H, W, 1) or None, float32, upright; integers become [0, 1].

    Raises BadPlate.
    """
    buffer = oiio.ImageBuf(str(path))
    if not path.is_file() or not buffer.read(0, 0, True, oiio.FLOAT):
        raise BadPlate(f"{path}: not a picture that can be read ({_reason(buffer, path)})")
    if buffer.orientation != 1:
        buffer = oiio.ImageBufAlgo.reorient(buffer)
    spec = buffer.spec()
    pixels: Any = buffer.get_pixels(oiio.FLOAT)
    names = [str(n).rpartition(".")[2].upper() for n in spec.channelnames]
    if all(c in names for c in "RGB"):
        rgb = pixels[:, :, [names.index(c) for c in "RGB"]]
    else:
        grey = names.index("Y") if "Y" in names else 0
        rgb = np.repeat(pixels[:, :, grey : grey + 1], 3, axis=2)
    alpha = pixels[:, :, [names.index("A")]] if "A" in names else None
    return np.ascontiguousarray(rgb, np.float32), alpha


def _spec(path: Path) -> Any:
    """The header of a picture. Raises BadPlate."""
    source = oiio.ImageInput.open(str(path))
    if source is None:
        raise BadPlate(f"{path}: not a picture that can be read ({oiio.geterror().strip() or 'unknown format'})")
    spec = source.spec()
    source.close()
    return spec


def _reason(buffer: Any, path: Path) -> str:
    if not path.is_file():
        return "no such file"
    return str(buffer.geterror()).strip().splitlines()[0] if buffer.has_error else "unknown format"


class StillsWriter:
    """See `scumble.media.Writer`; one picture per frame, by the output's pattern, or a single still."""

    def __init__(self, path: Path, settings: WriterSettings) -> None:
        if path.suffix.lower() not in STILLS:
            raise BadOutput(f"{path}: {path.suffix or 'no suffix'} is not a format that Scumble writes")
        self.path, self.settings = path, settings
        self.pattern: Pattern | None = parse_pattern(path)

    def file(self, number: int) -> Path:
        """Where a frame goes."""
        return self.path if self.pattern is None else self.pattern.path(number)

    def write(self, frame: Frame) -> None:
        """Encode one frame; integers are rounded, float formats keep every value."""
        write_picture(self.file(frame.number), frame, self.settings)

    def close(self) -> None:
        """Every file is whole already."""

    def abort(self) -> None:
        """Frames that are done stay: a farm goes on from them."""


def write_picture(path: Path, frame: Frame, settings: WriterSettings) -> None:
    """Write one picture; its format and depth follow suffix and plate. Raises BadOutput."""
    suffix = path.suffix.lower()
    pixels = frame.pixels
    linear_file = suffix in FLOAT_FORMATS
    if linear_file and frame.colour_space == colour.DISPLAY:
        pixels = colour.srgb_to_linear(pixels)
    elif not linear_file and frame.colour_space == colour.LINEAR:
        pixels = colour.linear_to_srgb(pixels)
    takes_alpha = suffix in {".exr", ".png", ".tif", ".tiff", ".webp"}
    if frame.alpha is not None and takes_alpha:
        pixels = np.concatenate([pixels, frame.alpha], axis=2)
    kind: Any
    if linear_file:
        kind = oiio.FLOAT if settings.bits == 32 else oiio.HALF
        if kind == oiio.HALF:
            pixels = np.where(np.isfinite(pixels), np.clip(pixels, -65504, 65504), pixels)
    elif suffix in {".jpg", ".jpeg", ".webp"} or settings.bits <= 8:
        kind, pixels = oiio.UINT8, quantised(pixels, 8)
    else:
        kind, pixels = oiio.UINT16, quantised(pixels, 16)
    height, width, channels = pixels.shape
    spec = oiio.ImageSpec(width, height, channels, kind)
    if linear_file:
        spec.attribute("compression", "zip")
        spec.attribute("oiio:ColorSpace", colour.LINEAR)
    else:
        spec.attribute("oiio:ColorSpace", "sRGB")
        spec.attribute("CompressionQuality", settings.quality)
        if suffix == ".dpx":
            spec.attribute("oiio:BitsPerSample", 10 if settings.bits in (8, 10) else settings.bits)
    # a write time in the header would make every render's bytes different
    spec.attribute("DateTime", "2000:01:01 00:00:00")
    with written_whole(path) as part:
        output = oiio.ImageOutput.create(str(part))
        if output is None or not output.open(str(part), spec):
            raise BadOutput(f"{path}: cannot be written ({oiio.geterror().strip()}); choose another output")
        done = output.write_image(np.ascontiguousarray(pixels))
        reason = output.geterror()
        if not (output.close() and done):
            raise BadOutput(f"{path}: frame {frame.number} could not be written ({reason.strip()})")


def quantised(pixels: Pixels, bits: int) -> Any:
    """[0, 1] to rounded integer codes; NaN becomes 0."""
    top = (1 << bits) - 1
    codes = np.clip(np.nan_to_num(pixels), 0, 1) * np.float32(top) + np.float32(0.5)
    return codes.astype(np.uint8 if bits == 8 else np.uint16)
