"""Mattes of people, detected by MediaPipe's BlazePose models, averaged along the motion, with edges from the plate.

The detector names hips and reach of every figure in the frame and in overlapping squares of it, the
landmark model segments the square around each [Bazarevsky 2006.10204; both models Apache-2.0]. Masks
are averaged over a symmetric window of frames along optical flow, so that chunks equal the whole, and
brought to the plate's edges by a guided filter with its colours [He 2013, He and Sun 1505.00996].
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scumble.core.downloads import person_models
from scumble.core.frames import NO_MARGIN, Frame, Margin, Pixels
from scumble.core.pixels import box_mean, resized
from scumble.core.silent_openvino import ov
from scumble.core.working_space import to_working
from scumble.media.plate import Plate
from scumble.shot.motion import Flow, OpticalFlow, consistent, resized_flow, warp

SEEN = 224  # side in pixels of the detector's picture

CROPPED = 256  # side of the landmark model's

GRID = ((28, 2), (14, 2), (7, 6))  # cells a side of the detector's anchors, and anchors a cell

LIKELY = 0.6  # least score of a figure: below it most are rocks

SURELY = 0.85  # score from which a figure counts without another frame's confirmation

THERE = 0.8  # least confidence of the landmark model that someone is in a square

SAME = 0.5  # share of a mask inside another mask from which both are one figure

BODY = slice(33, 35)  # the landmarks that stand for hips and reach

APART = 0.5  # share of the smaller reach: centres nearer than this are one figure

ROOM = 1.25  # side of a figure's square, in reaches of the figure, as in the model's training

REACH = 3  # frames on each side that a mask is averaged over

TELLING = 0.06  # difference of luma along the flow at which another frame's weight is halved

CUT = 0.4  # least share of a frame that must be found again in another frame of its shot

FLOW_LINES = 320  # lines at which motion is measured

LINES = 540  # lines at which people are detected, and edges fitted to the plate

EDGE = 1 / 60  # share of the lines over which the plate may move an edge

SMOOTH = 1e-4  # variance of colours below which the plate counts as having no edge

SURE = (0.15, 0.85)  # values of the refined mask that become 0 and 1


@dataclass(frozen=True)
class Figure:
    """Someone in a picture: the middle of the hips, and a point as far above it as the body reaches."""

    hips: tuple[float, float]
    top: tuple[float, float]
    score: float

    @property
    def reach(self) -> float:
        """Pixels from the hips to the end of the body."""
        return math.dist(self.hips, self.top)


class PersonModel:
    """The two networks. Always in f32: the same picture has the same matte everywhere."""

    def __init__(self, detector: Path, landmarks: Path) -> None:
        core = ov.Core()
        hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        self.detector = core.compile_model(core.read_model(detector), "CPU", hints)
        self.landmarks = core.compile_model(core.read_model(landmarks), "CPU", hints)
        cells = [np.mgrid[0:n, 0:n][::-1].reshape(2, -1).T.repeat(each, axis=0) / n + 0.5 / n for n, each in GRID]
        self.anchors = np.concatenate(cells)

    def mask(self, picture: Pixels, figures: Sequence[Figure]) -> Pixels | None:
        """The mask (H, W) of these people in a picture (H, W, 3), both from 0 to 1; None if there is nobody."""
        mask: Pixels | None = None
        for figure in figures:
            one = self._segmented(picture, figure)
            if one is None:
                continue
            if mask is None:
                mask = one
            # with more in common it is a figure that is there already
            elif float(np.minimum(one, mask).sum()) < SAME * float(one.sum()):
                mask = np.maximum(mask, one)
        return mask

    def figures(self, picture: Pixels) -> list[Figure]:
        """Everyone in the picture, the likeliest first, each once."""
        height, width = picture.shape[:2]
        longer, shorter = max(height, width), min(height, width)
        likely: list[Figure] = []
        # the whole frame, and squares of it for people further away
        sides = [float(longer), *(s for s in (float(shorter), shorter * 0.6) if SEEN / 2 <= s < longer)]
        for side in sides:
            smaller = cv2.GaussianBlur(picture, (0, 0), 0.4 * side / SEEN) if side > SEEN else picture
            counts = [max(2, math.ceil(2 * n / side) - 1) if n > side else 1 for n in (width, height)]
            for place in product(*map(range, counts)):
                left, top = (
                    k * (n - side) / (count - 1) if count > 1 else (n - side) / 2
                    for k, n, count in zip(place, (width, height), counts, strict=True)
                )
                likely += self._detected(np.asarray(smaller, np.float32), left, top, side)
        return each_once(sorted(likely, key=lambda f: -f.score))

    def _detected(self, picture: Pixels, left: float, top: float, side: float) -> list[Figure]:
        scale = SEEN / side
        place = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
        window = cv2.warpAffine(picture, place, (SEEN, SEEN), flags=cv2.INTER_LINEAR)
        done = self.detector(np.asarray(window * 2 - 1, np.float32)[None])
        values, scores = done[self.detector.output(0)][0], _sigmoid(done[self.detector.output(1)][0, :, 0])
        points = values[:, 4:8].reshape(-1, 2, 2) / SEEN + self.anchors[:, None]
        points = points * side + [left, top]
        return [
            Figure((float(hips[0]), float(hips[1])), (float(up[0]), float(up[1])), float(score))
            for (hips, up), score in zip(points[scores > LIKELY], scores[scores > LIKELY], strict=True)
            if math.dist(hips, up) > 4
        ]

    def _segmented(self, picture: Pixels, figure: Figure) -> Pixels | None:
        """The mask (H, W) of one figure; None if there is nobody.

        The first look corrects hips and reach, as in MediaPipe's own tracking; the mask is the mean of the square
        around these and the mirrored one, so that a pixel's shift counts less.
        """
        height, width = picture.shape[:2]
        points, there, _ = self._looked_at(picture, _square(figure))
        if there < THERE:
            return None
        better = Figure(points[0], points[1], figure.score)
        squares = [_square(figure, mirrored) for mirrored in (False, True)]
        if 4 < better.reach < 2 * max(height, width):
            nearer = [_square(better, mirrored) for mirrored in (False, True)]
            if self._looked_at(picture, nearer[0])[1] >= THERE:
                squares = nearer
        total: Any = 0.0
        for place in squares:
            _, _, mask = self._looked_at(picture, place)
            total = total + cv2.warpAffine(mask, place, (width, height), flags=cv2.INTER_LINEAR) / len(squares)
        return np.asarray(total, np.float32)

    def _looked_at(
        self, picture: Pixels, place: NDArray[np.float64]
    ) -> tuple[list[tuple[float, float]], float, Pixels]:
        """Hips and reach in the picture, how surely someone is there, and the mask of the square."""
        window = cv2.warpAffine(picture, place, (CROPPED, CROPPED), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        done = self.landmarks(np.asarray(window, np.float32)[None])
        ends = done[self.landmarks.output(0)].reshape(-1, 5)[BODY, :2]
        points = [(float(x), float(y)) for x, y in ends @ place[:, :2].T + place[:, 2]]
        there = float(done[self.landmarks.output(1)].ravel()[0])
        return points, there, _sigmoid(done[self.landmarks.output(2)][0, :, :, 0])


def _is_supported(figure: Figure, around: Sequence[Sequence[Figure]]) -> bool:
    """Whether more than one frame has someone there."""
    return sum(any(_are_one(figure, f) for f in others) for others in around) > 1


def _are_one(a: Figure, b: Figure) -> bool:
    return math.dist(a.hips, b.hips) <= APART * min(a.reach, b.reach)


def each_once(figures: Sequence[Figure]) -> list[Figure]:
    """Figures without those that stand where an earlier one does."""
    kept: list[Figure] = []
    for figure in figures:
        if not any(_are_one(figure, f) for f in kept):
            kept.append(figure)
    return kept


def _square(figure: Figure, mirrored: bool = False) -> NDArray[np.float64]:
    """The matrix from pixels of an upright square around a figure to the picture's."""
    (x, y), scale = figure.hips, 2 * figure.reach * ROOM / CROPPED
    angle = math.atan2(figure.top[1] - y, figure.top[0] - x) + math.pi / 2
    across = np.array([math.cos(angle), math.sin(angle)]) * scale
    down = np.array([-math.sin(angle), math.cos(angle)]) * scale
    if mirrored:
        across = -across
    middle = (CROPPED - 1) / 2
    return np.column_stack([across, down, np.array([x, y]) - middle * (across + down)])


