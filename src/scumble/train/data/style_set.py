"""The style side of training, computed once: the targets of the losses for every style, looked up by number.

Of every style picture some crops are measured (`data.variants`), at scales spread over `data.style_scale`; some
take the colours of another picture, some are turned. What is kept of a crop: its moments at full and at half size, two
Gram matrices, its colours. The files lie beside the data set, a shard for some pictures each, so that a build that is
stopped goes on. The crop itself is cut again whenever the discriminator wants to see it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from scumble.core.errors import BadOutput
from scumble.core.progress import Listener, Progress, ignore, note
from scumble.look.making import STYLE_SIDE
from scumble.network.palette import Palette, recolouring
from scumble.network.shape import SEEN
from scumble.train.data.dataset import Dataset, Record, to_batch, to_pixels
from scumble.train.nn import checkpoint, losses
from scumble.train.nn.fused import Fused
from scumble.train.nn.perceptual import PerceptualFeatures
from scumble.train.settings import DataSettings

SCHEMA = 1

LAYERS = tuple(name for name, _ in SEEN)

GRAM_LAYERS = ("relu2_1", "relu3_1")

SHARD = 64  # pictures a file

TOGETHER = 16  # crops that VGG sees at once

LARGEST = 1.7  # times that a style picture is enlarged at most

GOALS = 96  # crops whose mean is the goal of a look of one style

THUMBNAIL = 64  # pixels: colours of another picture

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Goal:
    """Targets of styles, one row each: moments at full and half size, upper halves of Gram matrices, colours."""

    moments: Tensor
    half: Tensor
    grams: tuple[Tensor, ...]
    mean: Tensor
    covariance: Tensor

    def of(self, numbers: Tensor) -> Goal:
        """The rows of these numbers, in float32."""
        return self._each(lambda t: t[numbers].float())

    def mixed(self, other: Goal, share: Tensor) -> Goal:
        """Between two styles; `share` (N,) is the other's."""
        pairs = zip(self._parts(), other._parts(), strict=True)
        return Goal._from([torch.lerp(a, b, share.view(-1, *[1] * (a.dim() - 1)).to(a)) for a, b in pairs])

    def to(self, device: torch.device) -> Goal:
        """On a device."""
        return self._each(lambda t: t.to(device))

    def palettes(self) -> list[Palette]:
        """Colours, row by row."""
        means, covariances = (t.double().cpu().numpy() for t in (self.mean, self.covariance))
        return [Palette(m, c) for m, c in zip(means, covariances, strict=True)]

    def _parts(self) -> list[Tensor]:
        return [self.moments, self.half, *self.grams, self.mean, self.covariance]

    def _each(self, how: Callable[[Tensor], Tensor]) -> Goal:
        return Goal._from([how(t) for t in self._parts()])

    @staticmethod
    def _from(parts: Sequence[Tensor]) -> Goal:
        moments, half, *grams, mean, covariance = parts
        return Goal(moments, half, tuple(grams), mean, covariance)

    @staticmethod
    def joined(goals: Sequence[Goal]) -> Goal:
        """Rows one after the other."""
        return Goal._from([torch.cat(parts) for parts in zip(*(g._parts() for g in goals), strict=True)])


@torch.no_grad()
def measured(crops: Sequence[Pixels], features: PerceptualFeatures, device: torch.device) -> Goal:
    """The targets of crops (H, W, 3) of one size."""
    fused = Fused()
    x = torch.from_numpy(to_batch(crops)).to(device)
    full, half = features(x, LAYERS), features(F.avg_pool2d(x, 2), LAYERS)
    palettes = [Palette.measure(crop) for crop in crops]
    return Goal(
        losses.stacked_moments([fused.moments(full[k]) for k in LAYERS]).cpu(),
        losses.stacked_moments([fused.moments(half[k]) for k in LAYERS]).cpu(),
        tuple(losses.upper_half(losses.gram_of_places(full[k])).half().cpu() for k in GRAM_LAYERS),
        torch.from_numpy(np.stack([p.mean for p in palettes])).float(),
        torch.from_numpy(np.stack([p.covariance for p in palettes])).float(),
    )


