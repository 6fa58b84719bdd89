"""`scumble.bands` where gradients flow: blurs as matrices, which a CPU multiplies many times faster than it filters.

Shapes: pictures (N, 3, H, W); their blurs (N, 3 (DETAILS + 1), H, W), the picture itself first.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from scumble.bands import BandMatch, Bands, band_match, blurring

LEAST = 1e-5  # contrast (variance) below which bands are as good as flat


class Match(NamedTuple):
    """`BandMatch` of each picture: (N, 3, 3 (DETAILS + 1)) and (N, 3)."""

    matrix: Tensor
    offset: Tensor

    def of(self, count: int) -> Match:
        """Of the first pictures alone."""
        return Match(self.matrix[:count], self.offset[:count])


def blurs(pictures: Tensor) -> Tensor:
    """The picture and all that its bands are differences of."""
    height, width = pictures.shape[2:]
    rows, columns = (_blurring(n).to(pictures.device) for n in (height, width))
    found = [pictures]
    for by_rows, by_columns in zip(rows, columns, strict=True):
        found.append(by_rows @ pictures @ by_columns.T)
    return torch.cat(found, dim=1)


@cache
def _blurring(side: int) -> Tensor:
    return torch.from_numpy(blurring(side))


def strayed(of_blurs: Tensor, wanted: Bands) -> Tensor:
    """How far pictures are from what a match makes of them: squared logarithms of contrast over the style's.

    The style's mean colour counts too, in units of its own contrast. What is matched away costs nothing
    otherwise, and would grow until gains are at their limits.
    """
    parts = [x.float() for x in torch.split(of_blurs, 3, dim=1)]
    mean = parts[-1].mean((2, 3))
    parts = [a - b for a, b in itertools.pairwise(parts)] + [parts[-1] - mean[:, :, None, None]]
    contrast = torch.stack([x.square().sum(1).mean((1, 2)) for x in parts], dim=1)
    own = torch.from_numpy(wanted.covariance.trace(axis1=1, axis2=2).astype("float32")).to(of_blurs.device)
    centre = torch.from_numpy(wanted.mean.astype("float32")).to(of_blurs.device)
    apart = (mean - centre).square().sum(1) / (own[-1] + LEAST)
    return ((contrast + LEAST) / (own + LEAST)).log().square().mean() + apart.mean()


@torch.no_grad()
def measured(of_blurs: Tensor, view_weights: Sequence[float] = (1.0,)) -> list[Bands]:
    """Bands of each sample's V views (V*N, ..., view-major), pooled by their weights."""
    parts = [x.float().flatten(2) for x in torch.split(of_blurs, 3, dim=1)]
    rest = parts[-1]
    mean = rest.mean(2)
    parts = [a - b for a, b in itertools.pairwise(parts)] + [rest - mean[:, :, None]]
    covariance = torch.stack([x @ x.transpose(1, 2) / x.shape[2] for x in parts], dim=1)
    means, covariances = mean.double().cpu().numpy(), covariance.double().cpu().numpy()
    count = len(means) // len(view_weights)
    every = [Bands(m, c) for m, c in zip(means, covariances, strict=True)]
    return [Bands.pool(every[i::count], view_weights) for i in range(count)]


def match_of(own: Sequence[Bands], wanted: Bands, device: torch.device) -> Match:
    """From each painting's bands to the style's."""
    return stacked([band_match(bands, wanted) for bands in own], device)


def stacked(matches: Sequence[BandMatch], device: torch.device) -> Match:
    """As tensors."""
    matrix, offset = np.stack([m.matrix for m in matches]), np.stack([m.offset for m in matches])
    return Match(torch.from_numpy(matrix).to(device), torch.from_numpy(offset).to(device))


def matched(pictures: Tensor, wanted: Bands) -> tuple[Tensor, Match]:
    """Each picture (N, 3, H, W) with the bands that are wanted, by its own statistics, and what did it."""
    of_blurs = blurs(pictures)
    match = match_of(measured(of_blurs), wanted, pictures.device)
    return finished(of_blurs, match), match


def finished(of_blurs: Tensor, match: Match) -> Tensor:
    """The pictures (N, 3, H, W) with every band as it is wanted."""
    n, _, height, width = of_blurs.shape
    return (match.matrix @ of_blurs.flatten(2) + match.offset[:, :, None]).view(n, 3, height, width)
