"""Critics: patch networks that say which parts of a picture look painted.

`StyleDiscriminator` judges whether a patch was painted in *this* style: its logit is what it says of patches at
large plus the product of the patch's features with a code of the style [projection discriminator 1802.05637]. So a
real painting under another style's name is a forgery to it as well. `PlainDiscriminator` is the PatchGAN of one style
[Isola 1611.07004].
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from scumble.network.shape import BLUR, MOMENT_LIMIT, MOMENTS
from scumble.network.torch_engine import halved

LEAK = 0.2

LOUDNESS = 6.0  # gain of logits: under spectral normalisation alone they stay near 0

SCALES = 2  # the picture and its half


class StyleDiscriminator(nn.Module):
    """Logits of patches of a picture (N, 3, H, W) in [0, 1] under styles' moments (N, MOMENTS).

    Three halvings by 4x4 kernels and a 3x3 one, on the picture and on its half; spectrally normalised
    [Miyato 1802.05957], so that it cannot win outright. Logits (N, P), float32, of both scales side by side.
    """

    usual: Tensor
    spread: Tensor

    def __init__(self, widths: tuple[int, ...] = (64, 128, 256, 256), hidden: int = 256) -> None:
        super().__init__()
        self.strides = [2] * (len(widths) - 1) + [1]
        self.convs = nn.ModuleList(
            spectral_norm(nn.Conv2d(fan_in, out, 2 + stride, stride, 1))
            for (fan_in, out), stride in zip(pairwise((3, *widths)), self.strides, strict=True)
        )
        self.verdicts = nn.ModuleList(spectral_norm(nn.Conv2d(widths[-1], 1, 1)) for _ in range(SCALES))
        self.code = nn.Sequential(nn.Linear(MOMENTS, hidden), nn.GELU(), spectral_norm(nn.Linear(hidden, widths[-1])))
        self.dtype = torch.float32  # of the convolutions
        self.register_buffer("usual", torch.zeros(MOMENTS))
        self.register_buffer("spread", torch.ones(MOMENTS))

    def standardise(self, moments: Tensor) -> None:
        """Take means and spreads from the moments of a data set (N, MOMENTS), as the generator does."""
        self.usual.copy_(moments.mean(0))
        self.spread.copy_(moments.std(0, correction=0) + 1e-3)

    def kernels(self) -> list[tuple[Tensor, Tensor]]:
        """The convolutions' kernels and biases, normalised once for all pictures of a step."""
        kernels = []
        for conv in self.convs:
            assert isinstance(conv.weight, Tensor)
            assert isinstance(conv.bias, Tensor)
            kernel = conv.weight.to(self.dtype, memory_format=torch.channels_last)
            kernels.append((kernel, conv.bias.to(self.dtype)))
        return kernels

    def forward(self, pictures: Tensor, moments: Tensor, kernels: list[tuple[Tensor, Tensor]] | None = None) -> Tensor:
        code = self.code(((moments - self.usual) / self.spread).clamp(-MOMENT_LIMIT, MOMENT_LIMIT))
        kernels = kernels or self.kernels()
        logits = []
        for scale, verdict in enumerate(self.verdicts):
            seen = F.avg_pool2d(pictures, 2) if scale else pictures
            x = ((seen - 0.5) * 2).to(self.dtype, memory_format=torch.channels_last)
            for (kernel, bias), stride in zip(kernels, self.strides, strict=True):
                x = F.leaky_relu(F.conv2d(x, kernel, bias, stride, 1), LEAK)
            x = x.float()
            match = torch.einsum("nchw,nc->nhw", x, code) / x.shape[1] ** 0.5
            logits.append(LOUDNESS * (verdict(x)[:, 0] + match).flatten(1))
        return torch.cat(logits, 1)


class PlainDiscriminator(nn.Module):
    """A PatchGAN of one style: logits (N, 1, h, w) of pictures (N, 3, H, W) in [0, 1], after `depth` halvings."""

    def __init__(self, width: int = 32, depth: int = 3) -> None:
        super().__init__()
        widths = [width * min(1 << i, 4) for i in range(depth + 1)]
        self.stem = nn.Conv2d(3, widths[0], 3, padding=1)
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(widths))
        self.head = nn.Conv2d(widths[-1], 1, 3, padding=1)
        for module in self.modules():
            # torch's default initialisation leaves scores near zero for hundreds of steps
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, a=LEAK)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, pictures: Tensor) -> Tensor:
        x = F.leaky_relu(self.stem(pictures * 2 - 1), LEAK)
        for conv in self.convs:
            x = F.leaky_relu(conv(halved(x, BLUR)), LEAK)
        scores: Tensor = self.head(x)
        return scores
