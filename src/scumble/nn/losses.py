"""What "painted like that, and still this shot" means in numbers: every loss as a pure function.

Shapes: pictures (N, 3, H, W) in [0, 1]; features (N, C, H, W); logits of any shape. Every function
returns a scalar tensor in the dtype of float32 or wider; statistics, Gram matrices and logits are
computed in at least float32 whatever the features' dtype.

Sources: Gatys et al. 1508.06576 and Johnson et al. 1603.08155 (content, Gram, style, total
variation), Goodfellow 1406.2661 (BCE), Mao 1611.04076 (least squares), Lim and Ye 1705.02894 (hinge),
Mescheder 1801.04406 (R1), Wang et al. ReReVST 2020 (compound temporal), Wu et al. 2207.04808 (local coherence, CCPL),
van den Oord 1807.03748 (InfoNCE).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Reduction = Literal["sum", "mean"]
AdversarialKind = Literal["bce", "least-squares", "hinge"]


def _wide(x: Tensor) -> Tensor:
    """At least float32: half-precision sums over thousands of pixels lose their last digits."""
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def content(features: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of feature maps, 1/(C·H·W) a picture, mean over pictures."""
    n, c, h, w = features.shape
    return (_wide(features) - _wide(target)).square().sum() / (n * c * h * w)


def instance_normalised(features: Tensor, epsilon: float = 1e-5) -> Tensor:
    """Features with mean 0 and variance 1 a channel: what is left of a picture without its style."""
    x = _wide(features)
    variance, mean = torch.var_mean(x, dim=(2, 3), keepdim=True, correction=0)
    return (x - mean) * (variance + epsilon).rsqrt()


def gram(features: Tensor) -> Tensor:
    """Gram matrices (N, C, C): channel products summed over places, divided by C·H·W."""
    n, c, h, w = features.shape
    x = _wide(features).reshape(n, c, h * w)
    return x @ x.transpose(1, 2) / (c * h * w)


def gram_difference(a: Tensor, b: Tensor) -> Tensor:
    """Squared difference of Gram matrices (N, C, C) summed and divided by C², mean over pictures."""
    c = a.shape[-1]
    return (a - b).square().sum(dim=(1, 2)).mean() / c**2


def style(features: Mapping[str, Tensor], targets: Mapping[str, Tensor], layers: Mapping[str, float]) -> Tensor:
    """Weighted sum over layers of `gram_difference`; `targets` are Gram matrices (1 or N, C, C)."""
    terms = [weight * gram_difference(gram(features[name]), targets[name]) for name, weight in layers.items()]
    return torch.stack(terms).sum()


