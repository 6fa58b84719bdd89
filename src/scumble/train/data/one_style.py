"""Training on one style: a picture, or all style pictures of a packed data set together."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from scumble.core.frames import spread
from scumble.network.palette import Palette
from scumble.train.data.dataset import PACKED, Dataset, to_pixels
from scumble.train.data.pictures import load_picture

PICTURES = 1000  # pictures at most, spread through the style's: decoded they take about 1.2 GB


def pictures_of(style: Path, split: str, most: int = PICTURES) -> list[Image.Image]:
    """The pictures of a split; of fewer than three, all; `most` of them at most. Raises BadInput, BadPlate."""
    if not _is_packed(style):
        return [load_picture(style)]
    dataset = Dataset(style, few=True)
    records = dataset.of("style", split)
    return [dataset.picture(records[i]) for i in spread(range(len(records)), most)]


def palette_of(style: Path) -> Palette:
    """Colours of the train split taken together: those that the look will paint in."""
    if not _is_packed(style):
        return Palette.measure(to_pixels(load_picture(style)))
    dataset = Dataset(style, few=True)
    records = dataset.of("style", "train")
    places = spread(range(len(records)), PICTURES)
    palettes = [Palette.measure(to_pixels(dataset.decoded(records[i]))) for i in places]  # one at a time
    return Palette.pool(palettes, [1 / len(palettes)] * len(palettes))


def _is_packed(style: Path) -> bool:
    return style.is_dir() or style.suffix.lower() == ".zip"


def file_of(style: Path) -> Path:
    """The file that identifies the style."""
    return style / PACKED if style.is_dir() else style
