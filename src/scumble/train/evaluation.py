"""How good a generator is on pictures it has never seen: style, content and pan figures, and a grid.

Figures (PerceptualFeatures' backbone, `side` pixels square):
  content  squared difference of instance-normalised relu4_1
  style    squared difference of means and deviations over their own squared size, mean of relu1_1 to relu4_1
  pan      RMS of G(x moved by 1 pixel) against G(x) moved, frozen statistics, 32 pixels of border left out, x 255
  composite = content + w * style + pan / 20 (w: run.composite_style, 5 unless said otherwise); lower is
  better; the best checkpoint has the lowest on val.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from scumble.look.making import as_style
from scumble.network.palette import Palette, recolouring
from scumble.train.data.dataset import Dataset, Pixels, centre_crop, to_batch, to_pixels
from scumble.train.data.one_style import palette_of, pictures_of
from scumble.train.forward import colour_map, recoloured
from scumble.train.gan import Gan
from scumble.train.nn import losses
from scumble.train.nn.fused import Fused
from scumble.train.nn.generator import Generator
from scumble.train.nn.perceptual import PerceptualFeatures
from scumble.train.settings import TrainSettings

PAN_MARGIN = 64  # columns left out of both views of a pan: a multiple of every total stride

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")


class Evaluation(NamedTuple):
    """Mean figures over the pairs, and the grid (3, H, W): a row per pair of content, style, painting."""

    figures: dict[str, float]
    grid: Tensor


class Pair:
    """A content (H, W, 3) and a style as `look make` sees it. What features see of them is measured once in a run."""

    def __init__(self, content: Pixels, style: Pixels) -> None:
        self.content, self.style = content, style
        self._moments: Tensor | None = None
        self._structure: Tensor | None = None

    def moments(self, features: PerceptualFeatures, device: torch.device) -> Tensor:
        """Moments (1, MOMENTS) of the style."""
        if self._moments is None:
            of_layers = features(torch.from_numpy(to_batch([self.style])).to(device), LAYERS)
            self._moments = losses.stacked_moments([Fused().moments(of_layers[name]) for name in LAYERS])
        return self._moments

    def structure(self, features: PerceptualFeatures, device: torch.device) -> Tensor:
        """The content's relu4_1, instance-normalised."""
        if self._structure is None:
            x = torch.from_numpy(to_batch([self.content])).to(device)
            self._structure = losses.instance_normalised(features(x.clamp(0, 1), LAYERS)["relu4_1"])
        return self._structure


class Judge:
    """The pairs of val and test by which a run is judged: those of its data set, or of its one style."""

    def __init__(self, settings: TrainSettings, dataset: Dataset) -> None:
        run, style = settings.run, settings.data.style
        self.settings = settings
        self.own_palette = None if style is None else palette_of(style)
        self.pairs = {
            split: evaluation_pairs(dataset, split, run.evaluate_pairs, run.evaluate_side, style)
            for split in ("val", "test")
        }

    def __call__(self, gan: Gan, split: str) -> Evaluation:
        """How the averaged weights paint a split."""
        return evaluate(
            gan.ema,
            gan.features,
            self.pairs[split],
            self.settings.generator.palette,
            self.settings.run.composite_style,
            style_palette=self.own_palette,
            goal=None if self.own_palette is None else gan.styles.goals.moments,
        )


@torch.no_grad()
def evaluate(
    generator: Generator,
    features: PerceptualFeatures,
    pairs: Sequence[Pair],
    palette: bool = True,
    style_weight: float = 5.0,
    rows: int = 8,
    style_palette: Palette | None = None,
    goal: Tensor | None = None,
) -> Evaluation:
    """Paint each content with its style and measure. Contents are of one size.

    `style_palette` are colours to paint in, `goal` moments (1, MOMENTS) to measure the style by, instead of each
    style picture's own.
    """
    device = next(generator.parameters()).device
    sums = {"content": 0.0, "style": 0.0, "pan": 0.0}
    shown: list[Tensor] = []
    for pair in pairs:
        x = torch.from_numpy(to_batch([pair.content])).to(device)
        matrix, offset = recolouring(Palette.measure(pair.content), style_palette or Palette.measure(pair.style))
        if not palette:
            matrix, offset = np.eye(3), np.zeros(3)
        conditioned = generator.conditioning != "none"
        look = generator.look(pair.moments(features, device)) if conditioned else generator.look()
        p = recoloured(x, *colour_map(matrix, offset, device))
        y, used = generator.measured(p, look)
        here, there = (generator.measured(p[..., i : i - PAN_MARGIN], look, used)[0] for i in (0, 1))
        inner = (slice(None), slice(None), slice(32, -32), slice(32, -32))
        error = (here[..., 1:] - there[..., :-1])[inner].square().mean().sqrt()
        f_y = features(y.clamp(0, 1), LAYERS)
        of_style = pair.moments(features, device) if goal is None else goal.to(device)
        sums["content"] += float(
            losses.content(losses.instance_normalised(f_y["relu4_1"]), pair.structure(features, device))
        )
        sums["style"] += sum(
            float(losses.moment_difference(losses.moments(f_y[k]), b) / (b[0].square().mean() + b[1].square().mean()))
            for k, b in zip(LAYERS, losses.split_moments(of_style), strict=True)
        ) / len(LAYERS)
        sums["pan"] += float(error) * 255
        if len(shown) < rows:
            s = torch.from_numpy(to_batch([pair.style])).to(device)
            seen = F.interpolate(s, size=x.shape[2:], mode="area")  # squashed, but all of it
            shown.append(torch.cat([x[0], seen[0], y[0].clamp(0, 1)], dim=2).cpu())
    figures = {name: value / len(pairs) for name, value in sums.items()}
    figures["composite"] = figures["content"] + style_weight * figures["style"] + figures["pan"] / 20
    return Evaluation(figures, torch.cat(shown, dim=1))


def evaluation_pairs(dataset: Dataset, split: str, count: int, side: int, style: Path | None) -> list[Pair]:
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
        pairs.append(Pair(content, as_style(to_pixels(shown[i % len(shown)]))))
    return pairs
