"""Single pictures written: PNG, JPEG, TIFF, WebP, DPX and EXR."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio

from scumble.core import colour
from scumble.core.colour import ColourSpace, converted
from scumble.core.errors import BadOutput
from scumble.core.files import spool, written_whole
from scumble.core.frames import Frame, Pixels
from scumble.media.checksum import SUMMED, with_place, with_sum
from scumble.media.colour_tags import LINEAR_FORMATS
from scumble.media.exr import encoded
from scumble.media.icc import model_of
from scumble.media.picture_reader import PROFILE
from scumble.media.plate import WriterSettings
from scumble.media.png_chunks import gamma_and_primaries, with_chunk
from scumble.media.timecode import to_word

DEPTHS = {  # bits a channel that each format holds
    ".exr": (16, 32),
    ".png": (8, 16),
    ".tif": (8, 16, 32),
    ".tiff": (8, 16, 32),
    ".dpx": (8, 10, 12, 16),
    ".jpg": (8,),
    ".jpeg": (8,),
    ".webp": (8,),
}

TAKE_PROFILES = {".png", ".tif", ".tiff", ".jpg", ".jpeg", ".webp"}


def write_picture(path: Path, frame: Frame, settings: WriterSettings) -> None:
    """Write one picture; its format and depth follow suffix and plate. Raises BadOutput."""
    suffix = path.suffix.lower()
    stamp = settings.stamp_of(frame.number)
    has_profile = PROFILE in frame.metadata.attributes
    space = settings.out_space or space_of(path, frame.colour_space, settings.bits, frame.source, has_profile)
    if suffix == ".exr":
        file = encoded(frame, space, settings, stamp, path)
        with spool(suffix) as spooled:
            try:
                file.write(str(spooled))
            except (RuntimeError, TypeError, ValueError) as error:
                raise BadOutput(
                    f"{path}: frame {frame.number} cannot be encoded ({error}); name another plate"
                ) from error
            data = spooled.read_bytes()
    else:
        data = _encoded_by_oiio(path, frame, space, settings, stamp)
    with written_whole(path, f"frame {frame.number}") as part:
        part.write_bytes(data)


def space_of(path: Path, plate: ColourSpace, bits: int, source: Path | None, has_profile: bool = False) -> ColourSpace:
    """The space in which a picture is written unless asked otherwise.

    The plate's own where the format can hold it and say so, else linear Rec. 709 or sRGB. `source` is
    the picture that the plate was read from, None for movies; `has_profile` says that a profile names its space.
    """
    alike = source is not None and source.suffix.lower() == path.suffix.lower()
    if path.suffix.lower() in LINEAR_FORMATS:
        return plate if plate.is_linear or (alike and plate.kind == "scene") else colour.LINEAR
    if plate.is_linear:
        holds = path.suffix.lower() in (".tif", ".tiff") and bits == 32
        return plate if holds or (alike and path.suffix.lower() == ".dpx") else colour.DISPLAY
    if plate.of_grey:  # a painting has colours
        return colour.DISPLAY
    return plate if alike or (has_profile and path.suffix.lower() in TAKE_PROFILES) else colour.DISPLAY


def _encoded_by_oiio(path: Path, frame: Frame, space: ColourSpace, settings: WriterSettings, stamp: str) -> bytes:
    suffix = path.suffix.lower()
    pixels, alpha = frame.margin.of(frame.pixels), None if frame.alpha is None else frame.margin.of(frame.alpha)
    takes_alpha = suffix in {".png", ".tif", ".tiff", ".webp"}
    if alpha is not None and not takes_alpha:
        pixels = colour.over_black(pixels, alpha, frame.colour_space)
    pixels = converted(pixels, frame.colour_space, space)
    associated = suffix in (".tif", ".tiff") and frame.metadata.premultiplied
    if alpha is not None and takes_alpha:
        pixels = np.concatenate([pixels * alpha if associated else pixels, alpha], axis=2)
    if settings.grey and suffix != ".dpx":
        pixels = pixels[:, :, :1]
    kind: Any
    if suffix in {".tif", ".tiff"} and settings.bits == 32:
        kind = oiio.FLOAT
    elif suffix == ".dpx":
        # OpenImageIO cuts 16-bit codes down to the file's depth: rounded here, they survive it
        bits = 10 if settings.bits == 8 and not settings.wants_bits else min(settings.bits, 16)
        kind, codes = oiio.UINT16, quantised(pixels, bits).astype(np.uint32)
        pixels = (codes << (16 - bits) | codes >> max(0, 2 * bits - 16)).astype(np.uint16)
    elif suffix in {".jpg", ".jpeg", ".webp"} or settings.bits <= 8:
        kind, pixels = oiio.UINT8, quantised(pixels, 8)
    else:
        kind, pixels = oiio.UINT16, quantised(pixels, 16)
    height, width, channels = pixels.shape
    spec = oiio.ImageSpec(width, height, channels, kind)
    _describe(spec, frame, space, suffix, settings.told)
    spec.attribute("CompressionQuality", settings.quality)
    if suffix == ".dpx":
        spec.attribute("oiio:BitsPerSample", bits)
    # a write time in the header would make every render's bytes different
    spec.attribute("DateTime", "2000:01:01 00:00:00")
    spec.attribute("oiio:UnassociatedAlpha", int(not associated))
    if stamp:
        spec.attribute("Software", with_place(stamp) if suffix in SUMMED else stamp)
    with spool(suffix) as spooled:
        output = oiio.ImageOutput.create(f"picture{suffix}")
        if output is None or not output.open(str(spooled), spec):
            raise BadOutput(f"{path}: frame {frame.number} cannot be encoded ({oiio.geterror().strip()}); write an EXR")
        done = output.write_image(np.ascontiguousarray(pixels))
        reason = output.geterror()
        if not (output.close() and done):
            raise BadOutput(f"{path}: frame {frame.number} cannot be encoded ({reason.strip()}); write an EXR")
        data = spooled.read_bytes()
    codes_stay = space == frame.colour_space and not settings.told
    if suffix == ".png" and codes_stay and frame.source is not None and space != colour.DISPLAY:  # sRGB is named above
        for name, content in gamma_and_primaries(frame.source).items():
            data = with_chunk(data, name, content)
    if suffix == ".dpx":  # the library writes the name of the spool, which differs from run to run
        name = path.name.encode("ascii", "replace")[:99]
        data = data[:36] + name.ljust(100, b"\0") + data[136:]
    return with_sum(data) if suffix in SUMMED else data


def _describe(spec: Any, frame: Frame, space: ColourSpace, suffix: str, told: bool) -> None:
    """The frame's metadata in a header; a format leaves out what it has no place for."""
    metadata, named = frame.metadata, False
    for name, (kind, value) in metadata.attributes.items():
        if name in (PROFILE, "CICP"):  # they say what the numbers mean: they go back with the same numbers only
            if told or space != frame.colour_space or (name == PROFILE and model_of(bytes(value)) != "RGB"):
                continue
            named = True
        elif suffix == ".webp" or (suffix != ".dpx" and name.startswith("dpx:")):
            continue
        spec.attribute(name, oiio.TypeDesc(kind), value)
    if metadata.timecode is not None:
        spec.attribute(
            "smpte:TimeCode", oiio.TypeDesc("timecode"), (to_word(metadata.timecode, metadata.frame_rate), 0)
        )
    if metadata.frame_rate is not None:
        rate = metadata.frame_rate
        spec.attribute("FramesPerSecond", oiio.TypeDesc("rational"), (rate.numerator, rate.denominator))
        spec.attribute("dpx:FrameRate", float(rate))
    if metadata.reel is not None:
        spec.attribute("reelName", metadata.reel)
        spec.attribute("dpx:InputDevice", metadata.reel)
    if metadata.pixel_aspect is not None:
        spec.attribute("PixelAspectRatio", float(metadata.pixel_aspect))
    # a PNG whose space has no name that the library knows says nothing, without one it says sRGB
    names = {colour.DISPLAY: "srgb_rec709_scene", colour.LINEAR: "lin_rec709_scene"}
    spec.attribute("oiio:ColorSpace", "unknown" if named else names.get(space, "unknown"))
    if suffix == ".dpx":
        linear = "Linear" if space.is_linear else "ITU-R 709-4"
        spec.attribute("dpx:Transfer", linear if space.kind == "display" or space.is_linear else "Printing density")


def quantised(pixels: Pixels, bits: int) -> Any:
    """[0, 1] to rounded integer codes; NaN becomes 0."""
    top = (1 << bits) - 1
    codes = np.clip(np.nan_to_num(pixels), 0, 1) * np.float32(top) + np.float32(0.5)
    return codes.astype(np.uint8 if bits == 8 else np.uint16)
