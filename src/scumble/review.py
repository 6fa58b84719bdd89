"""Pictures for a review: proxies, plate and painting side by side, names and numbers burnt in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

import matplotlib
import numpy as np
import OpenImageIO as oiio
from matplotlib import font_manager, ft2font

from scumble.colour import DISPLAY, ColourSpace, converted, mixed
from scumble.frames import NO_MARGIN, Frame, Pixels
from scumble.upsampling import resized

Compare = Literal["side", "wipe", "stack"]
LETTERS = 1 / 40  # height of burnt-in text to the picture's
LEAST_LETTERS = 10  # pixels; smaller is not read
BAND = np.float32(0.6)  # of black behind burnt-in text
WHITE = 0.9  # display value of burnt-in text


def reduced(frame: Frame, size: tuple[int, int]) -> Frame:
    """The frame at (width, height), without the files' other layers; colours are averaged by alpha."""
    if (frame.pixels.shape[1], frame.pixels.shape[0]) == size:
        return replace(frame, source=None)
    if frame.alpha is None:
        return replace(frame, pixels=resized(frame.pixels, size), source=None, margin=NO_MARGIN)
    alpha = resized(frame.alpha, size).reshape(size[1], size[0], 1)
    light = resized(frame.pixels * frame.alpha, size)
    bare = resized(frame.pixels, size)  # where nothing is, light that was added stays
    pixels = np.where(alpha > 0, light / np.maximum(alpha, np.float32(1e-8)), bare).astype(np.float32)
    return replace(frame, pixels=pixels, alpha=alpha, source=None, margin=NO_MARGIN)


def compared_size(size: tuple[int, int], how: Compare | None) -> tuple[int, int]:
    """Width and height of `compared`."""
    return size[0] * (2 if how == "side" else 1), size[1] * (2 if how == "stack" else 1)


def compared(plate: Frame, painted: Frame, how: Compare) -> Frame:
    """The plate left of the painting, above it, or wiped over by it from the middle on. Both are of one size."""

    def joined(a: Pixels, b: Pixels) -> Pixels:
        if how == "wipe":
            middle = a.shape[1] // 2
            return np.concatenate([a[:, :middle], b[:, middle:]], axis=1)
        return np.concatenate([a, b], axis=1 if how == "side" else 0)

    alpha = None if plate.alpha is None or painted.alpha is None else joined(plate.alpha, painted.alpha)
    return replace(painted, pixels=joined(plate.pixels, painted.pixels), alpha=alpha, source=None)


def burnt_in(frame: Frame, words: Sequence[str]) -> Frame:
    """The frame with three texts on a dark band at its foot: left, in the middle, right."""
    height, width = frame.pixels.shape[:2]
    left, middle, right = words
    band, text = _lettering(left, middle, right, width, height)
    dark = mixed(frame.pixels, np.zeros_like(frame.pixels), band, frame.colour_space)
    pixels = mixed(dark, np.full_like(dark, _white(frame.colour_space)), text, frame.colour_space)
    alpha = None if frame.alpha is None else np.maximum(frame.alpha, np.maximum(band, text))
    return replace(frame, pixels=pixels, alpha=alpha)


def labelled(pixels: Pixels, text: str, height: int) -> Pixels:
    """A picture (H, W, 3) in the working space under a line of text of `height` pixels on black."""
    width = pixels.shape[1]
    letters = _written(width, height, [(text, width / 2, "center")], _fitting([text], width, round(height * 0.6)))
    return np.concatenate([np.repeat(letters * np.float32(WHITE), 3, axis=2), pixels], axis=0)


@lru_cache(maxsize=4)
def _white(space: ColourSpace) -> float:
    return float(converted(np.full((1, 1, 3), WHITE, np.float32), DISPLAY, space)[0, 0, 1])


@lru_cache(maxsize=4)  # a frame's plate and painting bear the same
def _lettering(left: str, middle: str, right: str, width: int, height: int) -> tuple[Pixels, Pixels]:
    """Shares (H, W, 1) of black and of text."""
    size = _fitting([left, middle, right], width, max(LEAST_LETTERS, round(height * LETTERS)))
    tall = min(height, 2 * size)
    band = np.zeros((height, width, 1), np.float32)
    band[height - tall :] = BAND
    edge = size * 0.7
    places = [(left, edge, "left"), (middle, width / 2, "center"), (right, width - edge, "right")]
    text = np.zeros((height, width, 1), np.float32)
    text[height - tall :] = _written(width, tall, places, size)
    return band, text


def _fitting(words: Sequence[str], width: int, size: int) -> int:
    """The height at which the words, with room between them, fit into a width."""
    line = "    ".join(words)
    found = oiio.ImageBufAlgo.text_size(line, size, font_for(line))
    return max(4, min(size, int(size * width * 0.96 / max(1, found.width)))) if found.defined else size


def _written(width: int, height: int, places: Sequence[tuple[str, float, str]], size: int) -> Pixels:
    """Text (H, W, 1) from 0 to 1, each part at its x, halfway up."""
    canvas = oiio.ImageBuf(oiio.ImageSpec(width, height, 1, oiio.FLOAT))
    for text, x, align in places:
        oiio.ImageBufAlgo.render_text(
            canvas,
            round(x),
            height // 2,
            text,
            fontsize=size,
            fontname=font_for(text),
            textcolor=(1.0,),
            alignx=align,
            aligny="center",
        )
    return np.clip(np.asarray(canvas.get_pixels(oiio.FLOAT), np.float32).reshape(height, width, 1), 0, 1)


@lru_cache(maxsize=32)
def font_for(text: str) -> str:
    """The file of a font that has all the letters: the one that comes with matplotlib, else one of the system's."""
    own = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    wanted = {ord(c) for c in text if not c.isspace()}
    for path in (own, *map(Path, sorted(font_manager.findSystemFonts()))):
        try:
            if wanted <= ft2font.FT2Font(str(path)).get_charmap().keys():
                return str(path)
        except (RuntimeError, OSError):  # a font that FreeType cannot read
            continue
    return str(own)