def moments(features: Tensor, epsilon: float = 1e-6) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation a channel, each (N, C)."""
    variance, mean = torch.var_mean(_wide(features), dim=(2, 3), correction=0)
    return mean, (variance + epsilon).sqrt()


class Statistics(NamedTuple):
    """What a layer says of a style: mean and standard deviation (N, C), Gram matrix (N, C, C)."""

    mean: Tensor
    deviation: Tensor
    gram: Tensor

    @property
    def moments(self) -> tuple[Tensor, Tensor]:
        """As `moments` gives them."""
        return self.mean, self.deviation


def statistics(features: Tensor, epsilon: float = 1e-6) -> Statistics:
    """`moments` and `gram` of the same features out of one matrix product, several times as fast as apart.

    The Gram matrix's diagonal holds the mean squares; the gradient is one product as well.
    """
    mean, gram_matrix = _Products.apply(features)  # type: ignore[no-untyped-call]
    square = gram_matrix.diagonal(dim1=1, dim2=2) * features.shape[1]
    return Statistics(mean, ((square - mean.square()).clamp(min=0) + epsilon).sqrt(), gram_matrix)


class _Products(torch.autograd.Function):
    """Means (N, C) and Gram matrices (N, C, C) of (N, C, H, W), read place by place as channels-last features lie."""

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> tuple[Tensor, Tensor]:
        n, c, h, w = features.shape
        places = features.permute(0, 2, 3, 1).reshape(n, h * w, c)
        ctx.save_for_backward(places)
        ctx.shape = features.shape
        wide = _wide(places)
        return wide.mean(1), wide.transpose(1, 2) @ wide / (c * h * w)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (places,) = ctx.saved_tensors
        n, c, h, w = ctx.shape
        of_mean, of_gram = gradients
        by_gram = ((of_gram + of_gram.transpose(1, 2)) / (c * h * w)).to(places.dtype)
        found: Tensor = places @ by_gram + (of_mean / (h * w)).to(places.dtype)[:, None, :]
        return found.reshape(n, h, w, c).permute(0, 3, 1, 2)


def moment_difference(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> Tensor:
    """Squared differences of means and deviations, mean over channels and pictures."""
    return (a[0] - b[0]).square().mean() + (a[1] - b[1]).square().mean()


def rooted(difference: Tensor, near: float = 1e-3) -> Tensor:
    """The root of a squared difference, smooth where it is well below `near`, and 0 at 0."""
    root: Tensor = (difference + near).sqrt() - near**0.5
    return root


def total_variation(pictures: Tensor, reduction: Reduction = "sum") -> Tensor:
    """Squared differences of right and lower neighbours, mean over pictures.

    `sum` is the written form (over channels and places); `mean` divides it by H·W, as most code does.
    """
    n, _, h, w = pictures.shape
    x = _wide(pictures)
    right = (x[:, :, :, 1:] - x[:, :, :, :-1]).square().sum()
    below = (x[:, :, 1:, :] - x[:, :, :-1, :]).square().sum()
    total = (right + below) / n
    return total if reduction == "sum" else total / (h * w)


def adversarial_d(real: Sequence[Tensor], fake: Sequence[Tensor], kind: AdversarialKind) -> Tensor:
    """The discriminator's loss from logits: real groups should score high, fake groups low.

    Half the mean over the real groups plus half the mean over the fake ones, so that adding
    mismatched pairs to `fake` does not change the balance. Hinge is written without the halves.
    """

    def mean(groups: Sequence[Tensor], side: Literal["real", "fake"]) -> Tensor:
        return torch.stack([_d_term(_wide(g), side, kind) for g in groups]).mean()

    scale = 1.0 if kind == "hinge" else 0.5
    return scale * (mean(real, "real") + mean(fake, "fake"))


def _d_term(logits: Tensor, side: Literal["real", "fake"], kind: AdversarialKind) -> Tensor:
    wanted = 1.0 if side == "real" else 0.0
    if kind == "bce":
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, wanted))
    if kind == "least-squares":
        return (logits - wanted).square().mean()
    return F.relu(1 - logits if side == "real" else 1 + logits).mean()


def adversarial_g(fake: Tensor, kind: AdversarialKind) -> Tensor:
    """The generator's loss from D's logits of its pictures (non-saturating for BCE)."""
    logits = _wide(fake)
    return -logits.mean() if kind == "hinge" else _d_term(logits, "real", kind)


def r1(scores: Tensor, pictures: Tensor) -> Tensor:
    """Squared gradient of D's scores at real pictures, summed a picture, mean over pictures.

    `pictures` must require grad. The usual factor gamma / 2 is the caller's weight.
    """
    (gradient,) = torch.autograd.grad(scores.sum(), pictures, create_graph=True)
    return gradient.square().sum() / pictures.shape[0]


def compound_temporal(moved_then_painted: Tensor, painted_then_moved: Tensor, valid: Tensor) -> Tensor:
    """L1 of G(warp(x) + n) against warp(G(x)) where the warp saw the picture; `valid` is (N, 1, H, W)."""
    difference = (_wide(moved_then_painted) - _wide(painted_then_moved)).abs() * valid
    return difference.sum() / (valid.sum() * moved_then_painted.shape[1]).clamp(min=1)


def local_coherence(
    painted: Sequence[Tensor],
    plate: Sequence[Tensor],
    places: Sequence[Tensor],
    projections: Sequence[torch.nn.Module] | None = None,
    temperature: float = 0.07,
) -> Tensor:
    """Contrastive loss on differences between a place and its 8 neighbours (CCPL).

    A difference vector of the painted features must match the one at the same place of the plate's
    rather than those elsewhere. `places`: per layer (P, 2) rows and columns in [1, H-2] x [1, W-2].
    """
    total = []
    for i, (a, b, at) in enumerate(zip(painted, plate, places, strict=True)):
        d_a, d_b = (neighbour_differences(x, at) for x in (a, b))  # (N, P*8, C)
        if projections is not None:
            d_a, d_b = projections[i](d_a), projections[i](d_b)
        d_a, d_b = F.normalize(d_a, dim=-1, eps=1e-6), F.normalize(d_b, dim=-1, eps=1e-6)
        logits = d_a @ d_b.transpose(1, 2) / temperature  # (N, M, M)
        wanted = torch.arange(logits.shape[1], device=logits.device).expand(logits.shape[0], -1)
        total.append(F.cross_entropy(logits.flatten(0, 1), wanted.flatten()))
    return torch.stack(total).mean()


def neighbour_differences(features: Tensor, places: Tensor) -> Tensor:
    """Feature vectors of the 8 neighbours minus the centre's: (N, P*8, C)."""
    x = _wide(features)
    row, column = places[:, 0], places[:, 1]
    centre = x[:, :, row, column]
    around = [x[:, :, row + dy, column + dx] - centre for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]
    return torch.cat(around, dim=2).transpose(1, 2)


def identity(
    same: Tensor, picture: Tensor, same_features: Mapping[str, Tensor], features: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor]:
    """G(s, s) = s and G(c, c) = c: mean squared difference of pixels, and of features (mean over layers)."""
    pixels = (_wide(same) - _wide(picture)).square().mean()
    layers = [content(same_features[name], features[name]) for name in features]
    return pixels, torch.stack(layers).mean()


def style_signature(codes: Tensor, own: Tensor, others: Tensor, temperature: float = 0.1) -> Tensor:
    """InfoNCE: the code (N, S) of each output must be nearer to its style's (S,) than to `others` (Q, S)."""
    codes, keys = F.normalize(_wide(codes), dim=-1), F.normalize(torch.cat([own[None], others]), dim=-1)
    logits = codes @ _wide(keys).T / temperature
    return F.cross_entropy(logits, torch.zeros(len(codes), dtype=torch.long, device=codes.device))


def beyond(values: Sequence[Tensor], limit: float) -> Tensor:
    """Mean square of what exceeds `limit` in size. 0 while all stay inside."""
    return torch.cat([F.relu(_wide(v).abs() - limit).square().flatten() for v in values]).mean()


def weighted_total(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """The sum of weight times term over the named terms; a term without a weight is a mistake, not zero."""
    return torch.stack([weights[name] * value for name, value in terms.items()]).sum()
