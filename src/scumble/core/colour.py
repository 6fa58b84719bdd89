"""Colour spaces: display-referred or scene-linear, by name or by chromaticities, and the sRGB curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from scumble.core.bands import in_bands
from scumble.core.errors import BadPlate

Pixels = NDArray[np.float32]

LUMA = (0.2126, 0.7152, 0.0722)  # of Rec. 709 red, green, blue


class Conversion(Protocol):
    """Converts between a colour space and `DISPLAY` or `LINEAR`, whichever is of its kind."""

    def to_reference(self, pixels: Pixels) -> Pixels:
        """Pixels (..., 3) of the space to linear Rec. 709 or sRGB."""
        ...

    def from_reference(self, pixels: Pixels) -> Pixels:
        """The inverse of `to_reference`."""
        ...


@dataclass(frozen=True)
class ColourSpace:
    """What the numbers of a plate mean: of a display, or of the scene before the camera."""

    name: str
    kind: Literal["display", "scene"]
    conversion: Conversion | None = None  # None: `DISPLAY` or `LINEAR`
    is_linear: bool = False
    tags: tuple[int, int] | None = field(default=None, compare=False)  # primaries and curve as ITU-T H.273 numbers them
    of_grey: bool = False  # of pictures of one channel only

    def to_reference(self, pixels: Pixels) -> Pixels:
        """Pixels (..., 3) to `DISPLAY` or `LINEAR`, by the space's kind."""
        return pixels if self.conversion is None else self.conversion.to_reference(pixels)

    def from_reference(self, pixels: Pixels) -> Pixels:
        """The inverse of `to_reference`."""
        return pixels if self.conversion is None else self.conversion.from_reference(pixels)

    def __str__(self) -> str:
        return self.name


DISPLAY = ColourSpace("sRGB", "display")  # display-referred Rec. 709 primaries with the sRGB curve

LINEAR = ColourSpace("lin_rec709", "scene", is_linear=True)  # scene-linear Rec. 709 primaries

REC_709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)  # x, y of red, green, blue, white


def linear_to_srgb(x: Pixels) -> Pixels:
    """IEC 61966-2-1, extended: negative values mirrored, values above 1 follow the same curve.

    >>> round(float(linear_to_srgb(np.float32([0.18]))[0]), 5)
    0.46136
    """
    a = np.abs(x)
    curved = np.where(a <= 0.0031308, a * 12.92, 1.055 * np.maximum(a, 1e-9) ** (1 / 2.4) - 0.055)
    y: Pixels = np.copysign(curved, x).astype(np.float32)
    return y


def srgb_to_linear(x: Pixels) -> Pixels:
    """The inverse of `linear_to_srgb`.

    >>> round(float(srgb_to_linear(np.float32([0.46135613]))[0]), 5)
    0.18
    """
    a = np.abs(x)
    curved = np.where(a <= 0.04045, a / 12.92, ((a + 0.055) / 1.055) ** 2.4)
    y: Pixels = np.copysign(curved, x).astype(np.float32)
    return y


@dataclass(frozen=True)
class _Matrix:
    """A linear space by the rows of its matrix to linear Rec. 709."""

    rows: tuple[tuple[float, ...], ...]

    def to_reference(self, pixels: Pixels) -> Pixels:
        return np.asarray(pixels @ np.array(self.rows, np.float32).T, np.float32)

    def from_reference(self, pixels: Pixels) -> Pixels:
        return np.asarray(pixels @ np.linalg.inv(self.rows).astype(np.float32).T, np.float32)


class Curve(Protocol):
    """Between the codes of a display, where 1 is white, and linear light."""

    def decoded(self, codes: Pixels) -> Pixels:
        """Linear light of codes."""
        ...

    def encoded(self, light: Pixels) -> Pixels:
        """The inverse of `decoded`."""
        ...


@dataclass(frozen=True)
class Gamma:
    """A power of the codes; negative ones are mirrored."""

    exponent: float
    white: float = 1.0  # light of code 1

    def decoded(self, codes: Pixels) -> Pixels:
        return np.asarray(np.copysign(np.abs(codes) ** self.exponent * self.white, codes), np.float32)

    def encoded(self, light: Pixels) -> Pixels:
        return np.asarray(np.copysign((np.abs(light) / self.white) ** (1 / self.exponent), light), np.float32)


@dataclass(frozen=True)
class SrgbCurve:
    """See `linear_to_srgb`."""

    def decoded(self, codes: Pixels) -> Pixels:
        return srgb_to_linear(codes)

    def encoded(self, light: Pixels) -> Pixels:
        return linear_to_srgb(light)


