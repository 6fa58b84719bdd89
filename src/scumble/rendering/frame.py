"""The way of one frame: from plate space to working space, through the look, to full size, mixed, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from scumble.core.colour import DISPLAY, mixed
from scumble.core.frames import Frame, Paint, Pixels
from scumble.core.pixels import joint_upsample, resized
from scumble.core.working_space import Working, from_working, to_working
from scumble.network.baked import BakedLook
from scumble.network.engine import Painter
from scumble.network.tiling import WINDOW_PIXELS, paint
from scumble.rendering.carry import Carrier
from scumble.shot.black_points import keep_black_and_white
from scumble.shot.grain import removed


@dataclass(frozen=True)
class LookInFrame:
    """A baked look, what computes it, its share in a frame, and what brings its key frames along."""

    baked: BakedLook
    painter: Painter
    share: float = 1.0
    carrier: Carrier | None = None
    window_pixels: int = WINDOW_PIXELS
    """That the network sees at once."""

    def paint(self, pixels: Pixels) -> Pixels:
        """A picture (H, W, 3) at the network's size as the network alone paints it."""
        return paint(pixels, self.painter, self.baked.architecture.stride, self.baked.halo, self.window_pixels)


@dataclass(frozen=True)
class Painting:
    """A frame, its picture and its painting (H, W, 3) in the working space, and the grain to give back."""

    frame: Frame
    working: Working
    pixels: Pixels
    grain: Pixels | None = None
    held_from: int | None = None
    points: tuple[float, float] | None = None
    """Black and white point that are kept."""
    matte: Pixels | None = None
    """(H, W, 1), how much of the frame is painted; None is all of it."""

    @property
    def painted_from(self) -> int:
        """Number of the frame that was painted; another frame's if the painting is held."""
        return self.frame.number if self.held_from is None else self.held_from


def paint_frame(looks: Sequence[LookInFrame], frame: Frame, size: tuple[int, int], strength: float) -> Pixels:
    """One frame (H, W, 3) in plate space to its painting in plate space; `size` is the network's."""
    return finished(painting_of(looks, frame, size), strength)


def painting_of(
    looks: Sequence[LookInFrame],
    frame: Frame,
    size: tuple[int, int],
    grain: Literal["keep", "remove"] | None = None,
    hold_blacks: bool = False,
) -> Painting:
    """Paint a frame at the network's size and bring the painting to the plate's.

    Paintings of several looks are mixed in the working space by their shares, which sum to 1. With
    `grain` the plate's, as it was measured with the statistics, is not painted; `keep` gives it back;
    `hold_blacks` keeps the black and white points that were measured with them.
    """
    working = to_working(frame.pixels, frame.colour_space)
    plate = working.pixels
    if grain is not None:
        plate = removed(plate, sum(w.share * float(w.baked.statistics.facts.get("grain", 0.0)) for w in looks))
    proxy = resized(plate, size)
    paintings = [w.paint(proxy) for w in looks]
    paintings = [
        p if w.carrier is None else w.carrier(frame.number, proxy, p) for w, p in zip(looks, paintings, strict=True)
    ]
    painted = paintings[0]
    if len(paintings) > 1:
        painted = sum((np.float32(w.share) * p for w, p in zip(looks, paintings, strict=True)), np.float32(0) * painted)
    if np.array_equal(painted, proxy):  # nothing was painted: take the plate itself, not its enlarged proxy
        painted = plate
    elif painted.shape != plate.shape:
        painted = (
            joint_upsample(painted, proxy, plate)
            if painted.shape[0] < plate.shape[0]
            else resized(painted, (plate.shape[1], plate.shape[0]))
        )
    points = None
    if hold_blacks:
        known = [(w.share, *w.baked.statistics.facts.get("points", (0.0, 1.0))) for w in looks]
        points = (sum(share * black for share, black, _ in known), sum(share * white for share, _, white in known))
    return Painting(frame, working, painted, working.pixels - plate if grain == "keep" else None, points=points)


def composed(paintings: Sequence[Painting], parts: Sequence[Pixels]) -> Painting:
    """One painting of several of a frame, each in its part (H, W, 1); the parts sum to 1 at most.

    They are mixed in linear light. Where the parts sum to less, the plate shows.
    """
    total = np.sum(np.stack(parts), axis=0)
    order = sorted(range(len(parts)), key=lambda i: (parts[i].tobytes(), paintings[i].pixels.tobytes()))
    pixels, done = paintings[order[0]].pixels, parts[order[0]]
    for i in order[1:]:
        share = np.where(done + parts[i] > 0, parts[i] / np.maximum(done + parts[i], np.float32(1e-12)), np.float32(0))
        pixels = mixed(pixels, paintings[i].pixels, share.astype(np.float32), DISPLAY)
        done = done + parts[i]
    return replace(paintings[0], pixels=pixels, matte=np.clip(total, 0, 1).astype(np.float32))


def finished(painting: Painting, strength: float) -> Pixels:
    """The painting mixed with its plate, in plate space."""
    return _mixed(painting, from_working(strengthened(painting, strength), painting.working))


def finished_in_parts(painting: Painting, strength: float) -> tuple[Pixels, Paint]:
    """`finished`, and the painting that was mixed with the plate."""
    frame, whole = painting.frame, from_working(strengthened(painting, strength), painting.working)
    share = np.ones((*whole.shape[:2], 1), np.float32) if painting.matte is None else painting.matte
    shows = ~painting.working.bad[:, :, None]  # bad pixels stay the plate's
    if frame.alpha is not None:
        shows = shows & (frame.alpha > 0)
    return _mixed(painting, whole), Paint(whole, np.where(shows, share, np.float32(0)))


def strengthened(painting: Painting, strength: float) -> Pixels:
    """The painting (H, W, 3) in the working space with its grain, its held points and so much of the plate."""
    plate, painted = painting.working.pixels, painting.pixels
    if painting.grain is not None:  # each frame's own grain, after averaging and carrying
        painted = painted + painting.grain
    if painting.points is not None:
        painted = keep_black_and_white(painted, plate, *painting.points)
    if strength < 1:
        painted = plate + np.float32(strength) * (painted - plate)
    return painted


def _mixed(painting: Painting, result: Pixels) -> Pixels:
    frame = painting.frame
    if painting.matte is not None:
        result = mixed(frame.pixels, result, painting.matte, frame.colour_space)
    if frame.alpha is not None:  # transparent pixels are not painted
        result = np.where(frame.alpha > 0, result, frame.pixels)
    return result
