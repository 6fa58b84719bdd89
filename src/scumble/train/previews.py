"""Whole pictures painted while a run goes on."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from scumble.core.frames import spread
from scumble.network.palette import Palette, recolouring
from scumble.train.data.dataset import Dataset, Pixels, to_batch, to_pixels
from scumble.train.data.one_style import palette_of
from scumble.train.forward import colour_map, painted
from scumble.train.gan import Gan
from scumble.train.settings import TrainSettings

PREVIEWED = 3  # pictures of a preview

PREVIEW_LINES = 540  # at most, of each


class Previews:
    """Content pictures of a run that learns one style, as its averaged weights paint them."""

    def __init__(self, settings: TrainSettings, dataset: Dataset) -> None:
        style = settings.data.style
        self.wanted = bool(settings.run.preview_seconds) and style is not None
        self.wanted = self.wanted and settings.generator.conditioning == "none"
        if self.wanted and style is not None:
            self.palette = palette_of(style)
            contents = dataset.of("content", "train")
            self.pictures = [dataset.picture(contents[i]) for i in spread(range(len(contents)), PREVIEWED)]

    @torch.no_grad()
    def painted(self, gan: Gan) -> Tensor:
        """Each picture beside its painting, one under the other: (3, H, W) in [0, 1].

        A picture's own statistics and colours stand in for its shot's.
        """
        rows = []
        for picture in self.pictures:
            pixels = _fitting(picture, gan.generator.architecture.stride)
            x = torch.from_numpy(to_batch([pixels])).to(gan.device)
            matrix, offset = np.eye(3), np.zeros(3)
            if gan.settings.generator.palette:
                matrix, offset = recolouring(Palette.measure(pixels), self.palette)
            y, _ = painted(gan.ema, x, colour_map(matrix, offset, gan.device), gan.ema.look())
            rows.append(torch.cat([x[0], y[0].clamp(0, 1)], dim=2).cpu())
        widest = max(row.shape[2] for row in rows)
        return torch.cat([F.pad(row, (0, widest - row.shape[2])) for row in rows], dim=1)


def _fitting(picture: Image.Image, stride: int) -> Pixels:
    """A picture of at most PREVIEW_LINES, its sides multiples of the stride."""
    factor = min(1.0, PREVIEW_LINES / picture.height)
    width, height = (max(stride, round(n * factor) // stride * stride) for n in picture.size)
    return to_pixels(picture.resize((width, height), Image.Resampling.LANCZOS))
