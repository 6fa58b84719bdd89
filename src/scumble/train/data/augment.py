"""Augmentation: smooth random motion, and changes that keep D from learning a small data set by heart."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def random_motion(
    n: int, size: tuple[int, int], generator: torch.Generator, flow: float = 8.0, shift: float = 10.0
) -> tuple[Tensor, Tensor]:
    """Sampling grids (N, H, W, 2) of a smooth motion and where they stay inside (N, 1, H, W).

    Smooth random flow up to `flow` pixels, shifts up to `shift` pixels with fractions, zoom and
    rotation of a few per cent: the motions under which a painting must move along [ReReVST, AAAI 2020].
    """
    h, w = size

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator) * 2 - 1

    angle, zoom = uniform(n) * math.radians(3), 1 + 0.04 * uniform(n)
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    dx, dy = uniform(n) * 2 * shift / w, uniform(n) * 2 * shift / h
    theta = torch.stack([torch.stack([cos, -sin * h / w, dx], -1), torch.stack([sin * w / h, cos, dy], -1)], dim=1)
    grid = F.affine_grid(theta, [n, 3, h, w], align_corners=False)
    amount = torch.rand((n, 1, 1, 1), generator=generator) * flow
    coarse = uniform(n, 2, 4, 4)
    smooth = F.interpolate(coarse, size=(h, w), mode="bicubic", align_corners=False) * amount
    grid = grid + smooth.permute(0, 2, 3, 1) * torch.tensor([2 / w, 2 / h])
    inside = (grid.abs() <= 1 - 2 / min(h, w)).all(-1, keepdim=True).permute(0, 3, 1, 2).float()
    return grid, inside


def warp(pictures: Tensor, grid: Tensor) -> Tensor:
    """Sample (N, C, H, W) at `grid`, bicubic so that half-pixel shifts do not blur."""
    return F.grid_sample(pictures, grid, mode="bicubic", padding_mode="border", align_corners=False)


def disguise(crops: Tensor, generator: torch.Generator) -> Tensor:
    """DiffAugment [2006.10738]: brightness, saturation, contrast, shift, cutout; differentiable."""
    n, _, h, w = crops.shape

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator).to(crops)

    x = crops + (uniform(n, 1, 1, 1) - 0.5) * 0.4
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * (0.5 + uniform(n, 1, 1, 1))
    middle = x.mean((1, 2, 3), keepdim=True)
    x = middle + (x - middle) * (0.75 + 0.5 * uniform(n, 1, 1, 1))
    reach = max(1, h // 8)
    dy, dx = (int(torch.randint(-reach, reach + 1, (1,), generator=generator)) for _ in range(2))
    x = F.pad(x, (reach,) * 4, mode="reflect")[:, :, reach + dy : reach + dy + h, reach + dx : reach + dx + w]
    hole = h // 4
    top, left = (int(torch.randint(0, h - hole + 1, (1,), generator=generator)) for _ in range(2))
    mask = torch.ones((1, 1, h, w), device=x.device, dtype=x.dtype)
    mask[:, :, top : top + hole, left : left + hole] = 0
    return x * mask


def random_crops(pictures: Tensor, count: int, side: int, generator: torch.Generator) -> Tensor:
    """`count` square crops out of (N, C, H, W), taken from the pictures in turn."""
    n, _, h, w = pictures.shape
    crops = []
    for i in range(count):
        top = int(torch.randint(0, h - side + 1, (1,), generator=generator))
        left = int(torch.randint(0, w - side + 1, (1,), generator=generator))
        crops.append(pictures[i % n, :, top : top + side, left : left + side])
    return torch.stack(crops)
