"""What the painter does to a plate before it paints, and to its painting: patches of colour, dabs.

A painter squints, and sees patches instead of leaves; what a brush leaves is a dab, not a line of one pixel.

A Kuwahara filter: a pixel takes its colour from where it is smoothest around it. Texture goes, edges stay, and what
is left looks dabbed. Here the candidates are all small blurred patches within a radius, and each counts by a power of
its smoothness. So the filter is two blurs and a division, each by rows and columns:

    e = mean over channels of the squared gradient of p, blurred;   w = (SMOOTH / (e + SMOOTH)) ** 4
    simplified p = spread(w * blurred p) / spread(w)

Source: Kuwahara et al. 1976; weights by a power of the variance as in Papari et al. 2007, here of the gradient, whose
sums do not cancel as a variance's do.

On the CPU the filter stands outside the network's graph: OpenVINO computes with three channels as with sixteen, which
takes five times as long. `scumble.network.torch_engine` has the same filter for training and for the GPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scumble.core.threads import allowed_cores, threads

SMOOTH = 1e-4  # mean squared gradient of patches that count as smooth: 2.5 codes a pixel

STRIP = 80_000  # pixels at a time: what is computed with them stays in the processor's cache

# columns beyond the right edge: OpenCV rounds the last values of a row otherwise than the rest, and a pixel's result
# must not depend on where a window ends
BEYOND = 16

Taps = NDArray[np.float32]

Pixels = NDArray[np.float32]


def blur_and_spread(radius: int) -> tuple[Taps, Taps]:
    """Gaussian taps of the patches' blur, half as wide as the radius, and of the places of patches, as wide as it."""
    return _gaussian(radius // 2, radius / 5), _gaussian(radius, 0.35 * radius)


def reach(radius: int) -> int:
    """Pixels to each side that a pixel depends on: patches, their blur, their gradients; none for radius 0."""
    return radius + radius // 2 + 1 if radius else 0


class Simplifier:
    """Recolours a picture and makes it patches of colour, on all the threads that the process may use.

    `matrix` (3, 3) and `offset` (3,) recolour; without them the picture keeps its values, not even rounded. Radius 0
    leaves texture as it is. In f32 always: half the digits would show as steps in skies.
    """

    def __init__(self, radius: int, matrix: Taps | None = None, offset: Taps | None = None) -> None:
        self.radius = radius
        self.recolour = None if matrix is None or offset is None else np.column_stack([matrix, offset])
        if self.recolour is not None and np.array_equal(self.recolour, np.eye(3, 4)):
            self.recolour = None
        self.pool = ThreadPoolExecutor(threads() or allowed_cores())

    def __call__(self, picture: Pixels) -> Pixels:
        """A picture (H, W, 3); edges are replicated."""
        if not self.radius and self.recolour is None:
            return np.ascontiguousarray(picture)
        result = np.empty_like(picture)

        def fill(rows: slice) -> None:
            result[rows] = self._strip(picture, rows)

        list(self.pool.map(fill, self._strips(*picture.shape[:2])))
        return result

    def _strips(self, height: int, width: int) -> Iterator[slice]:
        rows = max(STRIP // width, 2 * reach(self.radius), 1)
        return (slice(top, min(top + rows, height)) for top in range(0, height, rows))

    def _strip(self, picture: Pixels, rows: slice) -> Pixels:
        far, (height, width) = reach(self.radius), picture.shape[:2]
        first, last = max(rows.start - far, 0), min(rows.stop + far, height)
        above, below = far - (rows.start - first), far - (last - rows.stop)
        wide = cv2.copyMakeBorder(picture[first:last], above, below, far, far + BEYOND, cv2.BORDER_REPLICATE)
        if self.recolour is not None:
            wide = cv2.transform(wide, self.recolour)
        strip: Any = _patches(wide, self.radius) if self.radius else wide
        return strip[:, :width]  # type: ignore[no-any-return]


def _patches(wide: Any, radius: int) -> Any:
    """A picture in patches of colour, smaller by the filter's reach on each side."""
    blur, spread = blur_and_spread(radius)
    slope, below = cv2.subtract(wide[1:-1, 2:], wide[1:-1, :-2]), cv2.subtract(wide[2:, 1:-1], wide[:-2, 1:-1])
    slope = cv2.add(cv2.multiply(slope, slope), cv2.multiply(below, below))
    steep = cv2.transform(slope, np.full((1, 3), 1 / 12, np.float32))  # halves of differences, mean of channels
    weight: Any = cv2.sepFilter2D(steep, -1, blur, blur)
    weight += np.float32(SMOOTH)
    np.divide(np.float32(SMOOTH), weight, weight)
    for _ in range(2):
        np.multiply(weight, weight, weight)
    weighted = cv2.multiply(cv2.sepFilter2D(wide[1:-1, 1:-1], -1, blur, blur), cv2.merge([weight] * 3))
    sums, weights = (cv2.sepFilter2D(x, -1, spread, spread) for x in (weighted, weight))
    far = reach(radius) - 1
    kept = np.s_[far:-far, far:-far]
    return cv2.divide(sums[kept], cv2.merge([weights[kept]] * 3))


def _gaussian(radius: int, deviation: float) -> Taps:
    weights = np.exp(-((np.arange(-radius, radius + 1) / deviation) ** 2) / 2)
    taps: Taps = (weights / weights.sum()).astype(np.float32)
    return taps
