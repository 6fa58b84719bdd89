"""When the frames of a movie are shown, and at which rate: from their own stamps, not from what a header says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

USUAL = tuple(
    Fraction(rate)
    for rate in ("24", "24000/1001", "25", "30", "30000/1001", "50", "60", "60000/1001", "48", "12", "15", "10", "120")
)

TOLERANCE = Fraction(1, 1000)  # seconds: Matroska's stamps are whole milliseconds


@dataclass(frozen=True)
class MovieTimes:
    """Frames in order of presentation. `stamps` are as the file has them: two frames may have one."""

    stamps: tuple[int, ...]
    shown: tuple[Fraction, ...]
    """Seconds at which each frame is shown, rising, and the end of the last one."""
    rate: Fraction
    """Frames per second; of a movie of varying rate, what most frames have."""
    is_variable: bool

    @property
    def repeated(self) -> int:
        """Frames that share their stamp with the frame before."""
        return len(self.stamps) - len(set(self.stamps))


def times_of(
    stamps: Iterable[int], time_base: Fraction, last: int, said: Sequence[Fraction | None]
) -> MovieTimes | None:
    """The times of frames with these stamps, in units of `time_base`; None if they tell no rate.

    `last` is how long the last frame is shown, 0 if the file does not say. `said` are rates that the file's headers
    give, the most trusted first: one is taken if the stamps agree.
    """
    ordered = tuple(sorted(stamps))
    rising = list(ordered)
    for i in range(1, len(rising)):
        rising[i] = max(rising[i], rising[i - 1] + 1)
    begins = [stamp * time_base for stamp in rising]
    given = [Fraction(rate) for rate in said if rate]
    rate: Fraction | None
    if len(ordered) > 1 and ordered[0] == ordered[-1]:  # stamps that tell nothing
        if not given:
            return None
        rate, constant = given[0], True
        begins = [begins[0] + i / rate for i in range(len(begins))]
    elif len(begins) == 1:
        rate = given[0] if given else 1 / (last * time_base) if last else None
        constant = True
    else:
        rate, constant = _rate(begins, time_base, given)
    if rate is None:
        return None
    usual = 1 / rate
    length = last * time_base if last else usual
    if abs(length - usual) <= max(2 * time_base, 2 * TOLERANCE) or (len(begins) == 1 and given):
        length = usual
    held = length != usual
    return MovieTimes(ordered, (*begins, begins[-1] + length), rate, not constant or held)


def _rate(begins: Sequence[Fraction], time_base: Fraction, given: Sequence[Fraction]) -> tuple[Fraction, bool]:
    """The rate of frames, and whether it is constant."""
    mean = Fraction(len(begins) - 1) / (begins[-1] - begins[0])
    tolerance = max(time_base, TOLERANCE)
    for rate in (*given, *USUAL, mean.limit_denominator(1001), mean):
        if all(abs(t - begins[0] - i / rate) <= tolerance for i, t in enumerate(begins)):
            return rate, True
    steps = sorted(b - a for a, b in pairwise(begins))
    middle = 1 / steps[len(steps) // 2]
    coarse = max(Fraction(1, 200), 2 * time_base * middle)  # of a step: a tick may be much of it
    near = [rate for rate in (*given, *USUAL) if abs(rate - middle) <= middle * coarse]
    return (near[0] if near else middle.limit_denominator(1001)), False
