"""The forward pass of crops: moved or turned for the motion term, recoloured, painted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from scumble.network.palette import Array, Palette, recolouring
from scumble.train.data.augment import random_motion, warp
from scumble.train.data.batches import MARGIN
from scumble.train.data.style_set import Goal
from scumble.train.nn import losses
from scumble.train.nn.generator import Generator, Moments, Terms

BORDER = 2 * MARGIN  # pixels left out of the motion term, where the crop's edge stands instead of the picture


def recoloured(pictures: Tensor, matrix: Tensor, offset: Tensor) -> Tensor:
    """Pictures (N, 3, H, W) under one colour map, (3, 3) and (3,), or under one each, (N, 3, 3) and (N, 3)."""
    if matrix.dim() == 2:
        return torch.einsum("ij,njhw->nihw", matrix, pictures) + offset.view(1, 3, 1, 1)
    return torch.einsum("nij,njhw->nihw", matrix, pictures) + offset[:, :, None, None]


def colour_map(matrix: Array, offset: Array, device: torch.device) -> tuple[Tensor, Tensor]:
    """A map of `scumble.network.palette.recolouring` as `recoloured` takes it."""
    turn, shift = (torch.from_numpy(a.astype(np.float32)).to(device) for a in (matrix, offset))
    return turn, shift


def painted(
    generator: Generator,
    pictures: Tensor,
    colours: tuple[Tensor, Tensor],
    look: Mapping[str, Terms],
    statistics: Mapping[str, Moments] | None = None,
) -> tuple[Tensor, dict[str, Moments]]:
    """Pictures (N, 3, H, W) recoloured and painted by one look, and the statistics that were taken out of them.

    `statistics` are taken out instead, where they are given: those of a shot.
    """
    return generator.measured(recoloured(pictures, *colours), look, statistics)


@torch.no_grad()
def in_their_styles_colours(shown: Tensor, plate: Tensor, goal: Goal, views: int) -> Tensor:
    """Every picture in its style's colours; views of one shot by one map, from the colours of all its plates."""
    styles = goal.palettes()
    pixels = plate.permute(0, 2, 3, 1).cpu().numpy()
    shots = pixels.reshape(len(styles), -1, pixels.shape[2], 3)
    maps = [recolouring(Palette.measure(shot), style) for shot, style in zip(shots, styles, strict=True)]
    matrices, offsets = (
        torch.from_numpy(np.stack(parts).astype(np.float32)).to(shown.device).repeat_interleave(views, 0)
        for parts in zip(*maps, strict=True)
    )
    return recoloured(shown, matrices, offsets)


class Moved:
    """Crops (N, 3, H + 2 MARGIN, W + 2 MARGIN) moved a little, lighter or darker, grainier.

    Half of the time they move by whole pixels, for which the moved painting is known exactly: those are the pans that
    a render is judged by. Otherwise by a smooth warp with zoom and turn. A share `turned` of them is turned by half a
    turn as well: ridges that are bright on one side and dark on the other then change sides, strokes do not.
    """

    def __init__(self, content: Tensor, random: torch.Generator, turned: float = 0.0) -> None:
        n = len(content)
        inner = content[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN]
        size = (inner.shape[2], inner.shape[3])

        def uniform(*shape: int) -> Tensor:
            return torch.rand(shape, generator=random).to(content.device)

        self.gain = 1 + 0.1 * (uniform(n, 1, 1, 1) - 0.5)
        self.shift: tuple[int, int] | None = None
        if float(torch.rand((), generator=random)) < 0.5:
            down, right = (int(v) for v in torch.randint(-MARGIN, MARGIN + 1, (2,), generator=random))
            self.shift = (down, right)
            top, left = MARGIN + down, MARGIN + right
            moved = content[:, :, top : top + size[0], left : left + size[1]]
            grain = 0.0 if float(torch.rand((), generator=random)) < 0.5 else 1.0
        else:
            grid, inside = random_motion(n, size, random, flow=2.0, shift=6.0)
            self.grid, self.inside = grid.to(content.device), inside.to(content.device)
            moved, grain = warp(inner, self.grid), 1.0
        amount = grain * (0.001 + 0.015 * uniform(n, 1, 1, 1) ** 2)
        noise = torch.randn(inner.shape, generator=random).to(content.device)
        self.picture = (moved * self.gain).clamp(0, 1) + noise * amount
        self.turned = float(torch.rand((), generator=random)) < turned
        if self.turned:
            self.picture = self.picture.flip(2, 3)

    def difference(self, painting: Tensor, of_moved: Tensor) -> Tensor:
        """Mean absolute difference of the moved pictures' paintings from the moved paintings."""
        if self.turned:
            of_moved = of_moved.flip(2, 3)
        if self.shift is None:
            return losses.compound_temporal(of_moved, warp(painting, self.grid) * self.gain, self.inside)
        down, right = self.shift
        inner = (slice(None), slice(None), slice(BORDER, -BORDER), slice(BORDER, -BORDER))
        wanted = painting.roll((-down, -right), (2, 3)) * self.gain
        return (of_moved - wanted)[inner].abs().mean()
