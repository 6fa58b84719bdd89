"""Looks out of style pictures, and shot and look made one: what is measured before the first frame is painted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from scumble import __version__, tone
from scumble.colour import to_working
from scumble.engine.openvino_engine import OpenVinoEngine
from scumble.errors import BadLook, BadPlate
from scumble.frames import Pixels, spread
from scumble.grain import deviation, removed
from scumble.look import (
    Arrays,
    Look,
    ShotStatistics,
    Universal,
    architecture_of,
    blend,
    check_weights,
    mix,
    read_arrays,
    with_reference,
)
from scumble.media import MOVIES, STILLS, Plate
from scumble.media.stills import StillsPlate, read_picture
from scumble.palette import OWN_COLOURS, Colouring, Palette, reference_share
from scumble.shots import Shot, detect, read_cuts
from scumble.statistics_file import cached_shots, cached_statistics, keep_shots, keep_statistics
from scumble.upsampling import resized
from scumble.weights import shipped_vgg

UNIVERSAL = "universal.safetensors"  # shipped, in `data`
SAMPLED_FRAMES = 10
CROPS_A_FRAME = 3
CROP = 256  # pixels
STYLE_SIDE = 416  # short side in pixels at which the moments of a style picture are taken, about as in training


def shipped(folder: str) -> Path:
    """A folder of files that come with the package: `data` and `looks`."""
    return Path(str(resources.files("scumble").joinpath(folder)))


def load_universal(path: Path | None = None) -> Universal:
    """The shipped universal generator, or another one's file."""
    return _load_universal(path or shipped("data") / UNIVERSAL)


@cache
def _load_universal(path: Path) -> Universal:
    return Universal.load(path)


@cache
def vgg_slice() -> Arrays:
    """The layers of VGG that say what a style is like, as shipped (their source: data/SOURCES.md)."""
    return read_arrays(shipped_vgg())[0]


def shipped_looks() -> list[str]:
    """Names of the looks that come with the package."""
    return sorted(p.stem for p in shipped("looks").glob("*.look"))


def find_look(name: str) -> Look:
    """A look by file or by the name of a shipped one. Raises BadLook naming the shipped looks."""
    path = Path(name)
    if not path.is_file():
        beside = shipped("looks") / f"{name}.look"
        if not beside.is_file():
            known = ", ".join(shipped_looks())
            raise BadLook(f"{name}: no such look file, and not one of the shipped looks: {known}")
        path = beside
    elif path.suffix.lower() in STILLS | MOVIES:
        raise BadLook(f"{path}: a picture, not a look; give it as --style, or make a look of it: scumble look make")
    return Look.load(path, load_universal)


def make_look(pictures: Sequence[tuple[Path, float]], name: str = "", universal: Universal | None = None) -> Look:
    """A look from style pictures and their weights: one forward pass of VGG each."""
    name = name or "+".join(path.stem for path, _ in pictures)
    shown = [style_picture(path) for path, _ in pictures]
    return look_of_pixels(shown, [w for _, w in pictures], name, picture_facts(pictures), universal)


def look_of_pixels(
    pictures: Sequence[Pixels],
    weights: Sequence[float],
    name: str,
    sources: Sequence[Mapping[str, Any]],
    universal: Universal | None = None,
) -> Look:
    """`make_look` of pictures as `as_style` gives them; `sources` are the facts of where they come from."""
    universal = universal or load_universal()
    engine = OpenVinoEngine()
    share = [w / sum(weights) for w in weights]
    moments = blend([engine.moments(vgg_slice(), pixels) for pixels in pictures], share)
    palettes = [Palette.measure(pixels) for pixels in pictures]
    facts: dict[str, Any] = {
        "name": name,
        "ancestor": universal.hash,
        "made": "universal",
        "made_by": f"scumble {__version__}",
        "sources": list(sources),
    }
    if "descends_from" in universal.facts:
        facts["descends_from"] = universal.facts["descends_from"]
    palette = Palette.blend(palettes, share)
    look = Look(universal.architecture, universal.collapse(moments), palette, None, moments, facts)
    return with_reference(look, reference_statistics(look))


