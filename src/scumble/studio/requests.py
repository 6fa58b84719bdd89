"""What the page and the HTTP API ask for, checked: plates, looks and settings become a job's plain values."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from scumble.api import settings_of
from scumble.baking import find_look, make_look, mix_looks, shipped_looks
from scumble.errors import BadInput, BadLook, BadPlate, BadSettings, NotInstalled
from scumble.look import Look
from scumble.media import MOVIES, STILLS, Plate, is_movie, open_plate
from scumble.media.pattern import parse_pattern
from scumble.plan import RenderSettings, plan, shot_name
from scumble.studio.store import Job, Store

MOST_PIXELS = 100_000_000  # of an upload's frame: 16,384 x 6,144 fits; what a server takes from a stranger has an end
MOST_NAMED = 400  # plates of the allowed folders that are offered
DEEP = 4  # folders below an allowed one that are looked into

Word = Annotated[str, Field(max_length=200)]
Reference = Annotated[str, Field(max_length=1000)]
Share = Annotated[float, Field(ge=0, le=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class PaintRequest(_Strict):
    """A plate, a look and how it paints: the flags of `scumble render` that a picture hangs on."""

    plate: Reference
    """`upload:ID`, or a path in an allowed folder: a movie, a still, a sequence such as shot.####.exr."""
    look: Word = ""
    """Name of a shipped look or of one of your own."""
    styles: list[Reference] = Field(default=[], max_length=12)
    """Uploads of style pictures, instead of a look."""
    second: Word = ""
    """Name of another look to mix in."""
    mix: Share = 0.0
    """Share of the second look."""
    strength: float | Word = 1.0
    """0 keeps the plate, 1 is the painting; or keys over frames, as in 1001:0,1050:1."""
    stroke: float = 1.0
    """Size of strokes, 0.1 to 20."""
    keep_color: Share = 0.0
    """1 keeps the plate's colours."""
    keep_exposure: Share = 0.0
    """1 keeps the plate's light and dark."""
    hold_blacks: bool = False
    """Leave what is near the plate's black and white points."""
    carry: Share = 1.0
    """How much of its key frames a matched look carries along."""
    lines: int | Literal["full"] | None = None
    """Lines at which the network sees the plate."""
    matte: Reference = ""
    """Where to paint: auto:person, channel:NAME, crypto:OBJECT, an upload or a path in an allowed folder."""
    invert_matte: bool = False
    """Paint outside the matte."""
    feather: float = 0.0
    """Pixels over which the matte's edge is softened."""
    layer: Word = ""
    """Colour layer of an EXR."""
    in_space: Word = ""
    """Colour space of the plate."""
    missing: Literal["error", "hold", "skip"] = "error"
    """What to do about frames that the sequence lacks."""
    first_frame: int | None = Field(default=None, ge=-(10**8), le=10**8)
    """Number of the plate's first frame."""


class Preview(PaintRequest):
    """One frame, painted fast."""

    frame: int | None = None
    """Its number; the plate's first by default."""


class Render(PaintRequest):
    """A shot, painted and written."""

    format: Literal["", "mp4", "mov", "mkv", "png", "exr", "tif", "dpx", "jpg", "webp"] = ""
    """By suffix: a movie, or a sequence (a still for a still); like the plate by default."""
    name: Word = ""
    """Name of the result's files; the plate's and the look's by default."""
    frames: Word = ""
    """Frames to paint, as in 1001-1100x2."""
    stabilize: Literal["vectors", "flow"] | None = None
    """Average every frame with its neighbours along the motion."""
    grain: Literal["keep", "remove"] | None = None
    """Take the plate's grain off before painting; give it back, or not."""
    cuts: Literal["auto", "none"] | None = None
    """Where shots begin."""
    on: int = 1
    """Paint every so many frames and hold them."""
    precision: Literal["auto", "f32", "fast"] = "auto"
    """auto: fast for 8-bit movies."""
    codec: Word = ""
    """Codec of a movie."""
    quality: int = 85
    """0 to 100."""
    out_space: Word = ""
    """Colour space of the result."""
    frame_rate: Word = ""
    """Frames per second of a movie made from a sequence."""
    compare: Literal["side", "wipe", "stack"] | None = None
    """The plate beside the painting."""
    burn_in: bool = False
    """Write shot, frame and look into the picture."""


