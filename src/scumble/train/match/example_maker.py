"""Examples for a training: parts of a data set's pictures, painted by `KeyPainter` in its styles or in others.

Each is of another plate, and of another style where there are many: a set that is stopped at any moment is a fair one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from scumble.core.downloads import vgg_path
from scumble.core.frames import Pixels
from scumble.core.progress import Listener, Progress, ignore, said
from scumble.look.making import as_style
from scumble.network.palette import Palette
from scumble.train.clock import Clock
from scumble.train.data.dataset import Dataset, Record, to_pixels
from scumble.train.data.examples import Example, add_example, examples_in
from scumble.train.machine import device_of
from scumble.train.match.key_painter import KeyPainter
from scumble.train.match.settings import KeySettings
from scumble.train.nn.arithmetic import dtype_of
from scumble.train.nn.perceptual import PerceptualFeatures
from scumble.train.settings import LAYERS

SIZE = (384, 288)  # pixels that are painted at once

EXAMPLE_STEPS = 30  # at each size: fewer than for a key frame, since many are wanted

STYLES = "styles"


def make_examples(
    contents: Dataset,
    styles: Sequence[Callable[[], Sequence[Pixels]]],
    folder: Path,
    count: int,
    minutes: float = 0.0,
    settings: KeySettings = KeySettings(steps=EXAMPLE_STEPS),
    vgg: Path | None = None,
    tell: Listener = ignore,
) -> int:
    """Paint until a folder holds `count` examples, or for some minutes; how many it holds then.

    Plates are parts of the train split's pictures, `SIZE` at most. Each of `styles` reads the
    pictures of one style; they are taken in this order. What is in the folder stays. Raises BadInput.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done, clock = len(examples_in(folder)), Clock(count, minutes)
    records = contents.of("content", "train")
    features = PerceptualFeatures.load(
        vgg or vgg_path(), LAYERS[-1], dtype_of(settings.precision, device_of(settings.device))
    )
    while done < count and clock.progress(done) < 1:
        tell(said(f"painting example {done + 1}") if minutes else Progress("painting examples", done, count))
        draw = np.random.default_rng([settings.seed, 7, done])
        turn, at = divmod(done, len(records))
        record = records[int(np.random.default_rng([settings.seed, 8, turn]).permutation(len(records))[at])]
        whole = contents.decoded(record)
        part = part_of(whole, draw)
        pictures = styles[done % len(styles)]()
        colours = Palette.measure(to_pixels(whole))
        painting = KeyPainter(pictures, features, settings).paint(to_pixels(part), colours=colours)
        style = hashlib.sha256(np.ascontiguousarray(pictures[0]).tobytes()).hexdigest()[:16]
        files = f"{done:05d}.plate.png", f"{done:05d}.painted.png", f"{STYLES}/{style}.png"
        part.save(folder / files[0])
        _as_picture(painting).save(folder / files[1])
        (folder / STYLES).mkdir(exist_ok=True)
        if not (folder / files[2]).exists():
            _as_picture(pictures[0]).save(folder / files[2])
        add_example(folder, Example(*files, colours.mean.tolist(), colours.covariance.tolist()))
        done += 1
    return done


def styles_of_set(dataset: Dataset, seed: int = 0) -> list[Callable[[], list[Pixels]]]:
    """The style pictures of a data set's train split, shuffled."""
    records = dataset.of("style", "train")
    shuffled = [records[int(i)] for i in np.random.default_rng([seed, 9]).permutation(len(records))]
    return [partial(_style_of, dataset, record) for record in shuffled]


def _style_of(dataset: Dataset, record: Record) -> list[Pixels]:
    return [as_style(to_pixels(dataset.decoded(record)))]


def part_of(picture: Image.Image, draw: np.random.Generator) -> Image.Image:
    """A part of a picture, from all of it, made smaller, to as many of its own pixels."""
    upright = picture.height > picture.width
    width, height = SIZE[::-1] if upright else SIZE
    least = min(1.0, max(width / picture.width, height / picture.height))
    factor = float(np.exp(draw.uniform(np.log(least), 0)))
    box_w, box_h = min(picture.width, width / factor), min(picture.height, height / factor)
    left, top = draw.uniform(0, picture.width - box_w), draw.uniform(0, picture.height - box_h)
    size = round(box_w * factor), round(box_h * factor)
    return picture.resize(size, Image.Resampling.LANCZOS, box=(left, top, left + box_w, top + box_h))


def _as_picture(pixels: Pixels) -> Image.Image:
    return Image.fromarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8))