@dataclass(frozen=True)
class Encoded:
    """The conversion of a display-referred space: codes of a curve over the primaries of a linear space."""

    curve: Curve
    linear: ColourSpace

    def to_reference(self, pixels: Pixels) -> Pixels:
        return linear_to_srgb(self.linear.to_reference(self.curve.decoded(pixels)))

    def from_reference(self, pixels: Pixels) -> Pixels:
        return self.curve.encoded(self.linear.from_reference(srgb_to_linear(pixels)))


def by_chromaticities(chromaticities: Sequence[float]) -> ColourSpace:
    """A linear space of any red, green, blue and white x, y; white is adapted by Bradford's matrix [Lam 1985].

    Raises BadPlate for primaries that span no colours.
    """
    try:
        own, rec709 = _to_xyz(chromaticities), _to_xyz(REC_709)
        bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
        cones = bradford @ rec709.sum(axis=1), bradford @ own.sum(axis=1)
        adapted = np.linalg.inv(bradford) @ np.diag(cones[0] / cones[1]) @ bradford
        rows = np.linalg.inv(rec709) @ adapted @ own
        np.linalg.inv(rows)
        if not np.isfinite(rows).all():
            raise ValueError("infinite")
    except (ValueError, np.linalg.LinAlgError) as error:
        raise BadPlate(
            f"chromaticities {tuple(chromaticities)} span no colours; name a space with --in-space"
        ) from error
    name = "linear " + " ".join(f"{v:.4g}" for v in chromaticities)
    return ColourSpace(name, "scene", _Matrix(tuple(map(tuple, rows.tolist()))), is_linear=True)


def luminance_of(chromaticities: Sequence[float] = REC_709) -> NDArray[np.float64]:
    """What red, green and blue of these primaries add to luminance: three numbers whose sum is 1. Raises ValueError."""
    return np.asarray(_to_xyz(chromaticities)[1])


def _to_xyz(chromaticities: Sequence[float]) -> NDArray[np.float64]:
    """Matrix from RGB of these primaries to XYZ, white at Y = 1 [SMPTE RP 177]."""
    if len(chromaticities) != 8:
        raise ValueError("eight numbers were expected")
    xy = np.array(chromaticities, np.float64).reshape(4, 2)
    xyz = np.column_stack([xy, 1 - xy.sum(axis=1)]).T
    primaries, white = xyz[:, :3], xyz[:, 3]
    if white[1] == 0:
        raise ValueError("a white without light")
    return np.asarray(primaries * np.linalg.solve(primaries, white / white[1]))


def converted(pixels: Pixels, source: ColourSpace, target: ColourSpace) -> Pixels:
    """Pixels (..., 3) in another space. Nothing is clamped, no view is applied."""
    if source == target:
        return pixels
    if pixels.ndim == 3:
        whole: Pixels = in_bands(lambda rows: _converted(rows, source, target), pixels)
        return whole
    return _converted(pixels, source, target)


def _converted(pixels: Pixels, source: ColourSpace, target: ColourSpace) -> Pixels:
    light = source.to_reference(pixels)
    if (source.kind, target.kind) == ("display", "scene"):
        light = srgb_to_linear(light)
    elif (source.kind, target.kind) == ("scene", "display"):
        light = linear_to_srgb(light)
    return target.from_reference(light)


def over_black(pixels: Pixels, alpha: Pixels, space: ColourSpace) -> Pixels:
    """Straight colours (H, W, 3) over black by alpha (H, W, 1), in linear light: for files without alpha."""
    if (alpha == 1).all():
        return pixels
    if space.is_linear:
        return pixels * alpha
    linear = space.to_reference(pixels)
    if space.kind == "scene":
        return space.from_reference(linear * alpha)
    return space.from_reference(linear_to_srgb(srgb_to_linear(linear) * alpha))


def mixed(plate: Pixels, painted: Pixels, share: Pixels, space: ColourSpace) -> Pixels:
    """`share` (H, W, 1) of `painted` over `plate`, (H, W, 3) both, in linear light; 0 and 1 keep every bit."""
    with np.errstate(invalid="ignore", over="ignore"):
        if space.is_linear:
            mix = plate + share * (painted - plate)
        else:
            under, over = space.to_reference(plate), space.to_reference(painted)
            if space.kind == "display":
                under, over = srgb_to_linear(under), srgb_to_linear(over)
            linear = under + share * (over - under)
            mix = space.from_reference(linear_to_srgb(linear) if space.kind == "display" else linear)
    return np.where(share <= 0, plate, np.where(share >= 1, painted, mix)).astype(np.float32)