class PaintedFrame(_Strict):
    """A key frame that was painted over."""

    frame: int
    picture: Reference


class Match(_Strict):
    """A look learned from painted key frames of a shot."""

    plate: Reference
    keys: list[PaintedFrame] = Field(min_length=1, max_length=24)
    name: Word
    minutes: float = Field(default=20.0, gt=0, le=24 * 60)
    start: Word = ""
    """Look to start from; one made from the painted frames by default."""
    carry: bool = True
    """Keep the painted frames in the look."""
    in_space: Word = ""
    layer: Word = ""


class Train(_Strict):
    """A look trained on footage and style pictures."""

    content: list[Reference] = Field(min_length=1, max_length=24)
    styles: list[Reference] = Field(min_length=1, max_length=100)
    name: Word
    minutes: float = Field(default=20.0, gt=0, le=24 * 60)
    start: Word = ""
    """Look to start from; one made from the style pictures by default."""
    from_scratch: bool = False
    in_space: Word = ""
    layer: Word = ""


class Qc(_Strict):
    """The quality report of a render that is done."""

    job: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


KINDS: dict[str, type[_Strict]] = {"render": Render, "match": Match, "train": Train, "qc": Qc}


@dataclass(frozen=True)
class Desk:
    """The store and the folders that may be read: turns what is asked for into plates, looks and paths."""

    store: Store
    folders: tuple[Path, ...] = ()

    def path(self, reference: str) -> Path:
        """The file, folder or sequence that a reference means. Raises BadInput for what is not allowed."""
        if reference.startswith("upload:"):
            return self.store.uploaded(reference.removeprefix("upload:"))
        if not reference.strip() or "\0" in reference:
            raise BadInput("no file is named; drop one on the page, or name one in an allowed folder")
        given = Path(reference)
        refused = BadInput(
            f"{reference}: not in a folder that the studio may read; start it with --folder to allow one"
        )
        if ".." in given.parts:
            raise refused
        for folder in self.folders:
            path = folder / given  # which is the given one where that is absolute
            try:
                if self._inside(path) and (path.exists() or parse_pattern(path) is not None):
                    return path
            except (OSError, ValueError) as error:  # a link to itself, a name that is too long
                raise refused from error
        raise refused

    def _inside(self, path: Path) -> bool:
        real = Path(os.path.realpath(path))
        return any(real.is_relative_to(os.path.realpath(folder)) for folder in self.folders)

    def plate(self, asked: PaintRequest | Match) -> Plate:
        """The plate of a request, opened. Raises BadInput, also for a frame that is a link to elsewhere."""
        options = {"layer": asked.layer, "in_space": asked.in_space}
        settings = settings_of({k: v for k, v in options.items() if v})
        return self.open(asked.plate, getattr(asked, "first_frame", None), settings)

    def open(
        self, reference: str, first_frame: int | None = None, settings: RenderSettings = RenderSettings()
    ) -> Plate:
        """A plate by its reference."""
        path = self.path(reference)
        plate = open_plate(path, first_frame, settings.plate_options)
        if not reference.startswith("upload:"):
            links = (f for f in plate.files_of(plate.numbers) if f.is_symlink())  # their folder was looked at
            astray = next((f for f in links if not self._inside(f)), None)
            if astray is not None:
                raise BadInput(f"{astray}: a link out of the folders that the studio may read; allow its own folder")
        check_pixels(plate)
        return plate

    def files(self, reference: str) -> list[Path]:
        """The pictures of an upload, or one file of an allowed folder."""
        path = self.path(reference)
        if reference.startswith("upload:") and path.is_dir():
            return sorted(path.iterdir())
        if not path.is_file():
            raise BadInput(f"{reference}: not a picture; name pictures one by one")
        return [path]

    def look(self, asked: PaintRequest) -> Look:
        """The look that a request paints with."""
        if bool(asked.look) == bool(asked.styles):
            raise BadSettings("give a look or style pictures, one of them")
        pictures = self.pictures(asked.styles)
        look = make_look([(picture, 1.0) for picture in pictures]) if pictures else self.named(asked.look)
        if is_mixed(asked):
            second = self.named(asked.second)
            look = mix_looks([look, second], [1 - asked.mix, asked.mix]) if asked.mix < 1 else second
        return look

    def pictures(self, references: Sequence[str]) -> list[Path]:
        """The files of style pictures, whose sizes are looked at."""
        found = [file for reference in references for file in self.files(reference)]
        for file in found:
            if is_movie(file):
                raise BadInput(f"{file.name}: a movie, not a style picture; give one of its frames")
            check_pixels(open_plate(file))
        return found

    def named(self, name: str) -> Look:
        """A look of the user's own, or a shipped one."""
        own = self.store.looks()
        if name in own:
            return Look.load(self.store.look_file(name))
        if name not in shipped_looks():
            raise BadLook(f"{name}: no such look; there are {', '.join([*own, *shipped_looks()])}")
        return find_look(name)

    def matte(self, words: str) -> str:
        """A matte, in the words of `RenderSettings.matte`."""
        if not words or words.startswith(("auto:", "channel:", "crypto:")):
            return words
        self.open(words)
        return str(self.path(words))

    def settings(self, asked: PaintRequest) -> dict[str, Any]:
        """The settings of a request, for `scumble.api.render`; checked as the command line checks them."""
        left_out = {"plate", "look", "styles", "second", "mix", "format", "name", "frame"}
        values = asked.model_dump(exclude=left_out, exclude_defaults=True)
        if asked.matte:
            values["matte"] = self.matte(asked.matte)
        settings_of(values)
        return values

    def plates(self) -> list[str]:
        """Movies, stills and sequences in the allowed folders, sequences as patterns, to choose from."""
        found: dict[str, None] = {}
        for folder in self.folders:
            for place, folders, files in os.walk(folder):
                folders[:] = sorted(f for f in folders if not f.startswith("."))
                if len(Path(place).relative_to(folder).parts) >= DEEP:
                    folders.clear()
                for name in sorted(files):
                    if Path(name).suffix.lower() in MOVIES | STILLS and not name.startswith("."):
                        found[str(Path(place) / _as_pattern(name))] = None
                if len(found) >= MOST_NAMED:
                    return list(found)[:MOST_NAMED]
        return list(found)


