"""Quality control of a render beside its plate, frame by frame: steadiness, sharpness, colour, broken frames.

Works on any stylised sequence or movie that has its plate's frames. The motion is the plate's: vector
channels of an EXR sequence, else optical flow; what is occluded is left out [Lai 1808.00449].
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from scumble.core.colour import DISPLAY, converted
from scumble.core.errors import BadInput, BadPlate
from scumble.core.frames import Frame, format_frames
from scumble.core.options import describe, option
from scumble.core.pixels import resized
from scumble.core.progress import Listener, Progress, ignore
from scumble.core.version import __version__
from scumble.core.working_space import to_working
from scumble.media.open import open_plate
from scumble.media.plate import Plate, PlateOptions
from scumble.quality import metrics
from scumble.quality.html_report import Drawing, Picture, Section, Table, Text, curves, jpeg
from scumble.quality.times import Times, times_apart
from scumble.shot.cuts import shots_of
from scumble.shot.motion import Motion, OpticalFlow, RenderedVectors, consistent, inside, resized_flow, vectors_of, warp

Pixels = NDArray[np.float32]

LINES = 1080  # lines at most; larger frames are reduced to them

FAR = 10  # frames apart for the long warping error

STILL = 2.0 / 255  # largest change of the plate at which a place counts as static

LEAST_STILL = 0.01  # share of the picture: fewer static places tell nothing

LEAST_ERROR = 0.5  # codes of 255: least warping error that a plate counts as having

DARK = 5.0 / 255  # a frame whose brightest pixel is darker is black

WORST = 5  # frames that the page shows

SHOWN = 480  # their width in pixels


@dataclass(frozen=True)
class Limits:
    """Limits that a render must keep to pass. A limit of 0 or less on a ratio is not checked."""

    warp_1: float = option(4.0, "Most warping error over 1 frame, as a ratio to the plate's own.")
    warp_10: float = option(3.0, "Most warping error over 10 frames, as a ratio to the plate's own.")
    static: float = option(3.0, "Most mean change in static places, in codes of 255.")
    sharpness: float = option(0.4, "Least sharpness, as a ratio to the plate's.")
    drift: float = option(12.0, "Most change of the mean colour beyond the plate's, in codes of 255.")
    clipped: float = option(0.05, "Most share of pixels that are clipped and are not in the plate.")
    broken: int = option(
        0, "Most frames that are black, repeat the one before, or have NaN or infinite values where the plate has none."
    )
    missing: int = option(0, "Most frames of the plate that the render lacks.")
    late: float = option(
        0.002, "Most seconds by which a frame, or the end, is shown earlier or later than in the plate."
    )
    rate: float = option(0.0001, "Most by which the frame rate differs, as a share of the plate's.")


@dataclass(frozen=True)
class FrameFigures:
    """Figures of one frame; errors are RMS x 255, None where there is nothing to compare with."""

    number: int
    warp_1: float | None
    warp_1_plate: float | None
    warp_10: float | None
    warp_10_plate: float | None
    static: float | None
    static_plate: float | None
    sharpness: float
    sharpness_plate: float
    drift: float
    clipped: float
    bad_pixels: int
    black: bool
    repeated: bool


@dataclass(frozen=True)
class Worst:
    """A frame whose warping error is among the largest: plate, render, wipe of both and heat map, as JPEG."""

    number: int
    error: float
    picture: bytes


@dataclass(frozen=True)
class Examination:
    """All that was measured of a render."""

    plate: str
    render: str
    motion: str
    size: tuple[int, int]
    frames: list[FrameFigures]
    missing: tuple[int, ...]
    worst: list[Worst]
    times: Times = Times()

    @property
    def summary(self) -> dict[str, float | None]:
        """The figures that `Limits` speak of; None where nothing could be measured."""

        def ratio(name: str) -> float | None:
            own, plate = self._rms(name), self._rms(f"{name}_plate")
            return None if own is None or plate is None else own / max(plate, LEAST_ERROR)

        still = [f.static for f in self.frames if f.static is not None]
        return {
            "warp_1": ratio("warp_1"),
            "warp_10": ratio("warp_10"),
            "static": float(np.mean(still)) if still else None,
            "sharpness": sum(f.sharpness for f in self.frames) / max(1e-6, sum(f.sharpness_plate for f in self.frames)),
            "drift": max(f.drift for f in self.frames),
            "clipped": max(f.clipped for f in self.frames),
            "broken": sum(f.bad_pixels > 0 or f.black or f.repeated for f in self.frames),
            "missing": len(self.missing),
            "late": self.times.late,
            "rate": self.times.rate,
        }

    def _rms(self, name: str) -> float | None:
        values = [getattr(f, name) for f in self.frames if getattr(f, name) is not None]
        return float(np.sqrt(np.mean(np.square(values)))) if values else None


class _Pair(NamedTuple):
    number: int
    plate: Pixels
    render: Pixels


def examine(
    plate_path: Path,
    render_path: Path,
    motion: Literal["auto", "vectors", "flow"] = "auto",
    frames: Sequence[int] | None = None,
    vectors: str = "",
    tell: Listener = ignore,
    cuts: str | None = None,
    first_frame: int | None = None,
    plate_options: PlateOptions = PlateOptions(),
    render_options: PlateOptions = PlateOptions(),
) -> Examination:
    """Measure every frame of the render that the plate has. Raises BadPlate, BadInput.

    `first_frame` numbers the plate as `scumble render` did; nothing is compared across the plate's `cuts`.
    """
    plate = open_plate(plate_path, first_frame, plate_options)
    outside = next((n for n in frames or () if n not in plate.numbers), None)
    if outside is not None:
        raise BadInput(f"{plate_path}: frame {outside} is not in the plate, which has {plate.frame_range}")
    wanted = plate.numbers if frames is None else tuple(frames)
    render = open_plate(render_path, None, render_options)
    if render.is_movie:
        # a movie's frames have no numbers of their own: they are the plate's, or the ones asked for, in order
        whole = next((n for n in (plate.numbers, wanted) if len(n) == len(render.numbers)), None)
        if whole is None:
            raise BadInput(
                f"{render_path}: {len(render.numbers)} frames, the plate has {len(plate.numbers)}; name the ones that"
                " it was made from with --frames"
            )
        place_of = dict(zip(whole, render.numbers, strict=True))
    else:
        place_of = {n: n for n in render.numbers}
    common = [n for n in wanted if n in place_of]
    if not common:
        raise BadInput(
            f"{render_path}: has frames {format_frames(render.numbers[:50])}, the plate"
            f" {format_frames(plate.numbers[:50])}: none in common; name the plate that it was made from"
        )
    width, height = render.size
    if abs(width / height - plate.size[0] / plate.size[1]) > 0.02 * width / height:
        theirs = f"{plate.size[0]}x{plate.size[1]}"
        raise BadInput(f"{render_path}: {width}x{height}, the plate {theirs}: not of one shape; name its own plate")
    factor = min(1.0, LINES / height)
    size = (round(width * factor), round(height * factor))
    moves, said = _motion(plate, common, motion, vectors)
    history: deque[_Pair] = deque(maxlen=FAR + 1)
    by_frame: list[FrameFigures] = []
    worst: list[tuple[float, int, bytes]] = []
    first: tuple[Pixels, Pixels] | None = None
    begins = {shot.first for shot in shots_of(plate, cuts)}
    read = zip(plate.read(common), render.read([place_of[n] for n in common]), strict=True)
    for place, (original, painted) in enumerate(read):
        alike = original.colour_space == painted.colour_space
        pair = _Pair(original.number, _display(original, size, alike), _display(painted, size, alike))
        moves.see(pair.number, pair.plate)
        if history and any(history[-1].number < n <= pair.number for n in begins):
            history.clear()
            first = None
        means = pair.plate.mean(axis=(0, 1)), pair.render.mean(axis=(0, 1))
        first = first or means
        figures, heat = _figures(pair, history, moves, first, means, original, painted)
        by_frame.append(figures)
        history.append(pair)
        moves.forget(history[0].number - 1)
        if figures.warp_1 is not None and figures.warp_1_plate is not None and heat is not None:
            excess = figures.warp_1 - figures.warp_1_plate
            if len(worst) < WORST or excess > worst[0][0]:
                heapq.heappush(worst, (excess, pair.number, _shown(pair, heat)))
                if len(worst) > WORST:
                    heapq.heappop(worst)
        tell(Progress("frames", place + 1, len(common)))
    return Examination(
        str(plate_path),
        str(render_path),
        said,
        size,
        by_frame,
        tuple(n for n in wanted if n not in place_of),
        [Worst(number, error, data) for error, number, data in sorted(worst, reverse=True)],
        times_apart(plate, render, place_of, common),
    )


def _motion(plate: Plate, numbers: Sequence[int], kind: str, vectors: str) -> tuple[Motion, str]:
    if kind != "flow" and plate.channels:
        try:
            own = vectors_of(plate.channels[numbers[0]], vectors)
        except BadPlate:
            if kind == "vectors" or vectors:
                raise
        else:
            if own.backward is not None:
                return RenderedVectors(plate.channels, own), f"vectors of the plate: {own}"
            if kind == "vectors":
                raise BadInput(f"{plate.path}: no motion to the frame before ({own}); take --motion flow")
    elif kind == "vectors":
        raise BadInput(f"{plate.path}: motion vectors stand in EXR sequences; take --motion flow")
    return OpticalFlow(), "optical flow of the plate"


def _display(frame: Frame, size: tuple[int, int], alike: bool) -> Pixels:
    """In a display space; a linear plate beside a display-referred render (not `alike`) as its file would hold it."""
    if alike:
        return resized(np.nan_to_num(to_working(frame.pixels, frame.colour_space).pixels), size)
    pixels = converted(np.nan_to_num(frame.pixels), frame.colour_space, DISPLAY)
    return resized(np.nan_to_num(pixels).clip(0, 1).astype(np.float32), size)


def _figures(
    pair: _Pair,
    history: Sequence[_Pair],
    moves: Motion,
    first: tuple[Pixels, Pixels],
    means: tuple[Pixels, Pixels],
    original: Frame,
    painted: Frame,
) -> tuple[FrameFigures, Pixels | None]:
    """Figures of a frame against those before it, and its map of warping error (H, W)."""
    near, near_plate, heat = _warping(pair, history, moves, 1)
    far, far_plate, _ = _warping(pair, history, moves, FAR)
    still = still_plate = None
    repeated = False
    if history and history[-1].number == pair.number - 1:
        change = np.abs(pair.plate - history[-1].plate).max(axis=2)
        places = cv2.blur(change, (5, 5)) < STILL
        own = np.abs(pair.render - history[-1].render).mean(axis=2)
        if places.mean() > LEAST_STILL:
            still, still_plate = float(own[places].mean() * 255), float(change[places].mean() * 255)
        repeated = bool(change.mean() > 0.5 / 255 and not own.any())
    drift = np.abs((means[1] - first[1]) - (means[0] - first[0])).max() * 255
    new = _clipped(pair.render) & ~_clipped(pair.plate)
    bad = ~np.isfinite(painted.pixels).all(axis=2)
    if bad.shape == original.pixels.shape[:2]:
        bad &= np.isfinite(original.pixels).all(axis=2)
    figures = FrameFigures(
        pair.number,
        near,
        near_plate,
        far,
        far_plate,
        still,
        still_plate,
        metrics.sharpness(pair.render),
        metrics.sharpness(pair.plate),
        float(drift),
        float(new.mean()),
        int(bad.sum()),
        bool(pair.render.max() < DARK <= pair.plate.max()),
        repeated,
    )
    return figures, heat


def _warping(
    pair: _Pair, history: Sequence[_Pair], moves: Motion, distance: int
) -> tuple[float | None, float | None, Pixels | None]:
    """RMS x 255 of the render against the frame `distance` before it warped onto it, the plate's own, and the map."""
    before = next((p for p in history if p.number == pair.number - distance), None)
    if before is None:
        return None, None, None
    there, back = moves.flow(pair.number, before.number), moves.flow(before.number, pair.number)
    if there is None:
        return None, None, None
    size = (pair.plate.shape[1], pair.plate.shape[0])
    there = resized_flow(there, size)
    seen = inside(there) if back is None else consistent(there, resized_flow(back, size))
    if not seen.any():
        return None, None, None
    own = np.square(pair.render - warp(before.render, there)).mean(axis=2)
    plate = np.square(pair.plate - warp(before.plate, there)).mean(axis=2)
    rms = [float(np.sqrt(error[seen].mean()) * 255) for error in (own, plate)]
    return rms[0], rms[1], np.asarray(np.sqrt(own) * seen, np.float32)


