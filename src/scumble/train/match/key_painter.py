"""Key frames painted by the machine in the style of paintings: a frame's own pixels are optimised until it is painted.

A look paints a frame in one pass. Here one frame is painted for minutes, coarse to fine, as a painter lays in large
shapes first. At each size every place of the frame is given the most similar place of the paintings; then the pixels
are changed until VGG sees there what it sees in the painting. So a patch of the frame takes colour, stroke and edge
from one patch of the painting, where statistics of the whole only ask that all of it occurs somewhere.

Places are given partners up to half the size. Then the plate's fine detail is added again, and all of it is made of
the paintings' own patches (`texture`): they have no grain, relief or bright rims. A few last steps give back the relief
of the paint, of which patches that overlap lose some.

Sources: Kolkin et al. 2203.13215 (neural neighbours, coarse to fine, on a pyramid), Gatys et al. 1508.06576 (images
optimised through VGG), Huang and Belongie 1703.06868 (moments).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from scumble.core.colour import LUMA
from scumble.core.frames import Pixels
from scumble.core.progress import Listener, Progress, ignore
from scumble.network.palette import Palette, recolouring
from scumble.train.data.dataset import to_batch
from scumble.train.machine import device_of
from scumble.train.match.settings import KeySettings
from scumble.train.match.texture import of_their_patches
from scumble.train.nn import losses
from scumble.train.nn.perceptual import PerceptualFeatures
from scumble.train.settings import LAYERS, STRIDE

PLACES = ("relu2_1", "relu3_1", "relu4_1")  # layers whose places are given places of the paintings

CONTENT = ("relu3_1", "relu4_1")  # layers that hold the plate's structure

MARGIN = 32  # pixels that VGG sees beyond a picture at every size: it sees black around that, and would paint it

GRID = 32  # pixels: sides of what is painted are multiples

BANDS = 5  # of the pyramid whose bands are optimised

LEAST = 64  # pixels: short side of the smallest size at which the frame is painted, and the paintings are seen

SOME = 16384  # places of the paintings that are looked through, drawn once for each size

AT_ONCE = 4096  # places of the frame

OUTSIDE = 50.0  # weight of values outside [0, 1]

LAST_STEPS, LAST_RATE = 6, 0.003  # after the patches, at full size; with more of them VGG's relief comes back

HELD = 20.0  # weight of the difference from what the patches made, in the last steps

SLOWER_FROM, SLOWER = 0.6, 0.3  # share of the steps from which the rate is lower, and by which factor


class KeyPainter:
    """Paints frames in the style of paintings."""

    def __init__(self, paintings: Sequence[Pixels], features: PerceptualFeatures, settings: KeySettings) -> None:
        """`paintings` (H, W, 3) in [0, 1], at the size at which their strokes are to be seen; one style in all."""
        self.settings = settings
        self.device = device_of(settings.device)
        if settings.threads:
            torch.set_num_threads(settings.threads)
        self.features = features.to(self.device)
        self.palette = Palette.pool([Palette.measure(p) for p in paintings], [1 / len(paintings)] * len(paintings))
        self.paintings = [self._picture(p) for p in paintings]

    def paint(
        self,
        plate: Pixels,
        earlier: Sequence[Pixels] = (),
        tell: Listener = ignore,
        task: str = "key frame",
        colours: Palette | None = None,
    ) -> Pixels:
        """The painting (H, W, 3) of a frame (H, W, 3), both in [0, 1] in the working space.

        `earlier` are paintings of other frames of the shot: what is seen again is painted as it was there. `colours`
        are those of what the plate is a part of, such as a shot: else its own become the paintings' colours.
        """
        matrix, offset = recolouring(colours or Palette.measure(plate), self.palette)
        recoloured = (plate @ matrix.T.astype(np.float32) + offset.astype(np.float32)).clip(0, 1)
        height, width = plate.shape[:2]
        wide = cv2.copyMakeBorder(recoloured, 0, -height % GRID, 0, -width % GRID, cv2.BORDER_REFLECT_101)
        whole = self._picture(np.asarray(wide, np.float32))
        random = torch.Generator().manual_seed(self.settings.seed)
        before = [self._picture(p) for p in earlier]
        least = min(height, width, *(side for p in self.paintings for side in p.shape[2:]))
        coarsest = max(0, (least // LEAST).bit_length() - 1)
        finest = min(1, coarsest)  # the whole size only where there is no smaller one
        sizes = range(coarsest, finest - 1, -1)
        parts = len(sizes) + 1
        y = F.avg_pool2d(whole, 1 << sizes[0])
        for at, halvings in enumerate(sizes):
            goal = self._goal(F.avg_pool2d(whole, 1 << halvings), before, halvings, random)
            if at:
                y = F.interpolate(y, scale_factor=2, mode="bicubic")
            y = self._optimised(y, goal, partial(_tell, tell, task, at, parts))
        if finest:
            detail = whole - _doubled(F.avg_pool2d(whole, 2))
            y = _doubled(y) + detail.mean(1, keepdim=True)
        told = partial(_tell, tell, task, len(sizes), parts)
        coloured = [*self.paintings, whole]
        y = of_their_patches(_no_gaudier(y.clamp(0, 1), coloured), [*self.paintings, *before], random, told)
        y = _no_gaudier(self._finished(y, whole), coloured)
        painting = y[0].clamp(0, 1).cpu().numpy().transpose(1, 2, 0)
        return np.ascontiguousarray(painting[:height, :width])

    def _picture(self, pixels: Pixels) -> Tensor:
        return torch.from_numpy(to_batch([pixels])).to(self.device)

    @torch.no_grad()
    def _goal(self, plate: Tensor, earlier: Sequence[Tensor], halvings: int, random: torch.Generator) -> _Goal:
        maps = [self._seen(F.avg_pool2d(p, 1 << halvings)) for p in self.paintings]
        found = [_places(m) for m in maps]
        places = {name: torch.cat([f[name] for f in found]) for name in PLACES}
        mean = {name: p.mean(0) for name, p in places.items()}
        again = [_places(self._seen(F.avg_pool2d(p, 1 << halvings), PLACES)) for p in earlier]
        places = {name: torch.cat([p, *(a[name] for a in again)]) for name, p in places.items()}
        drawn = torch.randperm(len(places[PLACES[0]]), generator=random)[: SOME * (1 + len(again))].to(self.device)
        there = {name: F.normalize(p[drawn] - mean[name]) for name, p in places.items()}
        return _Goal(plate, self._structure(plate), _moments_of(maps), mean, there)

    def _seen(self, picture: Tensor, names: Sequence[str] = LAYERS) -> dict[str, Tensor]:
        """Features of a picture that goes on beyond its edges, mirrored."""
        margin = min(MARGIN, (min(picture.shape[2:]) - 1) // STRIDE * STRIDE)
        wide = F.pad(picture, (margin,) * 4, mode="reflect")
        maps = self.features(wide, names)
        return {name: _cut(m, margin // round(wide.shape[3] / m.shape[3])) for name, m in maps.items()}

    def _structure(self, plate: Tensor) -> dict[str, Tensor]:
        return {n: losses.instance_normalised(f) for n, f in self._seen(plate, CONTENT).items()}

    def _optimised(self, first: Tensor, goal: _Goal, tell: Callable[[int, int], None]) -> Tensor:
        s = self.settings
        with torch.no_grad():  # at first half the plate, whose structure the size before has lost
            partners = goal.partners(self._seen((first + goal.plate) / 2))

        def loss(step: int, y: Tensor, maps: Mapping[str, Tensor]) -> Tensor:
            nonlocal partners
            tell(step, s.steps)
            if step and step % s.match_every == 0:
                partners = goal.partners(maps)
            outside = F.relu(-y).square().mean() + F.relu(y - 1).square().mean()
            return (
                goal.distance(maps, partners)
                + s.moments * _moment_distance(maps, goal.moments)
                + s.content * _content(maps, goal.structure)
                + OUTSIDE * outside
            )

        slower_from = SLOWER_FROM * s.steps
        return self._descended(first, [s.rate * (SLOWER if n >= slower_from else 1) for n in range(s.steps)], loss)

    def _finished(self, picture: Tensor, plate: Tensor) -> Tensor:
        """A picture made of patches, nearer to the paintings' moments and the plate's structure, and hardly changed."""
        with torch.no_grad():
            moments = _moments_of([self._seen(p) for p in self.paintings])
            structure = self._structure(plate)

        def loss(step: int, y: Tensor, maps: Mapping[str, Tensor]) -> Tensor:
            away = (y - picture).abs().mean()
            return _moment_distance(maps, moments) + self.settings.content * _content(maps, structure) + HELD * away

        return self._descended(picture, [LAST_RATE] * LAST_STEPS, loss)

    def _descended(
        self, first: Tensor, rates: Sequence[float], loss: Callable[[int, Tensor, Mapping[str, Tensor]], Tensor]
    ) -> Tensor:
        """A picture after a step of Adam at each of the rates; `loss` takes the step, the picture and its features."""
        bands = [band.detach().requires_grad_() for band in _pyramid(first)]
        adam = torch.optim.Adam(bands, betas=(0.9, 0.99))
        for step, rate in enumerate(rates):
            adam.param_groups[0]["lr"] = rate
            y = _collapsed(bands)
            adam.zero_grad(set_to_none=True)
            loss(step, y, self._seen(y)).backward()  # type: ignore[no-untyped-call]
            adam.step()
        return _collapsed(bands).detach()


@dataclass(frozen=True)
class _Goal:
    """What a frame is to look like at one size."""

    plate: Tensor
    structure: Mapping[str, Tensor]
    """Of the plate, by layer: features without their means and deviations."""
    moments: Mapping[str, tuple[Tensor, Tensor]]
    """Of the paintings, by layer."""
    mean: Mapping[str, Tensor]
    """Of the paintings' places, by layer (C,)."""
    there: Mapping[str, Tensor]
    """Places of the paintings (n, C) by layer, without their mean, of length 1."""

    @torch.no_grad()
    def partners(self, maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """For each place of a picture the most similar place of the paintings, each without its own picture's mean.

        One place for all layers: were they chosen layer by layer, fine marks would not belong to their shapes.
        """
        own = {name: F.normalize(p - p.mean(0)) for name, p in _places(maps).items()}
        dtype = maps[PLACES[0]].dtype
        here, there = (torch.cat([x[name] for name in PLACES], 1).to(dtype) for x in (own, self.there))
        there = there.T.contiguous()
        nearest = torch.cat([(part @ there).argmax(1) for part in torch.split(here, AT_ONCE)])
        return {name: self.there[name][nearest] for name in PLACES}

    def distance(self, maps: Mapping[str, Tensor], partners: Mapping[str, Tensor]) -> Tensor:
        """Sum over layers of the mean cosine distance of places to their partners."""
        own = {name: F.normalize(p - self.mean[name]) for name, p in _places(maps).items()}
        return torch.stack([1 - (own[name] * partners[name]).sum(1).mean() for name in PLACES]).sum()


def _cut(x: Tensor, margin: int) -> Tensor:
    return x[:, :, margin:-margin, margin:-margin]


def _no_gaudier(picture: Tensor, others: Sequence[Tensor]) -> Tensor:
    """A picture whose colours are drawn to its greys until they are as strong as in one of the others.

    VGG hardly minds a tint: pixels that were optimised through it are pink and green beside an engraving's greys.
    """
    weights = picture.new_tensor(LUMA).view(1, 3, 1, 1)
    grey = (picture * weights).sum(1, keepdim=True)
    most = max(float((x - (x * weights).sum(1, keepdim=True)).square().mean()) for x in others)
    own = float((picture - grey).square().mean())
    return grey + (picture - grey) * math.sqrt(min(1.0, most / max(own, 1e-9)))


def _moments_of(maps: Sequence[Mapping[str, Tensor]]) -> dict[str, tuple[Tensor, Tensor]]:
    """Means and deviations by layer, of all pictures together."""
    flat = {name: torch.cat([m[name].flatten(2) for m in maps], 2)[..., None] for name in LAYERS}
    return {name: losses.moments(f) for name, f in flat.items()}


def _moment_distance(maps: Mapping[str, Tensor], goal: Mapping[str, tuple[Tensor, Tensor]]) -> Tensor:
    terms = []
    for name, wanted in goal.items():
        size = float(sum(part.square().sum() for part in wanted))
        terms.append(losses.relative_moments(losses.moments(maps[name]), wanted, size))
    return torch.stack(terms).sum()


def _content(maps: Mapping[str, Tensor], structure: Mapping[str, Tensor]) -> Tensor:
    own = {name: losses.instance_normalised(maps[name]) for name in CONTENT}
    return torch.stack([losses.content(own[name], structure[name]) for name in CONTENT]).sum()


def _tell(tell: Listener, task: str, at: int, parts: int, step: int, steps: int) -> None:
    tell(Progress(task, round(100 * (at + step / steps) / parts), 100))


def _places(maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Features of `PLACES` (h * w, C), in float32, all on the grid of the middle layer."""
    fine, middle, coarse = (maps[name].float() for name in PLACES)
    size = middle.shape[2:]
    on_grid = F.interpolate(fine, size=size, mode="area"), middle, F.interpolate(coarse, size=size, mode="bilinear")
    return {name: x[0].flatten(1).T for name, x in zip(PLACES, on_grid, strict=True)}


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear")


def _pyramid(x: Tensor) -> list[Tensor]:
    """A picture as bands of detail, the finest first, and what is left: steps change all sizes of shapes at once."""
    bands: list[Tensor] = []
    while len(bands) < BANDS and not (x.shape[2] % 2 or x.shape[3] % 2):
        small = F.avg_pool2d(x, 2)
        bands.append(x - _doubled(small))
        x = small
    return [*bands, x]


def _collapsed(bands: Sequence[Tensor]) -> Tensor:
    *finer, x = bands
    for band in reversed(finer):
        x = band + _doubled(x)
    return x
