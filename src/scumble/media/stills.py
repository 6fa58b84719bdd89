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
from scumble.files import spool, written_whole
from scumble.frames import Frame, FrameRange, Pixels, format_frames
from scumble.media import STILLS, Plate, WriterSettings, check_size, formats, other_kind
from scumble.media.pattern import Pattern, folder_pattern, parse_pattern

FLOAT_FORMATS = {".exr"}
PREMULTIPLIED = {".exr"}  # colours are stored multiplied by alpha
DEPTHS = {"uint8": 8, "uint10": 10, "uint12": 12, "uint16": 16, "half": 16, "float": 32}


def open_stills(path: Path, first_frame: int | None = None) -> StillsPlate:
    """A pattern, a folder with one sequence, or a single picture. Raises BadPlate."""
    pattern = parse_pattern(path)
    if path.is_dir():
        pattern = folder_pattern(path, STILLS)
    elif pattern is None or path.is_file():
        if path.suffix.lower() not in STILLS:
            raise BadPlate(f"{path}: {path.suffix or 'no suffix'} is not a format that Scumble reads; {formats()}")
        if not path.is_file():
            raise BadPlate(f"{path}: no such file; check its name and folder")
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
        # the display window is the picture; phones turn theirs by a tag
        turned = spec.get_int_attribute("Orientation", 1) >= 5
        self.size = (spec.full_height, spec.full_width) if turned else (spec.full_width, spec.full_height)
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

    def files_of(self, numbers: Sequence[int]) -> list[Path]:
        """See `scumble.media.Plate.files_of`."""
        return [self.files[n] for n in numbers]

    def read(self, numbers: Sequence[int]) -> Iterator[Frame]:
        """See `scumble.media.Plate.read`."""
        missing = [n for n in numbers if n not in self.files]
        if missing:
            raise BadPlate(
                f"{self.path}: frame {missing[0]} is missing ({format_frames(missing[:50])});"
                f" the plate has {format_frames(self.numbers)}"
            )
        for number in numbers:
            try:
                pixels, alpha = read_picture(self.files[number])
            except BadPlate as error:
                raise BadPlate(f"frame {number}: {error}" if self.pattern else str(error)) from error
            if (pixels.shape[1], pixels.shape[0]) != self.size:
                raise BadPlate(
                    f"{self.files[number]}: frame {number} is {pixels.shape[1]}x{pixels.shape[0]},"
                    f" the plate {self.size[0]}x{self.size[1]}; a plate has one size: leave it out with --frames"
                )
            yield Frame(number, pixels, self.colour_space, alpha)


def read_picture(path: Path) -> tuple[Pixels, Pixels | None]:
    """RGB (H, W, 3), not premultiplied, and alpha (H, W, 1) or None; float32, upright; integers become [0, 1].

    Of an EXR the display window is read. Raises BadPlate.
    """
    source, spec = _opened(path)
    try:
        codes, reason = source.read_image(oiio.FLOAT), source.geterror()
    except UnicodeDecodeError:  # the file's own bytes in the library's message
        codes, reason = None, ""
    source.close()
    if codes is None or reason:
        raise BadPlate(f"{path}: the picture is damaged ({_first_line(reason)}); take another copy of it")
    buffer = oiio.ImageBuf(spec)
    buffer.set_pixels(buffer.roi, codes)
    if buffer.roi != buffer.roi_full:
        buffer = oiio.ImageBufAlgo.crop(buffer, buffer.roi_full)
    if buffer.orientation != 1:
        buffer = oiio.ImageBufAlgo.reorient(buffer)
    pixels: Any = buffer.get_pixels(oiio.FLOAT)
    colours, alpha_at = _channels([str(name) for name in buffer.spec().channelnames])
    rgb = np.ascontiguousarray(pixels[:, :, colours], np.float32)
    if alpha_at is None:
        return rgb, None
    alpha = np.ascontiguousarray(pixels[:, :, [alpha_at]], np.float32)
    if path.suffix.lower() in PREMULTIPLIED:
        rgb = np.where(alpha > 0, rgb / np.maximum(alpha, 1e-8), rgb).astype(np.float32)
    return rgb, alpha


def channel_names(path: Path) -> list[str]:
    """Names of all channels of a picture's first part. Raises BadPlate."""
    return [str(name) for name in _spec(path).channelnames]


