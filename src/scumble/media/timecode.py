"""Timecode: its words in the headers of pictures, and counting on from a frame to another [SMPTE ST 12-1]."""

from __future__ import annotations

from fractions import Fraction
from typing import Any


def later(timecode: str, frames: int, rate: Fraction) -> str | None:
    """A timecode so many frames later; None for a rate or text that SMPTE ST 12-1 knows nothing of.

    >>> later("00:00:59;29", 1, Fraction(30000, 1001))
    '00:01:00;02'
    """
    import opentimelineio as otio

    try:
        first = otio.opentime.from_timecode(timecode, float(rate))
        moved = first + otio.opentime.RationalTime(frames, first.rate)
        day = otio.opentime.from_timecode("23:59:59:00" if ";" not in timecode else "23:59:59;00", float(rate))
        whole = day.value + round(first.rate)
        moved = otio.opentime.RationalTime(moved.value % whole, moved.rate)
        return str(otio.opentime.to_timecode(moved, moved.rate, ";" in timecode))
    except ValueError:
        return timecode if frames == 0 else None


def from_word(words: Any, rate: Fraction | None) -> str | None:
    """Text of a SMPTE ST 12-1 timecode word as OpenImageIO gives it, in binary coded decimals."""
    if not isinstance(words, tuple) or not words:
        return None
    word = int(words[0]) & 0xFFFFFFFF
    frame, second, minute, hour = (
        ((word >> shift) & mask) // 16 * 10 + ((word >> shift) & 15)
        for shift, mask in ((0, 0x3F), (8, 0x7F), (16, 0x7F), (24, 0x3F))
    )
    if rate is not None and rate > 30:  # two frames share a number
        frame = 2 * frame + (word >> 15 & 1)
    if frame > 59 or second > 59 or minute > 59 or hour > 23:  # FF where a format has none
        return None
    return f"{hour:02}:{minute:02}:{second:02}{';' if word & 0x40 else ':'}{frame:02}"


def to_word(timecode: str, rate: Fraction | None) -> int:
    """The first word of a timecode, in binary coded decimals: the inverse of `from_word`."""
    hour, minute, second, frame, second_of_pair = fields(timecode, rate)
    word = int(f"{hour:02}{minute:02}{second:02}{min(frame, 39):02}", 16)
    return word | (0x40 if ";" in timecode else 0) | (0x8000 if second_of_pair else 0)


def fields(timecode: str, rate: Fraction | None) -> tuple[int, int, int, int, bool]:
    """Hours, minutes, seconds, frame, and whether it is the second of the two frames that share that number.

    They do above 30 frames/s.
    """
    hour, minute, second, frame = (int(part) for part in timecode.replace(";", ":").split(":"))
    pairs = rate is not None and rate > 30
    return hour, minute, second, frame // 2 if pairs else frame, pairs and frame % 2 == 1
