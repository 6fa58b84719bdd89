"""Pictures as they look, whatever their format and tags: for styles and training."""

from __future__ import annotations

from pathlib import Path

from scumble.core.frames import Pixels
from scumble.core.working_space import to_working
from scumble.media.colour_tags import plate_space
from scumble.media.picture_reader import read_header, read_picture
from scumble.media.plate import PlateOptions


def read_displayed(path: Path) -> tuple[Pixels, Pixels | None]:
    """A picture (H, W, 3) in the working space by its own tags, and its alpha (H, W, 1) or None. Raises BadPlate.

    NaN and infinite values stay.
    """
    pixels, alpha = read_picture(path)
    space, _ = plate_space(path, read_header(path), PlateOptions())
    working = to_working(pixels, space)
    displayed = working.pixels
    displayed[working.bad] = pixels[working.bad]
    return displayed, alpha
