"""The critic: looks at patches and says whether they were painted, and in that style.

PatchGAN [Isola 1611.07004]: a fully convolutional patch encoder scores every patch. The conditioned
one compares each patch with the mean embedding of reference patches of the style, as in Swapping
Autoencoder's co-occurrence discriminator [Park 2007.00653]: real = other crops of the style,
fake = generated, mismatched real = crops of another style. A luma head judges texture without
forcing colour [White-box cartoonization, CVPR 2020]. Resampling is anti-aliased here too.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scumble.colour import LUMA
from scumble.engine.torch_engine import blur_down

SLOPE = 0.2  # of the leaky ReLU below zero


def _he(module: nn.Module) -> None:
    """He initialisation: torch's own default leaves scores near zero for the first hundreds of steps."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, a=SLOPE)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class PatchEncoder(nn.Module):
    """Pictures (N, c, H, W) to patch embeddings (N, C, H / 2^depth, W / 2^depth)."""

    def __init__(self, channels: int, width: int, depth: int) -> None:
        super().__init__()
        widths = [width * min(1 << i, 4) for i in range(depth + 1)]
        self.stem = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(widths))
        self.channels = widths[-1]

    def forward(self, x: Tensor) -> Tensor:
        x = F.leaky_relu(self.stem(x), SLOPE)
        for conv in self.convs:
            x = F.leaky_relu(conv(blur_down(x)), SLOPE)
        return x


class StyleDiscriminator(nn.Module):
    """score(patch, mean embedding of reference patches); logits (N, 1, h, w), luma's after colour's."""

    def __init__(self, width: int = 32, depth: int = 3, luma: bool = True) -> None:
        super().__init__()
        self.encoder = PatchEncoder(3, width, depth)
        self.luma = PatchEncoder(1, width // 2, depth) if luma else None
        self.heads = nn.ModuleList()
        for encoder in (self.encoder, self.luma):
            if encoder is not None:
                c = encoder.channels
                self.heads.append(nn.Sequential(nn.Conv2d(3 * c, c, 1), nn.LeakyReLU(SLOPE), nn.Conv2d(c, 1, 1)))
        self.apply(_he)

    def forward(self, crops: Tensor, reference: Tensor) -> Tensor:
        """`crops` (N, 3, H, W), `reference` (R, 3, H, W): R crops of the one style they are held against."""
        views = [(self.encoder, crops, reference)]
        if self.luma is not None:
            views.append((self.luma, luma(crops), luma(reference)))
        scores = []
        for (encoder, seen, shown), head in zip(views, self.heads, strict=True):
            patches = encoder(centred(seen))
            wanted = encoder(centred(shown)).mean(dim=(0, 2, 3)).view(1, -1, 1, 1).expand_as(patches)
            # the squared difference hands the head the comparison that it would learn slowly by itself
            scores.append(head(torch.cat([patches, wanted, (patches - wanted).square()], dim=1)))
        return torch.cat(scores, dim=1)


class PlainDiscriminator(nn.Module):
    """PatchGAN for one style: logits (N, 1, h, w). `reference` is taken and not looked at."""

    def __init__(self, width: int = 32, depth: int = 3) -> None:
        super().__init__()
        self.encoder = PatchEncoder(3, width, depth)
        self.head = nn.Conv2d(self.encoder.channels, 1, 3, padding=1)
        self.apply(_he)

    def forward(self, crops: Tensor, reference: Tensor | None = None) -> Tensor:
        scores: Tensor = self.head(self.encoder(centred(crops)))
        return scores


def centred(pictures: Tensor) -> Tensor:
    """[0, 1] to [-1, 1]."""
    return pictures * 2 - 1


def luma(pictures: Tensor) -> Tensor:
    """Rec. 709 luma of display-referred RGB: (N, 3, H, W) to (N, 1, H, W)."""
    weights = torch.tensor(LUMA, dtype=pictures.dtype, device=pictures.device).view(1, 3, 1, 1)
    return (pictures * weights).sum(1, keepdim=True)
