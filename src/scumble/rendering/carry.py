"""Painted key frames, carried along a shot: what a matched look's network left out of them moves with the plate.

A network sees a part of the frame and knows nothing of where in the scene that is: marks that a painter
set where the plate shows nothing it cannot repeat. What is missing from its painting of each key frame
is therefore brought along by optical flow, to where both ways of the flow agree and the plate still
looks the same; elsewhere the network's painting stands alone. A frame depends on its own plate and the
key frames', on none of its neighbours, so chunks equal the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from scumble.core.frames import Pixels
from scumble.core.pixels import resized
from scumble.shot.motion import Flow, consistency, grey, inside, optical_flow, resized_flow, warp

CHANGED = 0.15  # difference between the plates, in display code values, at which trust falls to 1/e

SOFT = 1.5  # pixels of flow over which trust fades, so that residuals have no hard edge


class Residual(NamedTuple):
    """A painted frame's plate, and painting minus what the network paints: (H, W, 3), at the network's size."""

    number: int
    plate: Pixels
    missing: Pixels


class Carrier:
    """Carries residuals of painted frames onto other frames; `amount` from 0 to 1 is how much of them.

    `corner` is where, in pixels down and right, the display window of the key frames stands in what is
    painted: overscan gets nothing and is not looked at, so that the window's pixels do not depend on it.
    """

    def __init__(self, left: Sequence[Residual], amount: float = 1.0, corner: tuple[int, int] = (0, 0)) -> None:
        self.left, self.amount, self.corner = tuple(left), np.float32(amount), corner
        self.greys = [grey(key.plate) for key in self.left]
        self.small = [
            resized(key.plate, (g.shape[1], g.shape[0])) for key, g in zip(self.left, self.greys, strict=True)
        ]

    def __call__(self, number: int, plate: Pixels, painted: Pixels) -> Pixels:
        """A painting (H, W, 3) of a frame plus the residuals carried to it; `plate` is the frame in the working space.

        Nearer key frames count for more, by the square of their distance; a key frame itself comes as it was painted.
        """
        if not self.left:
            return painted
        height, width = self.left[0].plate.shape[:2]
        window = np.s_[self.corner[0] : self.corner[0] + height, self.corner[1] : self.corner[1] + width]
        result = painted.copy()
        result[window] += self.amount * self._brought(number, np.ascontiguousarray(plate[window]))
        return result

    def _brought(self, number: int, plate: Pixels) -> Pixels:
        total, weights = np.zeros_like(plate), np.zeros((*plate.shape[:2], 1), np.float32)
        most = np.zeros_like(weights)
        size, own = (plate.shape[1], plate.shape[0]), grey(plate)
        seen = resized(plate, (own.shape[1], own.shape[0]))
        for key, theirs, small in zip(self.left, self.greys, self.small, strict=True):
            if key.number == number:
                return key.missing
            there, back = optical_flow(own, theirs), optical_flow(theirs, own)
            trust = trusted(seen, small, there, back)
            trust = resized(trust, size).clip(0, 1)[:, :, None]
            weight = trust / np.float32((number - key.number) ** 2)
            total += weight * warp(key.missing, resized_flow(there, size))
            weights += weight
            most = np.maximum(most, trust)
        return np.asarray(most * total / np.maximum(weights, np.float32(1e-9)), np.float32)


def trusted(plate: Pixels, key: Pixels, there: Flow, back: Flow) -> Pixels:
    """Trust in a painted frame at every pixel (H, W) of a frame, from 0 to 1, at the flow's size."""
    trust = np.exp(-consistency(there, back)) * inside(there)
    apart = np.abs(plate - warp(key, there, smooth=False)).max(axis=2)
    apart = cv2.blur(np.asarray(apart, np.float32), (3, 3), borderType=cv2.BORDER_REPLICATE)  # grain is no change
    trust = np.nan_to_num(trust * np.exp(-np.square(apart / CHANGED))).astype(np.float32)
    trust = cv2.erode(trust, np.ones((3, 3), np.uint8), borderValue=1)
    return np.asarray(cv2.GaussianBlur(trust, (0, 0), SOFT, borderType=cv2.BORDER_REPLICATE), np.float32)
