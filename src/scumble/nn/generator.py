"""The painter: closed-form recolouring plus a network that adds strokes in the style it is shown.

x' = p + G(p, s), p = T (x - mu_plate) + mu_style. G's kernels are mixtures of experts chosen by the
style code, its affine terms are the style's feature statistics carried over [AdaIN 1703.06868,
MicroAST 2211.15313] plus a part learned from the code. With `sight` a second code, from a perceptual
network's view of the style, adapts every layer further: the mixture of each output channel by itself, a gain
for each input channel, affine terms, gates. Collapsed for one style it is a plain convolutional network;
`conditioning="none"` is that network itself, trained directly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scumble.engine.torch_engine import blur_down, replicate, up
from scumble.network import EPSILON, SIGHT_CODE, Architecture, Node
from scumble.nn.sight import Sight

Conditioning = Literal["style", "none"]


class Moments(NamedTuple):
    """Mean and variance a channel of one layer: (N or 1, C), float32."""

    mean: Tensor
    variance: Tensor


class Style(NamedTuple):
    """What the style encoder says of style pictures: code (S,) and per level mean and deviation (C,)."""

    code: Tensor
    mean: tuple[Tensor, ...]
    deviation: tuple[Tensor, ...]


@dataclass
class Collapsed:
    """One style's plain network: what a look file holds. Kernels OIHW, the rest (C,)."""

    kernel: dict[str, Tensor]
    gamma: dict[str, Tensor]
    beta: dict[str, Tensor]
    gate: dict[str, Tensor]


def pooled_moments(x: Tensor, view_weights: Sequence[float] = (1.0,)) -> Moments:
    """Statistics over rows, columns and the views of each sample.

    `x` is (V*N, C, H, W), view-major; view v has weight `view_weights[v]` (they sum to 1). With one
    view this is instance normalisation.
    """
    variance, mean = torch.var_mean(x.float(), dim=(2, 3), correction=0)
    if len(view_weights) == 1:
        return Moments(mean, variance)
    views = len(view_weights)
    weight = torch.tensor(view_weights, device=x.device).view(views, 1, 1)
    mean, variance = mean.view(views, -1, x.shape[1]), variance.view(views, -1, x.shape[1])
    pooled = (weight * mean).sum(0)
    square = (weight * (variance + mean.square())).sum(0)
    return Moments(pooled, (square - pooled.square()).clamp(min=0))


