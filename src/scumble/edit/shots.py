"""What is rendered for an edit: one shot an event, as plain data and as a command that a person can run."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from scumble.core.errors import ScumbleError
from scumble.core.files import digest
from scumble.core.options import flag_of, options_of
from scumble.core.version import __version__
from scumble.edit.assign import Assigned, Assignment
from scumble.edit.documents import Edit
from scumble.edit.table import Row
from scumble.farm.tasks import Request
from scumble.look.look import Look
from scumble.look.making import make_look
from scumble.look.shipped import find_look
from scumble.media.pattern import parse_pattern
from scumble.media.plate import WRITTEN_MOVIES
from scumble.rendering.job import Job, job_of
from scumble.rendering.options import RenderSettings
from scumble.rendering.output import output_files
from scumble.rendering.words import as_words

SHOTS = "shots"  # folder of the output

LONGEST = 60  # characters of a name

MUCH = 2  # times the frames that are seen: a painting of a whole media may be so long


@dataclass(frozen=True)
class Shot:
    """A part of a plate that is painted."""

    name: str
    rows: tuple[Row, ...]
    """The events that show it: one, but for documents that name each media once."""
    output: Path
    assigned: Assigned

    @property
    def row(self) -> Row:
        """The first event."""
        return self.rows[0]

    @property
    def frames(self) -> tuple[int, int]:
        """First and last number of the plate."""
        every = [row.found.frames for row in self.rows]
        return min(first for first, _ in every), max(last for _, last in every)

    @property
    def files(self) -> tuple[Path, ...]:
        """That the shot becomes: one, or a picture a frame."""
        first, last = self.frames
        return output_files(self.output, range(first, last + 1))

    @property
    def is_sequence(self) -> bool:
        return parse_pattern(self.output) is not None

    @property
    def plate(self) -> Path:
        """As `scumble render` takes it."""
        assert self.row.found.media is not None
        return self.row.found.media.path

    @property
    def look(self) -> Look:
        """Raises BadLook, BadPlate."""
        return _look(self.assigned.look, self.assigned.style)

    def command(self) -> list[str]:
        """What a person can run to get this shot."""
        words = ["scumble", "render", str(self.plate)]
        words += ["--look", self.assigned.look] if self.assigned.look else []
        words += [word for picture in self.assigned.style for word in ("--style", picture)]
        media = self.row.found.media
        if media is not None and not media.is_still:
            words += ["--frames", "{}-{}".format(*self.frames)]
        declared = options_of(RenderSettings)
        for name, value in self.assigned.options:
            flag = f"--{flag_of(name, declared[name]).lstrip('-')}"
            words += [flag] if value is True else [] if value is False else [flag, str(value)]
        return [*words, "-o", str(self.output)]

    def request(self, overwrite: bool) -> Request:
        """The render in words, for other machines."""
        declared = options_of(RenderSettings)
        flags: dict[str, Any] = {"look": self.assigned.look} if self.assigned.look else {}
        flags |= {"style": list(self.assigned.style)} if self.assigned.style else {}
        flags |= {flag_of(name, declared[name]).lstrip("-"): value for name, value in self.assigned.options}
        plate, output = Path(os.path.abspath(self.plate)), Path(os.path.abspath(self.output))
        return Request(self.name, plate, output, tuple(as_words(flags)), overwrite)

    def job(self, overwrite: bool) -> Job:
        """The render. Raises ScumbleError."""
        first, last = self.frames
        settings = replace(self.assigned.settings, overwrite=overwrite, frames=tuple(range(first, last + 1)))
        media = self.row.found.media
        if media is not None and media.is_still:
            settings = replace(settings, frames=None)
        self.output.parent.mkdir(parents=True, exist_ok=True)
        return job_of(self.plate, self.look, self.output, settings)

    @cached_property
    def identity(self) -> str:
        """Changes with plate, frames, look, options, format and version. Raises BadPlate, BadLook."""
        media = self.row.found.media
        assert media is not None
        files = [digest(self.plate)] if self.plate.is_file() else _files(self.plate, self.frames)
        facts: dict[str, Any] = {
            "version": __version__,
            "plate": files,
            "frames": self.frames,
            "look": self.look.hash,
            "options": [[name, str(value)] for name, value in self.assigned.options],
            "beside": [digest(Path(v)) for _, v in self.assigned.options if isinstance(v, str) and Path(v).is_file()],
            "output": self.output.name,
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "shot": self.name,
            "event": self.row.event.id,
            "plate": str(self.plate),
            "frames": list(self.frames),
            "output": str(self.output),
            "command": shlex.join(self.command()),
        }


@lru_cache(64)
def _look(name: str, styles: tuple[str, ...]) -> Look:
    return find_look(name) if name else make_look([(Path(picture), 1.0) for picture in styles])


def _files(pattern: Path, frames: tuple[int, int]) -> list[str]:
    from scumble.media.open import open_plate

    plate = open_plate(pattern)
    return [digest(plate.file_of(n)) for n in plate.numbers if frames[0] <= n <= frames[1]]


def shots_of(
    edit: Edit, rows: Sequence[Row], assignment: Assignment, folder: Path, suffix: str = "", prefix: str = ""
) -> tuple[list[Shot], list[Row]]:
    """The shots to paint, and all rows with what the assignment leaves out.

    `suffix` is the format, as in .mov; names begin with `prefix`.

    XML names a media once, however many events show it. So there one painting serves all events of a media that have
    one look, as long as it is not much longer than what they show.
    """
    groups: dict[Any, list[tuple[Row, Assigned]]] = {}
    states = []
    for given in rows:
        row, assigned = given, assignment.of(given.event)
        if given.state != "skipped" and assigned.skip:
            row = replace(given, state="skipped", reason=assigned.skip)
        if row.found.timecode:
            own = {"timecode": row.found.timecode, **dict(assigned.options)}
            assigned = replace(assigned, options=tuple(sorted(own.items())))
        states.append(row)
        if row.state == "painted" and row.found.media is not None:
            key = (row.found.media.path, assigned) if edit.names_media_once else len(states)
            groups.setdefault(repr(key), []).append((row, assigned))
    shots: list[Shot] = []
    taken: set[str] = set()
    for group in groups.values():
        for part in _together([row for row, _ in group]):
            name = f"{prefix}{_name(part[0])}"
            while name.casefold() in taken:
                name += "_"
            taken.add(name.casefold())
            shots.append(Shot(name, tuple(part), _output(part[0], folder, name, suffix), group[0][1]))
    return shots, states


def _together(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows of one media in one group, or each by itself where there are long holes between them."""
    spans = [row.found.frames for row in rows]
    whole = max(last for _, last in spans) - min(first for first, _ in spans) + 1
    if whole <= MUCH * sum(last - first + 1 for first, last in spans):
        return [list(rows)]
    return [[row] for row in rows]


def _name(row: Row) -> str:
    """As in V1_003_sc01_sh010."""
    words = "_".join(word for word in (row.event.track, row.event.number, Path(row.event.name).stem) if word)
    return re.sub(r"[^\w.-]+", "_", words).strip("._")[:LONGEST] or "shot"


def _output(row: Row, folder: Path, name: str, suffix: str) -> Path:
    media = row.found.media
    assert media is not None
    own = media.path.suffix.lower()
    if media.is_still:
        return folder / SHOTS / f"{name}{own if not suffix or suffix in MOVING else suffix}"
    if suffix in MOVING or (not suffix and not media.is_sequence):
        return folder / SHOTS / f"{name}{suffix or '.mov'}"
    return folder / SHOTS / name / f"{name}.####{suffix or own}"


MOVING = WRITTEN_MOVIES


def check_shots(shots: Sequence[Shot]) -> None:
    """Every look can be read. Raises ScumbleError."""
    for shot in shots:
        try:
            _ = shot.look
        except ScumbleError as error:
            raise type(error)(f"{shot.row.event.id}: {error}") from error