def look_of_weights(weights: Path, painting: Path) -> Look:
    """The look of a plain generator (`best.safetensors` of a run without style conditioning) for its painting."""
    arrays, facts = read_arrays(weights)
    if facts.get("kind") != "plain":
        raise BadLook(f"{weights}: not the weights of one style; give best.safetensors of a run, or a look")
    architecture = architecture_of(weights, facts)
    check_weights(weights, architecture, arrays)
    pixels = style_picture(painting)
    recipe = facts.get("settings", {}).get("generator", {})
    made: dict[str, Any] = {"name": painting.stem, "made": "trained", "made_by": f"scumble {__version__}"}
    if recipe.get("palette") is False:
        made["keep_color"] = 1.0
    look = Look(architecture, arrays, Palette.measure(pixels), None, None, made)
    return with_reference(look, reference_statistics(look))


def picture_facts(pictures: Sequence[tuple[Path, float]]) -> list[dict[str, Any]]:
    """What a look records of its style pictures."""
    return [{"picture": path.name, "sha256": picture_hash(path), "weight": weight} for path, weight in pictures]


def picture_hash(path: Path) -> str:
    """By which a style picture is known again: 16 hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def mix_looks(looks: Sequence[Look], weights: Sequence[float]) -> Look:
    """`scumble.look.mix` with the shipped generator of these looks, and reference statistics measured anew."""
    look = mix(looks, weights, load_universal())
    return with_reference(look, reference_statistics(look))


def style_picture(path: Path, side: int = STYLE_SIDE) -> Pixels:
    """A style picture in the working space, short side `side`, sides multiples of 32."""
    pixels, _ = read_picture(path)
    height, width = pixels.shape[:2]
    if min(height, width) < 16:
        raise BadPlate(f"{path}: {width}x{height} pixels are too few for a style; take a larger picture")
    if not np.isfinite(pixels).all():
        raise BadPlate(f"{path}: a picture with NaN or infinite values; mend them, or take another style picture")
    return as_style(pixels, side)


def as_style(pixels: Pixels, side: int = STYLE_SIDE) -> Pixels:
    """A picture (H, W, 3) in the working space as its moments are taken."""
    height, width = pixels.shape[:2]
    factor = side / min(height, width)
    size = [max(32, round(n * factor / 32) * 32) for n in (width, height)]
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.clip(cv2.resize(pixels, size, interpolation=how), 0, 1).astype(np.float32)


@cache
def reference_picture() -> Pixels:
    """The photograph that is pooled into every shot: without it a flat shot's grain becomes its contrast."""
    return read_picture(shipped("data") / "reference.webp")[0]


def reference_statistics(look: Look) -> ShotStatistics:
    """Statistics of the reference photograph alone: previews, stills and exports need no plate."""
    crops = _crops(reference_picture(), 4, CROP)
    palette = Palette.measure(reference_picture())
    share = np.full(len(crops), 1 / len(crops), np.float32)
    return _measured(look, crops, share, palette, OWN_COLOURS, {"of": "reference photograph"})


def shots_of(plate: Plate, cuts: str | None = None) -> list[Shot]:
    """A plate's shots: `auto` finds them, `none` takes the plate for one, else a text file of first frames.

    By default a movie may be an edit, a sequence is one shot. What was found once for a plate is not
    looked for again. Raises BadInput for a file that names no frames of the plate.
    """
    if cuts is None:
        cuts = "auto" if plate.kind == "movie" else "none"
    if cuts == "none" or len(plate.numbers) == 1:
        return [Shot(plate.numbers[0], plate.numbers[-1])]
    if cuts != "auto":
        return read_cuts(Path(cuts), plate.numbers)
    key = [plate.numbers[0], len(plate.numbers), _identity(plate, plate.numbers)]
    found = cached_shots(key)
    if found is None:
        found = detect(plate.read(plate.numbers))
        keep_shots(key, found)
    return found


