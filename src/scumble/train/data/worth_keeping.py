"""Which pictures of a data set are worth keeping: neither black nor flat, nor like another one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scumble.train.data.dataset import Record

THUMB = 24  # side of the thumbnails by which pictures are compared

ALIKE = 5.0 / 255  # RMS difference of thumbnails up to which two pictures count as one ...

ALIKE_SHARE = 0.5  # ... but not more than this of their own deviation: drawings on white paper differ by little

BLACK = 16.0 / 255  # at most a hundredth of the picture is brighter

FLAT = 2.0 / 255  # deviation of the thumbnail: a grey card, an empty page


def worth_keeping(records: Sequence[Record], pictures: Sequence[Path]) -> tuple[list[int], dict[int, str]]:
    """Places of the pictures to keep, and the reason at the place of every other."""
    dropped: dict[int, str] = {}
    kept: list[int] = []
    for kind in ("content", "style"):
        thumbs: dict[int, NDArray[np.float32]] = {}
        for i in (i for i, r in enumerate(records) if r.kind == kind):
            with Image.open(pictures[i]) as picture:
                small = picture.convert("RGB").resize((THUMB, THUMB), Image.Resampling.BOX)
            thumb = np.asarray(small, np.float32) / np.float32(255)
            if np.quantile(thumb.max(axis=2), 0.99) < BLACK:
                dropped[i] = "black"
            elif thumb.std(axis=(0, 1)).max() < FLAT:
                dropped[i] = "flat"
            else:
                thumbs[i] = thumb.reshape(-1)
        alone = _without_twins(thumbs)
        dropped |= dict.fromkeys(sorted(thumbs.keys() - set(alone)), "near-duplicate")
        kept += alone
    return kept, dropped


def _without_twins(thumbs: dict[int, NDArray[np.float32]]) -> list[int]:
    """Keys in order, without those whose thumbnail is like one kept before (`ALIKE`, `ALIKE_SHARE`)."""
    keys = list(thumbs)
    if not keys:
        return []
    x = np.stack([thumbs[k] for k in keys]).astype(np.float64)
    size = (x * x).sum(axis=1)
    deviation = np.sqrt(x.reshape(len(x), -1, 3).var(axis=1).mean(axis=1))
    limit = np.minimum(ALIKE, ALIKE_SHARE * deviation) ** 2 * x.shape[1]
    kept: list[int] = []
    for start in range(0, len(keys), 512):  # blocks: all distances of a large set do not fit in memory
        block = slice(start, start + 512)
        apart = size[block, None] + size[None, :] - 2 * (x[block] @ x.T)
        near = apart <= np.minimum(limit[block, None], limit[None, :]) + 1e-9
        for i in range(len(near)):
            if not near[i, kept].any():
                kept.append(start + i)
    return [keys[i] for i in kept]