def scaled_crop(picture: Image.Image, side: int, scale: float, rng: np.random.Generator) -> Pixels:
    """A crop (side, side, 3) of a style picture at `scale` of the size at which `look make` sees it."""
    short = min(picture.size)
    factor = min(scale * STYLE_SIDE / short, LARGEST)
    box = min(side / factor, short)
    left, top = rng.uniform(0, picture.width - box), rng.uniform(0, picture.height - box)
    cut = (left, top, min(left + box, picture.width), min(top + box, picture.height))
    return to_pixels(picture.resize((side, side), Image.Resampling.LANCZOS, box=cut, reducing_gap=3.0))


class StyleSet:
    """All styles that a run learns. `goals` has a row a style, `weights` how often each is drawn."""

    def __init__(self, goals: Goal, weights: Tensor, crop: Callable[[int, np.random.Generator], Pixels]) -> None:
        self.goals = goals
        self.weights = weights
        self._crop = crop

    def __len__(self) -> int:
        return len(self.goals.moments)

    @cached_property
    def usual(self) -> tuple[list[float], list[float], list[float]]:
        """Mean squared size of each layer's moments, of those at half size, and of the Gram matrices."""
        rows = torch.linspace(0, len(self) - 1, min(len(self), 2000)).long()
        some = self.goals.of(rows)
        sizes = [
            [float((m.square().sum(1) + s.square().sum(1)).mean()) for m, s in losses.split_moments(moments)]
            for moments in (some.moments, some.half)
        ]
        return sizes[0], sizes[1], [float(g.square().sum(1).mean()) for g in some.grams]

    def draw(self, count: int, rng: np.random.Generator) -> Tensor:
        """Numbers of `count` styles."""
        total = np.cumsum(self.weights.double().numpy())
        return torch.from_numpy(np.searchsorted(total, rng.random(count) * total[-1], side="right")).clamp(
            max=len(self) - 1
        )

    def crop(self, number: int, rng: np.random.Generator) -> Pixels:
        """A crop of that style, as a painter made it: the very one that was measured, or any of the one style."""
        return self._crop(number, rng)


def style_set_of_one(
    pictures: Sequence[Image.Image],
    settings: DataSettings,
    features: PerceptualFeatures,
    device: torch.device,
    seed: int,
) -> StyleSet:
    """One style: the goals are the means over crops of its pictures, the colours those of the whole pictures."""
    rng = np.random.default_rng([seed, 4])
    low, high = settings.style_scale

    def crop(_: int, rng: np.random.Generator) -> Pixels:
        scale = low * (high / low) ** float(rng.random())
        return scaled_crop(pictures[int(rng.integers(len(pictures)))], settings.style_crop, scale, rng)

    crops = [crop(0, rng) for _ in range(GOALS)]
    groups = [crops[i : i + TOGETHER] for i in range(0, GOALS, TOGETHER)]
    goal = Goal.joined([measured(group, features, device) for group in groups])
    whole = [Palette.measure(to_pixels(picture)) for picture in pictures]
    palette = Palette.pool(whole, [1 / len(whole)] * len(whole))
    means = goal._each(lambda t: t.float().mean(0, keepdim=True))
    colours = [torch.from_numpy(a[None].copy()).float() for a in (palette.mean, palette.covariance)]
    return StyleSet(Goal(means.moments, means.half, means.grams, *colours), torch.ones(1), crop)


