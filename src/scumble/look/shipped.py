"""What comes with the package: looks, the universal generator, the slice of VGG-16."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from scumble.core.downloads import shipped_vgg
from scumble.core.errors import BadLook
from scumble.look.look import Look
from scumble.media.plate import MOVIES, STILLS
from scumble.network.palette import Palette
from scumble.network.shape import Architecture
from scumble.network.universal import Universal
from scumble.network.weights_file import Arrays, read_arrays

UNIVERSAL = "universal.safetensors"  # shipped, in `data`


def shipped(folder: str) -> Path:
    """A folder of files that come with the package: `data` and `looks`."""
    return Path(str(resources.files("scumble").joinpath(folder)))


def load_universal(path: Path | None = None) -> Universal:
    """The shipped universal generator, or another one's file."""
    return _load_universal(path or shipped("data") / UNIVERSAL)


@cache
def _load_universal(path: Path) -> Universal:
    return Universal.load(path)


@cache
def vgg_slice() -> Arrays:
    """The layers of VGG that say what a style is like, as shipped (their source: data/SOURCES.md)."""
    return read_arrays(shipped_vgg())[0]


def shipped_looks() -> list[str]:
    """Names of the looks that come with the package."""
    return sorted(p.stem for p in shipped("looks").glob("*.look"))


def find_look(name: str) -> Look:
    """A look by file or by the name of a shipped one. Raises BadLook naming the shipped looks."""
    path = Path(name)
    if not path.is_file():
        beside = shipped("looks") / f"{name}.look"
        if not beside.is_file():
            known = ", ".join(shipped_looks())
            raise BadLook(f"{name}: no such look file, and not one of the shipped looks: {known}")
        path = beside
    elif path.suffix.lower() in STILLS | MOVIES:
        raise BadLook(f"{path}: a picture, not a look; give it as --style, or make a look of it: scumble look make")
    return Look.load(path, load_universal)


def identity_look() -> Look:
    """Weights set by hand so that the plate comes back: strokes of exactly zero, colours left alone.

    The layers before the head carry the picture (centre taps of 1), so that baking and the engine
    have real work to do.
    """
    architecture = Architecture("unet", widths=(8, 8, 8), blocks=(0, 0, 1))
    weights: Arrays = {}
    for node in architecture.convolutions():
        kernel = np.zeros((node.channels, node.fan_in, 3, 3), np.float32)
        if node.name != "head":
            for o in range(node.channels):
                kernel[o, o % node.fan_in, 1, 1] = 1
        weights[f"kernel.{node.name}"] = kernel
        weights[f"gamma.{node.name}"] = np.ones(node.channels, np.float32)
        weights[f"beta.{node.name}"] = np.zeros(node.channels, np.float32)
    palette = Palette(np.full(3, 0.5), np.eye(3) * 0.05)
    return Look(architecture, weights, palette, None, None, {"name": "identity", "keep_color": 1.0, "made": "by hand"})
