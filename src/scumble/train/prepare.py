"""From footage and paintings to a training set: frames, resized pictures, splits, licences, one file.

A folder's own `MANIFEST.csv` (columns file, source, licence, author, split) is carried through: what
it calls test stays test; the rest is split by a hash of the source artwork, so that detail crops
of one painting never stand on both sides.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image, ImageOps

from scumble.errors import BadInput
from scumble.media import is_movie, open_plate
from scumble.train.dataset import COLUMNS, PACKED, Record

PICTURES = {".webp", ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"}


@dataclass(frozen=True)
class Preparation:
    """What was made: counts by kind and split, and what was passed over, with the reason."""

    counts: dict[str, int]
    skipped: list[str]
    packed: Path


def prepare(
    content: Sequence[Path],
    style: Sequence[Path],
    output: Path,
    size: int = 288,
    quality: int = 80,
    frames_per_movie: int = 24,
    progress: Callable[[str], None] = lambda _: None,
) -> Preparation:
    """Write `output`/manifest.csv and `output`/packed.zip. Short sides become `size` pixels, never enlarged.

    Raises BadInput for a source that is not there or that holds nothing to train on.
    """
    skipped: list[str] = []
    records: list[Record] = []
    output.mkdir(parents=True, exist_ok=True)
    packed = output / PACKED
    unfinished = output / f".{PACKED}.part"
    try:
        with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as archive:
            for kind, sources in (("content", content), ("style", style)):
                for source in sources:
                    before = len(records)
                    for record, picture in _pictures(source, kind, frames_per_movie, skipped):
                        archive.writestr(record.file, _webp(picture, size, quality))
                        records.append(record)
                        progress(record.file)
                    if len(records) == before:
                        raise BadInput(f"{source}: no picture that can be read; name a folder of pictures or a movie")
            table = io.StringIO()
            writer = csv.DictWriter(table, COLUMNS)
            writer.writeheader()
            writer.writerows(asdict(r) for r in records)
            archive.writestr("manifest.csv", table.getvalue())
        os.replace(unfinished, packed)
    finally:
        unfinished.unlink(missing_ok=True)
    (output / "manifest.csv").write_text(table.getvalue(), "utf-8")
    counts: dict[str, int] = {}
    for r in records:
        counts[f"{r.kind} {r.split}"] = counts.get(f"{r.kind} {r.split}", 0) + 1
    return Preparation(counts, skipped, packed)


def split_of(artwork: str, given: str = "") -> str:
    """train, val or test (90 / 5 / 5) by hash of the artwork; a given split other than train is kept."""
    if given in ("val", "test"):
        return given
    place = int(hashlib.sha256(artwork.encode()).hexdigest()[:8], 16) / 0x100000000
    if given == "train":  # the source has set its test pictures aside already
        return "val" if place < 0.05 else "train"
    return "val" if place < 0.05 else "test" if place < 0.1 else "train"


def _artwork(source: str) -> str:
    """The source without a remark such as [detail crop], so that crops stay with their picture."""
    return re.sub(r"\s*\[[^]]*\]\s*$", "", source)


def _pictures(
    source: Path, kind: str, frames_per_movie: int, skipped: list[str]
) -> Iterator[tuple[Record, Image.Image]]:
    if not source.exists():
        raise BadInput(f"{source}: no such folder or movie; check its name")
    if source.is_file() and is_movie(source):
        yield from _movie_frames(source, kind, frames_per_movie)
        return
    folder = source if source.is_dir() else source.parent
    files = sorted(p for p in source.rglob("*") if p.is_file()) if source.is_dir() else [source]
    facts = _manifest(folder)
    for path in files:
        if path.suffix.lower() not in PICTURES:
            if source.is_dir() and is_movie(path):
                yield from _movie_frames(path, kind, frames_per_movie)
            continue
        try:
            with Image.open(path) as opened:
                picture = ImageOps.exif_transpose(opened).convert("RGB")
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            skipped.append(f"{path}: {error}")
            continue
        relative = path.relative_to(folder).as_posix()
        row = facts.get(relative, {})
        origin = row.get("source") or relative
        split = split_of(_artwork(origin), row.get("split", ""))
        name = f"{kind}/{hashlib.sha256(str(path).encode()).hexdigest()[:6]}_{path.stem}.webp"
        yield Record(name, kind, split, origin, row.get("licence", ""), row.get("author", "")), picture


def _movie_frames(path: Path, kind: str, count: int) -> Iterator[tuple[Record, Image.Image]]:
    """Frames spread evenly; a movie is one artwork, so all its frames fall into one split."""
    plate = open_plate(path)
    numbers = plate.frame_range.spread(count)
    for frame in plate.read(numbers):
        codes = (frame.pixels.clip(0, 1) * 255 + 0.5).astype("uint8")
        name = f"{kind}/{hashlib.sha256(str(path).encode()).hexdigest()[:6]}_{path.stem}_{frame.number:06d}.webp"
        yield Record(name, kind, split_of(path.name), f"{path.name} frame {frame.number}"), Image.fromarray(codes)


def _manifest(folder: Path) -> dict[str, dict[str, str]]:
    table = folder / "MANIFEST.csv"
    if not table.exists():
        return {}
    with table.open(newline="", encoding="utf-8") as f:
        return {row["file"]: row for row in csv.DictReader(f) if row.get("file")}


def _webp(picture: Image.Image, size: int, quality: int) -> bytes:
    short = min(picture.size)
    if short > size:
        factor = size / short
        wanted = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
        picture = picture.resize(wanted, Image.Resampling.LANCZOS, reducing_gap=3.0)
    data = io.BytesIO()
    picture.save(data, "WEBP", quality=quality, method=4)
    return data.getvalue()
