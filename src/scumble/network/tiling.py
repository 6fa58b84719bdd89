"""A large frame in windows that join exactly, and any frame size on the network's stride grid."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise, product
from math import gcd, prod

import numpy as np
from numpy.typing import NDArray

from scumble.core.frames import Margin

Pixels = NDArray[np.float32]

WINDOW_PIXELS = 2_500_000  # that the network sees at once: some 600 MB
LEAST_WINDOW = 1 << 18  # pixels; in smaller windows nearly all is halo

MOST_WINDOWS = 64  # along a side

Span = tuple[int, int, int, int]


@lru_cache(64)
def tiles(size: tuple[int, int], halo: int, stride: int, most: int) -> tuple[list[Span], list[Span]]:
    """Windows that cover a picture of `size` (rows, columns), as few computed pixels as can be: along both sides.

    Each is (first, last, start, end): rows or columns [first, last) are kept of the window [start, end). All
    windows have one shape, of `most` pixels at most where that can be; they start on the stride grid and have
    the halo of the receptive field, but for the picture's own border. Sides and halo are multiples of the stride.
    """
    counts = (range(1, 1 + max(1, min(MOST_WINDOWS, (length - 2 * halo) // stride))) for length in size)
    rows, columns = ([_spans(length, halo, stride, n) for n in few] for length, few in zip(size, counts, strict=True))

    def window(along: tuple[list[Span], list[Span]]) -> int:
        return prod(spans[0][3] - spans[0][2] for spans in along)

    pairs = list(product(rows, columns))
    small = [pair for pair in pairs if window(pair) <= most] or [min(pairs, key=window)]
    return min(small, key=lambda pair: (window(pair) * len(pair[0]) * len(pair[1]), len(pair[0])))


def _spans(length: int, halo: int, stride: int, count: int) -> list[Span]:
    """`count` windows along a side, one as long as the other."""
    longest = -(-(length - 2 * halo) // (count * stride)) * stride + 2 * halo if count > 1 else length
    starts = [round(i * (length - longest) / max(1, count - 1) / stride) * stride for i in range(count)]
    borders = [0, *(start + halo for start in starts[1:]), length]
    return [(*kept, start, start + longest) for kept, start in zip(pairwise(borders), starts, strict=True)]


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
    window_pixels: int = WINDOW_PIXELS,
) -> Pixels:
    """Run a painter on a frame (H, W, 3) of any size: edges replicated to the stride, in windows when large.

    The result does not depend on `window_pixels` (OpenVINO on one machine: to the bit).
    """
    height, width = pixels.shape[:2]
    beyond = ((0, -height % stride), (0, -width % stride), (0, 0))
    padded = np.pad(pixels, beyond, mode="edge") if np.any(beyond) else pixels
    if padded.shape[0] * padded.shape[1] <= window_pixels:
        return painter(padded)[:height, :width]
    result = np.empty_like(padded)
    rows, columns = tiles(padded.shape[:2], halo, stride, window_pixels)
    for (top, bottom, above, below), (left, right, before, after) in product(rows, columns):
        painted = painter(np.ascontiguousarray(padded[above:below, before:after]))
        result[top:bottom, left:right] = painted[top - above : bottom - above, left - before : right - before]
    return result[:height, :width]
