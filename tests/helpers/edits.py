"""Shots of an edit."""

from __future__ import annotations

import numpy as np

from helpers.pictures import scene
from scumble.core.frames import Pixels

SIZE = (90, 160)


def shot(seed: int, count: int, speed: float = 1.5) -> list[Pixels]:
    """A camera that pans over a scene, with grain."""
    rng = np.random.default_rng(seed)
    wide = scene(seed, SIZE[0], 4 * SIZE[0])
    frames = [wide[:, round(speed * i) : round(speed * i) + SIZE[1]] for i in range(count)]
    return [np.clip(f + rng.normal(0, 0.01, f.shape), 0, 1).astype(np.float32) for f in frames]
