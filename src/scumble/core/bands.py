"""Functions of single pixels on large pictures, a band of rows at a time: what lies between is small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

BAND = 1 << 18  # pixels: 3 MB of RGB, which the processor's caches hold


def in_bands(function: Callable[..., Any], *pictures: Any) -> Any:
    """What `function` gives for these pictures (H, W, ...), one or several arrays (H, W, ...), computed in bands.

    A picture may be None; all others have one height. `function` must give a pixel's values by that pixel's alone.
    """
    height, width = next(p.shape[:2] for p in pictures if p is not None)
    rows = max(1, BAND // max(1, width))
    if height <= rows:
        return function(*pictures)
    results: list[Any] = []
    several = False
    for top in range(0, height, rows):
        made = function(*(None if p is None else p[top : top + rows] for p in pictures))
        several = isinstance(made, tuple)
        parts = made if several else (made,)
        if not results:
            results = [None if part is None else np.empty((height, *part.shape[1:]), part.dtype) for part in parts]
        for whole, part in zip(results, parts, strict=True):
            if whole is not None:
                whole[top : top + rows] = part
    return tuple(results) if several else results[0]
