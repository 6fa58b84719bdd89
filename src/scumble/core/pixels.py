"""Pictures resized, and a painting made at proxy size brought to the plate's full size with the plate's detail.

Joint upsampling by the fast guided filter [He and Sun 1505.00996]: at proxy size the painting is
locally a linear function of the plate's luma; those functions, interpolated, are applied to the
full-size luma. Edges land where the plate has them, and strokes keep their own size.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from scumble.core.colour import LUMA

Pixels = NDArray[np.float32]


def resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """To (width, height): area averages when smaller, bicubic when larger."""
    height, width = pixels.shape[:2]
    if (width, height) == size:
        return pixels
    smaller = size[0] < width
    result = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    return np.asarray(result, np.float32)


def box_mean(x: Pixels, radius: int) -> Pixels:
    """The mean over a square of 2 radius + 1 pixels, edges replicated; what guided filters are made of [He 2013]."""
    window = (2 * radius + 1, 2 * radius + 1)
    return np.asarray(cv2.blur(x, window, borderType=cv2.BORDER_REPLICATE), np.float32)


def joint_upsample(painted: Pixels, proxy: Pixels, plate: Pixels, radius: int = 2, epsilon: float = 4e-3) -> Pixels:
    """`painted` and `proxy` (h, w, 3), `plate` (H, W, 3): the painting at (H, W, 3).

    `epsilon` is the variance of luma below which the plate's detail is left out.
    """
    size = (plate.shape[1], plate.shape[0])
    weights = np.asarray(LUMA, np.float32)
    low = (proxy @ weights)[:, :, None]
    high = (plate @ weights)[:, :, None]

    def mean(x: Pixels) -> Pixels:
        y = box_mean(x, radius)
        return y[:, :, None] if y.ndim == 2 else y

    mean_low, mean_painted = mean(low), mean(painted)
    covariance = mean(low * painted) - mean_low * mean_painted
    variance = mean(low * low) - mean_low * mean_low
    slope = covariance / (variance + np.float32(epsilon))
    # only the detail that the proxy lost is added, so that strokes stay as they were painted
    detail = high - resized(low[:, :, 0], size)[:, :, None]
    whole = resized(mean(slope.astype(np.float32)), size)
    whole *= detail  # in place: these are large
    whole += resized(painted, size)
    return whole