def _sigmoid(x: Any) -> Pixels:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))), np.float32)


@cache
def person_model() -> PersonModel:
    """The networks out of the cache, fetched when they are not there. Raises NoNetwork."""
    return PersonModel(*person_models())


@dataclass
class _Seen:
    """A frame's colours (H, W, 3), the picture that people are looked for in, and who was found."""

    colours: NDArray[np.uint8]
    picture: Pixels
    figures: list[Figure]


@dataclass(frozen=True)
class PersonMatte:
    """See `scumble.matte.Matte`: all the people of a frame."""

    plate: Plate
    empty: set[int] = field(default_factory=set, compare=False, repr=False)
    """Frames asked for in which nobody was found."""
    _seen: dict[int, _Seen] = field(default_factory=dict, compare=False, repr=False)
    _masks: dict[int, Pixels | None] = field(default_factory=dict, compare=False, repr=False)
    _motion: OpticalFlow = field(default_factory=OpticalFlow, compare=False, repr=False)
    _reading: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def __str__(self) -> str:
        return "people, found by BlazePose"

    def of(self, number: int, margin: Margin = NO_MARGIN) -> Pixels:
        """See `scumble.matte.Matte.of`; beyond the display window the edge is repeated."""
        masks = {n: self._mask(n) for n in self._window(number)}
        mask = steadied_mask(number, masks, self._motion)
        own = self._at(number)
        height, width = own.colours.shape[:2]
        if mask is None:
            self.empty.add(number)
            matte = np.zeros((height, width, 1), np.float32)
        else:
            matte = refined(mask, own.colours.astype(np.float32) / np.float32(255))[:, :, None]
        return margin.around(matte)

    def files_of(self, number: int) -> list[Path]:
        """The plate's own files around the frame: the matte changes with them."""
        return self.plate.files_of(sorted({m for n in self._window(number) for m in self._window(n)}))

    @cached_property
    def _numbers(self) -> tuple[int, ...]:
        """The frames that there are: one that repeats another says nothing new."""
        return tuple(n for n in self.plate.numbers if n not in self.plate.repeated)

    def _window(self, number: int) -> list[int]:
        first, last = bisect_left(self._numbers, number - REACH), bisect_right(self._numbers, number + REACH)
        return sorted({number, *self._numbers[first:last]})

    def _mask(self, number: int) -> Pixels | None:
        """The mask of the people in a frame, and of people in its neighbours, moved here by the flow.

        An uncertain figure that only one frame has is left out.
        """
        if number not in self._masks:
            own = self._at(number)
            around = [n for n in self._window(number) if n != number]
            by_frame = [own.figures, *(self._moved(n, number) for n in around)]
            others = sorted((f for figures in by_frame[1:] for f in figures), key=lambda f: -f.score)
            figures = each_once([*own.figures, *others])
            kept = [f for f in figures if f.score >= SURELY or not around or _is_supported(f, by_frame)]
            self._masks[number] = person_model().mask(own.picture, kept)
        return self._masks[number]

    def _moved(self, other: int, number: int) -> list[Figure]:
        """Another frame's figures, carried along by the motion at their hips."""
        seen = self._at(other)
        if not seen.figures:
            return []
        self._at(number)
        height, width = seen.picture.shape[:2]
        flow = resized_flow(self._motion.flow(other, number), (width, height))
        moved = []
        for figure in seen.figures:
            x, y = (int(np.clip(v, 0, n - 1)) for v, n in zip(figure.hips, (width, height), strict=True))
            step = flow[y, x]
            ends = [(float(px + step[0]), float(py + step[1])) for px, py in (figure.hips, figure.top)]
            moved.append(Figure(ends[0], ends[1], figure.score))
        return moved

    def _at(self, number: int) -> _Seen:
        while number not in self._seen:
            if number != self._reading.get("next"):  # seeking in a movie decodes again from a key frame
                self._reading["frames"] = self._frames(number)
            frame: Frame = next(self._reading["frames"])
            place = bisect_right(self.plate.numbers, frame.number)
            self._reading["next"] = next(iter(self.plate.numbers[place : place + 1]), None)
            shown = np.clip(to_working(frame.pixels, frame.colour_space).pixels, 0, 1)
            self._motion.see(frame.number, _lower(shown, FLOW_LINES))
            picture = _lower(shown, LINES)
            figures = person_model().figures(picture)
            self._seen[frame.number] = _Seen(np.asarray(shown * 255 + 0.5, np.uint8), picture, figures)
            self._keep_near(frame.number)
        return self._seen[number]

    def _keep_near(self, number: int) -> None:
        """Forget frames that no window around this one reaches."""
        for far in [n for n in self._seen if abs(n - number) > 6 * REACH]:
            del self._seen[far]
            self._masks.pop(far, None)
        self._motion.forget(number - 6 * REACH - 1)

    def _frames(self, first: int) -> Iterator[Frame]:
        return self.plate.read(self.plate.numbers[bisect_left(self.plate.numbers, first) :])


