"""A plate with a Cryptomatte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mmh3
import numpy as np
import OpenEXR

HEIGHT, WIDTH = 48, 80


def crypto(path: Path, manifest: bool = True) -> dict[str, Any]:
    """A plate with a Cryptomatte of three objects, one of which covers half of each of its pixels."""
    coverage = {name: np.zeros((HEIGHT, WIDTH), np.float32) for name in ("cube", "tree_1", "tree_2")}
    coverage["cube"][:, :20] = 1
    coverage["tree_1"][:, 20:40] = 0.5
    coverage["tree_2"][:, 20:60] = 0.5
    hashes = {name: mmh3.hash(name, signed=False) for name in coverage}
    for name, number in hashes.items():
        if number >> 23 & 255 in (0, 255):
            hashes[name] = number ^ 1 << 23
    channels: dict[str, Any] = {c: np.full((HEIGHT, WIDTH), 0.3, np.float16) for c in "RGB"}
    ids, covers = np.zeros((2, HEIGHT, WIDTH), np.uint32), np.zeros((2, HEIGHT, WIDTH), np.float32)
    for name, cover in coverage.items():
        rank = (covers[0] > 0).astype(int)
        for r in (0, 1):
            here = (cover > 0) & (rank == r)
            ids[r][here], covers[r][here] = hashes[name], cover[here]
    for r, (number, cover) in enumerate((("R", "G"), ("B", "A"))):
        channels[f"CryptoObject00.{number}"] = ids[r].view(np.float32).copy()
        channels[f"CryptoObject00.{cover}"] = covers[r].copy()
    header: dict[str, Any] = {"cryptomatte/abc1234/name": "CryptoObject", "cryptomatte/abc1234/hash": "MurmurHash3_32"}
    if manifest:
        header["cryptomatte/abc1234/manifest"] = json.dumps({name: f"{number:08x}" for name, number in hashes.items()})
    OpenEXR.File(header, channels).write(str(path))
    return coverage
