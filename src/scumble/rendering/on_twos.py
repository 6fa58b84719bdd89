"""What happens between the frames of a shot: the stabiliser's window, and paintings that are held.

Both are pure functions of the frames around, so that chunks equal the whole. `together(n, m)` says
whether two frames stand in one shot of the plate without a hole between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from scumble.rendering.frame import Painting
from scumble.rendering.neighbours import key_of
from scumble.rendering.stabiliser import Seen, carried
from scumble.shot.motion import Motion


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
