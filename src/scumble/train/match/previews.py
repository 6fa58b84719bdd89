"""Previews of a match, and what it changed against the look before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from scumble.core.colour import DISPLAY
from scumble.core.frames import Frame, Pixels, spread
from scumble.core.pixels import resized
from scumble.look.painted_frame import PaintedFrame
from scumble.media.picture_writer import write_picture
from scumble.media.plate import Plate, WriterSettings
from scumble.rendering.carry import Carrier, Residual
from scumble.train.journal import PREVIEWS
from scumble.train.match.check_keys import at_network_size
from scumble.train.match.matcher import Matcher
from scumble.train.nn.generator import Generator

COMPARED = 24  # frames on which a look that goes on is compared with what it was

Paints = Callable[[int, Pixels], Pixels]


def changes_between(then: Paints, now: Paints, plate: Plate, size: tuple[int, int]) -> dict[int, float]:
    """Mean absolute difference x 255 between the painting as it was and as it is, by frame."""
    changes = {}
    for frame in plate.read(spread(plate.numbers, COMPARED)):
        pixels = at_network_size(frame, size)
        before, after = (paint(frame.number, pixels).clip(0, 1) for paint in (then, now))
        changes[frame.number] = 255 * float(np.abs(after - before).mean())
    return changes


def changes_in_words(changes: Mapping[int, float]) -> str:
    ranked = sorted(changes, key=lambda n: -changes[n])
    most = ", ".join(f"{n} by {changes[n]:.1f}" for n in ranked[:3])
    return (
        f"against the look before, mean absolute difference x 255: {np.mean(list(changes.values())):.1f} over"
        f" {len(changes)} frames; most in {most}; least in {ranked[-1]} by {changes[ranked[-1]]:.1f}"
    )


class Shows:
    """Frames of the shot as a render would paint them with the current weights."""

    def __init__(
        self,
        matcher: Matcher,
        shown: Sequence[tuple[int, Pixels]],
        kept: Sequence[PaintedFrame],
        plates: Mapping[int, Pixels],
    ) -> None:
        self.matcher, self.shown, self.kept, self.plates = matcher, shown, kept, plates

    def painter(self, generator: Generator, keys: Sequence[PaintedFrame]) -> Paints:
        """How a generator paints a numbered frame (H, W, 3) with these key frames carried along."""
        left = []
        for key in keys:
            if key.number in self.plates:
                plate = self.plates[key.number]
                own = self.matcher.painted(plate, generator)
                size = (plate.shape[1], plate.shape[0])
                painted, weight = (resized(p, size).reshape(*size[::-1], -1) for p in (key.painted, key.weight))
                height, width = own.shape[:2]  # cut to the stride
                missing = weight[:height, :width] * (painted[:height, :width] - own)
                left.append(Residual(key.number, plate[:height, :width], missing))
        carrier = Carrier(left)

        def paint(number: int, pixels: Pixels) -> Pixels:
            own = self.matcher.painted(pixels, generator)
            return carrier(number, pixels[: own.shape[0], : own.shape[1]], own)

        return paint

    def write(self, run: Path) -> None:
        """Previews of the averaged weights, in the run's folder."""
        paint = self.painter(self.matcher.ema, self.kept)
        for number, pixels in self.shown:
            picture = Frame(number, paint(number, pixels), DISPLAY)
            write_picture(run / PREVIEWS / f"{number:04d}.jpg", picture, WriterSettings(quality=92))
