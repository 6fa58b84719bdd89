"""Times of an edit: fractions of a second here, OpenTimelineIO's values at float rates there."""

from __future__ import annotations

from fractions import Fraction

import opentimelineio as otio

NTSC = tuple(Fraction(n * 1000, 1001) for n in (24, 30, 48, 60, 90, 120))


def rational(frames: int | Fraction, rate: Fraction) -> otio.opentime.RationalTime:
    """So many frames at a rate."""
    return otio.opentime.RationalTime(float(frames), float(rate))


def rate_of(value: float) -> Fraction:
    """The exact rate that a document's number means: 23.976 and 23.976024627 are 24000/1001."""
    near = min(NTSC, key=lambda rate: abs(float(rate) - value))
    if abs(float(near) - value) < 0.006:
        return near
    return Fraction(value).limit_denominator(1001)


def seconds(time: otio.opentime.RationalTime) -> Fraction:
    """As the document's own numbers say, not as `rate_of` reads the rate."""
    return Fraction(time.value) / Fraction(time.rate)
