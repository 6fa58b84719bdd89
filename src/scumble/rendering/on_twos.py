"""Paintings that are held for several frames, as drawn animation is.

A pure function of the frames around, so that chunks equal the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from scumble.rendering.frame import Painting
from scumble.rendering.neighbours import Neighbours
from scumble.rendering.stabiliser import Seen, carried
from scumble.shot.motion import Motion


def on_twos(
    numbers: Sequence[int], neighbours: Neighbours, motion: Motion | None, paintings: Iterator[Painting]
) -> Iterator[Painting]:
    """The paintings that these frames show; `paintings` are those of `neighbours.steadied(numbers)`.

    With `motion` the held painting moves with the plate; where it cannot follow, the frame's own painting
    shows.
    """
    known: dict[int, Painting] = {}
    for number in numbers:
        key = neighbours.painted_for(number)
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
