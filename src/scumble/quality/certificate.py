"""A certificate for a look on this machine: how much pans swim, and that what must be equal is equal to the bit."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scumble.core.colour import DISPLAY
from scumble.core.frames import Frame
from scumble.core.version import __version__
from scumble.look.bake import bake
from scumble.look.look import Look
from scumble.look.statistics import frame_statistics, reference_picture
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings
from scumble.network import tiling
from scumble.network.openvino_engine import OpenVinoEngine
from scumble.network.shape import SIZES
from scumble.quality import metrics
from scumble.rendering.options import RenderSettings
from scumble.rendering.run import render

Pixels = NDArray[np.float32]

SHIFTS = (0.5, 1.0, 2.0, 3.0)  # pixels

# pixels to each side: the reach of every network here
REACH = max(architecture.receptive_field() for sizes in SIZES.values() for architecture in sizes.values())

CHUNK = 4  # frames of the small shot that is rendered whole and in parts


def pans(fixed: metrics.Fixed, picture: Pixels) -> dict[float, float]:
    """RMS x 255 of exact pans by `SHIFTS` pixels; see `quality.pan_error`."""
    return {shift: metrics.pan_error(fixed, picture, shift) for shift in SHIFTS}


def static_half(fixed: metrics.Fixed, picture: Pixels) -> float:
    """Largest change x 255 of a picture's painting with its mirror image, and its negative upside down, beside it.

    A narrow picture is continued by its mirror image, so that something stands outside the network's reach.
    """
    still = picture
    while still.shape[1] < 2 * REACH:
        still = np.concatenate([still, still[:, ::-1]], axis=1)
    others = (np.ascontiguousarray(picture[:, ::-1]), np.ascontiguousarray(1 - picture[::-1]))
    return metrics.static_half(fixed, still, others, REACH)


@dataclass(frozen=True)
class Probe:
    """The result for a look. `exact` says that everything is equal that must be."""

    look: str
    hash: str
    pans: dict[float, float]
    static_half: float
    strips_equal_frame: bool
    chunks_equal_whole: bool

    @property
    def exact(self) -> bool:
        """Nothing that must be equal differs."""
        return self.static_half == 0 and self.strips_equal_frame and self.chunks_equal_whole

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"scumble": __version__, **asdict(self), "exact": self.exact}

    def __str__(self) -> str:
        lines = [f"look            {self.look} ({self.hash}), f32"]
        lines += [f"pan {shift:<11g} {error:8.3f}   RMS x 255, lower is steadier" for shift, error in self.pans.items()]
        lines += [
            f"static half     {self.static_half:8.3f}   x 255, must be 0",
            f"strips = frame  {'yes' if self.strips_equal_frame else 'NO'}",
            f"chunks = whole  {'yes' if self.chunks_equal_whole else 'NO'}",
            "holds on this machine" if self.exact else "does NOT hold on this machine",
        ]
        return "\n".join(lines)


def probe(look: Look) -> Probe:
    """Try a look on the reference photograph in f32. Takes a few seconds."""
    picture = np.ascontiguousarray(reference_picture())
    baked = bake(look, frame_statistics(look, [picture], 1))
    painter = OpenVinoEngine().painter(baked, "f32")

    def fixed(pixels: Pixels) -> Pixels:
        return tiling.paint(pixels, painter, baked.architecture.stride, baked.halo)

    strips = tiling.paint(picture, painter, baked.architecture.stride, baked.halo, tiling.LEAST_WINDOW // 2)
    return Probe(
        look.name,
        look.hash,
        pans(fixed, picture),
        static_half(fixed, picture),
        bool(np.array_equal(fixed(picture), strips)),
        _chunks_equal_whole(look, picture),
    )


def _chunks_equal_whole(look: Look, picture: Pixels) -> bool:
    """A pan over the picture as a sequence: rendered whole, and its frames one by one."""
    width = picture.shape[1] - 8 * CHUNK
    settings = RenderSettings(precision="f32")
    with tempfile.TemporaryDirectory(prefix="scumble-") as text:
        folder = Path(text)
        for n in range(1, CHUNK + 1):
            frame = Frame(n, np.ascontiguousarray(picture[:, 8 * n : 8 * n + width]), DISPLAY)
            write_picture(folder / f"plate.{n:04d}.png", frame, WriterSettings())
        whole = render(folder / "plate.####.png", look, folder / "whole.####.png", settings)
        for n, file in enumerate(whole.files, start=1):
            alone = RenderSettings(precision="f32", frames=(n,))
            done = render(folder / "plate.####.png", look, folder / f"alone.{n}.png", alone)
            if done.files[0].read_bytes() != file.read_bytes():
                return False
    return True