def _identity(plate: Plate, numbers: Sequence[int]) -> str:
    """Changes when the files of these frames do, path, size and time, or what is read from them."""
    files = [p.resolve() for p in plate.files_of(numbers)]
    facts = [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    layer = plate.layer if isinstance(plate, StillsPlate) else ""
    return hashlib.sha256(repr([facts, layer, str(plate.colour_space)]).encode()).hexdigest()


def shot_statistics(
    look: Look,
    plate: Plate,
    size: tuple[int, int],
    colouring: Colouring = OWN_COLOURS,
    shot: Shot | None = None,
    numbers: Sequence[int] = (),
    without_grain: bool = False,
) -> ShotStatistics:
    """Statistics of a shot of the plate, or of all of it, pooled with the reference photograph by `reference_share`.

    Frames spread through the whole shot (`numbers` are its own) are sampled whatever part of it is
    rendered, at `size` (width, height), at which the network sees it. Measured once: kept in the cache.
    `without_grain` measures the grain too and takes it off first. The facts name the shot's black and white
    points, `points`.
    """
    shot = shot or Shot(plate.numbers[0], plate.numbers[-1])
    sampled, key = _sampled(look, plate, size, colouring, numbers, without_grain)
    found = cached_statistics(key, look)
    if found is None:
        facts: dict[str, Any] = {"of": str(plate.path.name), "frames": list(sampled)}
        if without_grain:  # the deviation first: all frames lose the same
            facts["grain"] = float(np.median([deviation(p) for p in _working(plate, sampled)]))
        whole = (removed(p, facts.get("grain", 0.0)) for p in _working(plate, sampled))
        points: list[tuple[float, float]] = []

        def seen() -> Iterator[Pixels]:
            for pixels in whole:
                frame = resized(pixels, size)
                points.append(tone.points(frame))
                yield frame

        found = frame_statistics(look, seen(), len(sampled), colouring, facts)
        found.facts["points"] = [float(point) for point in np.median(points, axis=0)]
        keep_statistics(key, shot, found)
    return found


def known_statistics(
    look: Look, plate: Plate, size: tuple[int, int], colouring: Colouring = OWN_COLOURS
) -> ShotStatistics | None:
    """`shot_statistics` of the whole plate where that takes no time: the look's own, or measured before."""
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
    """The frames that are sampled, and by what their statistics are known again."""
    sampled = spread(numbers or plate.numbers, SAMPLED_FRAMES)
    return sampled, [
        _identity(plate, sampled),
        sampled,
        look.hash,
        size,
        colouring.as_values(),
        without_grain,
        "points, reference share",
    ]


def _working(plate: Plate, numbers: Sequence[int]) -> Iterator[Pixels]:
    return (to_working(f.pixels, f.colour_space).pixels for f in plate.read(numbers))


def frame_statistics(
    look: Look,
    frames: Iterable[Pixels],
    count: int,
    colouring: Colouring = OWN_COLOURS,
    facts: Mapping[str, Any] | None = None,
) -> ShotStatistics:
    """Statistics of `count` frames in the working space, as the network sees them, pooled with the reference."""
    crops: list[Pixels] = []
    palettes: list[Palette] = []
    for i, pixels in enumerate(frames):
        palettes.append(Palette.measure(pixels))
        crops += _crops(pixels, CROPS_A_FRAME if count >= 4 else 8, CROP, i)
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
    """`count` crops placed by a low-discrepancy sequence, so that every part of the frame has its say."""
    height, width = pixels.shape[:2]
    if size is None:
        size = (min(side, max(32, height // 32 * 32)), min(side, max(32, width // 32 * 32)))
    h, w = size
    if h > height or w > width:
        pixels = np.pad(pixels, ((0, max(0, h - height)), (0, max(0, w - width)), (0, 0)), mode="edge")
        height, width = pixels.shape[:2]
    found = []
    for i in range(count):
        n = seed * count + i + 1
        # Roberts' R2 sequence
        top = int((0.5 + n * 0.7548776662466927) % 1 * (height - h + 1))
        left = int((0.5 + n * 0.5698402909980532) % 1 * (width - w + 1))
        found.append(np.ascontiguousarray(pixels[top : top + h, left : left + w]))
    return found
