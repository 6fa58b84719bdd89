"""Colour spaces by the ICC profile that a picture brings along: matrices and curves, of RGB or grey.

OpenColorIO reads the profile and computes in floating point; lcms2 by Pillow, against which that is tested, would
give codes of 8 bits. Profiles of tables are not read.
"""

from __future__ import annotations

import struct
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from scumble.core.colour import DISPLAY, ColourSpace, Pixels, linear_to_srgb, srgb_to_linear
from scumble.media.h273 import space_of
from scumble.media.ocio import CONFIG, Colours, applied, config_of

SAME = 0.002  # half a code of 8 bits: profiles that differ from a space by less are that space

# sRGB's primaries adapted to the D50 of profiles, in their fixed point of 16 bits [ICC.1:2022, IEC 61966-2-1]
COLORANTS = ((28578, 14575, 912), (25241, 46981, 6362), (9376, 3980, 46799))


@cache
def space_of_profile(profile: bytes) -> ColourSpace | None:
    """The display-referred space of a profile, None for one that is not of matrix and curves, or damaged.

    A profile that says what a known space says is that space.
    """
    conversion = _conversion(profile)
    if conversion is None:
        return None
    codes = np.stack(np.meshgrid(*[np.linspace(0, 1, 9, dtype=np.float32)] * 3), axis=-1).reshape(-1, 3)
    light = conversion.to_reference(codes)
    known = [DISPLAY, space_of(12, 13), Colours(CONFIG).space("Gamma 2.2 Encoded AdobeRGB")]
    for space in known:
        if space is not None and np.abs(space.from_reference(light) - codes).max() < SAME:
            return space
    name = f"ICC profile {description(profile) or 'without a name'}"
    return ColourSpace(name, "display", conversion, of_grey=model_of(profile) == "GRAY")


def model_of(profile: bytes) -> str:
    """The colour model of a profile's pictures: RGB, GRAY, CMYK and others."""
    return profile[16:20].decode("latin-1").strip()


@dataclass(frozen=True)
class _Profile:
    """The conversion by a profile."""

    profile: bytes
    there: Any = field(compare=False)
    back: Any = field(compare=False)

    def to_reference(self, pixels: Pixels) -> Pixels:
        return linear_to_srgb(applied(self.there, pixels))

    def from_reference(self, pixels: Pixels) -> Pixels:
        return applied(self.back, srgb_to_linear(pixels))


def _conversion(profile: bytes) -> _Profile | None:
    import PyOpenColorIO as ocio

    with suppress(struct.error, IndexError):
        if model_of(profile) == "GRAY":
            profile = _as_rgb(profile)
    config = config_of(CONFIG)
    with tempfile.TemporaryDirectory(prefix="scumble-") as folder:  # its cache knows files by path
        file = Path(folder) / "profile.icc"
        file.write_bytes(profile)
        # OpenColorIO's forward way of a profile leads to the device
        own = [ocio.FileTransform(str(file), direction=ocio.TRANSFORM_DIR_INVERSE)]
        own.append(ocio.ColorSpaceTransform("CIE XYZ-D65 - Display-referred", "lin_rec709_scene"))
        try:
            processor = config.getProcessor(ocio.GroupTransform(own))
            inverse = config.getProcessor(ocio.GroupTransform(own), ocio.TRANSFORM_DIR_INVERSE)
        except (ocio.Exception, ocio.ExceptionMissingFile):
            return None
    exact = ocio.OPTIMIZATION_LOSSLESS
    return _Profile(profile, processor.getOptimizedCPUProcessor(exact), inverse.getOptimizedCPUProcessor(exact))


def _tags(profile: bytes) -> dict[bytes, bytes]:
    """The data of a profile's tags by name [ICC.1:2022, 7.3]."""
    (count,) = struct.unpack_from(">I", profile, 128)
    entries = [struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(min(count, 100))]
    return {name: profile[start : start + size] for name, start, size in entries}


def _as_rgb(profile: bytes) -> bytes:
    """A grey profile as one of RGB with its curve three times, since OpenColorIO reads those only."""
    curve = _tags(profile)[b"kTRC"]
    tags = {name + b"TRC": curve for name in (b"r", b"g", b"b")}
    for name, colorant in zip((b"rXYZ", b"gXYZ", b"bXYZ"), COLORANTS, strict=True):
        tags[name] = b"XYZ \0\0\0\0" + struct.pack(">3i", *colorant)
    header = profile[:16] + b"RGB " + profile[20:128]
    table, data = struct.pack(">I", len(tags)), b""
    first = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += struct.pack(">4sII", name, first + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    whole = header + table + data
    return struct.pack(">I", len(whole)) + whole[4:]


def description(profile: bytes) -> str:
    """What a profile calls itself, for messages; empty where it does not say."""
    with suppress(struct.error, UnicodeDecodeError):
        text = _tags(profile).get(b"desc", b"")
        if text[:4] == b"desc":  # version 2
            return text[12 : 12 + struct.unpack_from(">I", text, 8)[0]].rstrip(b"\0").decode("ascii")
        if text[:4] == b"mluc":  # version 4: the first of its languages
            size, start = struct.unpack_from(">II", text, 20)
            return text[start : start + size].decode("utf-16-be")
    return ""
