"""Frame ranges and frames: the values that everything else passes on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scumble.core.colour import ColourSpace
from scumble.core.errors import BadInput, BadPlate, BadSettings

Pixels = NDArray[np.float32]

MOST_FRAMES = 10_000_000  # five days at 24 frames/s: a longer list is a slip of the keyboard

_RANGE = re.compile(r"(-?\d{1,18})(?:-(-?\d{1,18})(?:[x:](\d{1,18}))?)?", re.ASCII)  # `:` is what OpenJD writes


@dataclass(frozen=True)
class FrameRange:
    """Frames `first` to `last`, both rendered, every `step`-th, as in `1001-1100x2`.

    >>> str(FrameRange.parse("1001-1100x2"))
    '1001-1100x2'
    >>> len(FrameRange(1001, 1100))
    100
    """

    first: int
    last: int
    step: int = 1

    def __post_init__(self) -> None:
        if self.step < 1 or self.last < self.first:
            raise BadPlate(f"frame range {self}: write FIRST-LASTxSTEP with FIRST not after LAST, as in 1001-1100x2")

    @classmethod
    def parse(cls, text: str) -> FrameRange:
        """`1001`, `1001-1100`, `1001-1100x2` or `1001-1100:2`; raises BadPlate."""
        match = _RANGE.fullmatch(text.strip())
        if match is None:
            raise BadPlate(f"frame range {text[:80]!r}: write FIRST-LASTxSTEP, as in 1001-1100x2")
        first, last, step = match.groups()
        return cls(int(first), int(last if last is not None else first), int(step or 1))

    def __str__(self) -> str:
        if self.first == self.last and self.step == 1:
            return str(self.first)
        return f"{self.first}-{self.last}" + (f"x{self.step}" if self.step != 1 else "")

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.last + 1, self.step))

    def __len__(self) -> int:
        return len(range(self.first, self.last + 1, self.step))

    def __contains__(self, number: object) -> bool:
        return number in range(self.first, self.last + 1, self.step)

    def spread(self, count: int) -> tuple[int, ...]:
        """At most `count` frame numbers spread evenly, first and last among them."""
        return spread(tuple(self), count)


def spread(numbers: Sequence[int], count: int) -> tuple[int, ...]:
    """At most `count` of the numbers, spread evenly, first and last among them."""
    if len(numbers) <= count:
        return tuple(numbers)
    if count == 1:
        return (numbers[len(numbers) // 2],)
    places = {round(i * (len(numbers) - 1) / (count - 1)) for i in range(count)}
    return tuple(numbers[i] for i in sorted(places))


def parse_frames(text: str) -> tuple[int, ...]:
    """Frame numbers of a list such as `1001-1100x2,1150`: sorted, each once.

    >>> parse_frames("7,1-5x2") == parse_frames("7,1-5:2")
    True
    >>> parse_frames("7,1-5x2")
    (1, 3, 5, 7)
    """
    ranges = [FrameRange.parse(part) for part in text.split(",")]
    if sum(len(part) for part in ranges) > MOST_FRAMES:
        raise BadPlate(f"frame range {text!r}: more than {MOST_FRAMES} frames; give --frames inside the plate")
    return tuple(sorted({n for part in ranges for n in part}))


def parse_rate(text: str) -> Fraction:
    """`24`, `23.976` or `24000/1001`; the usual broadcast rates become exact fractions."""
    broadcast = {"23.976": (24000, 1001), "23.98": (24000, 1001), "29.97": (30000, 1001), "59.94": (60000, 1001)}
    try:
        rate = Fraction(*broadcast[text]) if text in broadcast else Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise BadSettings(f"frame rate {text!r}: give a number such as 24 or 24000/1001") from None
    if not 0 < rate <= 1000:
        raise BadSettings(f"frame rate {text!r}: give a number above 0 such as 24 or 24000/1001")
    return rate


def frame_number(text: str) -> int | None:
    """A frame number in digits, at most eighteen; None for anything else."""
    return int(text) if re.fullmatch(r"-?\d{1,18}", text, re.ASCII) else None


def key_number(words: str) -> tuple[int, Path]:
    """`1010=key.png`, or a picture whose name ends in the frame's number, as in `key.1010.png`. Raises BadInput."""
    before, equals, after = words.partition("=")
    if equals and re.fullmatch(r"-?\d{1,9}", before):
        return int(before), Path(after)
    match = re.search(r"(\d{1,9})$", Path(words).stem)
    if match is None:
        raise BadInput(f"{words}: no frame number in its name; write --painted FRAME={words}")
    return int(match[1]), Path(words)


