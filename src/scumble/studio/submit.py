"""A request as a job of the queue, and as the command line that does the same."""

from __future__ import annotations

import re
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from scumble.core.errors import BadInput, NotInstalled
from scumble.core.options import flag_of, options_of
from scumble.look.look import Look
from scumble.look.shipped import shipped_looks
from scumble.media.plate import WRITTEN_MOVIES, Plate
from scumble.rendering.job import job_of
from scumble.rendering.options import RenderSettings, settings_of
from scumble.studio.desk import Desk, is_mixed
from scumble.studio.requests import KINDS, Match, Qc, Render, Train
from scumble.studio.store import Job, Store


def output_name(asked: Render, plate: Plate, look: Look) -> str:
    """The name of a render's file, movie, or sequence (with #### in it)."""
    same = plate.path.suffix.lower().lstrip(".") or plate.file_of(plate.numbers[0]).suffix.lower().lstrip(".")
    if plate.is_movie and f".{same}" not in WRITTEN_MOVIES:
        same = "mp4"
    suffix = asked.format or {"jpeg": "jpg", "tiff": "tif", "m4v": "mp4"}.get(same, same)
    stem = asked.name or f"{plate.shot_name}_{look.name}"
    stem = re.sub(r"[^\w.+-]", "_", stem).strip("._").encode()[:90].decode("utf-8", "ignore") or "painted"
    if f".{suffix}" in WRITTEN_MOVIES or plate.kind == "still":
        return f"{stem}.{suffix}"
    return f"{stem}.####.{suffix}"


def submit(desk: Desk, asked: Render | Match | Train | Qc) -> Job:
    """Check a request, down to the files that it names, and put it into the queue. Raises BadInput."""
    made: Look | None = None
    if isinstance(asked, Match | Train) and find_spec("torch") is None:
        raise NotInstalled("learning a look needs torch: pip install 'scumble[train]'")
    if isinstance(asked, Render):
        plate, made, settings = desk.plate(asked), desk.look(asked), desk.settings(asked)
        output = output_name(asked, plate, made)
        job_of(plate, made, Path(output), settings_of(settings))  # refused now, not when the render begins
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
        flag = f"--{flag_of(name, options_of(RenderSettings)[name])}"
        kind, _, what = str(value).partition(":")
        by_kind = {"auto": "--auto-matte", "channel": "--matte-channel", "crypto": "--crypto"}
        if name == "matte" and kind in by_kind:
            words += [by_kind[kind], what]
        else:
            words.append(flag if value is True else f"{flag}={value}")
    return shlex.join(words)


def key_paths(desk: Desk, asked: Match) -> list[tuple[int, Path]]:
    """The painted frames of a match and their files."""
    paths = []
    for key in asked.keys:
        files = desk.pictures([key.picture])
        if len(files) != 1:
            raise BadInput(f"frame {key.frame}: {len(files)} pictures; give one")
        paths.append((key.frame, files[0]))
    return paths


def own_name(store: Store, name: str) -> str:
    """A name that a look of the user's own may have. Raises BadInput where it is none, or taken."""
    if store.look_file(name).exists() or name in shipped_looks():
        raise BadInput(f"look {name}: is there already; give it another name")
    return name
