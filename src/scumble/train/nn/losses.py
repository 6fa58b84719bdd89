"""The losses, each a pure function: content, style, total variation, adversarial, temporal.

Shapes: pictures (N, 3, H, W) in [0, 1]; features (N, C, H, W); logits of any shape. Every function
returns a scalar tensor in the dtype of float32 or wider; statistics, Gram matrices and logits are
computed in at least float32 whatever the features' dtype.

Sources: Gatys et al. 1508.06576 and Johnson et al. 1603.08155 (content, Gram, style, total
variation), Goodfellow 1406.2661 (BCE), Mao 1611.04076 (least squares), Wang et al. ReReVST 2020 (compound temporal).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from scumble.core.colour import LUMA
from scumble.network.shape import SEEN

Reduction = Literal["sum", "mean"]

AdversarialKind = Literal["bce", "least-squares"]


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


def moment_difference(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> Tensor:
    """Squared differences of means and deviations, mean over channels and pictures."""
    return (a[0] - b[0]).square().mean() + (a[1] - b[1]).square().mean()


GRAM_SCALE = 1 / 4096  # keeps Gram matrices of VGG's features within half precision

NEAR = 1e-4  # added under the root of a relative difference, whose gradient would be infinite at 0


def gram_of_places(features: Tensor) -> Tensor:
    """Gram matrices (N, C, C), products summed over places and divided by H·W, times `GRAM_SCALE`, in float32.

    One product of matrices, read place by place as channels-last features lie.
    """
    n, c, h, w = features.shape
    places = features.permute(0, 2, 3, 1).reshape(n, h * w, c)
    return torch.bmm(places.transpose(1, 2), places).float() * (GRAM_SCALE / (h * w))


def upper_half(grams: Tensor) -> Tensor:
    """The diagonal and, times the root of 2, what is above it: (N, C (C + 1) / 2).

    Gram matrices are symmetric; so scaled, squares of these sum to those of the whole matrix.
    """
    c = grams.shape[-1]
    rows, columns = torch.triu_indices(c, c, device=grams.device)
    scale = torch.where(rows == columns, 1.0, 2.0**0.5)
    return grams[:, rows, columns] * scale


def pooled_moments(moments: tuple[Tensor, Tensor], views: int) -> tuple[Tensor, Tensor]:
    """Means and deviations (N, C) of `views` neighbours taken together, (N / views, C)."""
    if views == 1:
        return moments
    mean, deviation = (t.view(-1, views, t.shape[1]) for t in moments)
    pooled = mean.mean(1)
    square = (mean.square() + deviation.square()).mean(1)
    return pooled, (square - pooled.square()).clamp(min=1e-6).sqrt()


def pooled_grams(grams: Tensor, views: int) -> Tensor:
    """`upper_half` of the Gram matrices (N, C, C) of `views` neighbours taken together."""
    return upper_half(grams.view(-1, views, *grams.shape[1:]).mean(1))


def stacked_moments(layers: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Means and deviations of layers side by side (N, MOMENTS)."""
    return torch.cat([torch.cat(pair, 1) for pair in layers], 1)


