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

from scumble.core.colour import LUMA
from scumble.core.errors import BadInput

COLUMNS = ("file", "kind", "split", "source", "licence", "author")

PACKED = "packed.zip"

MOST_KEPT = (
    4 << 30
)  # bytes of decoded pictures that are kept, about 1,500 frames of 720 lines; others are decoded at every use

Pixels = NDArray[np.float32]

# errors of zipfile, zlib, csv and Pillow for damaged or foreign files
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

    @property
    def name(self) -> str:
        """The file's name before it was packed, which `prepare.stem_of` sets a hash before."""
        return self.file.rpartition("/")[2].partition("_")[2]


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
        """Records of a kind and split. Raises BadInput if there are none."""
        of_kind = [r for r in self.records if r.kind == kind]
        records = [r for r in of_kind if r.split == split or (self.few and len(of_kind) < 3)]
        if not records:
            raise BadInput(
                f"{self.path}: no {kind} picture in the {split} split; prepare it again with 3 or more {kind} pictures,"
                " or the words train, val and test in a MANIFEST.csv"
            )
        return records

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


def dulled(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """A picture (H, W, 3) with less colour or none, and perhaps haze, low contrast and another gamma.

    The recolouring is linear in colours: of a grey plate it makes a picture of one hue. A network that is to give such
    plates the style's colours must have seen them.
    """
    grey = (pixels @ np.asarray(LUMA, np.float32))[..., None]
    pixels = grey + (pixels - grey) * np.float32(rng.choice([0.0, rng.uniform(0.1, 0.8)]))
    if rng.random() < 0.6:
        contrast = rng.uniform(0.3, 1.0)
        pixels = pixels * np.float32(contrast) + np.float32(rng.uniform(0, 1 - contrast))
    if rng.random() < 0.5:
        pixels = np.clip(pixels, 0, 1) ** np.float32(np.exp(rng.uniform(-0.6, 0.6)))
    return np.ascontiguousarray(np.clip(pixels, 0, 1), np.float32)


def to_batch(pictures: Sequence[Pixels]) -> NDArray[np.float32]:
    """Stack (H, W, 3) pictures to (N, 3, H, W)."""
    return np.ascontiguousarray(np.stack(pictures).transpose(0, 3, 1, 2))