def _lower(picture: Pixels, lines: int) -> Pixels:
    """A picture at so many lines at most."""
    height, width = picture.shape[:2]
    return resized(picture, (max(16, round(width * lines / height)), lines)) if height > lines else picture


def steadied_mask(number: int, masks: Mapping[int, Pixels | None], motion: OpticalFlow) -> Pixels | None:
    """A frame's mask (H, W) averaged with its neighbours' along the motion.

    Another frame counts where it shows the same: where flow there and back agrees, as far as its luma does,
    and not beyond a cut. A frame in which nobody was found takes its neighbours'.
    """
    own, known = masks[number], [mask for mask in masks.values() if mask is not None]
    if not known:
        return None
    size = (known[0].shape[1], known[0].shape[0])
    total = np.zeros(known[0].shape, np.float32) if own is None else own.copy()
    weight = np.full(total.shape, 1e-6 if own is None else 1, np.float32)
    for other, mask in masks.items():
        if other == number or mask is None:
            continue
        there, back = motion.flow(number, other), motion.flow(other, number)
        trust = _trust(motion.pictures[number], motion.pictures[other], there, back)
        if float((trust > 0.25).mean()) < CUT:
            continue
        share = resized(trust, size).clip(0, 1)
        total += share * warp(mask, resized_flow(there, size), smooth=False)
        weight += share
    return np.asarray(total / weight, np.float32)


