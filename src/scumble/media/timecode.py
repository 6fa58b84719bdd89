"""Timecode: its words in the headers of pictures, and counting on from a frame to another [SMPTE ST 12-1].

OpenTimelineIO counts it as well, but refuses 2997/125, 12, 15, 100 and 120 frames/s, which files do say.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

TIMECODE = re.compile(r"([01]\d|2[0-3]):(\d\d):(\d\d)[:;](\d{2,3})", re.ASCII)


def later(timecode: str, frames: int, rate: Fraction) -> str | None:
    """A timecode so many frames later, at any rate; None for text that is no timecode of this rate.

    >>> later("00:00:59;29", 1, Fraction(30000, 1001))
    '00:01:00;02'
    >>> later("23:59:59:23", 1, Fraction(2997, 125))
    '00:00:00:00'
    """
    counted = round(rate)  # frames that a second of timecode counts
    count, drops = frames_of(timecode, rate), ";" in timecode
    if count is None:
        return None
    dropped = _dropped(counted, drops)
    of_ten_minutes = 600 * counted - 9 * dropped
    count = (count + frames) % (144 * of_ten_minutes)
    tens, rest = divmod(count, of_ten_minutes)
    of_minute = 60 * counted - dropped
    extra = max(0, rest - dropped) // of_minute if dropped else 0
    count += dropped * (9 * tens + extra)
    seconds, frame = divmod(count, counted)
    digits = max(2, len(str(counted - 1)))
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{clock}{';' if drops else ':'}{frame:0{digits}}"


def frames_of(timecode: str, rate: Fraction) -> int | None:
    """Frames from 00:00:00:00 to a timecode; None for text that is no timecode of this rate.

    >>> frames_of("00:10:00;00", Fraction(30000, 1001))
    17982
    """
    match = TIMECODE.fullmatch(timecode)
    counted = round(rate)
    if match is None or counted < 1:
        return None
    hour, minute, second, frame = (int(part) for part in match.groups())
    drops = ";" in timecode
    if minute > 59 or second > 59 or frame >= counted or (drops and counted % 30):
        return None
    dropped = _dropped(counted, drops)
    if dropped and second == 0 and minute % 10 and frame < dropped:
        return None
    minutes = 60 * hour + minute
    return (60 * minutes + second) * counted + frame - dropped * (minutes - minutes // 10)


def _dropped(counted: int, drops: bool) -> int:
    """Numbers that a minute leaves out, but for every tenth one."""
    return 2 * (counted // 30) if drops else 0


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
