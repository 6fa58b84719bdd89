"""EXR files as other readers see them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest


def tool(name: str) -> str:
    """A client of the Python packages or of the system; the test is left out where there is none."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def read(path: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Header and channels of every part."""
    parts = OpenEXR.File(str(path), separate_channels=True).parts
    return [(dict(p.header), {n: c.pixels for n, c in p.channels.items()}) for p in parts]


def same(a: Any, b: Any) -> bool:
    return bool(a.dtype == b.dtype and a.tobytes() == b.tobytes())


def windowed(
    path: Path, whole: Any, left: int, top: int, width: int, height: int, display: tuple[int, int] = (160, 90)
) -> None:
    """`whole` is a wide world; the file holds a window of it, the display window stands at (100, 60)."""
    window = whole[top : top + height, left : left + width]
    corner = np.array([left - 100, top - 60], np.int32)
    header = {
        "dataWindow": (corner, corner + np.array([width - 1, height - 1], np.int32)),
        "displayWindow": (np.array([0, 0], np.int32), np.array(display, np.int32) - 1),
    }
    planes = {c: np.ascontiguousarray(window[:, :, i], np.float32) for i, c in enumerate("RGB")}
    OpenEXR.File(header, planes).write(str(path))
