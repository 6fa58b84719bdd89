"""How good a generator is on pictures it has never seen: style, content and pan figures, and a grid.

Figures (PerceptualFeatures' backbone, `side` pixels square):
  content  squared difference of instance-normalised relu4_1
  style    squared difference of means and deviations over their own squared size, mean of relu1_1 to relu4_1
  pan      RMS of G(x moved by 1 pixel) against G(x) moved, frozen statistics, 32 pixels of border left out, x 255
  composite = content + w * style + pan / 20 (w: run.composite_style, 5 unless said otherwise); lower is
  better; the best checkpoint has the lowest on val.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from scumble.look.making import as_style
from scumble.network.palette import Palette, recolouring
from scumble.train.data.dataset import Dataset, Pixels, centre_crop, to_batch, to_pixels
from scumble.train.data.one_style import pictures_of
from scumble.train.nn import losses
from scumble.train.nn.fused import Fused
from scumble.train.nn.generator import Generator, Terms
from scumble.train.nn.perceptual import PerceptualFeatures

PAN_MARGIN = 64  # columns left out of both views of a pan: a multiple of every total stride

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")


class Evaluation(NamedTuple):
    """Mean figures over the pairs, and the grid (3, H, W): a row per pair of content, style, painting."""

    figures: dict[str, float]
    grid: Tensor


@torch.no_grad()
def evaluate(
    generator: Generator,
    features: PerceptualFeatures,
    pairs: Sequence[tuple[Pixels, Pixels]],
    palette: bool = True,
    style_weight: float = 5.0,
    rows: int = 8,
    style_palette: Palette | None = None,
    goal: Tensor | None = None,
) -> Evaluation:
    """Paint each content with its style and measure. Contents (H, W, 3) are of one size, styles of any.

    `style_palette` are colours to paint in, `goal` moments (1, MOMENTS) to measure the style by, instead of each
    style picture's own.
    """
    device = next(generator.parameters()).device
    sums = {"content": 0.0, "style": 0.0, "pan": 0.0}
    shown: list[Tensor] = []
    for content, style in pairs:
        x = torch.from_numpy(to_batch([content])).to(device)
        s = torch.from_numpy(to_batch([style])).to(device)
        matrix, offset = recolouring(Palette.measure(content), style_palette or Palette.measure(style))
        if not palette:
            matrix, offset = np.eye(3), np.zeros(3)
        t, o = (torch.from_numpy(a.astype(np.float32)).to(device) for a in (matrix, offset))
        look = _look(generator, features, style)
        p = torch.einsum("ij,njhw->nihw", t, x) + o.view(1, 3, 1, 1)
        y, used = generator.measured(p, look)
        here, there = (generator.measured(p[..., i : i - PAN_MARGIN], look, used)[0] for i in (0, 1))
        inner = (slice(None), slice(None), slice(32, -32), slice(32, -32))
        error = (here[..., 1:] - there[..., :-1])[inner].square().mean().sqrt()
        f_y, f_x = (features(v.clamp(0, 1), LAYERS) for v in (y, x))
        of_style = _moments(features, s) if goal is None else goal.to(device)
        sums["content"] += float(
            losses.content(losses.instance_normalised(f_y["relu4_1"]), losses.instance_normalised(f_x["relu4_1"]))
        )
        sums["style"] += sum(
            float(losses.moment_difference(losses.moments(f_y[k]), b) / (b[0].square().mean() + b[1].square().mean()))
            for k, b in zip(LAYERS, losses.split_moments(of_style), strict=True)
        ) / len(LAYERS)
        sums["pan"] += float(error) * 255
        if len(shown) < rows:
            seen = F.interpolate(s, size=x.shape[2:], mode="area")  # squashed, but all of it
            shown.append(torch.cat([x[0], seen[0], y[0].clamp(0, 1)], dim=2).cpu())
    figures = {name: value / len(pairs) for name, value in sums.items()}
    figures["composite"] = figures["content"] + style_weight * figures["style"] + figures["pan"] / 20
    return Evaluation(figures, torch.cat(shown, dim=1))


def _look(generator: Generator, features: PerceptualFeatures, style: Pixels) -> Mapping[str, Terms]:
    """The look of a style picture, as `look make` makes it."""
    if generator.conditioning == "none":
        return generator.look()
    shown = torch.from_numpy(to_batch([as_style(style)])).to(next(generator.parameters()).device)
    return generator.look(_moments(features, shown))


def _moments(features: PerceptualFeatures, pictures: Tensor) -> Tensor:
    of_layers = features(pictures, LAYERS)
    return losses.stacked_moments([Fused().moments(of_layers[name]) for name in LAYERS])


def evaluation_pairs(
    dataset: Dataset, split: str, count: int, side: int, style: Path | None
) -> list[tuple[Pixels, Pixels]]:
    """`count` pairs of a content of `side` and a style as `look make` sees it, the same at every call."""
    contents = dataset.of("content", split)
    if style is not None:
        shown = pictures_of(style, split, count)
    else:
        styles = dataset.of("style", split)
        shown = [dataset.picture(styles[i * 5 % len(styles)]) for i in range(count)]
    pairs = []
    for i in range(count):
        content = centre_crop(dataset.picture(contents[i * 7 % len(contents)]), side)
        pairs.append((content, as_style(to_pixels(shown[i % len(shown)]))))
    return pairs
