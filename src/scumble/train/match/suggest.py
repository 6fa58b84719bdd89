"""Which frame to paint next: the one that shows most of what no painted key frame shows.

Frames are described by VGG features of patches (relu3_1 and relu4_1, unit length). A patch's novelty is
its cosine distance to the nearest patch of any key frame; the frame to paint is the one that, painted,
would lower the novelty of the whole shot most (greedy facility location [Nemhauser 1978]).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scumble.core.errors import BadInput
from scumble.core.frames import Pixels, format_frames, spread
from scumble.core.pixels import resized
from scumble.core.progress import Listener, Progress, ignore
from scumble.core.working_space import to_working
from scumble.media.plate import Plate
from scumble.network.vgg import Maps

LINES = 192  # at which frames are described

SEEN = 48  # frames of the shot that are looked at

LAYERS = ("relu3_1", "relu4_1")

Patches = NDArray[np.float32]


@dataclass(frozen=True)
class Suggestion:
    """A frame to paint, and what that is worth."""

    number: int
    novelty: float
    """Mean novelty of its patches before it is painted: 0 where all is known, 1 where nothing is."""
    left: float
    """Mean novelty of the whole shot once it and those before it are painted."""
    thumbnail: Pixels
    """(H, W, 3) in the working space."""


def suggest(
    plate: Plate,
    painted: Sequence[int],
    count: int,
    features: Callable[[Pixels], Maps],
    tell: Listener = ignore,
) -> tuple[float, list[Suggestion]]:
    """The mean novelty of the shot under the keys that there are, and the frames to paint next, the best first.

    `painted` are the keys' frame numbers, none for the first one. Raises BadInput for frames that the plate lacks.
    """
    known = set(plate.numbers)
    missing = next((n for n in painted if n not in known), None)
    if missing is not None:
        raise BadInput(f"frame {missing} is not in {plate.path.name} ({format_frames(plate.numbers[:50])})")
    numbers = sorted({*spread(plate.numbers, SEEN), *painted})
    small: dict[int, Pixels] = {}
    for done, frame in enumerate(plate.read(numbers)):
        tell(Progress("frames", done, len(numbers)))
        small[frame.number] = at_lines(to_working(frame.pixels, frame.colour_space).pixels)
    return suggest_among(small, painted, count, features)


def at_lines(pixels: Pixels) -> Pixels:
    """A frame (H, W, 3) in the working space at the size at which frames are described."""
    height, width = pixels.shape[:2]
    return resized(pixels, (max(32, round(width * LINES / height)), LINES))


def suggest_among(
    frames: Mapping[int, Pixels], painted: Sequence[int], count: int, features: Callable[[Pixels], Maps]
) -> tuple[float, list[Suggestion]]:
    """`suggest` for frames by number, as `at_lines` gives them; those that are `painted` are among them."""
    numbers = sorted(frames)
    patches = {n: described(features(frames[n])) for n in numbers}
    # novelty of every frame's patches by the keys so far: what nothing shows is as far as can be
    novelty = {n: np.ones(len(patches[n]), np.float32) for n in numbers}
    for key in painted:
        novelty = {n: np.minimum(novelty[n], distances(patches[n], patches[key])) for n in numbers}
    before = float(np.mean([v.mean() for v in novelty.values()]))
    suggestions: list[Suggestion] = []
    candidates = [n for n in numbers if n not in painted]
    by_candidate = {c: {n: distances(patches[n], patches[c]) for n in numbers} for c in candidates}
    for _ in range(min(count, len(candidates))):
        left = {
            c: float(np.mean([np.minimum(novelty[n], by_candidate[c][n]).mean() for n in numbers]))
            for c in candidates
            if all(s.number != c for s in suggestions)
        }
        best = min(left, key=lambda c: (left[c], c))
        suggestions.append(Suggestion(best, float(novelty[best].mean()), left[best], frames[best]))
        novelty = {n: np.minimum(novelty[n], by_candidate[best][n]) for n in numbers}
    return before, suggestions


def described(maps: Maps) -> Patches:
    """Patches (N, C) of a picture's features, of unit length, on a grid half as fine as relu4_1's."""
    rows, columns = (max(1, n // 2) for n in maps[LAYERS[-1]].shape[1:])
    by_layer = []
    for name in LAYERS:
        planes = maps[name]
        high, wide = planes.shape[1] // rows, planes.shape[2] // columns
        cells = planes[:, : rows * high, : columns * wide].reshape(-1, rows, high, columns, wide)
        pooled = cells.mean(axis=(2, 4)).reshape(len(planes), -1).T
        by_layer.append(pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-6))
    return np.asarray(np.concatenate(by_layer, axis=1) / np.sqrt(len(LAYERS)), np.float32)


def distances(patches: Patches, key: Patches) -> NDArray[np.float32]:
    """Of every patch to the nearest of a key's: 0 is the same, 1 has nothing in common."""
    return np.asarray(np.clip(1 - (patches @ key.T).max(axis=1), 0, 1), np.float32)
