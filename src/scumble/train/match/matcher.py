"""A look matched to key frames that an artist painted over: few-shot training on patches [Texler 2004.14489].

It starts from the look that the universal generator predicts from the painted frames, with the shot's
statistics measured once and frozen: what is trained is the very function that renders. Painted frames
teach colours and strokes (L1, features, a patch discriminator); on the frames that nobody painted the
plate's structure and its motion hold it [StructuReiser 2409.15341]. Parts of the key frames are never
trained on; by them the best weights are chosen, since the training loss goes on falling while the
picture grows washed-out.

Shapes: pictures (1, 3, H, W) in the working space at the size at which the network sees the plate.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scumble.core.errors import BadInput, TrainingFailed
from scumble.core.frames import Pixels
from scumble.look.look import Look
from scumble.network.baked import ShotStatistics
from scumble.train.data.augment import disguise, random_motion, warp
from scumble.train.forward import colour_map, painted
from scumble.train.machine import device_of
from scumble.train.match.settings import MatchSettings
from scumble.train.nn import checkpoint, losses
from scumble.train.nn.arithmetic import dtype_of
from scumble.train.nn.discriminator import PlainDiscriminator
from scumble.train.nn.generator import Generator, Moments
from scumble.train.nn.perceptual import PerceptualFeatures
from scumble.train.terms import AROUND

LAYERS = ("relu1_1", "relu2_1", "relu3_1")

BLOCK = 32  # side in pixels of the parts of key frames that are held out

ONE_IN = 9  # of them


class Key(NamedTuple):
    """A painted frame at the network's size, in the working space; weight (H, W) from 0 to 1 where it is to teach."""

    number: int
    plate: Pixels
    painted: Pixels
    weight: Pixels


class Figures(NamedTuple):
    """Of the held-out parts: mean absolute difference x 255, relative difference of features; exact pan x 255."""

    pixels: float
    features: float
    pan: float

    @property
    def score(self) -> float:
        """Lower is better: weighed so that at a usable match the painting's own two figures count about alike."""
        return self.pixels / 10 + 4 * self.features + self.pan / 20


