"""Black and white points: pixels that are black or white in the plate stay so in the painting."""

from __future__ import annotations

import numpy as np

from scumble.core.frames import Pixels

RARE = 0.1  # per cent of a frame's pixels that may lie beyond its points

REACH = 0.25  # share of the range between the points over which the painting fades in

BLACKEST, WHITEST = 0.2, 0.8  # a shot whose points are not this dark or light has no black or white to keep


def points(pixels: Pixels) -> tuple[float, float]:
    """Black and white point of a picture (H, W, 3) in the working space: rare in the lightest and darkest channel."""
    black = float(np.percentile(pixels.max(axis=2), RARE))
    white = float(np.percentile(pixels.min(axis=2), 100 - RARE))
    return min(max(black, 0.0), BLACKEST), max(min(white, 1.0), WHITEST)


def keep_black_and_white(painted: Pixels, plate: Pixels, black: float, white: float) -> Pixels:
    """The painting (H, W, 3) with the plate's own pixels at its black and white points and beyond.

    A pixel is black when all its channels are, white likewise; colours are neither.
    """
    reach = np.float32(REACH * (white - black))
    above = (plate.max(axis=2, keepdims=True) - np.float32(black)) / reach
    below = (np.float32(white) - plate.min(axis=2, keepdims=True)) / reach
    near = np.clip(np.minimum(above, below), 0, 1)
    share = near * near * (3 - 2 * near)
    return np.where(share <= 0, plate, plate + share * (painted - plate)).astype(np.float32)
