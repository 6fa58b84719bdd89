"""Small pictures and random looks."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scumble.core.pixels import resized
from scumble.look.look import Look
from scumble.media.picture_reader import read_picture
from scumble.network.baked import ShotStatistics
from scumble.network.palette import Palette
from scumble.network.shape import Architecture

SAMPLES = Path(__file__).parents[2] / "samples"
SMALL = Architecture("unet", widths=(8, 12, 16), blocks=(0, 1, 2))
PAINTER = Architecture("painter", (8, 8, 32, 32), (0, 0, 1, 1), 2, 2)  # wide enough for look kernels


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    """A smooth picture with edges in [0, 1], (H, W, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = [np.sin(x / rng.uniform(3, 20) + y / rng.uniform(3, 20) + rng.uniform(0, 6)) for _ in range(3)]
    edges = (np.hypot(x - width * rng.random(), y - height * rng.random()) < min(height, width) / 3) * 0.3
    return np.clip(np.stack(waves, axis=2) * 0.25 + 0.4 + edges[:, :, None], 0, 1).astype(np.float32)


@cache
def scene(seed: int, height: int, width: int) -> NDArray[np.float32]:
    """Part of a painting (H, W, 3), four times as wide as high at most: even seeds see Hiroshige's fish, odd ones Van Gogh's village."""
    pixels, _ = read_picture(SAMPLES / ("vangogh_auvers.jpg" if seed % 2 else "hiroshige_mackerel.jpg"))
    rng = np.random.default_rng(seed)
    top, left = int(rng.integers(pixels.shape[0] - 150)), int(rng.integers(pixels.shape[1] - 599))
    return resized(pixels[top : top + 150, left : left + 600], (width, height))


def random_look(seed: int = 0, architecture: Architecture = SMALL) -> Look:
    """A look with random weights of ordinary size, as float16 keeps them."""
    rng = np.random.default_rng(seed)
    downloads: dict[str, NDArray[np.float32]] = {}
    for node in architecture.convolutions():
        size = np.sqrt(2 / (9 * node.fan_in)) * (0.3 if node.name == "head" else 1)
        downloads[f"kernel.{node.name}"] = rng.normal(0, size, (node.channels, node.fan_in, 3, 3))
        downloads[f"gamma.{node.name}"] = rng.uniform(0.5, 1.2, node.channels)
        downloads[f"beta.{node.name}"] = rng.normal(0, 0.1, node.channels)
    downloads = {k: v.astype(np.float16).astype(np.float32) for k, v in downloads.items()}
    root = rng.normal(0, 0.2, (3, 3))
    palette = Palette(rng.uniform(0.3, 0.7, 3), root @ root.T + 0.01 * np.eye(3))
    facts = {"name": f"random{seed}", "ancestor": "test"}
    return Look(architecture, downloads, palette, None, None, facts)


def random_statistics(look: Look, seed: int = 0) -> ShotStatistics:
    """Plausible statistics without measuring."""
    rng = np.random.default_rng(seed)
    normed = [n for n in look.architecture.convolutions() if n.normed]
    return ShotStatistics(
        Palette(rng.uniform(0.3, 0.6, 3), np.diag(rng.uniform(0.02, 0.08, 3))),
        {n.name: rng.normal(0, 0.3, n.channels).astype(np.float32) for n in normed},
        {n.name: rng.uniform(0.3, 1.5, n.channels).astype(np.float32) for n in normed},
    )
