"""Grain taken off a plate before it is painted, so that strokes do not crawl with it, and given back after."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from scumble.core.colour import LUMA

Pixels = NDArray[np.float32]

RADIUS = 2  # pixels around a pixel that its local mean is taken over

STRENGTH = 3.0  # deviations of the grain below which variation counts as grain


def deviation(picture: Pixels) -> float:
    """Standard deviation of the grain in luma of a picture (H, W, 3), in its own units.

    The picture is taken twice differentiated both ways, which leaves noise and little else [Immerkaer
    1996]; the median over the picture keeps texture and edges out of it.
    """
    luma = np.ascontiguousarray(picture @ np.asarray(LUMA, np.float32))
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
    left = cv2.filter2D(luma, cv2.CV_32F, kernel)[1:-1, 1:-1]
    # clipped and graphic parts have no grain at all, and say nothing of the others'
    found = np.abs(left[left != 0])
    return float(np.median(found) / 0.6745) if found.size else 0.0


def removed(picture: Pixels, grain: float) -> Pixels:
    """The picture (H, W, 3) without grain of that deviation: a guided filter by itself [He 2013]; edges stay."""
    if grain <= 0:
        return picture
    window, epsilon = (2 * RADIUS + 1, 2 * RADIUS + 1), np.float32((STRENGTH * grain) ** 2)

    def mean(x: Pixels) -> Pixels:
        return np.asarray(cv2.blur(x, window, borderType=cv2.BORDER_REPLICATE), np.float32)

    local = mean(picture)
    variance = np.maximum(mean(picture * picture) - local * local, 0)
    slope = np.asarray(variance / (variance + epsilon), np.float32)
    return np.asarray(mean(slope) * picture + mean(local - slope * local), np.float32)
