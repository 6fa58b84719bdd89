"""Timecode: counting on from a frame to another."""

from __future__ import annotations

from fractions import Fraction


def later(timecode: str, frames: int, rate: Fraction) -> str | None:
    """A timecode so many frames later; None for a rate or text that SMPTE ST 12-1 knows nothing of.

    >>> later("00:00:59;29", 1, Fraction(30000, 1001))
    '00:01:00;02'
    """
    import opentimelineio as otio

    try:
        first = otio.opentime.from_timecode(timecode, float(rate))
        found = first + otio.opentime.RationalTime(frames, first.rate)
        day = otio.opentime.from_timecode("23:59:59:00" if ";" not in timecode else "23:59:59;00", float(rate))
        whole = day.value + round(first.rate)
        found = otio.opentime.RationalTime(found.value % whole, found.rate)
        return str(otio.opentime.to_timecode(found, found.rate, ";" in timecode))
    except ValueError:
        return timecode if frames == 0 else None