def check_pixels(plate: Plate) -> None:
    """Raises BadPlate for frames of more pixels than the studio takes."""
    if plate.size[0] * plate.size[1] > MOST_PIXELS:
        raise BadPlate(
            f"{plate.path.name}: {plate.size[0]}x{plate.size[1]} pixels are more than the"
            f" {MOST_PIXELS // 10**6} million that the studio takes; use the command line"
        )


def _as_pattern(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    numbered = re.fullmatch(r"(.*?[._-]?)(\d{2,})", stem)
    if is_movie(Path(name)) or numbered is None:
        return name
    return numbered[1] + "#" * len(numbered[2]) + dot + suffix


def output_name(asked: Render, plate: Plate, look: Look) -> str:
    """The name of a render's file, movie, or sequence (with #### in it)."""
    same = plate.path.suffix.lower().lstrip(".") or plate.files_of(plate.numbers[:1])[0].suffix.lower().lstrip(".")
    suffix = asked.format or {"jpeg": "jpg", "tiff": "tif", "m4v": "mp4"}.get(same, same)
    stem = asked.name or f"{shot_name(plate)}_{look.name}"
    stem = re.sub(r"[^\w.+-]", "_", stem).strip("._").encode()[:90].decode("utf-8", "ignore") or "painted"
    if f".{suffix}" in MOVIES or plate.kind == "still":
        return f"{stem}.{suffix}"
    return f"{stem}.####.{suffix}"


def is_mixed(asked: PaintRequest) -> bool:
    """Whether a second look has a share."""
    return bool(asked.second) and asked.mix > 0


def submit(desk: Desk, asked: Render | Match | Train | Qc) -> Job:
    """Check a request, down to the files that it names, and put it into the queue. Raises BadInput."""
    made: Look | None = None
    if isinstance(asked, Match | Train) and find_spec("torch") is None:
        raise NotInstalled("learning a look needs torch: pip install 'scumble[train]'")
    if isinstance(asked, Render):
        plate, made, settings = desk.plate(asked), desk.look(asked), desk.settings(asked)
        output = output_name(asked, plate, made)
        with TemporaryDirectory() as folder:  # what a render would refuse is refused at once
            plan(plate, made, Path(folder) / output, settings_of(settings), ())
    elif isinstance(asked, Match):
        own_name(desk.store, asked.name)
        plate = desk.plate(asked)
        for number, _ in key_paths(desk, asked):
            if number not in plate.numbers:
                raise BadInput(f"frame {number} is not in the plate's {plate.frame_range}; name another frame")
    elif isinstance(asked, Train):
        own_name(desk.store, asked.name)
        desk.pictures(asked.styles)
        for reference in asked.content:
            desk.open(reference)
    if isinstance(asked, Match | Train) and asked.start:
        desk.named(asked.start)
    kind = next(name for name, known in KINDS.items() if isinstance(asked, known))
    job = desk.store.submit(kind, asked.model_dump(exclude_defaults=True))
    try:
        home = desk.store.home(job.id)
        if isinstance(asked, Render) and made is not None:
            made.save(home / "look.look")
            (home / "command.txt").write_text(
                command_line(desk, asked, settings, output, home / "look.look") + "\n", "utf-8"
            )
    except BaseException:
        desk.store.drop(job.id)
        raise
    return desk.store.release(job.id)


def command_line(desk: Desk, asked: Render, settings: dict[str, Any], output: str, mixed: Path) -> str:
    """The line that does the same on this machine's command line."""
    look = ["--look", str(mixed)]
    if not is_mixed(asked):
        own = desk.store.look_file(asked.look) if asked.look in desk.store.looks() else asked.look
        look = ["--style", *map(str, desk.pictures(asked.styles))] if asked.styles else ["--look", str(own)]
    words = ["scumble", "render", str(desk.path(asked.plate)), "-o", output, *look]
    for name, value in settings.items():
        flag = f"--{name.replace('_', '-')}"
        kind, _, what = str(value).partition(":")
        by_kind = {"auto": "--auto-matte", "channel": "--matte-channel", "crypto": "--crypto"}
        if name == "matte" and kind in by_kind:
            words += [by_kind[kind], what]
        else:
            words.append(flag if value is True else f"{flag}={value}")
    return shlex.join(words)


def key_paths(desk: Desk, asked: Match) -> list[tuple[int, Path]]:
    """The painted frames of a match and their files."""
    found = []
    for key in asked.keys:
        files = desk.pictures([key.picture])
        if len(files) != 1:
            raise BadInput(f"frame {key.frame}: {len(files)} pictures; give one")
        found.append((key.frame, files[0]))
    return found


def own_name(store: Store, name: str) -> str:
    """A name that a look of the user's own may have. Raises BadInput where it is none, or taken."""
    if store.look_file(name).exists() or name in shipped_looks():
        raise BadInput(f"look {name}: is there already; give it another name")
    return name


def with_defaults(kind: str, request: dict[str, Any]) -> Any:
    """A job's request as it was asked."""
    return KINDS[kind](**request)
