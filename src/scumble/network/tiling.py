"""A large frame in strips that join exactly, and any frame size on the network's stride grid."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from math import gcd

import numpy as np
from numpy.typing import NDArray

from scumble.core.frames import Margin

Pixels = NDArray[np.float32]

STRIP_PIXELS = 2_500_000  # rows are cut so that a window has about as many pixels: some 1 GB of activations


def strips(height: int, rows: int, halo: int, stride: int) -> Iterator[tuple[int, int, int, int]]:
    """(first, last, top, bottom): rows [first, last) are kept of the window [top, bottom).

    Windows start on the stride grid and have the full receptive-field halo, but for the frame's own
    border; `height` is a multiple of the stride.
    """
    step = max(stride, rows // stride * stride)
    for first in range(0, height, step):
        last = min(first + step, height)
        yield first, last, max(0, first - halo), min(height, last + halo)


def on_grid(
    size: tuple[int, int], network: tuple[int, int], margin: Margin, stride: int
) -> tuple[tuple[int, int], Margin]:
    """Network size and margin for a picture with overscan, its display window on the network's stride grid.

    `size` and `network` are (width, height) of the display window. Anchored there, the grid stands still
    under a data window that moves. The scale becomes a ratio of small numbers, so that a margin of
    whole pixels is a whole number of strides.
    """
    scale = _ratio(size, network)
    unit = scale.denominator * stride // gcd(scale.numerator, stride)
    left, top = (-(-side // unit) * unit for side in margin[:2])
    right, bottom = (
        after + -(length + before + after) % scale.denominator
        for length, before, after in zip(size, (left, top), margin[2:], strict=True)
    )
    return (max(16, round(size[0] * scale)), max(16, round(size[1] * scale))), Margin(left, top, right, bottom)


def canvas(size: tuple[int, int], network: tuple[int, int], margin: Margin) -> tuple[int, int]:
    """Network size (width, height) of display window and margin."""
    if not any(margin):
        return network
    scale = _ratio(size, network)
    return (
        int((size[0] + margin.left + margin.right) * scale),
        int((size[1] + margin.top + margin.bottom) * scale),
    )


def _ratio(size: tuple[int, int], network: tuple[int, int]) -> Fraction:
    scale = Fraction(network[1], size[1])
    return scale.limit_denominator(64) or Fraction(1, round(1 / scale))


def paint(
    pixels: Pixels,
    painter: Callable[[Pixels], Pixels],
    stride: int,
    halo: int,
    strip_pixels: int = STRIP_PIXELS,
) -> Pixels:
    """Run a painter on a frame (H, W, 3) of any size: edges replicated to the stride, in strips when large.

    The result does not depend on `strip_pixels` (OpenVINO on one machine: to the bit).
    """
    height, width = pixels.shape[:2]
    beyond = ((0, -height % stride), (0, -width % stride), (0, 0))
    padded = np.pad(pixels, beyond, mode="edge") if np.any(beyond) else pixels
    rows = max(stride, strip_pixels // padded.shape[1])
    if padded.shape[0] <= rows:
        return painter(padded)[:height, :width]
    result = np.empty_like(padded)
    for first, last, top, bottom in strips(padded.shape[0], rows, halo, stride):
        result[first:last] = painter(padded[top:bottom])[first - top : last - top]
    return result[:height, :width]
