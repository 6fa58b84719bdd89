"""Content photographs and style pictures for training: one packed file, and crops out of it.

A packed data set is a ZIP (stored, not deflated) of WebP pictures and `manifest.csv` with the columns
`COLUMNS`: random access, one file to travel, and anyone can look inside.
"""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scumble.errors import BadInput
from scumble.palette import Palette, recolouring

COLUMNS = ("file", "kind", "split", "source", "licence", "author")
PACKED = "packed.zip"
MOST_KEPT = (
    4 << 30
)  # bytes of decoded pictures: some 1,500 frames of 720 lines; more are decoded whenever they are used
Pixels = NDArray[np.float32]
# what zipfile, zlib, csv and Pillow raise for files that are not whole or not theirs
DAMAGE = (OSError, ValueError, KeyError, RuntimeError, EOFError, SyntaxError, zlib.error, zipfile.BadZipFile, csv.Error)


@dataclass(frozen=True)
class Record:
    """One line of the manifest; `kind` is content or style, `split` train, val or test."""

    file: str
    kind: str
    split: str
    source: str = ""
    licence: str = ""
    author: str = ""


class Dataset:
    """Pictures of a packed data set, decoded on first use and kept, as many as `MOST_KEPT` bytes hold.

    With `few` a kind of fewer than three pictures, which cannot be split, shows them all in every split.
    """

    def __init__(self, path: Path, few: bool = False) -> None:
        self.path = path / PACKED if path.is_dir() else path
        self.few = few
        try:
            self._zip = zipfile.ZipFile(self.path)
            text = self._zip.read("manifest.csv").decode("utf-8")
            rows = list(csv.DictReader(io.StringIO(text, newline="")))
        except DAMAGE as error:
            what = "no such data set" if not path.exists() else "no packed data set"
            if path.is_dir() and not self.path.exists():
                what = "a folder without a data set"
            elif path.exists():
                what += f" ({error})"
            raise BadInput(f"{path}: {what}; make one: scumble data prepare --content ... -o DATASET") from error
        self.records = [Record(**{c: row.get(c) or "" for c in COLUMNS}) for row in rows]
        self._pictures: dict[str, Image.Image] = {}
        self._kept = 0  # bytes of them

    def of(self, kind: str, split: str) -> list[Record]:
        """Records of a kind and split; an empty answer is an error that says so."""
        of_kind = [r for r in self.records if r.kind == kind]
        found = [r for r in of_kind if r.split == split or (self.few and len(of_kind) < 3)]
        if not found:
            raise BadInput(
                f"{self.path}: no {kind} picture in the {split} split; prepare it again with 3 or more {kind} pictures,"
                " or the words train, val and test in a MANIFEST.csv"
            )
        return found

    def picture(self, record: Record) -> Image.Image:
        """The decoded RGB picture."""
        if record.file in self._pictures:
            return self._pictures[record.file]
        picture = self.decoded(record)
        size = 3 * picture.width * picture.height
        if self._kept + size <= MOST_KEPT:
            self._pictures[record.file] = picture
            self._kept += size
        return picture

    def decoded(self, record: Record) -> Image.Image:
        """The same, not kept."""
        try:
            return Image.open(io.BytesIO(self._zip.read(record.file))).convert("RGB")
        except (*DAMAGE, Image.DecompressionBombError) as error:
            raise BadInput(
                f"{self.path}: {record.file} in it is damaged ({error}); prepare the data set again"
            ) from error

    def load(self, records: Sequence[Record]) -> None:
        """Decode these pictures now, so that threads may share them afterwards."""
        for record in records:
            if self._kept < 0.99 * MOST_KEPT:
                self.picture(record)


def random_crop(
    picture: Image.Image, size: tuple[int, int], scale: tuple[float, float], rng: np.random.Generator
) -> Pixels:
    """A crop (H, W, 3) in [0, 1], `scale` output pixels per picture pixel, log-uniform, as far as it fits."""
    height, width = size
    factor = float(np.exp(rng.uniform(np.log(scale[0]), np.log(scale[1]))))
    factor = max(factor, height / picture.height, width / picture.width)
    box_w, box_h = min(width / factor, picture.width), min(height / factor, picture.height)  # a quotient is rounded
    left = rng.uniform(0, picture.width - box_w)
    top = rng.uniform(0, picture.height - box_h)
    box = (left, top, min(left + box_w, picture.width), min(top + box_h, picture.height))
    return to_pixels(picture.resize((width, height), Image.Resampling.BICUBIC, box=box))


def centre_crop(picture: Image.Image, side: int) -> Pixels:
    """The middle square scaled to `side`: the same picture every time, for evaluation."""
    short = min(picture.size)
    left, top = (picture.width - short) / 2, (picture.height - short) / 2
    box = (left, top, left + short, top + short)
    return to_pixels(picture.resize((side, side), Image.Resampling.BICUBIC, box=box))


def to_pixels(picture: Image.Image) -> Pixels:
    """8-bit RGB to float32 (H, W, 3) in [0, 1]."""
    return np.asarray(picture, np.float32) / np.float32(255)


def augment_content(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Mirror, exposure within two stops (most of it small), a little hue, film grain.

    Exposure is a log-normal gain in approximately linear light, kept below clipping for most pixels.
    """
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    if rng.random() < 0.5:
        gain = 2.0 ** float(np.clip(rng.normal(0, 0.8), -2, 2))
        pixels = np.clip(pixels * np.float32(gain ** (1 / 2.2)), 0, 1)
    if rng.random() < 0.3:
        pixels = np.clip(pixels @ _hue(rng.uniform(-0.2, 0.2)), 0, 1)
    if rng.random() < 0.3:
        pixels = pixels + rng.normal(0, rng.uniform(0.002, 0.02), pixels.shape).astype(np.float32)
    return np.ascontiguousarray(pixels, np.float32)


def augment_style(pixels: Pixels, rng: np.random.Generator, other_colours: Pixels | None = None) -> Pixels:
    """90-degree turns, mirror and, given another picture, that picture's colours (covariance swap)."""
    pixels = np.rot90(pixels, int(rng.integers(4)))
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    if other_colours is not None:
        matrix, offset = recolouring(Palette.measure(pixels), Palette.measure(other_colours))
        pixels = np.clip(pixels @ matrix.T.astype(np.float32) + offset.astype(np.float32), 0, 1)
    return np.ascontiguousarray(pixels, np.float32)


def _hue(angle: float) -> NDArray[np.float32]:
    """Rotation about the grey axis (Rodrigues), angle in radians."""
    c, s, third = np.cos(angle), np.sin(angle), (1 - np.cos(angle)) / 3
    skew = s / np.sqrt(3) * np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
    matrix: NDArray[np.float32] = (c * np.eye(3) + third * np.ones((3, 3)) + skew).astype(np.float32)
    return matrix


def to_batch(pictures: Sequence[Pixels]) -> NDArray[np.float32]:
    """Stack (H, W, 3) pictures to (N, 3, H, W)."""
    return np.ascontiguousarray(np.stack(pictures).transpose(0, 3, 1, 2))
