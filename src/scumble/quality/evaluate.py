"""What a look or a checkpoint is worth: figures over pairs of content and style, as JSON and as a page.

Pictures go the way of a render: statistics measured on the content and pooled with the reference
photograph, baked, painted in f32.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from scumble.core.errors import BadInput, BadLook
from scumble.core.frames import spread
from scumble.core.progress import Listener, Progress, ignore
from scumble.core.version import __version__
from scumble.core.working_space import to_working
from scumble.look.bake import bake
from scumble.look.look import Look
from scumble.look.making import look_of_weights, make_look, style_picture
from scumble.look.shipped import find_look, load_universal
from scumble.look.statistics import frame_statistics
from scumble.media.open import open_plate
from scumble.media.plate import MOVIES, STILLS
from scumble.network import tiling
from scumble.network.baked import ShotStatistics
from scumble.network.openvino_engine import OpenVinoEngine
from scumble.network.universal import Universal
from scumble.network.vgg import LAYERS, Maps
from scumble.quality import certificate, metrics
from scumble.quality.html_report import Picture, Section, Table, Text, jpeg, write

Pixels = NDArray[np.float32]

SIZE = 320  # default short side of pairs in pixels

FRAMES_A_MOVIE = 4

SHIPPED = "universal"  # name of the shipped generator

GRID = (8, 6)  # largest number of contents and styles that the page shows

FIGURES = {
    "style": "squared difference of channel means and deviations over the style's own, mean of relu1_1 to relu4_1",
    "gram": "squared difference of Gram matrices over the style's own, mean of the same layers",
    "content": "squared difference of instance-normalised relu4_1, painting against content",
    "lpips_like": "squared difference of unit-length features, mean of layers; LPIPS without its learned weights",
    "ssim": "structural similarity of luma, painting against content; higher is more alike",
    "sharpness": "mean absolute Laplacian of luma, painting over content; 1 is as sharp as the content",
    **{
        f"pan_{s:g}": f"RMS x 255 of a pan by {s:g} px: painting of the moved against the painting moved"
        for s in certificate.SHIFTS
    },
    "static_half": "largest change x 255 where the picture stays and its other half changes, statistics frozen",
}


@dataclass(frozen=True)
class NamedPicture:
    """A picture to evaluate with: its name and pixels (H, W, 3) in the working space."""

    name: str
    pixels: Pixels


class Subject(Protocol):
    """Something that paints. `fixed` gives one function for a shot of which `content` is a frame."""

    name: str

    def fixed(self, content: Pixels, style: NamedPicture) -> metrics.Fixed: ...


class LookSubject:
    """A look: the style pictures only judge it."""

    def __init__(self, look: Look, name: str = "") -> None:
        self.look, self.name = look, name or look.name
        self._engine = OpenVinoEngine()

    def fixed(self, content: Pixels, style: NamedPicture) -> metrics.Fixed:
        """See `Subject`."""
        return _fixed(self._engine, self.look_for(style), content)

    def look_for(self, style: NamedPicture) -> Look:
        """The look, whatever the style."""
        return self.look


class MakerSubject(LookSubject):
    """What makes a look for each style: the universal generator, or a plain generator of one style."""

    def __init__(self, make: Callable[[Path], Look], name: str) -> None:
        self.make, self.name = make, name
        self._engine = OpenVinoEngine()
        self._made: dict[str, Look] = {}

    def look_for(self, style: NamedPicture) -> Look:
        """Made once for each style."""
        if style.name not in self._made:
            self._made[style.name] = self.make(Path(style.name))
        return self._made[style.name]


def _fixed(engine: OpenVinoEngine, look: Look, content: Pixels) -> metrics.Fixed:
    return painter_of(look, frame_statistics(look, [content], 1), engine)


def painter_of(look: Look, statistics: ShotStatistics, engine: OpenVinoEngine) -> metrics.Fixed:
    """How a look paints a shot of these statistics, in f32."""
    baked = bake(look, statistics)
    painter = engine.painter(baked, "f32")
    return lambda pixels: tiling.paint(pixels, painter, baked.architecture.stride, baked.halo)


def open_subject(name: str) -> Subject:
    """A look (file or shipped name), `universal`, or a checkpoint of a run. Raises BadLook."""
    path = Path(name)
    if name == SHIPPED:
        return _maker(load_universal(), name)
    if path.is_dir():
        path = path / "best.safetensors"
        if not path.is_file():
            raise BadLook(f"{name}: a folder without best.safetensors; name a look, or the folder of a training run")
    if path.suffix == ".look" or not path.is_file():
        look = find_look(name)
        return LookSubject(look)
    try:
        with safe_open(path, framework="np") as f:
            facts = json.loads((f.metadata() or {}).get("facts", "{}"))
        kind = facts.get("kind") if isinstance(facts, dict) else None
    except (OSError, SafetensorError, ValueError, TypeError, RecursionError) as error:
        raise BadLook(f"{path}: not a look or checkpoint ({error}); name one, or a shipped look") from error
    if kind == "look":
        return LookSubject(Look.load(path, load_universal))
    if kind == "plain" or facts.get("conditioning") == "none":
        return MakerSubject(lambda style: look_of_weights(path, style), path.name)
    return _maker(Universal.load(path), path.name)


def _maker(universal: Universal, name: str) -> Subject:
    return MakerSubject(lambda style: make_look([(style, 1.0)], "", universal), name)


def gather(paths: Sequence[Path], what: str, size: int) -> list[NamedPicture]:
    """Pictures of files, folders and movies (a few frames each), short side `size` pixels (0: as they are)."""
    pictures: list[NamedPicture] = []
    for path in paths:
        if not path.exists():
            raise BadInput(f"{path}: no such picture or folder; check its name")
        suffixes = STILLS | (MOVIES if what == "content" else set())
        files = [path]
        if path.is_dir():
            files = sorted(
                p for p in path.iterdir() if p.is_file() and p.suffix.lower() in suffixes and p.name[0] != "."
            )
        if not files:
            raise BadInput(f"{path}: no picture in this folder; name one that has")
        for file in files:
            if what == "style":
                pictures.append(NamedPicture(str(file), _sized(style_picture(file, size or SIZE), 0)))
                continue
            plate = open_plate(file)
            for frame in plate.read(spread(plate.numbers, FRAMES_A_MOVIE)):
                name = f"{file.name} frame {frame.number}" if plate.is_movie else file.name
                pictures.append(NamedPicture(name, _sized(to_working(frame.pixels, frame.colour_space).pixels, size)))
    for shown in pictures:
        if min(shown.pixels.shape[:2]) < 4 * metrics.BORDER:
            height, width = shown.pixels.shape[:2]
            raise BadInput(f"{shown.name}: {width}x{height} pixels are too few to measure pans; give --size {SIZE}")
    return pictures


def _sized(pixels: Pixels, size: int) -> Pixels:
    height, width = pixels.shape[:2]
    if not size or min(height, width) == size:
        return np.ascontiguousarray(pixels, np.float32)
    factor = size / min(height, width)
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(
        cv2.resize(pixels, (round(width * factor), round(height * factor)), interpolation=how), np.float32
    )


@dataclass(frozen=True)
class Evaluation:
    """Figures of every pair, and the paintings that the page shows by places of content and style."""

    subject: str
    pairs: list[dict[str, Any]]
    paintings: dict[tuple[int, int], Pixels]

    @property
    def mean(self) -> dict[str, float]:
        """Every figure's mean over the pairs."""
        return {name: float(np.mean([pair[name] for pair in self.pairs])) for name in FIGURES}