def read_channels(path: Path, names: Sequence[str]) -> Pixels:
    """Some channels (H, W, C) of a picture's display window as they are, 0 outside the data. Raises BadPlate."""
    source, spec = _opened(path)
    known = [str(name) for name in spec.channelnames]
    missing = [name for name in names if name not in known]
    if missing:
        source.close()
        raise BadPlate(f"{path}: no channel {missing[0]}; it has {', '.join(known[:20])}")
    codes = source.read_image(oiio.FLOAT)
    source.close()
    if codes is None:
        raise BadPlate(f"{path}: the picture is damaged ({_first_line(source.geterror())}); take another copy of it")
    found = np.zeros((spec.full_height, spec.full_width, len(names)), np.float32)
    top, left = spec.y - spec.full_y, spec.x - spec.full_x
    rows = slice(max(0, top), min(spec.full_height, top + spec.height))
    columns = slice(max(0, left), min(spec.full_width, left + spec.width))
    own = codes[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    found[rows, columns] = own[:, :, [known.index(name) for name in names]]
    return found


def embedded_profile(path: Path) -> bytes | None:
    """The ICC profile in a picture, where it has one. Raises BadPlate."""
    profile = _spec(path).getattribute("ICCProfile")
    return bytes(profile) if profile is not None else None


def _channels(names: list[str]) -> tuple[list[int], int | None]:
    """Places of red, green, blue and alpha: plain names first, else the first layer that has all three colours."""
    layers = ["", *dict.fromkeys(name.rpartition(".")[0] for name in names)]
    for layer in layers:
        at = {name.rpartition(".")[2].upper(): i for i, name in enumerate(names) if name.rpartition(".")[0] == layer}
        if all(c in at for c in "RGB"):
            return [at[c] for c in "RGB"], at.get("A")
    grey = names.index("Y") if "Y" in names else 0
    return [grey] * 3, names.index("A") if "A" in names else None


def _spec(path: Path) -> Any:
    """The header of a picture. Raises BadPlate."""
    source, spec = _opened(path)
    source.close()
    return spec


def _opened(path: Path) -> tuple[Any, Any]:
    """A picture's reader and header, found fit to be read. Raises BadPlate."""
    if not path.is_file():
        if path.is_dir():
            raise BadPlate(f"{path}: a folder, not a picture; name a file in it")
        raise BadPlate(f"{path}: no such file; check its name and folder")
    straight = oiio.ImageSpec()
    straight.attribute("oiio:UnassociatedAlpha", 1)  # PNG and TIFF: give the file's own numbers
    source = oiio.ImageInput.open(str(path), straight)
    if source is None:
        reason = _why_not(path)  # asked for in any case: what nobody asks for, the library prints at the end
        raise BadPlate(
            f"{path}: {other_kind(path) or f'not a picture that can be read ({reason}); take another copy of it'}"
        )
    spec = source.spec()
    try:
        names = spec.channelnames
    except UnicodeDecodeError as error:
        raise BadPlate(f"{path}: the names of its channels are damaged; take another copy of it") from error
    if not names:
        raise BadPlate(f"{path}: a picture without channels; take another copy of it")
    if spec.deep:  # OpenImageIO's plain reader crashes on these
        raise BadPlate(f"{path}: a deep picture; flatten it first (Nuke: DeepToImage)")
    check_size(path, spec.full_width, spec.full_height)
    check_size(path, spec.width, spec.height)
    return source, spec


def _why_not(path: Path) -> str:
    try:
        with path.open("rb") as f:
            start = f.read(1)
    except OSError as error:
        return error.strerror or "unreadable"
    try:
        oiio_says = _first_line(oiio.geterror())
    except UnicodeDecodeError:  # the file's own bytes in the library's message
        oiio_says = "damaged"
    if not start:
        return "the file is empty"
    # the library's own sentence repeats the name and asks the reader a question
    return "none of the known formats" if "format reader" in oiio_says else oiio_says


def _first_line(reason: str) -> str:
    return (reason.strip() or "unknown format").splitlines()[0]


class StillsWriter:
    """See `scumble.media.Writer`; one picture per frame, by the output's pattern, or a single still."""

    def __init__(self, path: Path, settings: WriterSettings) -> None:
        if path.suffix.lower() not in STILLS:
            raise BadOutput(f"{path}: {path.suffix or 'no suffix'} is not a format that Scumble writes; {formats()}")
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
        if suffix in PREMULTIPLIED:
            pixels = np.where(frame.alpha > 0, pixels * frame.alpha, pixels)
        pixels = np.concatenate([pixels, frame.alpha], axis=2)
    kind: Any
    if linear_file or (suffix in {".tif", ".tiff"} and settings.bits == 32):
        kind = oiio.FLOAT if settings.bits == 32 else oiio.HALF
        if kind == oiio.HALF:
            pixels = np.where(np.isfinite(pixels), np.clip(pixels, -65504, 65504), pixels)
    elif suffix == ".dpx":
        # OpenImageIO cuts 16-bit codes down to the file's depth: rounded here, they survive it
        bits = 10 if settings.bits == 8 else min(settings.bits, 16)
        kind, codes = oiio.UINT16, quantised(pixels, bits).astype(np.uint32)
        pixels = (codes << (16 - bits) | codes >> max(0, 2 * bits - 16)).astype(np.uint16)
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
            spec.attribute("oiio:BitsPerSample", bits)
    # a write time in the header would make every render's bytes different
    spec.attribute("DateTime", "2000:01:01 00:00:00")
    spec.attribute("oiio:UnassociatedAlpha", int(suffix not in PREMULTIPLIED))
    for name, text in settings.notes.items():
        spec.attribute(name, text)
    with spool(suffix) as spooled:
        output = oiio.ImageOutput.create(f"picture{suffix}")
        if output is None or not output.open(str(spooled), spec):
            raise BadOutput(f"{path}: frame {frame.number} cannot be encoded ({oiio.geterror().strip()}); write an EXR")
        done = output.write_image(np.ascontiguousarray(pixels))
        reason = output.geterror()
        if not (output.close() and done):
            raise BadOutput(f"{path}: frame {frame.number} cannot be encoded ({reason.strip()}); write an EXR")
        data = spooled.read_bytes()
    with written_whole(path, f"frame {frame.number}") as part:
        part.write_bytes(data)


def quantised(pixels: Pixels, bits: int) -> Any:
    """[0, 1] to rounded integer codes; NaN becomes 0."""
    top = (1 << bits) - 1
    codes = np.clip(np.nan_to_num(pixels), 0, 1) * np.float32(top) + np.float32(0.5)
    return codes.astype(np.uint8 if bits == 8 else np.uint16)
