"""How a bound on memory is kept: by what the network sees at once, and by how many frames wait."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from scumble.network.tiling import LEAST_WINDOW, WINDOW_PIXELS
from scumble.rendering.output import Output
from scumble.rendering.plan import Plan

WAITING = 1 << 28  # bytes of pixels that may wait on each side: frames of 8K are read and written without waiting

# bytes, measured on EXR of 8K and movies of 4K
PROCESS = 350 * 10**6  # libraries, looks
PAINTER, WINDOW_PIXEL = 60 * 10**6, 240  # a compiled look, and what it computes with: 238 in f32, 171 in bf16
FRAME_PIXEL = 50  # a frame while it is painted
NEXT_PIXEL = 12  # the one before it or after it
ENCODED_PIXEL = 90  # frames inside a movie's encoder
HELD_PIXEL = 45  # a painting that waits for its neighbours


@dataclass(frozen=True)
class MemoryBound:
    """What a render may take."""

    window_pixels: int = WINDOW_PIXELS
    """That the network sees at once."""
    waiting: int = WAITING
    """Bytes of frames that wait to be painted, and as many to be written."""
    notes: tuple[str, ...] = ()
    """For the user, where the bound cannot be kept."""


def bound_of(plan: Plan, output: Output) -> MemoryBound:
    """What --memory leaves to this render; smaller windows give the same pixels, and take longer."""
    settings = plan.settings
    if not settings.memory:
        return MemoryBound()
    window = settings.window if settings.stabilize else 0
    held = 2 * window + (settings.on > 1) + (len(plan.plate.views) > 1)
    pixel = FRAME_PIXEL + NEXT_PIXEL * (len(plan.numbers) > 1) + HELD_PIXEL * held + ENCODED_PIXEL * output.is_movie
    frames = PROCESS + prod(plan.painted_size) * pixel
    left = settings.memory - frames
    waiting = min(WAITING, max(0, left) // 8)
    painters = len(plan.all_looks)
    most = ((left - 2 * waiting) // painters - PAINTER) // WINDOW_PIXEL
    least = min(LEAST_WINDOW, prod(plan.canvas_size))
    if most >= least:
        return MemoryBound(min(WINDOW_PIXELS, most), waiting)
    needed = frames + painters * (PAINTER + least * WINDOW_PIXEL)
    return MemoryBound(
        LEAST_WINDOW,
        0,
        (
            f"--memory {settings.memory / 1e9:.3g}G is less than a frame of this size takes: expect"
            f" {needed / 1e9:.2g} GB; --proxy 2 renders smaller frames",
        ),
    )