def evaluate(
    subject: Subject,
    contents: Sequence[NamedPicture],
    styles: Sequence[NamedPicture],
    features: Callable[[Pixels], Maps],
    tell: Listener = ignore,
) -> Evaluation:
    """Paint every content in every style and measure; see `FIGURES`."""
    of_styles = [features(style.pixels) for style in styles]
    pairs: list[dict[str, Any]] = []
    paintings: dict[tuple[int, int], Pixels] = {}
    for i, content in enumerate(contents):
        of_content = features(content.pixels)
        for j, style in enumerate(styles):
            fixed = subject.fixed(content.pixels, style)
            painting = fixed(content.pixels)
            of_painting = features(painting)
            pair: dict[str, Any] = {
                "content_picture": content.name,
                "style_picture": Path(style.name).name,
                "style": metrics.style_distance(of_painting, of_styles[j]),
                "gram": metrics.gram_distance(of_painting, of_styles[j]),
                "content": metrics.content_distance(of_painting, of_content),
                "lpips_like": metrics.lpips_like(of_painting, of_content),
                "ssim": metrics.ssim(painting, content.pixels),
                "sharpness": metrics.sharpness(painting) / max(1e-6, metrics.sharpness(content.pixels)),
                "static_half": certificate.static_half(fixed, content.pixels),
                **{f"pan_{shift:g}": error for shift, error in certificate.pans(fixed, content.pixels).items()},
            }
            pairs.append(pair)
            if i < GRID[0] and j < GRID[1]:
                paintings[i, j] = painting
            tell(Progress("pairs", len(pairs), len(contents) * len(styles)))
    return Evaluation(subject.name, pairs, paintings)


