"""A sum of a picture's own bytes in its header, for formats that have none: DPX and JPEG."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

SUMMED = {".dpx", ".jpg", ".jpeg"}

DIGITS = 16

EMPTY = "sum " + "0" * DIGITS  # where the sum will stand

_PLACE = re.compile(rb"sum ([0-9a-f]{16})")


def with_place(stamp: str) -> str:
    """A stamp with room for the sum behind its hash: DPX cuts the text after 100 characters."""
    begin, render, rest = stamp.partition(" render ")
    return f"{begin}{render}{rest[:DIGITS]} {EMPTY}{rest[DIGITS:]}" if render else stamp


def with_sum(data: bytes) -> bytes:
    """A file whose header has room for the sum, with the sum."""
    place = _PLACE.search(data)
    if place is None:
        return data
    return data[: place.start(1)] + _sum_of(data, place) + data[place.end(1) :]


def is_whole(path: Path) -> bool:
    """Whether a file has the bytes that it was written with; False for one without a sum. Raises OSError."""
    data = path.read_bytes()
    place = _PLACE.search(data)
    return place is not None and place[1] == _sum_of(data, place)


def _sum_of(data: bytes, place: re.Match[bytes]) -> bytes:
    digest = hashlib.blake2b(data[: place.start(1)], digest_size=DIGITS // 2)
    digest.update(data[place.end(1) :])
    return digest.hexdigest().encode()
