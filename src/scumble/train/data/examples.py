"""Examples: plates and their paintings, by which a generator learns what to paint where.

Statistics of a style say what occurs in a painting, and not where. A painting of the plate itself says it of every
place. `scumble.train.match.key_painter` paints them in minutes; `scumble data examples` keeps them in a folder.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from scumble.core.errors import BadInput
from scumble.core.files import written_whole
from scumble.network.palette import Palette, recolouring
from scumble.train.data.dataset import Pixels, to_batch, to_pixels
from scumble.train.data.pictures import load_picture
from scumble.train.data.style_set import Goal, StyleSet, measured
from scumble.train.nn.perceptual import PerceptualFeatures

LIST = "examples.json"


@dataclass(frozen=True)
class Example:
    """Files of one example, relative to the folder: a plate, its painting, and the style picture."""

    plate: str
    painting: str
    style: str
    mean: Sequence[float]
    """Of the colours of the picture that the plate is a part of, by which it is recoloured."""
    covariance: Sequence[Sequence[float]]


def examples_in(folder: Path) -> list[Example]:
    """What a folder lists; nothing, where there is none. Raises BadInput."""
    file = folder / LIST
    if not file.is_file():
        return []
    try:
        return [Example(**one) for one in json.loads(file.read_text("utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(f"{file}: not a list of examples ({error}); make them anew: scumble data examples") from error


def add_example(folder: Path, example: Example) -> None:
    """Name an example whose files are there in the folder's list."""
    rows = [vars(one) for one in [*examples_in(folder), example]]
    with written_whole(folder / LIST) as part:
        part.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


class Crops(NamedTuple):
    """Crops of examples as a batch has them, and their paintings (N, 3, H, W); plates are in their styles' colours."""

    content: list[Pixels]
    painting: Tensor
    styles: Tensor


class Examples:
    """Decoded examples. Their styles are rows of a run's style set, from `first` on; of one style, row 0."""

    def __init__(self, folder: Path, one_style: Palette | None = None) -> None:
        """Raises BadInput for a folder without examples, or with a picture that does not fit its plate."""
        rows = examples_in(folder)
        if not rows:
            raise BadInput(f"{folder}: holds no examples; make some: scumble data examples")
        files = list(dict.fromkeys(row.style for row in rows))
        self.pictures = [] if one_style else [to_pixels(load_picture(folder / file)) for file in files]
        palettes = [one_style] if one_style else [Palette.measure(p) for p in self.pictures]
        self.first = 0
        self._pairs: list[tuple[int, Image.Image, Image.Image, tuple[Pixels, Pixels]]] = []
        for row in rows:
            style = 0 if one_style else files.index(row.style)
            plate, painting = load_picture(folder / row.plate), load_picture(folder / row.painting)
            if plate.size != painting.size:
                raise BadInput(f"{folder / row.painting}: has not the size of {row.plate}; make the examples anew")
            colours = Palette(np.asarray(row.mean), np.asarray(row.covariance))
            matrix, offset = recolouring(colours, palettes[style])
            own = matrix.astype(np.float32), offset.astype(np.float32)
            self._pairs.append((style, plate, painting, own))

    def __len__(self) -> int:
        return len(self._pairs)

    def added_to(self, styles: StyleSet, features: PerceptualFeatures) -> StyleSet:
        """The run's styles, and behind them those of the examples, which are not drawn with the others."""
        if not self.pictures:
            return styles
        self.first = len(styles)
        device = next(features.buffers()).device
        goals = [measured([picture], features, device) for picture in self.pictures]
        weights = torch.cat([styles.weights.float(), torch.zeros(len(goals))])
        return StyleSet(Goal.joined([styles.goals, *goals]), weights, styles.crop)

    def crops(self, count: int, views: int, side: int, margin: int, rng: np.random.Generator) -> Crops:
        """`views` crops each of `count` examples, mirrored half of the time; contents have a margin around them."""
        content, paintings, styles = [], [], []
        for number in rng.integers(len(self), size=count):
            style, plate, painting, (matrix, offset) = self._pairs[int(number)]
            mirrored = rng.random() < 0.5
            for _ in range(views):
                both = _cut([plate, painting], side + 2 * margin, rng)
                if mirrored:
                    both = [pixels[:, ::-1] for pixels in both]
                content.append(both[0] @ matrix.T + offset)
                paintings.append(both[1][margin:-margin, margin:-margin])
            styles.append(self.first + style)
        return Crops(content, torch.from_numpy(to_batch(paintings)), torch.tensor(styles))


def _cut(pictures: Sequence[Image.Image], side: int, rng: np.random.Generator) -> list[Pixels]:
    """The same square of pictures of one size, enlarged where they are smaller."""
    width, height = pictures[0].size
    taken = min(side, width, height)
    left, top = int(rng.integers(width - taken + 1)), int(rng.integers(height - taken + 1))
    cut = [p.crop((left, top, left + taken, top + taken)) for p in pictures]
    if taken < side:
        cut = [p.resize((side, side), Image.Resampling.BICUBIC) for p in cut]
    return [to_pixels(p) for p in cut]
