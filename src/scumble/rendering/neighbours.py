"""Which frames of a plate one frame depends on: in the stabiliser's window, and where paintings are held.

Everything here is a pure value of frame numbers, so that a chunk of a shot comes out as in the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from scumble.shot.cuts import Shot, frames_of


@dataclass(frozen=True)
class Neighbours:
    """The frames of a plate, the shots that they stand in, and how far a painting reaches."""

    numbers: tuple[int, ...]
    shots: tuple[Shot, ...]
    missing: frozenset[int] = frozenset()
    """Frames that the plate lacks: they repeat others, and nothing is averaged across them."""
    window: int = 0
    """Frames on each side that the stabiliser averages; 0 without it."""
    on: int = 1
    """Every so many frames are painted, and held between."""
    warped: bool = False
    """What is held moves with the plate."""

    @cached_property
    def places(self) -> dict[int, list[int]]:
        """The shots that each frame stands in, by their places: two in a dissolve."""
        places: dict[int, list[int]] = {}
        for place, shot in enumerate(self.shots):
            for n in frames_of(shot, self.numbers):
                places.setdefault(n, []).append(place)
        return places

    @cached_property
    def _run_of(self) -> dict[int, int]:
        """First frame of the run without holes that a frame stands in."""
        run_of: dict[int, int] = {}
        for n in self.numbers:
            behind_hole = n - 1 in self.missing and n not in self.missing
            run_of[n] = n if behind_hole else run_of.get(n - 1, n)
        return run_of

    def places_of(self, number: int) -> list[int]:
        """The shots that a frame stands in; the first for a frame in none."""
        return self.places.get(number, [0])

    def together(self, n: int, m: int) -> bool:
        """Whether two frames stand in one shot, without a hole between them."""
        between = range(min(n, m), max(n, m) + 1)
        no_hole = all(k in self._run_of and k not in self.missing for k in between)
        return no_hole and not set(self.places.get(n, ())).isdisjoint(self.places.get(m, ()))

    def window_of(self, number: int) -> list[int]:
        """A frame and those that it is averaged with: in one shot, without a hole between."""
        frames = [number]
        for step in (-1, 1):
            for distance in range(1, self.window + 1):
                if not self.together(number, number + step * distance):
                    break
                frames.append(number + step * distance)
        return sorted(frames)

    def painted_for(self, number: int) -> int:
        """The painted frame that is shown at `number`: itself, or the one that is held there.

        Counted from the first frame of the shot, of the later one in a dissolve; behind a hole from the next frame.
        """
        if self.on == 1:
            return number
        first = max(self.shots[self.places_of(number)[-1]].first, self._run_of[number])
        return number - (number - first) % self.on

    def steadied(self, numbers: Iterable[int]) -> tuple[int, ...]:
        """The frames whose stabilised paintings are needed to show these; with `warped`, also the frames between."""
        frames: set[int] = set()
        for n in numbers:
            painted = self.painted_for(n)
            frames |= set(range(painted, n + 1)) if self.warped else {painted}
        return tuple(sorted(frames))

    def painted(self, numbers: Sequence[int]) -> tuple[int, ...]:
        """All frames that must be painted so that these can be shown."""
        steadied = self.steadied(numbers)
        if not self.window:
            return steadied
        return tuple(sorted({m for n in steadied for m in self.window_of(n)}))

    def sources(self, number: int) -> list[int]:
        """The frames of the plate that the pixels of a frame depend on, the frame itself among them."""
        return sorted({*self.painted([number]), number})
