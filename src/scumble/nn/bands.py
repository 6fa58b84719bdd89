"""`scumble.bands` where gradients flow: blurs as matrices, which a CPU multiplies many times faster than it filters.

Shapes: pictures (N, 3, H, W); their blurs (N, 3 (DETAILS + 1), H, W), the picture itself first.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scumble.bands import DETAILS, EVERY, GREY, SHARES, BandMatch, Bands, band_match, blurring

LEAST = 1e-5  # contrast (variance) below which bands are as good as flat


class Match(NamedTuple):
    """`BandMatch` of each picture: (N, 3, 3 (DETAILS + 1)) and (N, 3), and its curves where it has them.

    `details` (N, DETAILS, 3 (DETAILS + 1)), `knots` and `bends` (N, DETAILS, K - 1).
    """

    matrix: Tensor
    offset: Tensor
    details: Tensor | None = None
    knots: Tensor | None = None
    bends: Tensor | None = None

    def of(self, count: int) -> Match:
        """Of the first pictures alone."""
        curves = (None if t is None else t[:count] for t in self[2:])
        return Match(self.matrix[:count], self.offset[:count], *curves)


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


def match_of(of_blurs: Tensor, wanted: Bands, device: torch.device, view_weights: Sequence[float] = (1.0,)) -> Match:
    """From the bands of each sample's V views (V*N, ..., view-major), pooled by their weights, to the style's."""
    own = measured(of_blurs, view_weights)
    if wanted.sizes is not None:
        linear = stacked([band_match(bands, wanted) for bands in own], device)
        own = [replace(b, sizes=s) for b, s in zip(own, _sizes(of_blurs, linear, view_weights), strict=True)]
    return stacked([band_match(bands, wanted) for bands in own], device)


@torch.no_grad()
def _sizes(of_blurs: Tensor, linear: Match, view_weights: Sequence[float]) -> NDArray[np.float64]:
    """Sizes (N, DETAILS, K) of details after a linear match, as `scumble.bands.sizes_of` has them."""
    views, count = len(view_weights), len(linear.matrix)
    maps = linear.matrix.view(count, 3, DETAILS + 1, 3)[:, :, :DETAILS].cumsum(2).repeat(views, 1, 1, 1)
    seen = of_blurs[:, :, ::EVERY, ::EVERY].float()
    seen = seen.reshape(len(seen), DETAILS + 1, 3, -1)
    grey = torch.from_numpy(GREY).to(of_blurs.device, torch.float32)
    values = torch.einsum("i,nilj,nljp->nlp", grey, maps, seen[:, :-1] - seen[:, 1:]).abs()
    places = values.shape[-1]
    values = values.view(views, count, DETAILS, places).permute(1, 2, 0, 3).flatten(2)
    ordered, order = values.sort(dim=-1)
    weight = torch.tensor(view_weights, device=of_blurs.device, dtype=torch.float64) / places
    shares = weight[order // places].cumsum(-1)
    wanted = (torch.tensor(SHARES, device=of_blurs.device, dtype=torch.float64) - 1e-9).expand(*shares.shape[:-1], -1)
    found = ordered.gather(-1, torch.searchsorted(shares, wanted.contiguous()).clamp(max=ordered.shape[-1] - 1))
    return found.double().cpu().numpy()


def stacked(matches: Sequence[BandMatch], device: torch.device) -> Match:
    """As tensors."""
    parts = [[m.matrix for m in matches], [m.offset for m in matches]]
    curves = [m.curves for m in matches if m.curves is not None]
    if len(curves) == len(matches):
        parts += [[c.details for c in curves], [c.knots for c in curves], [c.bends for c in curves]]
    return Match(*(torch.from_numpy(np.stack(part)).to(device) for part in parts))


def matched(pictures: Tensor, wanted: Bands) -> tuple[Tensor, Match]:
    """Each picture (N, 3, H, W) with the bands that are wanted, by its own statistics, and what did it."""
    of_blurs = blurs(pictures)
    match = match_of(of_blurs, wanted, pictures.device)
    return finished(of_blurs, match), match


def finished(of_blurs: Tensor, match: Match) -> Tensor:
    """The pictures (N, 3, H, W) with every band as it is wanted."""
    n, _, height, width = of_blurs.shape
    flat = of_blurs.flatten(2)
    found = match.matrix @ flat + match.offset[:, :, None]
    if match.details is not None and match.knots is not None and match.bends is not None:
        values = match.details @ flat
        bent = torch.zeros_like(values)
        for knot, bend in zip(match.knots.unbind(-1), match.bends.unbind(-1), strict=True):
            bent = torch.addcmul(bent, values.clamp(-knot[:, :, None], knot[:, :, None]), bend[:, :, None])
        found = found + float(GREY[0]) * bent.sum(1, keepdim=True)
    return found.view(n, 3, height, width)