def style_set_of(
    dataset: Dataset,
    settings: DataSettings,
    features: PerceptualFeatures,
    device: torch.device,
    seed: int,
    tell: Listener = ignore,
) -> StyleSet:
    """The train split's styles, measured now or read from the files of an earlier run beside the data set."""
    records = dataset.of("style", "train")
    folder = dataset.path.with_name(f"styles-{_key(dataset, settings, seed)}")
    cutter = _Cutter(dataset, records, settings, seed)
    shards = [range(i, min(i + SHARD, len(records))) for i in range(0, len(records), SHARD)]
    goals = []
    for i, shard in enumerate(shards):
        path = folder / f"{i:04d}.safetensors"
        if not path.is_file():
            tell(Progress("measuring style pictures", shard.start, len(records)))
            goal = Goal.joined([measured(crops, features, device) for crops in cutter.groups(shard)])
            try:
                folder.mkdir(parents=True, exist_ok=True)
                checkpoint.save(path, _named(goal), {"kind": "styles", "schema": SCHEMA})
            except (OSError, BadOutput) as error:
                tell(note(f"{path}: could not be kept ({error}); the next run measures again"))
        else:
            goal = _read(path)
        goals.append(goal)
    weights = [_weight(record, settings) for record in records for _ in range(settings.variants)]
    return StyleSet(Goal.joined(goals), torch.tensor(weights), lambda number, _: cutter.crop(number))


class _Cutter:
    """Crops of a data set's style pictures; crop `number` is the same every time."""

    def __init__(self, dataset: Dataset, records: Sequence[Record], settings: DataSettings, seed: int) -> None:
        self.dataset, self.records, self.settings, self.seed = dataset, records, settings, seed

    def crop(self, number: int) -> Pixels:
        s = self.settings
        of, variant = divmod(number, s.variants)
        rng = np.random.default_rng([self.seed, 5, of, variant])
        picture = self.dataset.picture(self.records[of])
        low, high = s.style_scale
        high = max(low, min(high, LARGEST * min(picture.size) / STYLE_SIDE))
        scale = low * (high / low) ** ((variant + float(rng.random())) / s.variants)
        pixels = scaled_crop(picture, s.style_crop, scale, rng)
        if rng.random() < s.recoloured:
            other = self.dataset.picture(self.records[int(rng.integers(len(self.records)))])
            small = to_pixels(other.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR, reducing_gap=3.0))
            matrix, offset = recolouring(Palette.measure(pixels), Palette.measure(small))
            pixels = np.clip(pixels @ matrix.T.astype(np.float32) + offset.astype(np.float32), 0, 1)
        if rng.random() < s.turned:
            pixels = np.rot90(pixels, int(rng.integers(1, 4)))
        return np.ascontiguousarray(pixels, np.float32)

    def groups(self, shard: range) -> Iterator[list[Pixels]]:
        """The crops of some pictures, as many together as VGG sees at once."""
        variants = self.settings.variants
        numbers = range(shard.start * variants, shard.stop * variants)
        for start in range(numbers.start, numbers.stop, TOGETHER):
            yield [self.crop(n) for n in range(start, min(start + TOGETHER, numbers.stop))]


def _weight(record: Record, settings: DataSettings) -> float:
    for start, weight in settings.style_weights.items():
        if record.name.startswith(start) or record.source.startswith(start):
            return weight
    return 1.0


def _key(dataset: Dataset, settings: DataSettings, seed: int) -> str:
    """Changes with the data set's file and with every setting that a measured crop depends on."""
    stat = dataset.path.stat()
    own = ("style_crop", "style_scale", "variants", "recoloured", "turned")
    made_of: list[Any] = [SCHEMA, STYLE_SIDE, seed, stat.st_size, stat.st_mtime_ns, [getattr(settings, k) for k in own]]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:12]


def _named(goal: Goal) -> dict[str, Tensor]:
    grams = {f"gram{i}": g for i, g in enumerate(goal.grams)}
    return {
        "moments": goal.moments, "half": goal.half, "mean": goal.mean, "covariance": goal.covariance, **grams
    }  # fmt: skip


def _read(path: Path) -> Goal:
    tensors, _ = checkpoint.load(path)
    grams = tuple(tensors[f"gram{i}"] for i in range(len(GRAM_LAYERS)))
    return Goal(tensors["moments"], tensors["half"], grams, tensors["mean"], tensors["covariance"])
