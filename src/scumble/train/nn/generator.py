"""The painter in training: the network of `scumble.network.shape` with what makes it follow a style.

One set of kernels serves all looks. A look is its affine terms, a gain and a shift for every channel of every
convolution [AdaIN 1703.06868, MSG-Net 1703.06953], and its weights of the look kernels: layers with 32 channels or
more have `network.RANK` extra kernels v_r and directions u_r, and a look adds `sum_r s_r u_r v_r` to the layer's kernel
[LoRA 2106.09685]. Both are predicted from the moments of the style by one small network. Collapsed for one style
it is a plain convolutional network; `conditioning="none"` is that network itself, trained directly.

Shapes: pictures (N, 3, H, W), sides multiples of the total stride; moments (N, `network.MOMENTS`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scumble.network.shape import EPSILON, MOMENT_LIMIT, MOMENTS, Architecture, Node
from scumble.network.torch_engine import paint, replicate, simplified
from scumble.train.nn.fused import Fused

Conditioning = Literal["style", "none"]

CODE = 256  # width of the network that predicts a look's terms

TAKEN = 0.2  # share of the plate's bands that is taken away at the start


class Moments(NamedTuple):
    """Mean and variance a channel of one layer: (N or 1, C), float32."""

    mean: Tensor
    variance: Tensor


class Terms(NamedTuple):
    """What a look says of one convolution: gain and shift (N, O), weights of its look kernels (N, R)."""

    gamma: Tensor
    beta: Tensor
    shares: Tensor


class Generator(nn.Module):
    """See the module's head. Kernels OIHW; parameters have the names that `scumble.look.look` reads without torch."""

    usual: Tensor
    spread: Tensor

    def __init__(self, architecture: Architecture, conditioning: Conditioning = "style", code: int = CODE) -> None:
        super().__init__()
        self.architecture = architecture
        self.conditioning = conditioning
        self.convolutions = architecture.convolutions()
        self.fused = Fused()
        self.dtype = torch.float32  # of the layers; statistics are in float32 always
        self.kernel = nn.ParameterDict({n.name: nn.Parameter(_first_kernel(n)) for n in self.convolutions})
        if conditioning == "none":
            self.gamma = nn.ParameterDict({n.name: nn.Parameter(torch.ones(n.channels)) for n in self.convolutions})
            self.beta = nn.ParameterDict({n.name: nn.Parameter(_first_shift(n)) for n in self.convolutions})
            return
        ranked = [n for n in self.convolutions if n.rank]
        self.varied = nn.ParameterDict(
            {n.name: nn.Parameter(_kaiming(n.rank, n.fan_in)) for n in ranked}  # (R, I, 3, 3)
        )
        self.direction = nn.ParameterDict({n.name: nn.Parameter(0.2 * torch.randn(n.channels, n.rank)) for n in ranked})
        last = nn.Linear(code, sum(2 * n.channels + n.rank for n in self.convolutions))
        nn.init.normal_(last.weight, std=0.3 / code**0.5)
        shifts = [torch.cat([torch.zeros(n.channels), _first_shift(n), torch.zeros(n.rank)]) for n in self.convolutions]
        last.bias.data.copy_(torch.cat(shifts))
        self.terms = nn.Sequential(nn.Linear(MOMENTS, code), nn.GELU(), nn.Linear(code, code), nn.GELU(), last)
        self.register_buffer("usual", torch.zeros(MOMENTS))
        self.register_buffer("spread", torch.ones(MOMENTS))

    def standardise(self, moments: Tensor) -> None:
        """Take means and spreads from the moments of a data set (N, MOMENTS)."""
        self.usual.copy_(moments.mean(0))
        self.spread.copy_(moments.std(0, correction=0) + 1e-3)

    def look(self, moments: Tensor | None = None) -> dict[str, Terms]:
        """The terms of styles with these moments, by node; without style conditioning the generator's own."""
        if self.conditioning == "none":
            none = torch.zeros(1, 0, device=self.kernel["head"].device)
            return {n.name: Terms(self.gamma[n.name][None], self.beta[n.name][None], none) for n in self.convolutions}
        assert moments is not None
        z = self.terms(((moments - self.usual) / self.spread).clamp(-MOMENT_LIMIT, MOMENT_LIMIT))
        terms: dict[str, Terms] = {}
        at = 0
        for n in self.convolutions:
            own = z[:, at : at + 2 * n.channels + n.rank]
            gain, shift, shares = torch.split(own, [n.channels, n.channels, n.rank], 1)
            terms[n.name] = Terms(1 + gain, shift, shares)
            at += 2 * n.channels + n.rank
        return terms

    def collapse(self, moments: Tensor | None = None) -> dict[str, Tensor]:
        """The plain network of one style (MOMENTS,), named as a look holds it: kernel, gamma and beta of each node."""
        terms = self.look(None if moments is None else moments[None])
        weights: dict[str, Tensor] = {}
        for n in self.convolutions:
            kernel, own = self.kernel[n.name], terms[n.name]
            if own.shares.shape[1]:
                kernel = kernel + torch.einsum(
                    "or,rihw->oihw", self.direction[n.name] * own.shares, self.varied[n.name]
                )
            weights |= {f"kernel.{n.name}": kernel, f"gamma.{n.name}": own.gamma[0], f"beta.{n.name}": own.beta[0]}
        return weights

    def forward(self, recoloured: Tensor, terms: Mapping[str, Terms], views: int = 1) -> Tensor:
        """The paintings (N, 3, H, W), float32, each under its own terms and statistics.

        `views` neighbours in the batch are views of one shot, whose statistics are pooled.
        """
        many = len(recoloured)

        def conv(node: Node, x: Tensor) -> Tensor:
            y = self._convolved(node, x, terms[node.name])
            gamma, beta = (t.expand(many, -1) for t in terms[node.name][:2])
            if node.normed:
                return self.fused.normalise(y, gamma, beta, node.relu, views)
            return self.fused.affine(y, gamma, beta, node.relu)

        return paint(self.architecture, recoloured, conv, self.dtype)

    def simplified(self, pictures: Tensor) -> Tensor:
        """Pictures (N, 3, H, W) without what the network never sees of them."""
        return simplified(pictures, self.architecture.simplified)

    def measured(
        self,
        recoloured: Tensor,
        terms: Mapping[str, Terms],
        statistics: Mapping[str, Moments] | None = None,
    ) -> tuple[Tensor, dict[str, Moments]]:
        """The paintings and the statistics that were taken out; `statistics`, where given, instead of their own."""
        used: dict[str, Moments] = {}

        def conv(node: Node, x: Tensor) -> Tensor:
            y = self._convolved(node, x, terms[node.name]).float()
            scale, shift = terms[node.name][:2]
            if node.normed:
                if statistics is None:
                    variance, mean = torch.var_mean(y, dim=(2, 3), correction=0)
                    m = Moments(mean, variance)
                else:
                    m = statistics[node.name]
                used[node.name] = m
                scale = scale * (m.variance + EPSILON).rsqrt()
                shift = shift - m.mean * scale
            y = torch.addcmul(shift[:, :, None, None], y, scale[:, :, None, None])
            return (F.relu(y) if node.relu else y).to(self.dtype)

        return paint(self.architecture, recoloured, conv, self.dtype), used

    def _convolved(self, node: Node, x: Tensor, terms: Terms) -> Tensor:
        """A layer's kernels and, where the look has them, its look kernels: one convolution and a small product."""
        kernel = self.kernel[node.name]
        if not terms.shares.shape[1]:
            return F.conv2d(replicate(x), kernel.to(self.dtype, memory_format=torch.channels_last))
        both = torch.cat([kernel, self.varied[node.name]]).to(self.dtype, memory_format=torch.channels_last)
        y, varied = torch.split(F.conv2d(replicate(x), both), [node.channels, node.rank], 1)
        varied = varied * terms.shares.to(self.dtype)[:, :, None, None]
        y = y + F.conv2d(varied, self.direction[node.name].to(self.dtype)[:, :, None, None])
        return y.contiguous(memory_format=torch.channels_last)


def _kaiming(channels: int, fan_in: int) -> Tensor:
    kernel = torch.empty(channels, fan_in, 3, 3)
    nn.init.kaiming_normal_(kernel, nonlinearity="relu")
    return kernel


def _first_kernel(node: Node) -> Tensor:
    """The head starts near zero: training starts from the recoloured plate. Layers that see the plate start small."""
    gain = {"head": 0.1, "in0": 0.5, "in1": 0.5}.get(node.name, 1.0)
    return gain * _kaiming(node.channels, node.fan_in)


def _first_shift(node: Node) -> Tensor:
    """0, except for the gates of the plate's bands: at 0 or below they would learn nothing."""
    shift = torch.zeros(node.channels)
    if node.name == "head":
        shift[3:] = TAKEN
    return shift