class Matcher:
    """State of a match; `step()` trains on one batch, `figures()` looks at what was held out."""

    def __init__(
        self,
        look: Look,
        statistics: ShotStatistics,
        keys: Sequence[Key],
        free: Sequence[Pixels],
        settings: MatchSettings,
        features: PerceptualFeatures,
    ) -> None:
        s = self.settings = settings
        self.device = device_of(s.device)
        self.dtype = dtype_of(s.precision, self.device)
        torch.manual_seed(s.seed)
        if s.threads:
            torch.set_num_threads(s.threads)
        self.generator = Generator(look.architecture, "none").to(self.device)
        self.generator.dtype = self.dtype
        self._fill(self.generator, look.weights)
        self.start = copy.deepcopy(self.generator).requires_grad_(False)
        self.ema = copy.deepcopy(self.start)
        self.discriminator = PlainDiscriminator(32, 2).to(self.device)
        self.features = features.to(self.device)
        self.adam_g = torch.optim.Adam(self.generator.parameters(), lr=s.rate, betas=(0.9, 0.99))
        self.adam_d = torch.optim.Adam(self.discriminator.parameters(), lr=s.rate, betas=(0.5, 0.99))
        self.colours = colour_map(*look.recolouring(statistics.palette), self.device)
        self.moments = {
            node.name: Moments(
                *(torch.from_numpy(a[node.name])[None].to(self.device) for a in (statistics.mean, statistics.variance))
            )
            for node in look.architecture.convolutions()
            if node.normed
        }
        self.keys = [self._tensors(key) for key in keys]
        self.free = [_picture(p).to(self.device) for p in free]
        stride = self.generator.architecture.stride
        sides = (side for x in (*(key[0] for key in self.keys), *self.free) for side in x.shape[2:])
        self.side = min(s.patch, *(side // stride * stride for side in sides))
        self.steps = 0

    @staticmethod
    def _fill(generator: Generator, weights: Mapping[str, Any]) -> None:
        generator.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in weights.items()})

    def _tensors(self, key: Key) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Plate, painting, weight in training and weight in judging, of which one is 0 everywhere."""
        held = held_out(key.plate.shape[:2], key.number)
        x, y = _picture(key.plate), _picture(key.painted)
        teach, judge = (torch.from_numpy(key.weight * part)[None, None] for part in (~held, held))
        return x.to(self.device), y.to(self.device), teach.float().to(self.device), judge.float().to(self.device)

    def paint(self, x: Tensor, generator: Generator | None = None) -> Tensor:
        """The painting of pictures (N, 3, H, W) whose sides are multiples of the stride."""
        generator = generator or self.generator
        return painted(generator, x, self.colours, generator.look(), self.moments)[0]

    def step(self, progress: float) -> dict[str, float]:
        """One step on patches of painted and of free frames; named terms."""
        s = self.settings
        self.random = np.random.default_rng([s.seed, self.steps])
        draw = torch.Generator().manual_seed(s.seed * 1_000_003 + self.steps)
        factor = min(1.0, (self.steps + 1) / 50) * min(1.0, (1 - progress) / 0.25 + 0.05)
        for adam in (self.adam_g, self.adam_d):
            for group in adam.param_groups:
                group["lr"] = s.rate * factor
        x, wanted, weight = self._painted_patches()
        free = self._free_patches()
        y = self.paint(torch.cat([x, free]) if free is not None else x)
        own = y[: len(x)]
        # outside the matte the target is the look's own painting: no difference, nothing to learn
        wanted = weight * wanted + (1 - weight) * own.detach()
        terms: dict[str, Tensor] = {}
        total_weight = weight.sum().clamp(min=1)
        terms["pixels"] = ((own - wanted).abs() * weight).sum() / (3 * total_weight)
        seen = tuple(AROUND) if s.local else LAYERS
        of_y = self.features(own, seen)
        with torch.no_grad():
            of_wanted = self.features(wanted, seen)
        terms["features"] = feature_difference(of_y, of_wanted, weight)
        if s.local:
            by_layer = [losses.local_moments(of_y[name], of_wanted[name], side) for name, side in AROUND.items()]
            terms["local"] = torch.stack(by_layer).mean()
        if s.adversarial and progress > 0.05:
            terms["d"] = self._phase_d(wanted, weight, y.detach(), draw)
            logits = self.discriminator(disguise(y, draw))
            terms["adversarial"] = losses.adversarial_g(logits, "least-squares")
        if free is not None:
            of_free = y[len(x) :]
            if s.content:
                a = self.features(of_free, ("relu4_1",))
                with torch.no_grad():
                    b = self.features(free, ("relu4_1",))
                terms["content"] = losses.content(
                    losses.instance_normalised(a["relu4_1"]), losses.instance_normalised(b["relu4_1"])
                )
            if s.temporal:
                grid, inside = (
                    t.to(self.device) for t in random_motion(len(free), (free.shape[2], free.shape[3]), draw)
                )
                noise = torch.randn(free.shape, generator=draw).to(self.device) * 0.01
                moved = self.paint(warp(free, grid).clamp(0, 1) + noise)
                terms["temporal"] = losses.compound_temporal(moved, warp(of_free, grid), inside)
        weights = {name: getattr(s, name) for name in terms if name != "d"}
        total = losses.weighted_total({k: v for k, v in terms.items() if k != "d"}, weights)
        if not math.isfinite(float(total.detach())):
            raise TrainingFailed(f"step {self.steps}: the loss is not finite")
        self.adam_g.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.generator.parameters(), 1.0)
        self.adam_g.step()
        self.steps += 1
        decay = min(s.ema, self.steps / (self.steps + 10))  # at first an average over the last tenth of the steps
        with torch.no_grad():
            for average, current in zip(self.ema.parameters(), self.generator.parameters(), strict=True):
                average.lerp_(current, 1 - decay)
        return {name: float(value.detach()) for name, value in terms.items()}

    def _phase_d(self, real: Tensor, weight: Tensor, fake: Tensor, draw: torch.Generator) -> Tensor:
        """Painted patches are real; the look's, of painted and of free frames, are fake."""
        shown = real[weight.mean(dim=(1, 2, 3)) > 0.5]
        shown = real if len(shown) == 0 else shown
        loss = losses.adversarial_d(
            [self.discriminator(disguise(shown, draw))], [self.discriminator(disguise(fake, draw))], "least-squares"
        )
        self.adam_d.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.adam_d.step()
        return loss.detach()

    def _painted_patches(self) -> tuple[Tensor, Tensor, Tensor]:
        patches: list[tuple[Tensor, ...]] = []
        for i in range(self.settings.patches):
            x, y, teach, _ = self.keys[(self.steps + i) % len(self.keys)]
            for _ in range(8):  # a matte may leave most of the frame out
                top, left, side = self._place(x)
                cut = tuple(t[..., top : top + side, left : left + side] for t in (x, y, teach))
                if float(cut[2].mean()) > 0.2:
                    break
            patches.append(cut)
        x, y, weight = (torch.cat(parts) for parts in zip(*patches, strict=True))
        return x, y, weight

    def _free_patches(self) -> Tensor | None:
        s = self.settings
        if not self.free or not s.free_patches:
            return None
        cuts = []
        for _ in range(s.free_patches):
            x = self.free[int(self.random.integers(len(self.free)))]
            top, left, side = self._place(x)
            cuts.append(x[..., top : top + side, left : left + side])
        return torch.cat(cuts)

    def _place(self, x: Tensor) -> tuple[int, int, int]:
        stride = self.generator.architecture.stride
        top, left = (int(self.random.integers((n - self.side) // stride + 1)) * stride for n in x.shape[2:])
        return top, left, self.side

    @torch.no_grad()
    def figures(self) -> Figures:
        """How the averaged weights paint what they were not trained on."""
        pixels, features, pans, count = 0.0, 0.0, 0.0, 0.0
        for key in self.keys:
            x, y, _, judge = (_to_stride(t, self.generator.architecture.stride) for t in key)
            painted = self.paint(x, self.ema)
            own = float(judge.sum())
            if own > 0:
                pixels += 255 * float(((painted - y).abs() * judge).sum()) / 3
                features += own * float(
                    feature_difference(self.features(painted, LAYERS), self.features(y, LAYERS), judge)
                )
                count += own
            moved = self.paint(torch.roll(x, 1, 3), self.ema)
            rows, columns = (min(32, side // 4) for side in x.shape[2:])  # beside the border, where it came round
            error = (torch.roll(moved, -1, 3) - painted)[..., rows:-rows, columns:-columns]
            pans += 255 * float(error.square().mean().sqrt())
        return Figures(pixels / max(1, count), features / max(1, count), pans / len(self.keys))

    @torch.no_grad()
    def painted(self, pixels: Pixels, generator: Generator | None = None) -> Pixels:
        """A frame (H, W, 3) as the averaged weights paint it, or another generator's; cut to the stride."""
        x = _to_stride(_picture(pixels).to(self.device), self.generator.architecture.stride)
        picture: Pixels = self.paint(x, generator or self.ema)[0].cpu().numpy().transpose(1, 2, 0)
        return np.ascontiguousarray(picture)

    def take(self, weights: Mapping[str, Any]) -> None:
        """Averaged weights as a look holds them, such as the best ones."""
        self._fill(self.ema, weights)

    def weights(self) -> dict[str, Any]:
        """The averaged weights as a look holds them."""
        return {k: v.detach().cpu().numpy() for k, v in self.ema.state_dict().items()}

    def save(self, path: Path, facts: Mapping[str, Any]) -> None:
        """Everything that going on needs; `facts` are the run's own."""
        tensors: dict[str, Tensor] = {}
        for name, module in self._modules():
            tensors |= checkpoint.prefixed(name, module.state_dict())
        tensors |= checkpoint.prefixed("adam_g", checkpoint.adam_tensors(self.generator, self.adam_g))
        tensors |= checkpoint.prefixed("adam_d", checkpoint.adam_tensors(self.discriminator, self.adam_d))
        checkpoint.save(path, tensors, {**facts, "kind": "match", "step": self.steps})

    def load(self, path: Path) -> dict[str, Any]:
        """Go on from a checkpoint; its facts. Raises BadInput for one of another match."""
        tensors, facts = checkpoint.load(path)
        try:
            for name, module in self._modules():
                module.load_state_dict(checkpoint.under(tensors, name))
            checkpoint.load_adam(self.generator, self.adam_g, checkpoint.under(tensors, "adam_g"))
            checkpoint.load_adam(self.discriminator, self.adam_d, checkpoint.under(tensors, "adam_d"))
            self.steps = int(facts["step"])
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            raise BadInput(
                f"{path}: not a checkpoint of this match ({error}); give --overwrite to begin anew"
            ) from error
        return facts

    def _modules(self) -> list[tuple[str, nn.Module]]:
        return [("generator", self.generator), ("ema", self.ema), ("discriminator", self.discriminator)]


def feature_difference(a: dict[str, Tensor], b: dict[str, Tensor], weight: Tensor) -> Tensor:
    """Squared differences of features where `weight` (N, 1, H, W) says so, each layer over the painting's own size."""
    by_layer = []
    for name in LAYERS:
        here = F.interpolate(weight, size=a[name].shape[2:], mode="area")
        own, wanted = a[name].float(), b[name].float()
        size = wanted.square().mean().clamp(min=1e-6)
        by_layer.append(((own - wanted).square() * here).sum() / (here.sum().clamp(min=1) * own.shape[1] * size))
    return torch.stack(by_layer).mean()


def held_out(size: tuple[int, int], number: int) -> Any:
    """Where a key frame (H, W) only judges: scattered blocks, others in each frame, the same at every call."""
    rows, columns = -(-size[0] // BLOCK), -(-size[1] // BLOCK)
    rng = np.random.default_rng([abs(number), rows, columns])
    chosen = np.zeros(rows * columns, bool)
    chosen[rng.permutation(rows * columns)[: max(1, rows * columns // ONE_IN)]] = True
    blocks = chosen.reshape(rows, columns).repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)
    return blocks[: size[0], : size[1]]


def _picture(pixels: Pixels) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None]


def _to_stride(x: Tensor, stride: int) -> Tensor:
    height, width = x.shape[2:]
    return x[..., : height // stride * stride, : width // stride * stride]
