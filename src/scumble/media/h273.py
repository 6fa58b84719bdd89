"""Colour by the numbers of ITU-T H.273: primaries, curves and matrices, as movies and PNG (cICP) name them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import numpy as np

from scumble.core import colour
from scumble.core.colour import (
    REC_709,
    ColourSpace,
    Conversion,
    Curve,
    Encoded,
    Gamma,
    Pixels,
    SrgbCurve,
    by_chromaticities,
)
from scumble.media.ocio import CONFIG, Colours

UNSPECIFIED = 2

LIMITED, FULL = 1, 2  # FFmpeg's numbers of the ranges; 0 is unspecified


class Tags(NamedTuple):
    """What a movie says of its colours."""

    primaries: int = UNSPECIFIED
    curve: int = UNSPECIFIED
    matrix: int = UNSPECIFIED
    range: int = 0

    @property
    def say_space(self) -> bool:
        """Whether primaries or curve are named."""
        return (self.primaries, self.curve) != (UNSPECIFIED, UNSPECIFIED)


NO_TAGS = Tags()

_C, _D65 = (0.310, 0.316), (0.3127, 0.3290)

# name, and x, y of red, green, blue, white [ITU-T H.273, table 2]
PRIMARIES = {
    1: ("Rec.709", REC_709),
    4: ("BT.470 M", (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, *_C)),
    5: ("BT.470 BG", (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *_D65)),
    6: ("SMPTE 170M", (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65)),
    7: ("SMPTE 240M", (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65)),
    8: ("film", (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, *_C)),
    9: ("Rec.2020", (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65)),
    10: ("XYZ", (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1 / 3, 1 / 3)),
    11: ("DCI-P3", (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351)),
    12: ("P3-D65", (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65)),
    22: ("EBU 3213", (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *_D65)),
}

# Curves of cameras, which differ by little, and sRGB's: their codes are read as sRGB codes [table 3].
CAMERA_CURVES = {1, UNSPECIFIED, 6, 7, 11, 12, 13, 14, 15}

LINEAR_CURVE, PQ, HLG, SRGB_CURVE = 8, 16, 18, 13


@dataclass(frozen=True)
class _Logarithm:
    """1 is white, and so many decades below it is 0 [ITU-T H.273, table 3, values 9 and 10]."""

    decades: float

    def decoded(self, codes: Pixels) -> Pixels:
        least = 10**-self.decades  # below black a line, so that every code comes back
        light = np.where(codes > 0, 10 ** (self.decades * (np.maximum(codes, 0) - 1)), codes * least)
        return np.asarray(light, np.float32)

    def encoded(self, light: Pixels) -> Pixels:
        least = 10**-self.decades
        above = 1 + np.log10(np.maximum(light, least)) / self.decades
        return np.asarray(np.where(light < least, np.minimum(light / least, 0), above), np.float32)


@dataclass(frozen=True)
class OtherPrimaries:
    """A space whose curve is known with the primaries `theirs`, with its own ones."""

    base: Conversion
    theirs: Conversion
    own: Conversion

    def to_reference(self, pixels: Pixels) -> Pixels:
        return self.own.to_reference(self.theirs.from_reference(self.base.to_reference(pixels)))

    def from_reference(self, pixels: Pixels) -> Pixels:
        return self.base.from_reference(self.theirs.to_reference(self.own.from_reference(pixels)))


# those of the other curves that are simple ones
CURVES: dict[int, tuple[str, Curve]] = {
    4: ("Gamma 2.2", Gamma(2.2)),
    5: ("Gamma 2.8", Gamma(2.8)),
    9: ("logarithm 100:1", _Logarithm(2)),
    10: ("logarithm 316:1", _Logarithm(2.5)),
    17: ("Gamma 2.6", Gamma(2.6, 52.37 / 48)),  # SMPTE ST 428-1
}

# spaces of the pinned OpenColorIO configuration by primaries and curve
KNOWN = {
    (9, PQ): "Rec.2100-PQ - Display",
    (9, HLG): "Rec.2100-HLG - Display",
    (12, PQ): "ST2084-P3-D65 - Display",
    (12, SRGB_CURVE): "Display P3 - Display",
}

# what others are called in that configuration
NAMED = {
    "sRGB": (1, 1),
    "Rec.1886 Rec.709 - Display": (1, 1),
    "Gamma 2.4 Encoded Rec.709": (1, 1),
    "Gamma 2.2 Encoded Rec.709": (1, 4),
    "lin_rec709": (1, LINEAR_CURVE),
    "Rec.1886 Rec.2020 - Display": (9, 14),
    "Linear Rec.2020": (9, LINEAR_CURVE),
    "Linear P3-D65": (12, LINEAR_CURVE),
    "sRGB Encoded P3-D65": (12, SRGB_CURVE),
    **{name: numbers for numbers, name in KNOWN.items()},
}


@cache
def space_of(primaries: int, curve: int) -> ColourSpace | None:
    """The colour space of these numbers, None where one of them is none that has a space.

    HDR without primaries has those of Rec. 2020, everything else those of Rec. 709.
    """
    if curve not in CAMERA_CURVES | CURVES.keys() | {LINEAR_CURVE, PQ, HLG}:
        return None
    if primaries == UNSPECIFIED:
        primaries = 9 if curve in (PQ, HLG) else 1
    if primaries not in PRIMARIES:
        return None
    pinned = Colours(CONFIG)
    if primaries == 9 and curve in CAMERA_CURVES - {SRGB_CURVE}:
        curve = 14
    elif curve in CAMERA_CURVES:
        curve = SRGB_CURVE
    numbers = (primaries, curve)
    if numbers == (1, SRGB_CURVE):
        return colour.DISPLAY
    if numbers == (1, LINEAR_CURVE):
        return colour.LINEAR
    if numbers in KNOWN:
        return replace(pinned.space(KNOWN[numbers]), tags=numbers)
    name, chromaticities = PRIMARIES[primaries]
    linear = colour.LINEAR if primaries == 1 else by_chromaticities(chromaticities)
    if curve == LINEAR_CURVE:
        return replace(linear, name=f"Linear {name}", tags=numbers)
    if curve in (PQ, HLG):
        way = OtherPrimaries(pinned.space(KNOWN[9, curve]), by_chromaticities(PRIMARIES[9][1]), linear)
        return ColourSpace(f"{'PQ' if curve == PQ else 'HLG'} {name}", "scene", way, tags=numbers)
    if curve == 14:  # that of the configuration cuts off what lies outside its gamut
        return ColourSpace("Rec.1886 Rec.2020 - Display", "display", Encoded(Gamma(2.4), linear), tags=numbers)
    curve_name, function = CURVES.get(curve, ("sRGB curve", SrgbCurve()))
    return ColourSpace(f"{curve_name} {name}", "display", Encoded(function, linear), tags=numbers)


def numbers_of(space: ColourSpace) -> tuple[int, int] | None:
    """Primaries and curve of a colour space, None where it has none that a movie could name."""
    return space.tags or NAMED.get(space.name)


def tags_for(space: ColourSpace) -> Tags:
    """How a movie of YUV that was made from pictures in a colour space names it."""
    primaries, curve = numbers_of(space) or NO_TAGS[:2]
    return Tags(primaries, curve, 9 if primaries == 9 else 1, LIMITED)
