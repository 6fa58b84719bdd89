"""Between plate space, where files live, and working space, where the network sees.

Working space is display-like sRGB, about [0, 1]. Display-referred plates (8- and 16-bit pictures,
movies) are in it already. Scene-linear plates go through a gain map: channels above 0.8 are softly
compressed, painted, and multiplied back by plate / compressed in linear light, so that a lamp at
12.0 stays a lamp and the order of highlights is kept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]

LUMA = (0.2126, 0.7152, 0.0722)  # of Rec. 709 red, green, blue
DISPLAY = "sRGB"  # display-referred Rec. 709 primaries with the sRGB curve
LINEAR = "lin_rec709"  # scene-linear Rec. 709 primaries
KNEE = np.float32(0.8)  # linear value at which compression sets in
ROOM = np.float32(1.0) - KNEE


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


class Working(NamedTuple):
    """A plate's frame in the working space and what is needed to take the painting back."""

    pixels: Pixels
    gain: Pixels | None  # (H, W, 1), plate / compressed
    below: Pixels | None  # what was under 0, given back after painting
    bad: NDArray[np.bool_] | None  # (H, W) NaN or infinite: the plate's own pixel passes
    plate: Pixels


def to_working(pixels: Pixels, colour_space: str) -> Working:
    """Plate pixels (H, W, 3) to the working space."""
    if colour_space != LINEAR:
        return Working(pixels, None, None, None, pixels)
    bad = np.asarray(~np.isfinite(pixels).all(axis=2))
    clean = np.where(bad[:, :, None], np.float32(0), pixels)
    if bad.any():
        clean = _inpainted(clean, bad)
    below = np.minimum(clean, 0)
    above = np.maximum(clean, 0)
    peak = above.max(axis=2, keepdims=True)
    over = np.maximum(peak - KNEE, 0)
    compressed = np.where(over > 0, KNEE + ROOM * (1 - np.exp(-over / ROOM)), peak)
    gain = np.where(over > 0, peak / np.maximum(compressed, 1e-6), np.float32(1)).astype(np.float32)
    return Working(linear_to_srgb((above / gain).astype(np.float32)), gain, below, bad, pixels)


def from_working(painted: Pixels, working: Working) -> Pixels:
    """The painting in plate space; values are not clamped."""
    if working.gain is None or working.below is None or working.bad is None:
        return painted
    linear = srgb_to_linear(painted) * working.gain + working.below
    result: Pixels = np.where(working.bad[:, :, None], working.plate, linear).astype(np.float32)
    return result


def _inpainted(pixels: Pixels, bad: NDArray[np.bool_]) -> Pixels:
    """Bad pixels filled with the mean of the good ones around them, growing inwards."""
    pixels = pixels.copy()
    known = ~bad
    if not known.any():
        return pixels
    while not known.all():
        total, count = np.zeros_like(pixels), np.zeros(known.shape, np.float32)
        for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            beside = np.roll(known, (dy, dx), (0, 1))
            if dy:
                beside[0 if dy > 0 else -1] = False
            else:
                beside[:, 0 if dx > 0 else -1] = False
            total += np.roll(pixels, (dy, dx), (0, 1)) * beside[:, :, None]
            count += beside
        new = ~known & (count > 0)
        pixels[new] = total[new] / count[new, None]
        known |= new
    return pixels