class StyleEncoder(nn.Module):
    """Sees a style picture (N, 3, H, W) in [0, 1]; gives its code and its feature statistics."""

    def __init__(self, architecture: Architecture, code: int) -> None:
        super().__init__()
        self.nodes = architecture.encoder_nodes()
        self.convs = nn.ModuleDict({n.name: nn.Conv2d(n.fan_in, n.channels, 3) for n in self.nodes if n.op == "conv"})
        for name, parameter in self.convs.named_parameters():
            if name.endswith("weight"):
                nn.init.kaiming_normal_(parameter, nonlinearity="relu")
            else:
                nn.init.zeros_(parameter)
        seen = 2 * sum(architecture.widths)
        self.hidden = nn.Linear(seen, 2 * code)
        self.code = nn.Linear(2 * code, code)

    def forward(self, pictures: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Codes (N, S); means and deviations per level, each (N, C)."""
        x = (pictures - 0.5) * 4
        mean, deviation = [], []
        for node in self.nodes:
            if node.op == "down":
                x = blur_down(x)
                continue
            x = F.relu(self.convs[node.name](replicate(x)))
            if node.name.startswith("style"):
                m = pooled_moments(x)
                mean.append(m.mean)
                deviation.append((m.variance + EPSILON).sqrt())
        seen = torch.cat(mean + deviation, dim=1)
        code: Tensor = self.code(F.relu(self.hidden(seen)))
        return code.float(), mean, deviation


class Generator(nn.Module):
    """See the module's head. `experts` K kernels a layer; the softmax over them is cooled by `temperature`."""

    def __init__(
        self,
        architecture: Architecture,
        conditioning: Conditioning = "style",
        experts: int = 4,
        code: int = 64,
        head_gain: float = 0.1,
        sight: bool = False,
    ) -> None:
        super().__init__()
        self.architecture = architecture
        self.conditioning = conditioning
        self.experts = experts if conditioning == "style" else 1
        self.nodes = architecture.nodes()
        self.temperature = 1.0
        self.run = run
        self.kernel = nn.ParameterDict()
        self.gamma = nn.ParameterDict()
        self.beta = nn.ParameterDict()
        self.gate = nn.ParameterDict()
        for node in self.nodes:
            if node.op == "conv":
                kernel = torch.empty(self.experts, node.channels, node.fan_in, 3, 3)
                for k in kernel:
                    nn.init.kaiming_normal_(k, nonlinearity="relu")
                if node.name == "head":
                    kernel *= head_gain
                self.kernel[node.name] = nn.Parameter(kernel)
                self.beta[node.name] = nn.Parameter(torch.zeros(node.channels))
                if node.normed:
                    self.gamma[node.name] = nn.Parameter(torch.ones(node.channels))
            elif node.op == "skip":
                self.gate[node.name] = nn.Parameter(torch.ones(node.channels))
        if conditioning == "style":
            self.encoder = StyleEncoder(architecture, code)
            self.mixture = nn.ModuleDict()
            self.affine = nn.ModuleDict()
            self.inject_mean = nn.ModuleDict()
            self.inject_deviation = nn.ModuleDict()
            self.gating = nn.ModuleDict()
            for node in self.nodes:
                if node.op == "conv":
                    self.mixture[node.name] = nn.Linear(code, self.experts)
                    if node.normed:
                        self.affine[node.name] = _silent(code, 2 * node.channels)
                    if node.injected:
                        for maps in (self.inject_mean, self.inject_deviation):
                            passed = nn.Linear(node.channels, node.channels, bias=False)
                            nn.init.eye_(passed.weight)
                            maps[node.name] = passed
                elif node.op == "skip":
                    self.gating[node.name] = _silent(code, node.channels)
        self.sight = Sight() if sight and conditioning == "style" else None
        if self.sight is not None:
            self.code = code
            self.adapt = nn.ModuleDict()
            for node in self.nodes:
                if node.op in ("conv", "skip"):
                    self.adapt[node.name] = _silent(SIGHT_CODE, sum(adapted(node, self.experts)))

    def encode(self, pictures: Tensor) -> Style:
        """One style out of its pictures (N, 3, H, W): codes and statistics averaged."""
        code, mean, deviation = self.encoder(pictures)
        if self.sight is not None:
            code = torch.cat([code, self.sight(pictures)], dim=1)
        return Style(code.mean(0), tuple(m.mean(0) for m in mean), tuple(d.mean(0) for d in deviation))

    def collapse(self, style: Style | None = None) -> Collapsed:
        """The plain network of one style (float32). Linear in `style` but for the softmax and the gates."""
        kernel: dict[str, Tensor] = {}
        gamma: dict[str, Tensor] = {}
        beta: dict[str, Tensor] = {}
        gate: dict[str, Tensor] = {}
        if style is not None:
            own, seen = style.code, style.code[:0]
            if self.sight is not None:
                own, seen = style.code[: self.code], style.code[self.code :]
        for node in self.nodes:
            name = node.name
            if node.op not in ("conv", "skip"):
                continue
            more: Sequence[Tensor] = ()
            if style is not None and self.sight is not None:
                more = self.adapt[name](seen).split(adapted(node, self.experts))
            if node.op == "skip":
                gate[name] = self.gate[name]
                if style is not None:
                    opening = self.gating[name](own)
                    gate[name] = 2 * torch.sigmoid(opening + more[0] if more else opening) * gate[name]
                continue
            experts = self.kernel[name]
            beta[name] = self.beta[name]
            if node.normed:
                gamma[name] = self.gamma[name]
            if style is None:
                kernel[name] = experts[0]
                continue
            logits = self.mixture[name](own)[:, None]  # (K, 1), or (K, O) adapted
            if more:
                logits = logits + more[0].view(self.experts, -1)
            share = torch.softmax(logits / self.temperature, dim=0)
            kernel[name] = (share[:, :, None, None, None] * experts).sum(0)
            if more:
                kernel[name] = kernel[name] * (1 + more[1])[None, :, None, None]
            if node.normed:
                more_gamma, more_beta = self.affine[name](own).chunk(2)
                gamma[name] = gamma[name] + more_gamma
                beta[name] = beta[name] + more_beta
                if node.injected:
                    # ones in `gamma` stand in for the style's deviation where nothing is injected
                    deviation = self.inject_deviation[name](style.deviation[node.level])
                    gamma[name] = gamma[name] - 1 + deviation
                    beta[name] = beta[name] + self.inject_mean[name](style.mean[node.level])
                if more:
                    gamma[name], beta[name] = gamma[name] + more[2], beta[name] + more[3]
        return Collapsed(kernel, gamma, beta, gate)

    def forward(
        self,
        recoloured: Tensor,
        plain: Collapsed,
        statistics: Sequence[Moments] | None = None,
        view_weights: Sequence[float] = (1.0,),
    ) -> tuple[Tensor, list[Moments]]:
        """Strokes to add to `recoloured` (V*N, 3, H, W), and the statistics that were used.

        Sides must be multiples of the total stride. `statistics`, when given (from another view of
        the shot), replace the measured ones. With V views per sample (view-major) they are pooled
        by `view_weights`.
        """
        return self.run(self.nodes, recoloured, plain, statistics, view_weights)


def adapted(node: Node, experts: int) -> list[int]:
    """What the second code says of a layer: logits (K·O), input gains (I), and gamma and beta (O each); or a gate."""
    if node.op == "skip":
        return [node.channels]
    return [experts * node.channels, node.fan_in, *([node.channels] * 2 if node.normed else [])]


def run(
    nodes: Sequence[Node],
    recoloured: Tensor,
    plain: Collapsed,
    statistics: Sequence[Moments] | None = None,
    view_weights: Sequence[float] = (1.0,),
) -> tuple[Tensor, list[Moments]]:
    """Run a plain network node by node; see `Generator.forward`."""
    views = len(view_weights)
    given = iter(statistics) if statistics is not None else None
    used: list[Moments] = []
    dtype = recoloured.dtype
    found: dict[str, Tensor] = {"input": recoloured}
    for node in nodes:
        x = found[node.inputs[0]]
        if node.op == "conv":
            kernel = plain.kernel[node.name].to(dtype)
            beta = plain.beta[node.name]
            if node.normed:
                x = F.conv2d(replicate(x), kernel)
                m = pooled_moments(x, view_weights) if given is None else next(given)
                used.append(m)
                scale = plain.gamma[node.name] * (m.variance + EPSILON).rsqrt()
                shift = beta - m.mean * scale
                if views > 1 and scale.shape[0] > 1:
                    scale, shift = scale.repeat(views, 1), shift.repeat(views, 1)
                x = torch.addcmul(shift[:, :, None, None].to(dtype), x, scale[:, :, None, None].to(dtype))
            else:
                x = F.conv2d(replicate(x), kernel, beta.to(dtype))
            if node.relu:
                x = F.relu(x)
        elif node.op == "down":
            x = blur_down(x)
        elif node.op == "up":
            x = up(x)
        elif node.op == "add":
            x = x + found[node.inputs[1]]
        else:
            gate = plain.gate[node.name].to(dtype)[None, :, None, None]
            x = torch.addcmul(x, found[node.inputs[1]], gate)
        found[node.name] = x
    return found[nodes[-1].name], used


def _silent(fan_in: int, fan_out: int) -> nn.Linear:
    """A linear layer that starts at zero, so that training starts from the injected statistics."""
    layer = nn.Linear(fan_in, fan_out)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
