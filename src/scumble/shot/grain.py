"""Grain taken off a plate before it is painted, so that strokes do not crawl with it, and given back after."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from scumble.core.colour import LUMA
from scumble.core.pixels import box_mean

Pixels = NDArray[np.float32]

RADIUS = 2  # pixels around a pixel that its local mean is taken over

STRENGTH = 3.0  # in deviations of the grain: smaller variation counts as grain


def deviation(picture: Pixels) -> float:
    """Standard deviation of the grain in luma of a picture (H, W, 3), in its own units.

    The second derivative in both directions leaves noise and little else [Immerkaer
    1996]; the median over the picture keeps texture and edges out of it.
    """
    luma = np.ascontiguousarray(picture @ np.asarray(LUMA, np.float32))
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
    left = cv2.filter2D(luma, cv2.CV_32F, kernel)[1:-1, 1:-1]
    # clipped and graphic parts have no grain, and tell nothing about the rest
    differences = np.abs(left[left != 0])
    return float(np.median(differences) / 0.6745) if differences.size else 0.0


def removed(picture: Pixels, grain: float) -> Pixels:
    """The picture (H, W, 3) without grain of that deviation: a guided filter by itself [He 2013]; edges stay."""
    if grain <= 0:
        return picture
    local = box_mean(picture, RADIUS)
    variance = np.maximum(box_mean(picture * picture, RADIUS) - local * local, 0)
    slope = np.asarray(variance / (variance + np.float32((STRENGTH * grain) ** 2)), np.float32)
    return np.asarray(box_mean(slope, RADIUS) * picture + box_mean(local - slope * local, RADIUS), np.float32)
