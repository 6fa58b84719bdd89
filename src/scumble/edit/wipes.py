"""The shapes of wipes: the numbers of SMPTE 258M, as edit decision lists and SMIL 2.0 name them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]

EDGE = 0.01  # of the way that the border goes: how soft it is

BAR, BARN_DOOR, BOX, CIRCLE, CLOCK = 1, 21, 101, 119, 201

# what other documents call their wipes
WORDS = {
    **{"barn": BARN_DOOR, "door": BARN_DOOR, "box": BOX, "iris": CIRCLE, "circle": CIRCLE, "oval": CIRCLE},
    **{"clock": CLOCK, "radial": CLOCK, "wipe": BAR},  # a bar, if nothing more is said
}


def _turned(x: Any, y: Any, quarters: int) -> Any:
    """How far a hand that starts at a quarter of the clock has gone, 0 to 1."""
    return (np.arctan2(x - 0.5, 0.5 - y) / (2 * np.pi) - quarters / 4) % 1


# when the border passes, by place: x and y go from 0 to 1 to the right and down, the last number is width / height
SHAPES: dict[int, Callable[[Any, Any, float], Any]] = {
    BAR: lambda x, y, _: x,
    2: lambda x, y, _: y,
    3: lambda x, y, _: np.maximum(x, y),
    4: lambda x, y, _: np.maximum(1 - x, y),
    5: lambda x, y, _: np.maximum(1 - x, 1 - y),
    6: lambda x, y, _: np.maximum(x, 1 - y),
    BARN_DOOR: lambda x, y, _: abs(2 * x - 1),
    22: lambda x, y, _: abs(2 * y - 1),
    23: lambda x, y, _: np.maximum(abs(2 * x - 1), y),
    24: lambda x, y, _: np.maximum(1 - x, abs(2 * y - 1)),
    25: lambda x, y, _: np.maximum(abs(2 * x - 1), 1 - y),
    26: lambda x, y, _: np.maximum(x, abs(2 * y - 1)),
    41: lambda x, y, _: (x + y) / 2,
    42: lambda x, y, _: (1 - x + y) / 2,
    45: lambda x, y, _: abs(x + y - 1),
    46: lambda x, y, _: abs(x - y),
    BOX: lambda x, y, _: np.maximum(abs(2 * x - 1), abs(2 * y - 1)),
    102: lambda x, y, _: abs(x - 0.5) + abs(y - 0.5),
    CIRCLE: lambda x, y, a: np.hypot(a * (2 * x - 1), 2 * y - 1) / np.hypot(a, 1),
    CLOCK: lambda x, y, _: _turned(x, y, 0),
    202: lambda x, y, _: _turned(x, y, 1),
    203: lambda x, y, _: _turned(x, y, 2),
    204: lambda x, y, _: _turned(x, y, 3),
}


def wipe_named(words: str) -> int:
    """The wipe that a transition's name means, as in W001 or "Edge Wipe"; 0 for a dissolve and what is not known."""
    match = re.search(r"\bW(\d{1,3})\b", words)
    if match:
        return int(match[1]) if int(match[1]) in SHAPES else 0
    parts = re.findall("[a-z]+", words.casefold())
    return next((number for word, number in WORDS.items() if any(p.startswith(word) for p in parts)), 0)


def share_of_next(wipe: int, share: float, size: tuple[int, int]) -> Field | float:
    """How much of the next picture is seen, where: (H, W, 1) for a wipe, one number for a dissolve.

    `share` of the transition has gone by; `size` is (width, height).
    """
    if not wipe:
        return share
    return ((share * (1 + EDGE) - _field(wipe, size)) / EDGE).clip(0, 1)


@lru_cache(4)
def _field(wipe: int, size: tuple[int, int]) -> Field:
    width, height = size
    x = ((np.arange(width, dtype=np.float32) + 0.5) / width)[None, :]
    y = ((np.arange(height, dtype=np.float32) + 0.5) / height)[:, None]
    across, down = np.broadcast_arrays(x, y)
    field = SHAPES[wipe](across, down, width / height)
    return np.ascontiguousarray(field, np.float32)[..., None]
