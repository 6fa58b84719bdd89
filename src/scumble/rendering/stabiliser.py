"""The stabiliser: each frame is averaged with its neighbours' paintings at the same spot of the scene.

The window is symmetric and there is no memory: a frame depends on its neighbours alone, so chunks equal
the whole. Where the scene cannot be followed (occlusion, fast motion, light that changes) the frame stays
as it was painted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from scumble.rendering.frame import Painting
from scumble.rendering.neighbours import Neighbours
from scumble.shot.motion import Flow, Motion, consistent, inside, resized_flow, speed, warp

Pixels = NDArray[np.float32]

CHANGED = 0.1  # difference between the plates, in display code values, at which trust falls to 1/e

FAST = 0.06  # share of the width a frame: slower motion is trusted fully, motion twice as fast not at all

STROKE = 1 / 180  # share of the height: how far a stroke reaches beyond the edge that it outlines

REACH = 2  # pixels around an untrusted spot that are not trusted either


class Seen(NamedTuple):
    """A frame of the window: the plate in a display space and its painting, both (H, W, 3)."""

    picture: Pixels
    painted: Pixels


def steady(number: int, window: Mapping[int, Seen], motion: Motion) -> Pixels:
    """The painting of frame `number`, averaged over the window along the motion where that can be trusted."""
    own = window[number]
    total = own.painted.copy()
    weight = np.ones((*own.painted.shape[:2], 1), np.float32)
    for other in sorted(window.keys() - {number}):
        brought = carried(number, own.picture, other, window[other], motion)
        if brought is not None:
            painted, trust = brought
            total += trust * painted
            weight += trust
    return np.asarray(total / weight, np.float32)


def carried(number: int, picture: Pixels, other: int, seen: Seen, motion: Motion) -> tuple[Pixels, Pixels] | None:
    """The painting of frame `other` brought onto frame `number`, and the trust in it (H, W, 1).

    Motion that is known at fewer lines is judged at those lines: more would cost much and tell nothing. None if the
    motion is not known.
    """
    there = motion.flow(number, other)
    if there is None:
        return None
    size, full = there.shape[1::-1], picture.shape[1::-1]
    trust = trusted(_at(picture, size), _at(seen.picture, size), there, motion.flow(other, number), abs(other - number))
    return warp(seen.painted, resized_flow(there, full)), _at(trust, full, cv2.INTER_LINEAR)[:, :, None]


def _at(pixels: Pixels, size: tuple[int, ...], how: int = cv2.INTER_AREA) -> Pixels:
    return (
        pixels if pixels.shape[1::-1] == size else np.asarray(cv2.resize(pixels, size, interpolation=how), np.float32)
    )


def trusted(picture: Pixels, other: Pixels, there: Flow, back: Flow | None, frames: int) -> Pixels:
    """How far another frame, so many `frames` away, can be trusted at every pixel (H, W) of this one, from 0 to 1."""
    agreement = inside(there) if back is None else consistent(there, back)
    around = np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)
    holds = cv2.erode(agreement.astype(np.uint8), around, borderValue=1)
    channels = cv2.split(cv2.absdiff(picture, warp(other, there, smooth=False)))
    apart = cv2.max(cv2.max(channels[0], channels[1]), channels[2])
    # Strokes reach beyond the edge that they outline: a shadow that moves over the ground would leave its outlines.
    # Thin untrusted lines are errors of warping: only broader places count, and they are widened.
    side = 2 * (max(2, round(STROKE * there.shape[0])) + 1) + 1
    broad = cv2.dilate(cv2.erode(apart * holds, np.ones((3, 3), np.uint8)), np.ones((side, side), np.uint8))
    apart = cv2.blur(apart, (3, 3), borderType=cv2.BORDER_REPLICATE)  # grain alone is no change
    apart = cv2.max(apart, broad)
    fast = np.sqrt(speed(there)) / (FAST * there.shape[1] * frames)
    trust = np.exp(-np.square(apart / CHANGED)) * np.clip(2 - fast, 0, 1) * holds
    return np.nan_to_num(np.asarray(trust, np.float32))


def steadied(
    numbers: Sequence[int], neighbours: Neighbours, motion: Motion, paintings: Iterator[Painting]
) -> Iterator[Painting]:
    """These frames' paintings, each as soon as its window is complete; `paintings` are those of their windows."""
    known: dict[int, Painting] = {}
    for number in numbers:
        wanted = neighbours.window_of(number)
        while max(known, default=wanted[-1] - 1) < wanted[-1]:
            painting = next(paintings)
            known[painting.frame.number] = painting
            motion.see(painting.frame.number, painting.working.pixels)
        seen = {n: Seen(known[n].working.pixels, known[n].pixels) for n in wanted}
        yield replace(known[number], pixels=steady(number, seen, motion))
        known = {n: p for n, p in known.items() if n > number - neighbours.window}
        motion.forget(number - neighbours.window)
