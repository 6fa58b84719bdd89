"""A large frame in strips that join exactly, and any frame size on the network's stride grid."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

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
    padded = np.pad(pixels, ((0, -height % stride), (0, -width % stride), (0, 0)), mode="edge")
    rows = max(stride, strip_pixels // padded.shape[1])
    if padded.shape[0] <= rows:
        return painter(padded)[:height, :width]
    result = np.empty_like(padded)
    for first, last, top, bottom in strips(padded.shape[0], rows, halo, stride):
        result[first:last] = painter(padded[top:bottom])[first - top : last - top]
    return result[:height, :width]
