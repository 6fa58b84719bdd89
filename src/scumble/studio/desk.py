"""Looks up and checks what a request names: plates, paintings, looks and mattes."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scumble.core.errors import BadInput, BadLook, BadPlate, BadSettings
from scumble.look.look import Look
from scumble.look.making import make_look
from scumble.look.mixing import mix_looks
from scumble.look.shipped import find_look, shipped_looks
from scumble.media.open import open_plate
from scumble.media.pattern import parse_pattern
from scumble.media.plate import MOVIES, STILLS, Plate, is_movie
from scumble.rendering.options import RenderSettings, settings_of
from scumble.shot.matte_spec import MatteSpec
from scumble.studio.requests import Match, PaintRequest
from scumble.studio.store import Store

MOST_PIXELS = 100_000_000  # pixels of an upload's frame at most: 16,384 x 6,144 fits

MOST_NAMED = 400  # plates of the allowed folders that the list offers at most

DEEP = 4  # levels of folders below an allowed one that are searched


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
        options = asked.model_dump(include={"layer", "in_space"}, exclude_defaults=True)
        return self.open(asked.plate, getattr(asked, "first_frame", None), settings_of(options))

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
        files = [file for reference in references for file in self.files(reference)]
        for file in files:
            if is_movie(file):
                raise BadInput(f"{file.name}: a movie, not a style picture; give one of its frames")
            check_pixels(open_plate(file))
        return files

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
        if not words or MatteSpec.parse(words).kind != "path":
            return words
        self.open(words)
        return str(self.path(words))

    def settings(self, asked: PaintRequest) -> dict[str, Any]:
        """The settings of a request, for `scumble.api.render`; checked as the command line checks them."""
        values = asked.settings
        if "matte" in values:
            values["matte"] = self.matte(values["matte"])
        settings_of(values)
        return values

    def plates(self) -> list[str]:
        """Movies, stills and sequences in the allowed folders, sequences as patterns, to choose from."""
        names: dict[str, None] = {}
        for folder in self.folders:
            for place, folders, files in os.walk(folder):
                folders[:] = sorted(f for f in folders if not f.startswith("."))
                if len(Path(place).relative_to(folder).parts) >= DEEP:
                    folders.clear()
                for name in sorted(files):
                    if Path(name).suffix.lower() in MOVIES | STILLS and not name.startswith("."):
                        names[str(Path(place) / _as_pattern(name))] = None
                if len(names) >= MOST_NAMED:
                    return list(names)[:MOST_NAMED]
        return list(names)


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


def is_mixed(asked: PaintRequest) -> bool:
    """Whether a second look has a share."""
    return bool(asked.second) and asked.mix > 0
