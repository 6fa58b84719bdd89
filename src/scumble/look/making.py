"""Looks out of style pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from scumble.core.errors import BadLook, BadPlate
from scumble.core.frames import Pixels
from scumble.core.version import __version__
from scumble.look.look import Look, with_reference
from scumble.look.shipped import load_universal, vgg_slice
from scumble.look.statistics import reference_statistics
from scumble.media.displayed import read_displayed
from scumble.network.openvino_engine import OpenVinoEngine
from scumble.network.palette import Palette
from scumble.network.universal import Universal, blend
from scumble.network.weights_file import Array, architecture_of, check_weights, read_arrays

STYLE_SIDE = 416  # short side in pixels at which the moments of a style picture are taken, about as in training


def make_look(pictures: Sequence[tuple[Path, float]], name: str = "", universal: Universal | None = None) -> Look:
    """A look from style pictures and their weights: one forward pass of VGG each."""
    name = name or "+".join(path.stem for path, _ in pictures)
    shown = [style_picture(path) for path, _ in pictures]
    return look_of_pixels(shown, [w for _, w in pictures], name, picture_facts(pictures), universal)


def look_of_pixels(
    pictures: Sequence[Pixels],
    weights: Sequence[float],
    name: str,
    sources: Sequence[Mapping[str, Any]],
    universal: Universal | None = None,
) -> Look:
    """`make_look` of pictures as `as_style` gives them; `sources` are the facts of where they come from."""
    engine = OpenVinoEngine()
    share = [w / sum(weights) for w in weights]
    moments = blend([engine.moments(vgg_slice(), pixels) for pixels in pictures], share)
    palettes = [Palette.measure(pixels) for pixels in pictures]
    return look_of_moments(moments, Palette.blend(palettes, share), name, sources, universal or load_universal())


def look_of_moments(
    moments: Array, palette: Palette, name: str, sources: Sequence[Mapping[str, Any]], universal: Universal
) -> Look:
    """The look of a style with these moments (`network.MOMENTS`,) and colours."""
    facts: dict[str, Any] = {
        "name": name,
        "ancestor": universal.hash,
        "made": "universal",
        "made_by": f"scumble {__version__}",
        "sources": list(sources),
    }
    if "descends_from" in universal.facts:
        facts["descends_from"] = universal.facts["descends_from"]
    look = Look(universal.architecture, universal.collapse(moments), palette, None, moments, facts)
    return with_reference(look, reference_statistics(look))


def look_of_weights(weights: Path, painting: Path) -> Look:
    """The look of a plain generator (`best.safetensors` of a run without style conditioning) for its painting."""
    arrays, facts = read_arrays(weights)
    if facts.get("kind") != "plain":
        raise BadLook(f"{weights}: not the weights of one style; give best.safetensors of a run, or a look")
    architecture = architecture_of(weights, facts)
    check_weights(weights, architecture, arrays)
    pixels = style_picture(painting)
    recipe = facts.get("settings", {}).get("generator", {})
    made: dict[str, Any] = {"name": painting.stem, "made": "trained", "made_by": f"scumble {__version__}"}
    if recipe.get("palette") is False:
        made["keep_color"] = 1.0
    look = Look(architecture, arrays, Palette.measure(pixels), None, None, made)
    return with_reference(look, reference_statistics(look))


def picture_facts(pictures: Sequence[tuple[Path, float]]) -> list[dict[str, Any]]:
    """What a look records of its style pictures."""
    return [{"picture": path.name, "sha256": picture_hash(path), "weight": weight} for path, weight in pictures]


def picture_hash(path: Path) -> str:
    """Identity of a style picture: 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def style_picture(path: Path, side: int = STYLE_SIDE) -> Pixels:
    """A style picture in the working space, short side `side`, sides multiples of 32."""
    pixels, _ = read_displayed(path)
    height, width = pixels.shape[:2]
    if min(height, width) < 16:
        raise BadPlate(f"{path}: {width}x{height} pixels are too few for a style; take a larger picture")
    if not np.isfinite(pixels).all():
        raise BadPlate(f"{path}: a picture with NaN or infinite values; mend them, or take another style picture")
    return as_style(pixels, side)


def as_style(pixels: Pixels, side: int = STYLE_SIDE) -> Pixels:
    """A picture (H, W, 3) in the working space as its moments are taken."""
    height, width = pixels.shape[:2]
    factor = side / min(height, width)
    size = [max(32, round(n * factor / 32) * 32) for n in (width, height)]
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.clip(cv2.resize(pixels, size, interpolation=how), 0, 1).astype(np.float32)