def _trust(luma: NDArray[np.uint8], other: NDArray[np.uint8], there: Flow, back: Flow) -> Pixels:
    """Weight of another frame at each pixel, (H, W) from 0 to 1: how well it shows the same."""
    moved = warp(other.astype(np.float32), there, smooth=False)
    difference = (moved - luma.astype(np.float32)) / np.float32(255 * TELLING)
    return np.asarray(consistent(there, back) / (1 + np.square(difference)), np.float32)


def refined(mask: Pixels, colours: Pixels) -> Pixels:
    """A mask (h, w) at the size of a picture (H, W, 3), fitted to its edges: locally it is linear in the colours."""
    height, width = colours.shape[:2]
    size = (mask.shape[1], mask.shape[0])
    guide = resized(colours, size)
    radius = max(2, round(size[1] * EDGE))

    def mean(x: Pixels) -> Pixels:
        return box_mean(x, radius)

    mean_guide, mean_mask = mean(guide), mean(mask)
    covariance = mean(guide * mask[:, :, None]) - mean_guide * mean_mask[:, :, None]
    pairs = np.stack([guide[:, :, i] * guide[:, :, j] for i in range(3) for j in range(3)], axis=2)
    products = np.stack([mean(np.ascontiguousarray(pairs[:, :, k])) for k in range(9)], axis=2).reshape(
        *size[::-1], 3, 3
    )
    spread = products - mean_guide[:, :, :, None] * mean_guide[:, :, None, :]
    slope = np.linalg.solve(spread + SMOOTH * np.eye(3, dtype=np.float32), covariance[:, :, :, None])[:, :, :, 0]
    offset = mean_mask - np.sum(slope * mean_guide, axis=2)
    slope, offset = mean(slope.astype(np.float32)), mean(offset.astype(np.float32))
    fitted = np.sum(resized(slope, (width, height)) * colours, axis=2) + resized(offset, (width, height))
    low, high = SURE
    return np.asarray(np.clip((fitted - low) / (high - low), 0, 1), np.float32)
