"""From footage and paintings to a training set: frames, cleaned and resized pictures, splits, licences, one file.

A folder's own `MANIFEST.csv` (columns file, source, licence, author, split) is carried through: what
it calls test stays test; the rest is split by a hash of the source artwork, so that detail crops
of one painting never stand on both sides.

Every picture that is done is kept in `DATASET/.work` until all are: a preparation that was killed
goes on where it was, and gives the same bytes. What was left out, and why, stands in `left_out.csv`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from scumble.core.errors import BadInput, BadOutput, BadPlate, BadSettings, ScumbleError
from scumble.core.files import not_written, written_whole
from scumble.core.frames import Frame, spread
from scumble.core.progress import Listener, Progress, ignore
from scumble.core.working_space import to_working
from scumble.media.colour_tags import LINEAR_FORMATS
from scumble.media.movie_reader import MoviePlate
from scumble.media.open import open_plate
from scumble.media.pattern import parse_pattern
from scumble.media.plate import MOVIES, PlateOptions
from scumble.shot.cuts import detect, own_frames
from scumble.train.data.dataset import COLUMNS, PACKED, Record
from scumble.train.data.pictures import PICTURES, load_picture
from scumble.train.data.worth_keeping import worth_keeping

SHEET = (12, 8)  # columns and rows of a contact sheet

SHEET_CELL = 128  # pixels

LONGEST = 16383  # pixels: what a WebP can hold

LEFT_OUT = "left_out.csv"

# pictures that need another program first: skipped, and listed
UNDEVELOPED = {".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2", ".psd", ".psb", ".svg", ".pdf", ".jp2"}

SPLITS = ("train", "val", "test")

LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest time that a ZIP can hold: the same in every run


class Skipped(NamedTuple):
    """A file that was passed over, and why, in a sentence that names it."""

    path: Path
    sentence: str

    @property
    def why(self) -> str:
        """The sentence without the name of the file."""
        return self.sentence.removeprefix(f"{self.path}: ")


@dataclass(frozen=True)
class Preparation:
    """What was made: counts by kind and split, what was passed over with the reason, files written."""

    counts: dict[str, int]
    skipped: list[Skipped]
    dropped: dict[str, int]
    notes: list[str]
    packed: Path
    sheets: list[Path]


@dataclass(frozen=True)
class Source:
    """A picture, movie or sequence (`shot.####.exr`), and what the folder's manifest says of it."""

    path: Path
    kind: str
    relative: str
    row: dict[str, str]

    @property
    def is_movie(self) -> bool:
        return self.path.suffix.lower() in MOVIES

    @property
    def files(self) -> list[Path]:
        """The files that it is made of."""
        pattern = None if self.path.exists() else parse_pattern(self.path)
        return [self.path] if pattern is None else list(pattern.find().values())

    @property
    def is_footage(self) -> bool:
        return self.is_movie or not self.path.exists()


