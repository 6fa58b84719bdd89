"""Painted frames checked against their plate: size, alignment, the frame that they belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from scumble.core.colour import LUMA, linear_to_srgb
from scumble.core.errors import BadInput, BadPlate
from scumble.core.frames import Frame, Pixels, format_frames
from scumble.core.pixels import resized
from scumble.core.progress import Listener, note
from scumble.core.working_space import to_working
from scumble.look.look import Look
from scumble.media.ocio import Colours
from scumble.media.open import open_plate
from scumble.media.plate import Plate, PlateOptions
from scumble.rendering.options import LINES
from scumble.shot.matte import Matte
from scumble.train.match.matcher import Key

SHAPE = 0.02  # most that a key's proportions may differ from the plate's

MOVED = 2.0  # pixels at 360 lines: a painted frame that is shifted further gets a note

UNSURE = 2.5  # pixels: strokes alone may shift the measurement this far

# enlargements that are tried for a cropped frame
FACTORS = (1.0, 1.04, 1.08, 1.12, 1.17, 1.22, 1.28, 1.34, 1.41, 1.5, 1.6, 1.75)

ENLARGED = 0.18  # correlation from which an enlarged match counts, if it is also twice that at the frame's own size

SURE = 0.12  # correlation of edges from which a match counts: right pairs have 0.3, wrong ones less than 0.09


def compare_keys(first: Look, sources: Sequence[Mapping[str, Any]], tell: Listener) -> None:
    """Note painted frames that the look has learned from and that are not given now."""
    given = {source["frame"] for source in sources}
    for source in first.facts.get("sources", []):
        if "frame" in source and source["frame"] not in given:
            tell(note(f"{first.name} was matched to frame {source['frame']} too, which is not given now"))


def key_of(
    plate: Plate,
    number: int,
    path: Path,
    size: tuple[int, int],
    matte: Matte | None,
    space: str,
    tell: Listener,
) -> Key:
    """A painted frame and its plate in the working space at the network's size. Raises BadInput, BadPlate."""
    if number not in plate.numbers:
        raise BadInput(
            f"{path}: frame {number} is not in {plate.path.name} ({format_frames(plate.numbers[:50])});"
            f" write --painted FRAME={path.name} with the frame that it was painted over"
        )
    source = open_plate(path, options=PlateOptions("", space, Colours()))
    if source.kind != "still":
        raise BadInput(f"{path}: a painted key frame is one picture; name a still")
    (painted,), (frame,) = source.read(source.numbers), plate.read([number])
    own, theirs = source.size, plate.size
    if abs(own[0] / own[1] - theirs[0] / theirs[1]) > SHAPE * theirs[0] / theirs[1]:
        raise BadPlate(
            f"{path}: the key is {own[0]}x{own[1]}, the plate {theirs[0]}x{theirs[1]}; paint over the whole frame"
        )
    if own != theirs:
        tell(note(f"{path.name} is {own[0]}x{own[1]}, the plate {theirs[0]}x{theirs[1]}: brought to its size"))
    working = to_working(frame.pixels, frame.colour_space)
    pixels = resized(painted.pixels, theirs)
    if painted.colour_space.kind == "display":
        target = painted.colour_space.to_reference(pixels)
        if working.gain is not None:
            tell(note(f"{path.name} is {painted.colour_space}, the plate {plate.colour_space}: taken as it is seen"))
    else:
        linear = painted.colour_space.to_reference(pixels)
        gain = np.float32(1) if working.gain is None else working.gain
        target = linear_to_srgb((np.maximum(linear, 0) / gain).astype(np.float32))
    weight = np.ones((*theirs[::-1], 1), np.float32) if matte is None else matte.of(number)
    if painted.alpha is not None and painted.alpha.min() < 1:
        tell(note(f"{path.name} has alpha: what is transparent teaches nothing"))
        weight = weight * resized(painted.alpha, theirs).reshape(weight.shape)
    weight = weight * (~working.bad[:, :, None]) * np.isfinite(target).all(axis=2, keepdims=True)
    if weight.max() < 0.5:
        raise BadInput(f"{path}: frame {number}: its matte or alpha is empty, there is nothing to learn from")
    seen, wanted = resized(working.pixels, size), resized(np.nan_to_num(target).astype(np.float32), size)
    said = _beside(alignment(seen, wanted), alignment(seen, wanted, (1.0,)), size, theirs)
    if said:
        tell(note(f"{path.name} {said} frame {number}; check the number and that it was not moved or cropped"))
    small = resized(weight.astype(np.float32), size).reshape(size[1], size[0])
    return Key(number, seen, wanted, np.clip(small, 0, 1).astype(np.float32))


