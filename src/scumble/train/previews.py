"""Whole pictures painted while a run goes on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from scumble.network.palette import Palette, recolouring
from scumble.train.data.dataset import to_batch, to_pixels
from scumble.train.trainer import Trainer

PREVIEWED = 3  # pictures of a preview

PREVIEW_LINES = 540  # at most, of each


@torch.no_grad()
def painted_whole(trainer: Trainer, pictures: Sequence[Image.Image], style_palette: Palette) -> Tensor:
    """Whole pictures beside what the averaged weights make of them, one under the other: (3, H, W) in [0, 1].

    For a generator of one style; a picture's own statistics and colours stand in for its shot's.
    """
    stride = trainer.generator.architecture.stride
    rows = []
    for picture in pictures:
        factor = min(1.0, PREVIEW_LINES / picture.height)
        width, height = (max(stride, round(n * factor) // stride * stride) for n in picture.size)
        pixels = to_pixels(picture.resize((width, height), Image.Resampling.LANCZOS))
        x = torch.from_numpy(to_batch([pixels])).to(trainer.device)
        p = x
        if trainer.settings.generator.palette:
            matrix, offset = recolouring(Palette.measure(pixels), style_palette)
            t, o = (torch.from_numpy(a.astype(np.float32)).to(trainer.device) for a in (matrix, offset))
            p = torch.einsum("ij,njhw->nihw", t, x) + o.view(1, 3, 1, 1)
        y, _ = trainer.ema.measured(p, trainer.ema.look())
        rows.append(torch.cat([x[0], y[0].clamp(0, 1)], dim=2).cpu())
    widest = max(row.shape[2] for row in rows)
    return torch.cat([F.pad(row, (0, widest - row.shape[2])) for row in rows], dim=1)