def prepare(
    content: Sequence[Path],
    style: Sequence[Path],
    output: Path,
    size: int = 288,
    quality: int = 80,
    frames_per_movie: int = 24,
    licence: str = "",
    tell: Listener = ignore,
    overwrite: bool = False,
    options: PlateOptions = PlateOptions(),
    few: bool = False,
    apart: Path | None = None,
) -> Preparation:
    """Write `output`/manifest.csv, packed.zip and contact sheets. Short sides become `size` pixels, never enlarged.

    `content` and `style` are folders, pictures, movies and sequences (`shot.####.exr`); `options` say how movies,
    sequences, EXR and DPX among the contents are to be understood. `few`: the set is for a training that goes on
    with fewer than three pictures; `apart` is a folder whose files are no sources, `output` by default.

    Dropped: frames and pictures that are black or flat, and all but the first of those that look the
    same. `licence` is for pictures that no manifest speaks of.
    Raises BadInput for a source that is not there or that holds nothing to train on, BadOutput where a
    finished set would be replaced without `overwrite`.
    """
    if (output / PACKED).exists() and not overwrite:
        raise BadOutput(f"{output}: holds a data set already; give --overwrite to replace it")
    skipped: list[Skipped] = []
    pictures_there = [
        files_of(source, kind, apart or output, skipped)
        for kind, all_ in (("content", content), ("style", style))
        for source in all_
    ]
    everything = [file for files in pictures_there for file in files]
    work = output / ".work"
    try:
        work.mkdir(parents=True, exist_ok=True)
        records: list[Record] = []
        pictures: list[Path] = []
        set_aside: list[bool] = []
        for i, file in enumerate(everything):
            tell(Progress(file.path.name, i, len(everything)))
            for record, picture in _prepared(file, work, size, quality, frames_per_movie, options, skipped):
                set_aside.append(file.row.get("split", "") in ("val", "test"))
                records.append(record if record.licence else _licensed(record, licence))
                pictures.append(picture)
        tell(Progress("packing", len(everything), len(everything)))
        kept, dropped = worth_keeping(records, pictures)
        for kind, sources in (("content", content), ("style", style)):
            if sources and not any(records[i].kind == kind for i in kept):
                raise BadInput(_nothing_left(sources, skipped, sum(records[i].kind == kind for i in dropped)))
        left_out = [(str(file.path), file.why) for file in skipped]
        left_out += [(records[i].source, why) for i, why in dropped.items()]
        records, pictures = [records[i] for i in kept], [pictures[i] for i in kept]
        notes: list[str] = []
        for kind in ("content", "style"):
            records, said = _in_all_splits(records, kind, [set_aside[i] for i in kept], few)
            notes += said
        if unlicensed := sum(not r.licence for r in records):
            pictures_are = "1 picture" if unlicensed == 1 else f"{unlicensed} pictures"
            notes.append(f"{pictures_are} without a licence on record; name it with --licence, or in a MANIFEST.csv")
        _pack(output, records, pictures)
        _list_left_out(output / LEFT_OUT, left_out)
        kinds = [kind for kind, sources in (("content", content), ("style", style)) if sources]
        sheets = [_sheet(output, kind, records, pictures) for kind in kinds]
        shutil.rmtree(work)
    except OSError as error:
        raise not_written(output, error) from error
    except BadOutput:  # such as a full disk: finished pictures wait for the next run
        raise
    except ScumbleError:
        shutil.rmtree(work, ignore_errors=True)
        if not any(output.iterdir()):
            output.rmdir()
        raise
    counts = {f"{kind} {split}": 0 for kind in ("content", "style") for split in SPLITS}
    for r in records:
        counts[f"{r.kind} {r.split}"] += 1
    reasons = {why: list(dropped.values()).count(why) for why in ("black", "flat", "near-duplicate")}
    return Preparation(counts, skipped, reasons, notes, output / PACKED, sheets)


def _nothing_left(sources: Sequence[Path], skipped: Sequence[Skipped], dropped: int) -> str:
    """Why a kind has no picture at all, in words."""
    mine = [f.sentence for f in skipped if any(f.path == source or source in f.path.parents for source in sources)]
    if mine:
        more = f", and {len(mine) - 1} more like it" if len(mine) > 1 else ""
        return f"{mine[0]}{more}; nothing to train on is left in {sources[0]}"
    return f"{sources[0]}: all {dropped} pictures are black, flat or the same; name others"


def split_of(artwork: str, given: str = "") -> str:
    """train, val or test (90 / 5 / 5) by hash of the artwork; a given split other than train is kept."""
    if given in ("val", "test"):
        return given
    place = int(hashlib.sha256(artwork.encode()).hexdigest()[:8], 16) / 0x100000000
    if given == "train":  # the source has its own test pictures
        return "val" if place < 0.05 else "train"
    return "val" if place < 0.05 else "test" if place < 0.1 else "train"


