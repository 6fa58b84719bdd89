"""Which frames of a shot one frame depends on: windows of the stabiliser, frames that are held."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
