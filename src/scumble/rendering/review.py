"""Pictures for a review: proxies, plate and painting side by side, names and numbers burnt in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import OpenImageIO as oiio

from scumble.core.colour import DISPLAY, ColourSpace, converted, mixed
from scumble.core.frames import NO_MARGIN, Frame, Pixels
from scumble.core.pixels import resized
from scumble.rendering.options import Compare

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
    alpha = np.clip(resized(frame.alpha, size), 0, 1).reshape(size[1], size[0], 1)
    light = resized(frame.pixels * frame.alpha, size)
    bare = resized(frame.pixels, size)  # light that was added over transparent pixels stays
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
    size = max(LEAST_LETTERS, round(height * LETTERS))
    # the frame number matters most: the texts beside it are shortened
    middle = _shortened(words[1], width * 0.9, size)
    room = (width - _breadth(middle, size)) / 2 - 2 * size
    left, right = (_shortened(text, room, size) for text in (words[0], words[2]))
    tall, edge = min(height, 2 * size), size * 0.7
    places = [(left, edge, "left"), (middle, width / 2, "center"), (right, width - edge, "right")]
    text = _written(width, tall, places, size)
    foot = frame.pixels[height - tall :]
    dark = mixed(foot, np.zeros_like(foot), np.full_like(text, BAND), frame.colour_space)
    lettered = mixed(dark, np.full_like(foot, _white(frame.colour_space)), text, frame.colour_space)
    pixels = np.concatenate([frame.pixels[: height - tall], lettered], axis=0)
    alpha = frame.alpha
    if alpha is not None:  # else transparent pixels would hide the text
        alpha = np.concatenate([alpha[: height - tall], np.maximum(alpha[height - tall :], np.maximum(BAND, text))])
    return replace(frame, pixels=pixels, alpha=alpha, source=None)


def labelled(pixels: Pixels, text: str, height: int) -> Pixels:
    """A picture (H, W, 3) in the working space under a line of text of `height` pixels on black."""
    width = pixels.shape[1]
    letters = _written(width, height, [(text, width / 2, "center")], _fitting([text], width, round(height * 0.6)))
    return np.concatenate([np.repeat(letters * np.float32(WHITE), 3, axis=2), pixels], axis=0)


@lru_cache(maxsize=4)
def _white(space: ColourSpace) -> float:
    return float(converted(np.full((1, 1, 3), WHITE, np.float32), DISPLAY, space)[0, 0, 1])


def _fitting(words: Sequence[str], width: int, size: int) -> int:
    """The height at which the words, with room between them, fit into a width."""
    return max(4, min(size, int(size * width * 0.96 / max(1.0, _breadth("    ".join(words), size)))))


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


def missing_letters(text: str) -> str:
    """The letters of a text that no font of this machine has."""
    return "".join(sorted(_wanted(text) - _letters(font_for(text))))


@lru_cache(maxsize=32)
def font_for(text: str) -> str:
    """The file of a font that has all the letters: the one that comes with matplotlib, else one of the system's."""
    import matplotlib  # slow to import, and seldom needed
    from matplotlib import font_manager

    own = str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")
    fonts = (own, *sorted(font_manager.findSystemFonts()))
    return next((path for path in fonts if _wanted(text) <= _letters(path)), own)


def _wanted(text: str) -> set[str]:
    return {c for c in text if not c.isspace()}


@lru_cache(maxsize=512)
def _letters(font: str) -> frozenset[str]:
    from matplotlib import ft2font

    try:
        return frozenset(map(chr, ft2font.FT2Font(font).get_charmap()))
    except (RuntimeError, OSError):  # a font that FreeType cannot read
        return frozenset()


def _shortened(text: str, width: float, size: int) -> str:
    """A text that fits into a width: its middle is left out, since beginning and end say the most."""
    kept = len(text)
    while kept > 4 and _breadth(text, size) > width:
        kept -= 1
        text = f"{text[: kept // 2]}\u2026{text[len(text) - kept // 2 :]}"
    return text


def _breadth(text: str, size: int) -> float:
    box = oiio.ImageBufAlgo.text_size(text, size, font_for(text))
    return float(box.width) if box.defined else 0.0