def _in_all_splits(
    records: list[Record], kind: str, set_aside: Sequence[bool], few: bool = False
) -> tuple[list[Record], list[str]]:
    """Records with train, val and test pictures of a kind, most of them train; and notes for the user.

    Splitting few sources by their hash leaves splits empty or upside down. Then all are for training but
    one artwork each for val and test; of fewer than three, such as one movie, a tenth of the pictures
    each. What a manifest has `set_aside` for val or test stays there.
    """
    mine = [i for i, r in enumerate(records) if r.kind == kind]
    count = {split: sum(records[i].split == split for i in mine) for split in SPLITS}
    if not mine or (all(count.values()) and 2 * count["train"] >= len(mine)):
        return records, []
    if len(mine) < len(SPLITS) and few:
        shown = "one picture" if len(mine) == 1 else "two pictures"
        line = f"{kind}: {shown} only, in train, val and test alike: figures will flatter; add more"
        return records, [line] if kind == "content" else []  # a style may well be one picture
    if len(mine) < len(SPLITS):
        return records, [f"{len(mine)} {kind} pictures are too few for train, val and test; training wants at least 3"]
    free: dict[str, list[int]] = {}
    for i in mine:
        if not set_aside[i]:
            free.setdefault(_origin(records[i]), []).append(i)
    wanted = [split for split in ("val", "test") if not any(set_aside[i] and records[i].split == split for i in mine)]
    records = list(records)
    for i in (i for group in free.values() for i in group):
        records[i] = replace(records[i], split="train")
    ranked = sorted(free, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    if len(ranked) > len(wanted):
        parts, said = [free[name] for name in ranked[: len(wanted)]], []
    else:  # neighbours, so that few of them are nearly alike
        tenth, places = max(1, len(mine) // 10), [i for name in free for i in free[name]]
        parts = [places[len(places) - (k + 1) * tenth : len(places) - k * tenth] for k in range(len(wanted))]
        said = [
            f"{kind}: too few sources to keep them apart; train, val and test are parts of the same ones,"
            " and figures will flatter: add more"
        ]
    for split, part in zip(wanted, parts, strict=True):
        for i in part:
            records[i] = replace(records[i], split=split)
    return records, said


def _origin(record: Record) -> str:
    """The artwork of a record: detail crops and frames of a movie have one."""
    return _artwork(re.sub(r" frame \d+$", "", record.source))


def _list_left_out(path: Path, lines: Sequence[tuple[str, str]]) -> None:
    path.unlink(missing_ok=True)
    if not lines:
        return
    with written_whole(path) as part, part.open("w", newline="", encoding="utf-8") as f:
        csv.writer(f).writerows([("file", "reason"), *lines])


def files_of(source: Path, kind: str, output: Path, skipped: list[Skipped]) -> list[Source]:
    """Pictures and movies of a folder, but for hidden ones and those of the set `output`.

    What is passed over is added to `skipped`. Raises BadInput where nothing is left.
    """
    if not source.exists():
        pattern = parse_pattern(source)
        if pattern is None:
            raise BadInput(f"{source}: no such folder or movie; check its name")
        if not pattern.find():
            raise BadInput(f"{source}: no frame of this sequence is there; check its name")
        return [Source(source, kind, source.name, {})]
    folder = source if source.is_dir() else source.parent
    facts = _manifest(folder)
    wanted = []
    for p in sorted(source.rglob("*")) if source.is_dir() else [source]:
        inside = p.relative_to(folder).parts
        if any(part.startswith(".") for part in inside) or output.absolute() in p.absolute().parents:
            continue
        if p.is_symlink() and not p.exists():
            skipped.append(Skipped(p, f"{p}: a link to a file that is not there; mend or remove it"))
        elif p.suffix.lower() in UNDEVELOPED:
            skipped.append(Skipped(p, f"{p}: {p.suffix} needs another program; write it as TIFF or PNG"))
        elif p.is_file() and p.suffix.lower() in PICTURES | MOVIES:
            wanted.append(p)
    if not wanted:
        raise BadInput(f"{source}: no picture or movie of a known kind; name a folder of pictures, or a movie")
    if kind == "content":
        wanted = _as_sequences(wanted)
    relative = [p.relative_to(folder).as_posix() for p in wanted]
    return [Source(p, kind, name, facts.get(name, {})) for p, name in zip(wanted, relative, strict=True)]


def _as_sequences(paths: Sequence[Path]) -> list[Path]:
    """Numbered EXR and DPX files of one name, which are frames of a shot, as one sequence; other files as they are."""
    shots: dict[Path, list[Path]] = {}
    for path in paths:
        match = re.search(r"\d+$", path.stem)
        if match and path.suffix.lower() in (".exr", ".dpx"):
            name = f"{path.stem[: match.start()]}{'#' * len(match[0])}{path.suffix}"
            shots.setdefault(path.with_name(name), []).append(path)
    taken = {pattern: files for pattern, files in shots.items() if len(files) > 1}
    inside = {file for files in taken.values() for file in files}
    return [*(path for path in paths if path not in inside), *taken]


def _manifest(folder: Path) -> dict[str, dict[str, str]]:
    table = folder / "MANIFEST.csv"
    if not table.is_file():
        return {}
    try:
        with table.open(newline="", encoding="utf-8-sig") as f:
            rows = [{k: v or "" for k, v in row.items() if k and not isinstance(v, list)} for row in csv.DictReader(f)]
    except (OSError, ValueError, csv.Error) as error:
        raise BadInput(f"{table}: not a table in UTF-8 with commas ({error}); mend it, or take it away") from error
    if rows and "file" not in rows[0]:
        raise BadInput(f"{table}: has no column named file; name its columns {', '.join(c for c in COLUMNS)}")
    for row in rows:
        row["split"] = row.get("split", "").strip().lower()
        if row["split"] not in ("", *SPLITS):
            raise BadInput(f"{table}: {row['file']} has the split {row['split']!r}; write train, val or test")
    return {row["file"]: row for row in rows if row.get("file")}


def stem_of(kind: str, path: Path) -> str:
    """How the names of a source's pictures begin in the packed file."""
    return f"{kind}/{hashlib.sha256(str(path).encode()).hexdigest()[:6]}_{path.stem}"


def _artwork(source: str) -> str:
    """The source without a remark such as [detail crop], so that crops stay with their picture."""
    return re.sub(r"\s*\[[^]]*\]\s*$", "", source)


def _licensed(record: Record, licence: str) -> Record:
    return replace(record, licence=licence)


def _prepared(
    file: Source, work: Path, size: int, quality: int, frames: int, options: PlateOptions, skipped: list[Skipped]
) -> Iterator[tuple[Record, Path]]:
    """The file's records and their WebP pictures in `work`, taken from there where they are done already."""
    stats = [(str(p.resolve()), p.stat().st_size, p.stat().st_mtime_ns) for p in file.files]
    made_of = [stats, size, quality, frames if file.is_footage else 0, options.layer, options.in_space]
    made_of.append(str(options.colours.name))
    key = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:24]
    done = work / f"{key}.json"
    if not done.is_file():
        facts = _work_on(file, work, key, size, quality, frames, options)
        if not facts["fault"]:  # failures are tried again: a missing library may be there now
            with written_whole(done) as part:
                part.write_text(json.dumps(facts), "utf-8")
    else:
        facts = json.loads(done.read_text("utf-8"))
    if facts["fault"]:
        skipped.append(Skipped(file.path, facts["fault"]))
    origin = file.row.get("source") or file.relative
    split = split_of(_artwork(origin), file.row.get("split", ""))
    start = stem_of(file.kind, file.path)
    for place, number in enumerate(facts["frames"]):
        # a movie is one artwork: all its frames fall into one split
        name, where = (start, origin) if number is None else (f"{start}_{number:06d}", f"{origin} frame {number}")
        licence, author = file.row.get("licence", ""), file.row.get("author", "")
        yield Record(f"{name}.webp", file.kind, split, where, licence, author), work / f"{key}.{place}.webp"


def _work_on(
    file: Source, work: Path, key: str, size: int, quality: int, frames: int, options: PlateOptions
) -> dict[str, Any]:
    """Write the file's pictures to `work`; frame numbers (None for a picture) and what went wrong."""
    numbers: list[int | None] = []
    fault = ""
    named: Iterator[tuple[int | None, Image.Image]]
    if file.is_movie:
        named = _movie_frames(file.path, frames, options)
    elif file.is_footage:
        named = _sequence_frames(file.path, frames, options)
    else:
        named = _one(file, options)
    try:
        for number, original in named:
            picture = _shrunk(original, size)
            if max(picture.size) > LONGEST:
                raise BadPlate(f"{file.path}: {picture.width}x{picture.height} pixels are too long a strip; cut it up")
            with written_whole(work / f"{key}.{len(numbers)}.webp") as part:
                part.write_bytes(_webp(picture, quality))
            numbers.append(number)
    except (BadOutput, BadSettings):  # our side or the command's, not the file's
        raise
    except ScumbleError as error:
        fault = str(error)
        if numbers:
            fault += f"; its {len(numbers)} frames from before that are used"
    return {"frames": numbers, "fault": fault}


def _one(file: Source, options: PlateOptions) -> Iterator[tuple[None, Image.Image]]:
    linear = file.path.suffix.lower() in LINEAR_FORMATS
    if file.kind == "content" and (linear or options.in_space):  # a frame: its colours as in a render
        plate = open_plate(file.path, None, options)
        for frame in plate.read(plate.numbers):
            yield None, _displayed(frame)
        return
    yield None, load_picture(file.path)


def _sequence_frames(path: Path, count: int, options: PlateOptions) -> Iterator[tuple[int, Image.Image]]:
    """`count` frames of a sequence, spread through it."""
    plate = open_plate(path, None, options)
    for frame in plate.read(spread(plate.numbers, count)):
        yield frame.number, _displayed(frame)


def _displayed(frame: Frame) -> Image.Image:
    """A frame as the network sees it."""
    pixels = to_working(frame.pixels, frame.colour_space).pixels
    return Image.fromarray((pixels.clip(0, 1) * 255 + 0.5).astype(np.uint8))


def _movie_frames(path: Path, count: int, options: PlateOptions) -> Iterator[tuple[int, Image.Image]]:
    """`count` frames in all, of every shot its share by length, at least one, spread through the shot."""
    plate = MoviePlate(path, 1, options)
    fault: list[BadPlate] = []

    def whole_ones() -> Iterator[Frame]:
        """Frames up to the first that cannot be decoded: what stands before it can be used."""
        try:
            yield from plate.read(plate.numbers)
        except BadPlate as error:
            fault.append(error)

    shots = detect(whole_ones())
    taken: list[int] = []
    for own in own_frames(shots, plate.numbers):  # off the dissolves, where two shots are blended
        share = max(1, round(count * len(own) / (shots[-1].last - shots[0].first + 1)))
        inner = own[len(own) // 20 : len(own) - len(own) // 20]
        taken += spread(inner, share)
    for frame in plate.read(spread(taken, max(count, 1))):
        yield frame.number, _displayed(frame)
    if fault:
        raise fault[0]


def _shrunk(picture: Image.Image, size: int) -> Image.Image:
    short = min(picture.size)
    if short <= size:
        return picture
    factor = size / short
    wanted = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(wanted, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _webp(picture: Image.Image, quality: int) -> bytes:
    data = io.BytesIO()
    picture.save(data, "WEBP", quality=quality, method=4)
    return data.getvalue()


def _pack(output: Path, records: Sequence[Record], pictures: Sequence[Path]) -> None:
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, COLUMNS)
    table.writeheader()
    table.writerows(asdict(r) for r in records)
    with written_whole(output / PACKED) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for record, picture in zip(records, pictures, strict=True):
            archive.writestr(zipfile.ZipInfo(record.file, LONG_AGO), picture.read_bytes())
        archive.writestr(zipfile.ZipInfo("manifest.csv", LONG_AGO), text.getvalue())
    with written_whole(output / "manifest.csv") as part:
        part.write_text(text.getvalue(), "utf-8", newline="")


def _sheet(output: Path, kind: str, records: Sequence[Record], pictures: Sequence[Path]) -> Path:
    """A contact sheet of pictures spread through a kind, each cut to a square."""
    columns, rows = SHEET
    mine = spread([i for i, r in enumerate(records) if r.kind == kind], columns * rows)
    sheet = Image.new("RGB", (columns * SHEET_CELL, -(-max(1, len(mine)) // columns) * SHEET_CELL))
    for place, i in enumerate(mine):
        with Image.open(pictures[i]) as picture:
            short = min(picture.size)
            left, top = (picture.width - short) // 2, (picture.height - short) // 2
            box = (left, top, left + short, top + short)
            cell = picture.convert("RGB").resize((SHEET_CELL, SHEET_CELL), Image.Resampling.LANCZOS, box=box)
        sheet.paste(cell, (place % columns * SHEET_CELL, place // columns * SHEET_CELL))
    path = output / f"{kind}.jpg"
    with written_whole(path) as part:
        sheet.save(part, quality=88)
    return path
