"""The batches of a training, drawn from seed and step alone, so that a resumed run sees the same ones.

Crops are cut on a few threads ahead of the loop.
"""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from scumble.train.data.dataset import Dataset, Pixels, dulled, random_crop, to_batch
from scumble.train.data.examples import Examples
from scumble.train.data.style_set import StyleSet
from scumble.train.settings import DataSettings, TrainSettings

MARGIN = 4  # pixels around a content crop: the room in which it moves by whole pixels


class Batch(NamedTuple):
    """Content crops with their margin, and the styles that they are to be painted in.

    Neighbours in the batch are views of one picture, `DataSettings.views` of them, and share a style. On a step of
    pairs the first half of the crops is painted, as it is and moved, each crop in a style of its own.
    """

    content: Tensor  # (N, 3, H + 2 MARGIN, W + 2 MARGIN)
    content_key: int  # equal keys have equal contents
    pairs: bool
    styles: Tensor  # (S,) numbers of the style set
    other: Tensor | None  # (S,) numbers of those that are mixed in
    share: Tensor | None  # (S,) how much of them
    real: Tensor  # (S, 3, H, W) crops of `styles`, or none where the discriminator does not look
    painting: Tensor | None = None  # (N, 3, H, W) of examples: the contents' own, which are in their styles' colours


class Batches:
    """Random access to the batches of a run; `stream(first)` yields them from a step on, cut ahead.

    `motion_from` is the step from which on pairs come, None for never; `with_real` asks for real crops. Processes that
    train together have a `place` each, and draw batches of their own.
    """

    def __init__(
        self,
        dataset: Dataset,
        settings: DataSettings,
        styles: StyleSet,
        seed: int,
        motion_from: int | None = None,
        with_real: bool = True,
        place: int = 0,
        examples: Examples | None = None,
    ) -> None:
        self.examples = examples
        self.seed, self.place = seed, place
        self.draws = [seed] if place == 0 else [seed, place]
        self.settings, self.motion_from, self.with_real = settings, motion_from, with_real
        self.dataset, self.styles = dataset, styles
        self.contents = dataset.of("content", "train")
        dataset.load(self.contents)
        if settings.style is None:
            dataset.load(dataset.of("style", "train"))

    @classmethod
    def of_run(
        cls,
        settings: TrainSettings,
        dataset: Dataset,
        styles: StyleSet,
        place: int = 0,
        examples: Examples | None = None,
    ) -> Batches:
        """The batches that a run's settings ask for."""
        wanted = settings.losses
        return cls(
            dataset,
            settings.data,
            styles,
            settings.run.seed,
            settings.schedule.motion_from if wanted.motion else None,
            bool(wanted.adversarial or wanted.nearest) or wanted.style_kind == "gram",
            place,
            examples,
        )

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
        content_rng = np.random.default_rng([*self.draws, 1, key])
        rng = np.random.default_rng([*self.draws, 2, step])
        pairs = self._are_pairs(step)
        if self.examples is not None and self._shows_examples(key):
            return self._of_examples(self.examples, key, pairs, rng)
        content = to_batch([view for _ in range(s.contents // s.views) for view in self._views(content_rng)])
        count = max(1, s.contents // 2) if pairs else s.contents // s.views
        styles = self.styles.draw(count, rng)
        other = share = None
        if not pairs and len(self.styles) > 1 and self._mixes(step, count, rng):
            other = self.styles.draw(count, rng)
            share = torch.from_numpy(rng.random(count).astype(np.float32))
        real = torch.empty(0)
        if self.with_real and other is None:
            real = torch.from_numpy(to_batch([self._real(int(number), rng) for number in styles]))
        return Batch(torch.from_numpy(content), key, pairs, styles, other, share, real)

    def _are_pairs(self, step: int) -> bool:
        last_of_contents = step % self.settings.content_reuse == self.settings.content_reuse - 1
        return self.motion_from is not None and last_of_contents and step >= self.motion_from

    def _shows_examples(self, key: int) -> bool:
        """So for all processes that train together, or for none."""
        share = self.settings.examples_share
        return int((key + 1) * share) > int(key * share)

    def _of_examples(self, examples: Examples, key: int, pairs: bool, rng: np.random.Generator) -> Batch:
        """Crops of examples; what is real are their paintings."""
        s = self.settings
        views = 1 if pairs else s.views
        count = max(1, s.contents // 2) if pairs else s.contents // s.views
        cut = examples.crops(count, views, s.crop, MARGIN, rng)
        real = cut.painting[::views] if self.with_real else torch.empty(0)
        content = torch.from_numpy(to_batch(cut.content))
        return Batch(content, key, pairs, cut.styles, None, None, real, cut.painting)

    def _mixes(self, step: int, count: int, rng: np.random.Generator) -> bool:
        """Whether styles are mixed in this step: so for all processes that train together, or for none."""
        if self.place:
            rng = np.random.default_rng([self.seed, 2, step])
            self.styles.draw(count, rng)
        return float(rng.random()) < self.settings.mixed

    def _views(self, rng: np.random.Generator) -> list[Pixels]:
        """Crops of one picture, at one scale, mirrored and dulled alike."""
        s = self.settings
        picture = self.dataset.picture(self.contents[int(rng.integers(len(self.contents)))])
        side, (low, high) = s.crop + 2 * MARGIN, s.content_scale
        scale = low * (high / low) ** float(rng.random())
        views = [random_crop(picture, (side, side), (scale, scale), rng) for _ in range(s.views)]
        if rng.random() < 0.5:
            views = [pixels[:, ::-1] for pixels in views]
        if rng.random() < s.dulled:
            seed = int(rng.integers(1 << 31))
            views = [dulled(pixels, np.random.default_rng(seed)) for pixels in views]
        return views

    def _real(self, number: int, rng: np.random.Generator) -> Pixels:
        """A window of a style's crop, as large as the paintings; mirrored half of the time."""
        pixels = self.styles.crop(number, rng)
        side = min(self.settings.crop, pixels.shape[0])
        top, left = (int(rng.integers(pixels.shape[0] - side + 1)) for _ in range(2))
        pixels = pixels[top : top + side, left : left + side]
        return pixels[:, ::-1] if rng.random() < 0.5 else pixels