class Alignment(NamedTuple):
    """How a painting lies on its plate: enlarged by a factor, pixels right and down; how surely, from 0 to 1."""

    factor: float
    right: float
    down: float
    sure: float


def alignment(plate: Pixels, painted: Pixels, factors: Sequence[float] = FACTORS) -> Alignment:
    """How a painting (H, W, 3) lies on its plate, by phase correlation of edges at several enlargements."""
    height, width = painted.shape[:2]
    window, own = cv2.createHanningWindow((width, height), cv2.CV_32F), _edges(painted)
    alignments = []
    for factor in factors:
        large = resized(plate, (round(width * factor), round(height * factor)))
        top, left = (large.shape[0] - height) // 2, (large.shape[1] - width) // 2
        (x, y), sure = cv2.phaseCorrelate(_edges(large[top : top + height, left : left + width]), own, window)
        alignments.append(Alignment(factor, float(x), float(y), float(sure)))
    return max(alignments, key=lambda a: a.sure)


def _edges(picture: Pixels) -> Pixels:
    luma = cv2.GaussianBlur(np.ascontiguousarray(picture @ np.asarray(LUMA, np.float32)), (0, 0), 2.0)
    gradient = np.hypot(cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1))
    return np.sqrt(gradient).astype(np.float32)


def _beside(best: Alignment, straight: Alignment, size: tuple[int, int], full: tuple[int, int]) -> str:
    """A phrase about an alignment at `size`, in pixels of `full`; empty if the painting lies where it should."""
    if best.factor > 1 and best.sure > max(ENLARGED, 2 * straight.sure):
        return f"looks like a part, enlarged by about {best.factor:.2f}, of"
    if straight.sure > SURE and np.hypot(straight.right, straight.down) > max(UNSURE, MOVED * size[1] / 360):
        right, down = straight.right * full[0] / size[0], straight.down * full[1] / size[1]
        return f"seems to lie {right:+.0f} pixels across and {down:+.0f} down beside"
    return ""


def compare_frames(keys: Sequence[Key], others: Sequence[tuple[int, Pixels]], tell: Listener) -> None:
    """Note painted frames whose edges fit another frame far better than their own."""
    for key in keys:
        own = alignment(key.plate, key.painted, (1.0,)).sure
        number, best = max(((n, alignment(p, key.painted, (1.0,))) for n, p in others), key=lambda f: f[1].sure)
        if best.sure > max(1.5 * own, SURE) and np.hypot(best.right, best.down) < 2:
            tell(note(f"the key of frame {key.number} fits frame {number} far better; check its number"))


def network_size(plate: Plate, lines: int | None = None) -> tuple[int, int]:
    """(width, height) at which the network sees a plate; 0 `lines` are the plate's own, None the default."""
    return size_at(plate.size, lines)


def size_at(size: tuple[int, int], lines: int | None = None) -> tuple[int, int]:
    """`network_size` of a picture of this size (width, height)."""
    width, height = size
    lines = min(height, LINES) if lines is None else lines or height
    return max(32, round(width * lines / height)), max(32, lines)


def at_network_size(frame: Frame, size: tuple[int, int]) -> Pixels:
    return resized(to_working(frame.pixels, frame.colour_space).pixels, size)
