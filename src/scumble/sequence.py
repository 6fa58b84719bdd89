"""What happens between the frames of a shot: the stabiliser's window, and paintings that are held.

Both are pure functions of the frames around, so that chunks equal the whole. `together(n, m)` says
whether two frames stand in one shot of the plate without a hole between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from scumble.motion import Motion
from scumble.painting import Painting
from scumble.stabiliser import Seen, carried, steady

Together = Callable[[int, int], bool]


def window(number: int, reach: int, together: Together) -> list[int]:
    """A frame and those that it is averaged with: `reach` on each side, as far as they belong together."""
    found = [number]
    for step in (-1, 1):
        for distance in range(1, reach + 1):
            if not together(number, number + step * distance):
                break
            found.append(number + step * distance)
    return sorted(found)


def windows(numbers: Sequence[int], reach: int, together: Together) -> tuple[int, ...]:
    """All frames that must be painted so that these can be steadied."""
    return tuple(sorted({m for n in numbers for m in window(n, reach, together)}))


def steadied(
    numbers: Sequence[int], reach: int, together: Together, motion: Motion, paintings: Iterator[Painting]
) -> Iterator[Painting]:
    """These frames' paintings, each as soon as its window is complete; `paintings` are of `windows(numbers, ...)`."""
    known: dict[int, Painting] = {}
    for number in numbers:
        wanted = window(number, reach, together)
        while max(known, default=wanted[-1] - 1) < wanted[-1]:
            painting = next(paintings)
            known[painting.frame.number] = painting
            motion.see(painting.frame.number, painting.working.pixels)
        seen = {n: Seen(known[n].working.pixels, known[n].pixels) for n in wanted}
        yield replace(known[number], pixels=steady(number, seen, motion))
        known = {n: p for n, p in known.items() if n > number - reach}
        motion.forget(number - reach)


def key_of(number: int, every: int, first: int) -> int:
    """The painted frame that is shown at `number` when every `every`-th of a shot that begins at `first` is painted."""
    return number - (number - first) % every


def keys(numbers: Sequence[int], every: int, first_of: Callable[[int], int], warped: bool) -> tuple[int, ...]:
    """All frames that must be painted so that these can be held; when warped, those on the way too."""
    found: set[int] = set()
    for n in numbers:
        key = key_of(n, every, first_of(n))
        found |= set(range(key, n + 1)) if warped else {key}
    return tuple(sorted(found))


def held(
    numbers: Sequence[int],
    every: int,
    first_of: Callable[[int], int],
    motion: Motion | None,
    paintings: Iterator[Painting],
) -> Iterator[Painting]:
    """Paintings held for `every` frames, as drawn animation is; `paintings` are of `keys(numbers, ...)`.

    With `motion` the held painting moves with the plate; where it cannot follow, the frame's own painting
    shows.
    """
    known: dict[int, Painting] = {}
    for number in numbers:
        key = key_of(number, every, first_of(number))
        last = key if motion is None else number
        while max(known, default=last - 1) < last:
            painting = next(paintings)
            known[painting.frame.number] = painting
            if motion is not None:
                motion.see(painting.frame.number, painting.working.pixels)
        if motion is None:
            shown = known[key]
            yield replace(shown, frame=replace(shown.frame, number=number), held_from=key)
        else:
            yield _carried(known[number], known[key], motion)
            motion.forget(key - 1)
        known = {n: p for n, p in known.items() if n >= key}


def _carried(own: Painting, key: Painting, motion: Motion) -> Painting:
    n, m = own.frame.number, key.frame.number
    seen = Seen(key.working.pixels, key.pixels)
    brought = carried(n, own.working.pixels, m, seen, motion) if n != m else None
    if brought is None:
        return own
    painted, trust = brought
    return replace(own, pixels=np.asarray(trust * painted + (1 - trust) * own.pixels, np.float32))
