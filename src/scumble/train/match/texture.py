"""Texture optimisation: a picture becomes one that is made of a painting's own patches.

Pixels that were optimised through VGG have the painting's colours in the right places, and between them what only VGG
likes: grain, relief, bright rims. Here every patch of such a picture gives way to the most similar patch of the
painting; where patches overlap, the likeliest ones count most. After a few rounds, with smaller and smaller patches,
flats are flats and edges are strokes, since all of it was painted by hand.

Sources: Kwatra et al., Texture optimization for example-based synthesis, 2005; Elad and Milanfar 1609.03057 (patches
of a style, weighed by how well they fit).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

COMPONENTS = 32  # principal components by which patches are compared

SOME = 15000  # patches of the paintings that are looked through

AT_ONCE = 128  # patches of the picture: their distances stay in the cache

LIKELY = -2  # power of the squared difference by which patches that overlap are weighed: means of all would blur

FLAT = 1e-4  # squared difference that counts as none


class Stage(NamedTuple):
    """A few rounds with patches of one size."""

    side: int
    """Of patches, in pixels."""
    stride: int
    """Pixels between them. Small ones stand at every pixel: otherwise some pixels have fewer, which shows as a grid."""
    rounds: int
    guide: float
    """Weight of the picture that the stages began with, in weights of the patches: keeps faces and letters."""


STAGES = (Stage(7, 2, 3, 0.3), Stage(5, 2, 2, 0.2), Stage(3, 1, 1, 0.0))


@torch.no_grad()
def of_their_patches(
    picture: Tensor,
    paintings: Sequence[Tensor],
    random: torch.Generator,
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> Tensor:
    """A picture (1, 3, H, W) made of the patches of paintings (1, 3, h, w), all in [0, 1].

    `tell` hears how many stages are done, and of how many.
    """
    now = picture
    for done, stage in enumerate(STAGES, start=1):
        now = _optimised(now, picture, _Patches(paintings, stage.side, random), stage)
        tell(done, len(STAGES))
    return now.clamp(0, 1)


class _Patches:
    """Some patches (n, 3 · side²) of paintings, and what they are found by."""

    def __init__(self, paintings: Sequence[Tensor], side: int, random: torch.Generator) -> None:
        views = [p[0].unfold(1, side, 1).unfold(2, side, 1) for p in paintings]  # (3, rows, columns, side, side)
        firsts = [0, *accumulate(v.shape[1] * v.shape[2] for v in views)]
        drawn = torch.randperm(firsts[-1], generator=random)[:SOME].to(paintings[0].device)
        self.patches = paintings[0].new_empty(len(drawn), 3 * side * side)
        for view, (first, end) in zip(views, pairwise(firsts), strict=True):
            here = (drawn >= first) & (drawn < end)
            at = drawn[here] - first
            found = view[:, at // view.shape[2], at % view.shape[2]]  # copies those alone: all would be gigabytes
            self.patches[here] = found.transpose(0, 1).flatten(1)
        self.mean = self.patches.mean(0)
        away = self.patches - self.mean
        _, directions = torch.linalg.eigh(away.T @ away)
        self.directions = directions[:, -COMPONENTS:]
        components = away @ self.directions
        self.half_squares = components.square().sum(1) / 2
        self.components = components.T.contiguous()

    def nearest_to(self, patches: Tensor) -> Tensor:
        """The most similar patch (n, 3 · side²) to each."""
        parts = (patches - self.mean) @ self.directions
        found = torch.empty(len(parts), dtype=torch.long, device=parts.device)
        room = parts.new_empty(AT_ONCE, self.components.shape[1])
        # everything is written to where it stays: small results between large ones that are freed break up the heap,
        # and glibc before 2.38 does not use such gaps again; that once took 24 GB
        for first in range(0, len(parts), AT_ONCE):
            part = parts[first : first + AT_ONCE]
            products = room[: len(part)]
            torch.addmm(self.half_squares, part, self.components, alpha=-1, out=products)
            torch.argmin(products, 1, out=found[first : first + AT_ONCE])
        return self.patches[found]


def _optimised(now: Tensor, guide: Tensor, sources: _Patches, stage: Stage) -> Tensor:
    side, stride = stage.side, stage.stride
    height, width = now.shape[2:]
    border = side, side + (width - side) % stride, side, side + (height - side) % stride
    now, guide = (F.pad(x, border, mode="replicate") for x in (now, guide))
    size = now.shape[2:]
    for _ in range(stage.rounds):
        own = F.unfold(now, side, stride=stride)[0].T
        found = sources.nearest_to(own)
        weights = ((found - own).square().sum(1, keepdim=True) + FLAT).pow(LIKELY)
        total = F.fold((found * weights).T[None], size, side, stride=stride)
        by = F.fold(weights.expand(-1, side * side).T[None], size, side, stride=stride)
        now = (total / by + stage.guide * guide) / (1 + stage.guide)
    return now[:, :, side : side + height, side : side + width]