def split_moments(moments: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The inverse of `stacked_moments` for the layers of `network.SEEN`."""
    pairs = torch.split(moments, [2 * channels for _, channels in SEEN], 1)
    return [(pair[:, : pair.shape[1] // 2], pair[:, pair.shape[1] // 2 :]) for pair in pairs]


def relative(difference: Tensor, size: Tensor, usual: float) -> Tensor:
    """Root of a squared difference (N,) relative to the goal's own squared size and a share of the usual one; a mean.

    Neither vanishes the gradient near the goal, as a square's does, nor do a few faint or glaring styles rule it.
    """
    return torch.sqrt(difference / (0.75 * size + 0.25 * usual) + NEAR).mean()


def relative_moments(moments: tuple[Tensor, Tensor], goal: tuple[Tensor, Tensor], usual: float) -> Tensor:
    """`relative` for one layer's means and deviations (N, C)."""
    difference = sum((a - b).square().sum(1) for a, b in zip(moments, goal, strict=True))
    size = sum(b.square().sum(1) for b in goal)
    assert isinstance(difference, Tensor)
    assert isinstance(size, Tensor)
    return relative(difference, size, usual)


def nearest(features: Tensor, of_painting: Tensor) -> Tensor:
    """Mean cosine distance of every place's features to those of the most similar place of its painting.

    (N, C, H, W) and (N, C, h, w), both without the painting's mean. Moments and Gram matrices ask that a picture as a
    whole has what the painting has; this asks it of every place, so photographed texture cannot hide in it.
    Sources: Kolkin et al. 1904.12785 (relaxed transport), Zhang et al. 2206.06360 (nearest neighbours).
    """
    mean = _wide(of_painting).mean((2, 3), keepdim=True)
    own, there = (F.normalize((_wide(x) - mean).flatten(2), dim=1) for x in (features, of_painting))
    with torch.no_grad():
        dtype = features.dtype
        found = torch.bmm(own.to(dtype).transpose(1, 2), there.to(dtype)).argmax(2)
        partner = there.gather(2, found[:, None].expand(-1, there.shape[1], -1))
    return 1 - (own * partner).sum(1).mean()


def relative_difference(features: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared difference of feature maps (N, C, H, W), over the mean square of what is wanted."""
    a, b = _wide(features), _wide(wanted)
    return (a - b).square().mean() / b.square().mean().clamp(min=1e-6)


def local_moments(features: Tensor, wanted: Tensor, side: int) -> Tensor:
    """Relative distance of means and deviations of features (N, C, H, W) in windows of `side` places, half overlapping.

    Where the strokes of a painting lie cannot be told from its plate, so a network that is asked for their features
    paints their mean: a blur. What can be told is how strong which features are around a place.
    """
    (mean, deviation), (mean_b, deviation_b) = (_around(_wide(x), side) for x in (features, wanted))
    difference = (mean - mean_b).square().mean((1, 2, 3)) + (deviation - deviation_b).square().mean((1, 2, 3))
    size = mean_b.square().mean((1, 2, 3)) + deviation_b.square().mean((1, 2, 3))
    return (difference / size.clamp(min=1e-6) + 1e-6).sqrt().mean()


def _around(x: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Means and deviations in windows."""
    mean = F.avg_pool2d(x, side, side // 2)
    square = F.avg_pool2d(x * x, side, side // 2)
    return mean, (square - mean * mean).clamp(min=0).add(1e-4).sqrt()


HALO_REACH = 4  # cells of 2 pixels to each side of an edge, in which a rim is a halo

HALO_EDGE = 0.25  # difference of luma from which an edge is strong; twice that counts in full

HALO_ROOM = 0.02  # by how much a painting may exceed the plate's own range beside an edge

DARK_RIM = 0.3  # weight of rims that are darker than the plate: outlines are drawn, halos are not


def halo(painting: Tensor, plate: Tensor) -> Tensor:
    """How much a painting is lighter or darker beside strong edges than the recoloured plate is on either side of them.

    Mean square over channels, at half the size; an edge is as strong as its luma. Away from edges and between the two
    sides of one nothing is asked.
    """
    own, there = (F.avg_pool2d(_wide(x), 2) for x in (painting, plate))
    weights = there.new_tensor(LUMA).view(1, 3, 1, 1)
    luma = (there * weights).sum(1, keepdim=True)
    strong = ((_widest(luma) + _widest(-luma)) / HALO_EDGE - 1).clamp(0, 1)
    bright = F.relu(own - _widest(there) - HALO_ROOM).square()
    dark = F.relu(-_widest(-there) - own - HALO_ROOM).square()
    return (strong * (bright + DARK_RIM * dark)).mean()


def _widest(x: Tensor) -> Tensor:
    """The largest value around each place, (N, C, H, W)."""
    side = 2 * HALO_REACH + 1
    rows = F.max_pool2d(x, (side, 1), 1, (HALO_REACH, 0))
    return F.max_pool2d(rows, (1, side), 1, (0, HALO_REACH))


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
    mismatched pairs to `fake` does not change the balance.
    """

    def mean(groups: Sequence[Tensor], side: Literal["real", "fake"]) -> Tensor:
        return torch.stack([_d_term(_wide(g), side, kind) for g in groups]).mean()

    return 0.5 * (mean(real, "real") + mean(fake, "fake"))


def _d_term(logits: Tensor, side: Literal["real", "fake"], kind: AdversarialKind) -> Tensor:
    wanted = 1.0 if side == "real" else 0.0
    if kind == "bce":
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, wanted))
    return (logits - wanted).square().mean()


def adversarial_g(fake: Tensor, kind: AdversarialKind) -> Tensor:
    """The generator's loss from D's logits of its pictures (non-saturating for BCE)."""
    return _d_term(_wide(fake), "real", kind)


def compound_temporal(moved_then_painted: Tensor, painted_then_moved: Tensor, valid: Tensor) -> Tensor:
    """L1 of G(warp(x) + n) against warp(G(x)) where the warp saw the picture; `valid` is (N, 1, H, W)."""
    difference = (_wide(moved_then_painted) - _wide(painted_then_moved)).abs() * valid
    return difference.sum() / (valid.sum() * moved_then_painted.shape[1]).clamp(min=1)


def weighted_total(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """The sum of weight times term over the named terms; a term without a weight is a mistake, not zero."""
    return torch.stack([weights[name] * value for name, value in terms.items()]).sum()
