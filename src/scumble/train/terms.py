"""The generator's terms: content, style, nearest places, total variation, range.

On examples, whose paintings are known: pixels, features, statistics around each place, range. The halo, motion and
adversarial terms are the step's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from scumble.train.data.style_set import GRAM_LAYERS, LAYERS, Goal, StyleSet
from scumble.train.nn import losses
from scumble.train.nn.generator import Generator
from scumble.train.nn.perceptual import PerceptualFeatures
from scumble.train.settings import LossSettings

NEAREST_LAYER = "relu3_1"

AROUND = {"relu1_1": 16, "relu2_1": 8, "relu3_1": 8, "relu4_1": 4}  # sides of the windows of the term `local`


class Terms:
    """Measures paintings by VGG features. What features see of a content is kept while steps paint the same crops."""

    def __init__(
        self, settings: LossSettings, features: PerceptualFeatures, styles: StyleSet, generator: Generator
    ) -> None:
        self.settings, self.features, self.styles = settings, features, styles
        self.generator, self.fused = generator, generator.fused
        self._of_content: tuple[int, dict[str, Tensor]] | None = None

    def __call__(
        self, y: Tensor, plates: Tensor, goal: Goal, real: Tensor, content_key: int, step: int
    ) -> dict[str, Tensor]:
        """Scalars by name of paintings (N, 3, H, W); terms with weight 0 are left out.

        `plates` are all crops of the batch, of which the first were painted; equal `content_key`s have equal plates.
        `real` are crops of the styles, for the textbook's Gram matrices and for `nearest`.
        """
        w = self.settings
        terms: dict[str, Tensor] = {}
        if w.content or w.style or w.nearest:
            of_y = self.features(y, LAYERS)
        if w.content:
            of_plate = self._content_features(plates, content_key)
            form = self._form()
            terms["content"] = _sum_of(
                weight * (form(of_y[name]) - of_plate[name][: len(y)]).square().mean()
                for name, weight in w.content_layers.items()
            )
        if w.style and w.style_kind == "gram":
            with torch.no_grad():
                grams = {name: losses.gram(f) for name, f in self.features(real, LAYERS).items()}
            terms["style"] = losses.style(of_y, grams, w.style_layers)
        elif w.style:
            terms |= self._style_terms(y, of_y, goal, at_half=step % 2 == 0)
        if w.nearest and len(real):
            terms["nearest"] = self._nearest(of_y, real)
        if w.variation:
            terms["variation"] = losses.total_variation(y, w.variation_reduction)
        if w.range:
            terms["range"] = _outside(y)
        return terms

    def of_examples(self, y: Tensor, painting: Tensor) -> dict[str, Tensor]:
        """Scalars by name of paintings (N, 3, H, W) of examples, whose own painting is known."""
        w = self.settings
        terms = {"pixels": (y - painting).abs().mean()} if w.pixels else {}
        if w.features or w.local:
            of_y = self.features(y, LAYERS)
            with torch.no_grad():
                wanted = self.features(painting, LAYERS)
        if w.features:
            by_layer = [losses.relative_difference(of_y[name], wanted[name]) for name in LAYERS[:-1]]
            terms["features"] = torch.stack(by_layer).mean()
        if w.local:
            by_layer = [losses.local_moments(of_y[name], wanted[name], side) for name, side in AROUND.items()]
            terms["local"] = torch.stack(by_layer).mean()
        if w.range:
            terms["range"] = _outside(y)
        return terms

    def _nearest(self, of_y: dict[str, Tensor], real: Tensor) -> Tensor:
        """Distance of every place to the most similar place of the painting."""
        with torch.no_grad():
            there = self.features(real, [NEAREST_LAYER])[NEAREST_LAYER]
        own = of_y[NEAREST_LAYER]
        return losses.nearest(own, there.repeat_interleave(len(own) // len(there), 0))

    def _style_terms(self, y: Tensor, of_y: dict[str, Tensor], goal: Goal, at_half: bool) -> dict[str, Tensor]:
        """The house's style terms: moments, the same at half the size every second step, Gram matrices."""
        w = self.settings
        full, half, of_grams = self.styles.usual
        views = len(y) // len(goal.moments)
        terms = {"style": self._moment_term(of_y, goal.moments, full)}
        if w.half and at_half:
            terms["half"] = self._moment_term(self.features(F.avg_pool2d(y, 2), LAYERS), goal.half, half, True)
        if w.gram:
            terms["gram"] = _sum_of(
                losses.relative((own - wanted).square().sum(1), wanted.square().sum(1), usual)
                for own, wanted, usual in zip(
                    (losses.pooled_grams(losses.gram_of_places(of_y[k]), views) for k in GRAM_LAYERS),
                    goal.grams,
                    of_grams,
                    strict=True,
                )
            )
        return terms

    def _moment_term(
        self, features: dict[str, Tensor], goal: Tensor, usual: list[float], coarse: bool = False
    ) -> Tensor:
        """Relative distance of moments over layers, those of views pooled; at half size the finest says nothing new."""
        weights = self.settings.style_layers
        by_layer = []
        for name, wanted, size in zip(LAYERS, losses.split_moments(goal), usual, strict=True):
            if name in weights and not (coarse and name == LAYERS[0]):
                moments = self.fused.moments(features[name])
                own = losses.pooled_moments(moments, len(moments[0]) // len(goal))
                by_layer.append((1.0 if coarse else weights[name]) * losses.relative_moments(own, wanted, size))
        return _sum_of(by_layer)

    @torch.no_grad()
    def _content_features(self, plates: Tensor, key: int) -> dict[str, Tensor]:
        if self._of_content is None or self._of_content[0] != key:
            form = self._form()
            maps = self.features(self.generator.simplified(plates), LAYERS)
            self._of_content = (key, {name: form(maps[name]) for name in self.settings.content_layers})
        return self._of_content[1]

    def _form(self) -> Callable[[Tensor], Tensor]:
        """What the content term compares of features: normalised or raw."""
        return self.fused.instance_normalised if self.settings.content_normalised else torch.Tensor.float


def _outside(y: Tensor) -> Tensor:
    """How far a painting is darker than black, or lighter than white."""
    return F.relu(-y - 0.02).square().mean() + F.relu(y - 1.02).square().mean()


def _sum_of(terms: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum()