def _clipped(pixels: Pixels) -> NDArray[np.bool_]:
    return np.asarray((pixels <= 0.5 / 255).all(axis=2) | (pixels >= 254.5 / 255).any(axis=2))


def _shown(pair: _Pair, heat: Pixels) -> bytes:
    """Plate, render, a wipe between them and the heat map, side by side."""
    height = max(2, round(SHOWN * pair.plate.shape[0] / pair.plate.shape[1]))
    plate, render = (resized(p.clip(0, 1), (SHOWN, height)) for p in (pair.plate, pair.render))
    wipe = np.concatenate([plate[:, : SHOWN // 2], render[:, SHOWN // 2 :]], axis=1)
    wipe[:, SHOWN // 2 - 1 : SHOWN // 2 + 1] = 1
    codes = (resized(np.repeat(heat[:, :, None], 3, axis=2), (SHOWN, height)) * 255 * 4).clip(0, 255).astype(np.uint8)
    hot = cv2.applyColorMap(np.ascontiguousarray(codes[:, :, 0]), cv2.COLORMAP_INFERNO)
    hot = hot[:, :, ::-1].astype(np.float32) / 255
    return jpeg(np.concatenate([plate, render, wipe, hot], axis=1), 85)


def verdicts(summary: Mapping[str, float | None], limits: Limits) -> dict[str, bool | None]:
    """Whether each figure keeps its limit; None where there is no figure, or no limit on a ratio."""
    kept: dict[str, bool | None] = {}
    for name, value in summary.items():
        limit = getattr(limits, name)
        if value is None or (name in ("warp_1", "warp_10", "sharpness") and limit <= 0):
            kept[name] = None
        else:
            kept[name] = value >= limit if name == "sharpness" else value <= limit
    return kept


def passes(done: Examination, limits: Limits) -> bool:
    """Whether all limits are kept."""
    return all(ok is not False for ok in verdicts(done.summary, limits).values())


def as_json(done: Examination, limits: Limits) -> dict[str, Any]:
    """Plain values of everything but the pictures."""
    return {
        "scumble": __version__,
        "plate": done.plate,
        "render": done.render,
        "motion": done.motion,
        "size": list(done.size),
        "passes": passes(done, limits),
        "summary": done.summary,
        "limits": asdict(limits),
        "verdicts": verdicts(done.summary, limits),
        "missing": list(done.missing),
        "frames": [asdict(f) for f in done.frames],
        "worst": [w.number for w in done.worst],
    }


def page(done: Examination, limits: Limits) -> tuple[str, str, list[Section]]:
    """Title, lead and sections of the report."""
    summary, kept, words = done.summary, verdicts(done.summary, limits), describe(Limits)
    rows = []
    for name, value in summary.items():
        mark = {True: "pass", False: "FAIL", None: "-"}[kept[name]]
        shown = (
            "not measured"
            if value is None
            else f"{value:.4g}"
            if name in ("late", "rate")
            else f"{value:.3f}"
            if isinstance(value, float)
            else str(value)
        )
        rows.append((name, shown, f"{getattr(limits, name):g}", mark, words[name]))
    said = [Text(f"Motion: {done.motion}. Measured at {done.size[0]}x{done.size[1]}.")]
    broken = [
        f"frame {f.number}: "
        + ", ".join(
            w
            for w, on in (
                (f"{f.bad_pixels} pixels NaN or infinite", f.bad_pixels),
                ("black", f.black),
                ("repeats the one before", f.repeated),
            )
            if on
        )
        for f in done.frames
        if f.bad_pixels or f.black or f.repeated
    ]
    if done.missing:
        broken.insert(0, f"missing: {format_frames(done.missing)}")
    if broken:
        said.append(Text("\n".join(broken), preformatted=True))
    sections = [
        Section("Figures", [Table(["figure", "found", "limit", "", "what it is"], rows, words=True), *said]),
        Section("Over the shot", list(_drawings(done.frames))),
        Section(
            "Worst frames",
            [Picture(w.picture, f"frame {w.number}: plate, render, wipe, warping error x 4") for w in done.worst]
            or [Text("No frame has a neighbour to be compared with.")],
        ),
    ]
    verdict = "passes" if passes(done, limits) else "FAILS"
    lead = f"{Path(done.render).name} against {Path(done.plate).name}, {len(done.frames)} frames: {verdict}."
    return f"Quality of {Path(done.render).name}", lead, sections


def _drawings(frames: Sequence[FrameFigures]) -> Iterator[Drawing]:
    def series(name: str) -> tuple[list[int], list[float]]:
        kept = [f for f in frames if getattr(f, name) is not None]
        return [f.number for f in kept], [getattr(f, name) for f in kept]

    known = {f.name for f in fields(FrameFigures)}
    for name, caption in {
        "warp_1": "warping error over 1 frame, RMS x 255",
        "warp_10": "warping error over 10 frames, RMS x 255",
        "static": "change in static places x 255",
        "sharpness": "sharpness, mean Laplacian x 255",
        "drift": "mean colour's drift x 255",
        "clipped": "share of newly clipped pixels",
    }.items():
        lines = {"render": series(name)}
        if f"{name}_plate" in known:
            lines["plate"] = series(f"{name}_plate")
        if len(lines["render"][0]) > 1:
            yield Drawing(curves(lines, "frame"), caption)
