"""What a look must know of a shot: its colours, and mean and variance of every layer, measured before painting."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from scumble.core.frames import Pixels, spread
from scumble.core.pixels import resized
from scumble.core.working_space import to_working
from scumble.look.look import Look
from scumble.look.shipped import shipped
from scumble.look.statistics_file import cached_statistics, keep_statistics
from scumble.media.picture_reader import read_picture
from scumble.media.plate import Plate
from scumble.network.baked import ShotStatistics
from scumble.network.openvino_engine import OpenVinoEngine
from scumble.network.palette import OWN_COLOURS, Colouring, Palette, reference_share
from scumble.shot import black_points
from scumble.shot.cuts import Shot, files_identity
from scumble.shot.grain import deviation, removed

SAMPLED_FRAMES = 10

CROPS_A_FRAME = 3

CROP = 256  # pixels


@cache
def reference_picture() -> Pixels:
    """The photograph that is pooled into every shot. Without it a flat shot's grain is amplified to full contrast."""
    return read_picture(shipped("data") / "reference.webp")[0]


def reference_statistics(look: Look) -> ShotStatistics:
    """Statistics of the reference photograph alone: previews, stills and exports need no plate."""
    crops = _crops(reference_picture(), 4, CROP)
    palette = Palette.measure(reference_picture())
    share = np.full(len(crops), 1 / len(crops), np.float32)
    return _measured(look, crops, share, palette, OWN_COLOURS, {"of": "reference photograph"})


def shot_statistics(
    look: Look,
    plate: Plate,
    size: tuple[int, int],
    colouring: Colouring = OWN_COLOURS,
    shot: Shot | None = None,
    numbers: Sequence[int] = (),
    without_grain: bool = False,
    must: Container[int] = (),
) -> ShotStatistics:
    """Statistics of a shot of the plate, or of all of it, pooled with the reference photograph by `reference_share`.

    Frames spread through the whole shot (`numbers` are its own) are sampled whatever part of it is
    rendered, at `size` (width, height), at which the network sees it. Measured once: kept in the cache.
    A frame that cannot be read is passed over, unless it `must` be read.
    `without_grain` measures the grain too and takes it off first. The facts name the shot's black and white
    points, `points`.
    """
    shot = shot or Shot(plate.numbers[0], plate.numbers[-1])
    sampled, key = _sampled(look, plate, size, colouring, numbers, without_grain)
    known = cached_statistics(key, look)
    if known is None:
        facts: dict[str, Any] = {"of": str(plate.path.name), "frames": list(sampled)}
        if without_grain:  # grain is measured first: all frames lose the same amount
            facts["grain"] = float(np.median([deviation(p) for p in _working(plate, sampled, must)]))
        whole = (removed(p, facts.get("grain", 0.0)) for p in _working(plate, sampled, must))
        points: list[tuple[float, float]] = []

        def seen() -> Iterator[Pixels]:
            for pixels in whole:
                frame = resized(pixels, size)
                points.append(black_points.points(frame))
                yield frame

        known = frame_statistics(look, seen(), len(sampled), colouring, facts)
        known.facts["points"] = [float(point) for point in np.median(points, axis=0)]
        keep_statistics(key, shot, known)
    return known


def known_statistics(
    look: Look, plate: Plate, size: tuple[int, int], colouring: Colouring = OWN_COLOURS
) -> ShotStatistics | None:
    """`shot_statistics` of the whole plate if nothing has to be measured: the look's own, or cached ones."""
    if look.shot is not None:
        return look.shot
    return cached_statistics(_sampled(look, plate, size, colouring, plate.numbers, False)[1], look)


def _sampled(
    look: Look,
    plate: Plate,
    size: tuple[int, int],
    colouring: Colouring,
    numbers: Sequence[int],
    without_grain: bool,
) -> tuple[tuple[int, ...], list[object]]:
    """The frames that are sampled, and the cache key of their statistics."""
    sampled = spread(numbers or plate.numbers, SAMPLED_FRAMES)
    return sampled, [
        files_identity(plate, sampled),
        sampled,
        look.hash,
        size,
        colouring.as_values(),
        without_grain,
        "points, reference share",
    ]


def _working(plate: Plate, numbers: Sequence[int], must: Container[int]) -> Iterator[Pixels]:
    return (to_working(f.pixels, f.colour_space).pixels for f in plate.read_what_can(numbers, must))


def frame_statistics(
    look: Look,
    frames: Iterable[Pixels],
    count: int,
    colouring: Colouring = OWN_COLOURS,
    facts: Mapping[str, Any] | None = None,
    crop: tuple[int, int] | None = None,
) -> ShotStatistics:
    """Statistics of `count` frames in the working space, as the network sees them, pooled with the reference.

    `crop` (height, width) is of what is measured in each; by default, for frames of one size, as much as they have.
    """
    crops: list[Pixels] = []
    palettes: list[Palette] = []
    for i, pixels in enumerate(frames):
        palettes.append(Palette.measure(pixels))
        crops += _crops(pixels, CROPS_A_FRAME if count >= 4 else 8, CROP, i, crop)
    side = crops[0].shape[:2]
    reference = _crops(reference_picture(), 4, CROP, 0, side)
    weight = reference_share(palettes)
    own = np.full(len(crops), (1 - weight) / len(crops))
    other = np.full(len(reference), weight / len(reference))
    parts = [*np.full(len(palettes), (1 - weight) / len(palettes)), weight]
    pooled = Palette.pool([*palettes, Palette.measure(reference_picture())], parts)
    share = np.concatenate([own, other]).astype(np.float32)
    if look.shot is not None:  # a look that was matched to a shot paints with that shot's
        return replace(look.shot, facts={**look.shot.facts, **(facts or {})})
    return _measured(look, [*crops, *reference], share, pooled, colouring, dict(facts or {}))


def _measured(
    look: Look,
    crops: Sequence[Pixels],
    share: Any,
    plate: Palette,
    colouring: Colouring,
    facts: dict[str, Any],
) -> ShotStatistics:
    matrix, offset = look.recolouring(plate, colouring)
    mean, variance = OpenVinoEngine().measure(look, np.stack(crops), share, matrix, offset)
    return ShotStatistics(plate, mean, variance, facts)


def _crops(pixels: Pixels, count: int, side: int, seed: int = 0, size: tuple[int, int] | None = None) -> list[Pixels]:
    """`count` crops placed by a low-discrepancy sequence, so that they cover the frame evenly."""
    height, width = pixels.shape[:2]
    if size is None:
        size = (min(side, max(32, height // 32 * 32)), min(side, max(32, width // 32 * 32)))
    h, w = size
    if h > height or w > width:
        pixels = np.pad(pixels, ((0, max(0, h - height)), (0, max(0, w - width)), (0, 0)), mode="edge")
        height, width = pixels.shape[:2]
    crops = []
    for i in range(count):
        n = seed * count + i + 1
        # Roberts' R2 sequence
        top = int((0.5 + n * 0.7548776662466927) % 1 * (height - h + 1))
        left = int((0.5 + n * 0.5698402909980532) % 1 * (width - w + 1))
        crops.append(np.ascontiguousarray(pixels[top : top + h, left : left + w]))
    return crops