def format_frames(numbers: Sequence[int]) -> str:
    """The shortest list of runs that `parse_frames` reads back: `1-5,9`."""
    runs: list[list[int]] = []
    for n in numbers:
        if runs and n == runs[-1][1] + 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return ",".join(str(FrameRange(a, b)) for a, b in runs)


def gaps(numbers: Sequence[int]) -> list[FrameRange]:
    """The runs of numbers that are missing between the first and the last of rising numbers.

    >>> [str(gap) for gap in gaps([1, 2, 5, 9])]
    ['3-4', '6-8']
    """
    return [FrameRange(a + 1, b - 1) for a, b in pairwise(numbers) if b > a + 1]


class Margin(NamedTuple):
    """Pixels that a frame has beyond the display window: overscan. Less than 0 where it ends inside."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def of(self, pixels: Pixels) -> Pixels:
        """The display window of pixels (H, W, ...) that have this margin."""
        height, width = pixels.shape[:2]
        return pixels[self.top : height - self.bottom, self.left : width - self.right]

    def around(self, pixels: Pixels) -> Pixels:
        """Pixels (H, W, C) of a display window as a frame with this margin, their edge repeated beyond it."""
        height, width = pixels.shape[:2]
        rows = slice(max(0, -self.top), height + min(0, self.bottom))
        inside = pixels[rows, max(0, -self.left) : width + min(0, self.right)]
        left, top, right, bottom = (max(0, side) for side in self)
        return np.pad(inside, ((top, bottom), (left, right), (0, 0)), mode="edge")


NO_MARGIN = Margin()


@dataclass(frozen=True)
class Metadata:
    """What a plate says of a frame beside its pixels; None where it says nothing."""

    timecode: str | None = None
    """As in 01:00:00:00; with `;` before the frames where some are dropped."""
    frame_rate: Fraction | None = None
    """Frames per second."""
    reel: str | None = None
    """Name of the reel or camera roll."""
    pixel_aspect: Fraction | None = None
    """Width of a pixel to its height, where it is not square."""
    premultiplied: bool = False
    """Whether the file holds colours multiplied by alpha."""
    attributes: Mapping[str, tuple[str, Any]] = field(default_factory=dict)
    """Everything else, by OpenImageIO's name: type and value."""


@dataclass(frozen=True)
class Paint:
    """What was painted over a frame: the painting (H, W, 3) in the frame's space, and its share (H, W, 1) there."""

    pixels: Pixels
    share: Pixels


@dataclass(frozen=True)
class Frame:
    """One picture of a plate: `pixels` float32 (H, W, 3) in `colour_space`, `alpha` (H, W, 1) or None."""

    number: int
    pixels: Pixels
    colour_space: ColourSpace
    alpha: Pixels | None = None
    metadata: Metadata = field(default_factory=Metadata)
    margin: Margin = NO_MARGIN
    """Pixels beyond the display window, where the plate was asked for them."""
    source: Path | None = None
    """The file that the frame was read from, where it has one of its own."""
    paint: Paint | None = None
    """Of a painted frame whose parts are wanted as layers."""
    view: str = ""
    """The eye of a stereo picture that this is; empty for the default one."""
    eyes: tuple[Frame, ...] = ()
    """The other eyes of a stereo picture, painted with it."""
