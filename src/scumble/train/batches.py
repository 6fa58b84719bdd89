"""What one training step sees, drawn from the seed and the step alone: a run that resumes goes on the same.

Crops are cut on a few threads ahead of the loop.
"""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from scumble.bands import Bands
from scumble.palette import REFERENCE_SHARE, Palette, recolouring
from scumble.train.dataset import (
    Dataset,
    Pixels,
    augment_content,
    augment_style,
    random_crop,
    to_batch,
)
from scumble.train.one_style import bands_of, palette_of, pictures_of
from scumble.train.settings import DataSettings


class Batch(NamedTuple):
    """Content views (V*N, 3, H, W) view-major, their weights, and per style its pictures."""

    content: Tensor
    view_weights: tuple[float, ...]
    content_key: int  # equal keys have equal first views
    styles: tuple[StyleBatch, ...]


class StyleBatch(NamedTuple):
    """One style: the picture shown and judged by (1, 3, S, S), further crops, and another style's crops."""

    picture: Tensor
    more: Tensor
    other: Tensor
    matrix: Tensor  # (N, 3, 3) recolouring of each content
    offset: Tensor  # (N, 3)
    bands_mean: Tensor  # (3,) of the picture shown
    bands_covariance: Tensor  # (DETAILS + 1, 3, 3)
    bands_sizes: Tensor  # (DETAILS, K), or empty where bands have no curves

    @property
    def bands(self) -> Bands:
        """The contrast and colours that a painting's bands are brought to."""
        parts = (self.bands_mean, self.bands_covariance, self.bands_sizes)
        mean, covariance, sizes = (t.double().cpu().numpy() for t in parts)
        return Bands(mean, covariance, sizes if sizes.size else None)


class Batches:
    """Random access to the batches of a run; `stream(first)` yields them from a step on, cut ahead."""

    def __init__(
        self,
        dataset: Dataset,
        settings: DataSettings,
        seed: int,
        pooled: float,
        reference: Image.Image,
        palette: bool,
        curves: bool = True,
    ) -> None:
        self.settings, self.seed, self.pooled, self.palette, self.curves = settings, seed, pooled, palette, curves
        self.dataset = dataset
        self.contents = dataset.of("content", "train")
        self.reference = reference
        self.own = [] if settings.style is None else pictures_of(settings.style, "train")
        self.own_palette = None if settings.style is None else palette_of(settings.style)
        self.own_bands = None if settings.style is None else bands_of(settings.style, curves)
        self.styles = [] if self.own else dataset.of("style", "train")
        dataset.load([*self.contents, *self.styles])

    def stream(self, first: int) -> Generator[tuple[int, Batch], None, None]:
        """(step, batch) from step `first` on, without end."""
        ahead = 2 * self.settings.workers + 1
        with ThreadPoolExecutor(self.settings.workers) as pool:
            waiting: list[Future[Batch]] = [pool.submit(self.batch, first + i) for i in range(ahead)]
            step = first
            try:
                while True:
                    waiting.append(pool.submit(self.batch, step + ahead))
                    yield step, waiting.pop(0).result()
                    step += 1
            finally:
                for future in waiting:
                    future.cancel()

    def batch(self, step: int) -> Batch:
        """The batch of a step, the same every time it is asked for."""
        s = self.settings
        key = step // s.content_reuse
        content_rng = np.random.default_rng([self.seed, 1, key])
        rng = np.random.default_rng([self.seed, 2, step])
        size = s.crops[int(content_rng.integers(len(s.crops)))]
        chosen = [self.contents[int(i)] for i in content_rng.integers(len(self.contents), size=s.contents)]
        views = [[self._content(self.dataset.picture(c), size, content_rng) for c in chosen]]
        weights: tuple[float, ...] = (1.0,)
        if rng.random() < self.pooled:
            # another crop of the same pictures, or the photograph that is pooled into every shot
            if rng.random() < 0.5:
                views.append([self._content(self.dataset.picture(c), size, rng) for c in chosen])
                weights = (0.5, 0.5)
            else:
                views.append([random_crop(self.reference, size, (0.5, 1.0), rng)] * s.contents)
                weights = (1 - REFERENCE_SHARE, REFERENCE_SHARE)
        palettes = [
            Palette.pool([Palette.measure(view[i]) for view in views], list(weights)) for i in range(s.contents)
        ]
        styles = tuple(self._style(rng, palettes) for _ in range(s.styles))
        content = np.concatenate([to_batch(view) for view in views])
        return Batch(torch.from_numpy(content), weights, key, styles)

    def _content(self, picture: Image.Image, size: tuple[int, int], rng: np.random.Generator) -> Pixels:
        pixels = random_crop(picture, size, self.settings.content_scale, rng)
        return augment_content(pixels, rng) if self.settings.augment else pixels

    def _style(self, rng: np.random.Generator, contents: list[Palette]) -> StyleBatch:
        s = self.settings
        size = (s.style_crop, s.style_crop)
        picture, other = self._draw(rng), self._draw(rng)
        crops = [random_crop(picture, size, s.style_scale, rng) for _ in range(2)]
        if s.augment and not self.own:
            swap = random_crop(self._draw(rng), (64, 64), (0.2, 1.0), rng) if rng.random() < 0.25 else None
            seed = int(rng.integers(1 << 31))  # both crops are turned and coloured alike
            crops = [augment_style(c, np.random.default_rng(seed), swap) for c in crops]
        style = self.own_palette or Palette.measure(crops[0])
        maps = [recolouring(c, style) if self.palette else (np.eye(3), np.zeros(3)) for c in contents]
        matrix = np.stack([m for m, _ in maps]).astype(np.float32)
        offset = np.stack([o for _, o in maps]).astype(np.float32)
        bands = self.own_bands or Bands.measure(crops[0], self.curves)
        sizes = np.empty(0) if bands.sizes is None else bands.sizes
        return StyleBatch(
            torch.from_numpy(to_batch(crops[:1])),
            torch.from_numpy(to_batch(crops[1:])),
            torch.from_numpy(to_batch([random_crop(other, size, s.style_scale, rng)])),
            torch.from_numpy(matrix),
            torch.from_numpy(offset),
            torch.from_numpy(bands.mean.astype(np.float32)),
            torch.from_numpy(bands.covariance.astype(np.float32)),
            torch.from_numpy(sizes.astype(np.float32)),
        )

    def _draw(self, rng: np.random.Generator) -> Image.Image:
        if self.own:
            return self.own[int(rng.integers(len(self.own)))]
        return self.dataset.picture(self.styles[int(rng.integers(len(self.styles)))])
