"""What computes a baked look: one contract, two back ends.

An engine is named by a string: `openvino` (CPU, in the base install) or `torch` (CUDA, MPS, CPU; extra
`gpu`). `open_engine(name)` imports only what it needs.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from scumble.core.errors import BadSettings, NotInstalled
from scumble.network.baked import BakedLook

Precision = Literal["f32", "fast"]

Pixels = NDArray[np.float32]


class Painter(Protocol):
    """A baked look made ready: windows (H, W, 3) in the working space in, the same shape out.

    Sides are multiples of the total stride, and a window that is part of a frame starts on the stride
    grid; `scumble.network.tiling.paint` sees to both.
    """

    def __call__(self, window: Pixels) -> Pixels: ...


class Engine(Protocol):
    """Makes painters. `precision` f32 agrees between engines within 1e-3; fast is bf16 or f16."""

    def painter(self, baked: BakedLook, precision: Precision) -> Painter: ...


ENGINES: dict[str, str] = {
    "openvino": "scumble.network.openvino_engine",
    "torch": "scumble.network.torch_engine",
}


def find_engine(name: str) -> None:
    """Raises BadSettings for an unknown engine, NotInstalled for one whose package is not there."""
    if name not in ENGINES:
        raise BadSettings(
            f"--engine {name!r}: give one of {', '.join(ENGINES)}; torch takes the GPU where there is one"
        )
    if find_spec(name) is None:
        raise NotInstalled(f"engine {name}: {name} is not installed; pip install 'scumble[gpu]'")


def open_engine(name: str) -> Engine:
    """The engine of that name. Raises BadSettings for an unknown one, NotInstalled without its package."""
    find_engine(name)
    try:
        make: Callable[[], Engine] = import_module(ENGINES[name]).engine
    except ImportError as error:
        raise NotInstalled(f"engine {name}: {error}; install it with: pip install 'scumble[gpu]'") from error
    return make()
