"""Whether the frames of a render are shown when the plate shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scumble.media.plate import Plate


class Times(NamedTuple):
    """How far times are apart; None where one of the two has none."""

    late: float | None = None
    """Most seconds between the times of a frame, and between both ends, counted from the first frame."""
    rate: float | None = None
    """By how much the rates differ, as a share of the plate's."""


def times_apart(plate: Plate, render: Plate, place_of: Mapping[int, int], numbers: Sequence[int]) -> Times:
    """`place_of` gives a render's number by the plate's; `numbers` are those of the plate that both have.

    A sequence has times where its headers name a rate. Frames that are not one after the other are not compared.
    """
    if plate.frame_rate is None or render.frame_rate is None or not numbers:
        return Times()
    if list(numbers) != list(range(numbers[0], numbers[-1] + 1)):
        return Times()
    rate = None
    if not (plate.is_variable or render.is_variable):
        rate = abs(float(render.frame_rate / plate.frame_rate) - 1)
    places = [place_of[n] for n in numbers]
    starts = plate.seconds(numbers[0]), render.seconds(places[0])
    pairs = zip((*numbers, numbers[-1] + 1), (*places, places[-1] + 1), strict=True)
    late = max(abs((plate.seconds(n) - starts[0]) - (render.seconds(p) - starts[1])) for n, p in pairs)
    return Times(float(late), rate)
