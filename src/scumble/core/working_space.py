"""Between plate space, where files live, and working space, where the network sees.

Working space is display-like sRGB, about [0, 1]. Display-referred plates (8- and 16-bit pictures,
movies) are in it already. Scene-referred plates go to linear Rec. 709 and through a gain map: channels
above 0.8 are softly compressed, painted, and multiplied back by plate / compressed in linear light, so
that a lamp at 12.0 stays a lamp and the order of highlights is kept.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from scumble.core.bands import in_bands
from scumble.core.colour import ColourSpace, Pixels, linear_to_srgb, srgb_to_linear

KNEE = np.float32(0.8)  # linear value at which compression sets in

ROOM = np.float32(1.0) - KNEE


class Working(NamedTuple):
    """A plate's frame in the working space and what is needed to take the painting back."""

    pixels: Pixels
    space: ColourSpace
    linear: Pixels | None  # the plate in linear Rec. 709, if it is scene-referred
    gain: Pixels | None  # (H, W, 1), plate / compressed
    bad: NDArray[np.bool_]  # (H, W) NaN or infinite: the plate's own pixel passes
    plate: Pixels


def to_working(pixels: Pixels, space: ColourSpace) -> Working:
    """Plate pixels (H, W, 3) to the working space."""
    bad = np.asarray(in_bands(lambda p: ~np.isfinite(p).all(axis=2), pixels))
    clean = _inpainted(pixels, bad) if bad.any() else pixels
    if space.kind == "display":
        seen = clean if space.conversion is None else in_bands(space.to_reference, clean)
        return Working(seen, space, None, None, bad, pixels)
    linear = clean if space.conversion is None else in_bands(space.to_reference, clean)
    seen, gain = in_bands(_compressed, linear)
    return Working(seen, space, linear, gain, bad, pixels)


def _compressed(linear: Pixels) -> tuple[Pixels, Pixels]:
    """Linear light (H, W, 3) as it is seen, and the gain (H, W, 1) by which highlights were brought down."""
    above = np.maximum(linear, 0)
    peak = above.max(axis=2, keepdims=True)
    over = np.maximum(peak - KNEE, 0)
    compressed = np.where(over > 0, KNEE + ROOM * (1 - np.exp(-over / ROOM)), peak)
    gain = np.where(over > 0, peak / np.maximum(compressed, 1e-6), np.float32(1)).astype(np.float32)
    return linear_to_srgb((above / gain).astype(np.float32)), gain


def from_working(painted: Pixels, working: Working) -> Pixels:
    """The painting in plate space; values are not clamped.

    What painting has changed is added to a scene-referred plate in linear light: where nothing was
    painted the plate is left as it was, to the bit where its space is linear, with all that lies below 0
    or outside the working space.
    """
    bad = working.bad if working.bad.any() else None
    parts = (painted, working.pixels, working.linear, working.gain, bad, working.plate)
    result: Pixels = in_bands(lambda *rows: _taken_back(working.space, *rows), *parts)
    return result


def _taken_back(
    space: ColourSpace,
    painted: Pixels,
    seen: Pixels,
    linear: Pixels | None,
    gain: Pixels | None,
    bad: NDArray[np.bool_] | None,
    plate: Pixels,
) -> Pixels:
    """See `from_working`."""
    if gain is None or linear is None:
        result = space.from_reference(painted)
    else:
        change = (srgb_to_linear(painted) - srgb_to_linear(seen)) * gain
        result = plate + space.from_reference(change) if space.is_linear else space.from_reference(linear + change)
    return result if bad is None else np.where(bad[:, :, None], plate, result).astype(np.float32)


def _inpainted(pixels: Pixels, bad: NDArray[np.bool_]) -> Pixels:
    """Bad pixels (H, W) of (H, W, 3) filled from around: from ever smaller averages of the good ones, and up again."""
    weight = (~bad).astype(np.float32)[:, :, None]
    levels = [(np.where(bad[:, :, None], np.float32(0), pixels), weight)]
    while not (levels[-1][1] > 0).all() and max(levels[-1][1].shape[:2]) > 1:
        premultiplied, weight = levels[-1]
        size = ((weight.shape[1] + 1) // 2, (weight.shape[0] + 1) // 2)
        smaller = cv2.resize(np.concatenate([premultiplied, weight], axis=2), size, interpolation=cv2.INTER_AREA)
        known = np.asarray(smaller, np.float32)
        levels.append((known[:, :, :3], known[:, :, 3:]))
    filled: Pixels = np.zeros((1, 1, 3), np.float32)
    for premultiplied, weight in reversed(levels):
        coarser = cv2.resize(filled, weight.shape[1::-1], interpolation=cv2.INTER_LINEAR).reshape(premultiplied.shape)
        filled = np.where(weight > 0, premultiplied / np.maximum(weight, np.float32(1e-12)), coarser).astype(np.float32)
    return np.where(bad[:, :, None], filled, pixels).astype(np.float32)