def as_json(done: Evaluation, backbone: str, size: int) -> dict[str, Any]:
    """All figures, and the features and size that they were measured with."""
    return {
        "scumble": __version__,
        "subject": done.subject,
        "backbone": backbone,
        "layers": list(LAYERS),
        "size": size,
        "pairs": len(done.pairs),
        "mean": done.mean,
        "figures": FIGURES,
        "by_pair": done.pairs,
    }


def write_page(
    path: Path,
    done: Evaluation,
    facts: Mapping[str, Any],
    contents: Sequence[NamedPicture],
    styles: Sequence[NamedPicture],
) -> None:
    """The page at `path`."""
    table = Table(
        ["figure", "mean", "least", "most", "what it is"],
        [
            (name, *(f"{f([p[name] for p in done.pairs]):.4f}" for f in (np.mean, np.min, np.max)), what)
            for name, what in FIGURES.items()
        ],
        words=True,
    )
    rows = [
        (f"{p['content_picture']} / {p['style_picture']}", *(f"{p[name]:.3f}" for name in FIGURES)) for p in done.pairs
    ]
    shown = len({i for i, _ in done.paintings}), len({j for _, j in done.paintings})
    sections = [
        Section(
            "Figures", [table, Text(f"Features: {facts['backbone']}; short side {facts['size'] or 'as given'} pixels.")]
        ),
        Section(
            "Pictures",
            [
                Picture(
                    jpeg(_grid(done, contents[: shown[0]], styles[: shown[1]])),
                    "Columns: content, " + ", ".join(Path(style.name).name for style in styles[: shown[1]]),
                ),
            ],
        ),
        Section("Every pair", [Table(["content / style", *FIGURES], rows)], folded=True),
    ]
    many = (
        f"{n} {word}{'s' * (n != 1)}"
        for n, word in ((len(contents), "content"), (len(styles), "style"), (len(done.pairs), "pair"))
    )
    lead = f"{', '.join(many)}, painted as a render paints them."
    write(path, f"Evaluation of {done.subject}", lead, sections)


def _grid(
    done: Evaluation, contents: Sequence[NamedPicture], styles: Sequence[NamedPicture], cell: int = 256
) -> Pixels:
    """One row for each content, one column for each style; the style pictures stand above."""

    def fitted(pixels: Pixels) -> Pixels:
        height, width = pixels.shape[:2]
        factor = cell / max(height, width)
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        small = cv2.resize(pixels.clip(0, 1), size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
        canvas = np.ones((cell, cell, 3), np.float32)
        top, left = (cell - size[1]) // 2, (cell - size[0]) // 2
        canvas[top : top + size[1], left : left + size[0]] = small
        return canvas

    empty = np.ones((cell, cell, 3), np.float32)
    rows = [np.concatenate([empty, *(fitted(s.pixels) for s in styles)], axis=1)]
    for i, content in enumerate(contents):
        painted = [fitted(done.paintings[i, j]) for j in range(len(styles))]
        rows.append(np.concatenate([fitted(content.pixels), *painted], axis=1))
    return np.concatenate(rows)
