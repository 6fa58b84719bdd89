"""Values that change over the frames of a shot: numbers at key frames with straight lines between them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from scumble.core.errors import BadSettings


@dataclass(frozen=True)
class Keyed:
    """(frame, value) in order of frames; before the first and after the last the value stays."""

    places: tuple[tuple[int, float], ...]

    def at(self, number: int) -> float:
        """The value at a frame.

        >>> Keyed(((1001, 0.0), (1005, 1.0))).at(1004)
        0.75
        """
        if number <= self.places[0][0]:
            return self.places[0][1]
        for (a, x), (b, y) in itertools.pairwise(self.places):
            if number < b:
                return x + (y - x) * (number - a) / (b - a)
        return self.places[-1][1]

    @classmethod
    def parse(cls, text: str, what: str) -> Keyed:
        """`0.5`, or keys as in `1001:0,1050:1`. Raises BadSettings naming `what`.

        >>> Keyed.parse("1001:0,1050:1", "strength").places
        ((1001, 0.0), (1050, 1.0))
        """
        places: dict[int, float] = {}
        try:
            if ":" not in text:
                return cls(((0, float(text)),))
            for part in text.split(","):
                frame, _, value = part.partition(":")
                if int(frame) in places:
                    raise BadSettings(f"{what} {text!r}: frame {int(frame)} has two values")
                places[int(frame)] = float(value)
        except ValueError:
            raise BadSettings(f"{what} {text!r}: give a number, or keys as in 1001:0,1050:1") from None
        return cls(tuple(sorted(places.items())))

    @property
    def values(self) -> tuple[float, ...]:
        """The values at the keys."""
        return tuple(value for _, value in self.places)

    def __str__(self) -> str:
        if len(self.places) == 1:
            return f"{self.places[0][1]:g}"
        return ",".join(f"{frame}:{value:g}" for frame, value in self.places)
