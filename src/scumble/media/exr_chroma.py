"""EXR of luminance and chroma (Y, RY, BY), whose chroma has a quarter of the pixels, as RGB.

[OpenEXR, Technical Introduction: RY = (R - Y) / Y, BY = (B - Y) / Y, Y by the file's primaries.]
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scumble.core.colour import REC_709, luminance_of

CHROMA = {"RY", "BY"}


def as_rgb(part: Any) -> dict[str, Any]:
    """The channels of a part of `OpenEXR.File`, with R, G and B in place of Y, RY and BY."""
    import OpenEXR

    channels = dict(part.channels)
    if not {"Y", *CHROMA} <= channels.keys():
        return channels
    luma = channels["Y"].pixels.astype(np.float32)
    red, blue = (luma * (_full_size(channels[name], luma.shape) + 1) for name in ("RY", "BY"))
    weights = luminance_of()
    with suppress(ValueError, np.linalg.LinAlgError):
        weights = luminance_of(part.header.get("chromaticities", REC_709))
    green = (luma - np.float32(weights[0]) * red - np.float32(weights[2]) * blue) / np.float32(weights[1])
    kept = {name: channel for name, channel in channels.items() if name not in {"Y", *CHROMA}}
    kind = channels["Y"].pixels.dtype
    return kept | {
        name: OpenEXR.Channel(np.ascontiguousarray(plane, kind), 1, 1)
        for name, plane in zip("RGB", (red, green, blue), strict=True)
    }


def _full_size(channel: Any, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """A plane that has the pixels of even rows and columns only; lines lead from one to the next."""
    plane = channel.pixels.astype(np.float32)
    for axis, (step, size) in enumerate(zip((channel.ySampling, channel.xSampling), shape, strict=True)):
        places, last = np.arange(size) / step, plane.shape[axis] - 1
        low = np.minimum(places.astype(int), last)
        share = (places - low).astype(np.float32).reshape((-1, 1) if axis == 0 else (1, -1))
        before, after = (plane.take(np.minimum(at, last), axis=axis) for at in (low, low + 1))
        plane = before + share * (after - before)
    return np.asarray(plane, np.float32)
