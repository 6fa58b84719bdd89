"""Mattes opened from the words of `--matte`, and written as files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scumble.core.colour import DISPLAY, LINEAR
from scumble.core.errors import BadSettings
from scumble.core.frames import Frame, format_frames
from scumble.core.progress import Listener, Progress, ignore
from scumble.media.open import open_plate, open_writer
from scumble.media.picture_reader import channel_names
from scumble.media.plate import Plate, WriterSettings
from scumble.shot.cryptomatte import CryptoMatte, objects_of
from scumble.shot.matte import ChannelMatte, FileMatte, Matte, Nowhere, ShapedMatte
from scumble.shot.matte_spec import MatteSpec

if TYPE_CHECKING:
    from scumble.shot.people import PersonMatte


def parse_matte(words: str, plate: Plate, numbers: Sequence[int] = ()) -> Matte:
    """The matte that a `MatteSpec` in words asks for, for these frames. Raises BadPlate, BadSettings."""
    spec = MatteSpec.parse(words)
    kind, name = spec.kind, spec.name
    if kind == "nowhere":
        return Nowhere(plate)
    if kind == "auto":
        from scumble.shot.people import PersonMatte

        if name != "person":
            raise BadSettings(f"auto-matte {name!r}: Scumble finds people by itself; give person")
        return PersonMatte(plate)
    if kind == "path":
        files = FileMatte(plate, open_plate(Path(words)))
        files.check(numbers or plate.numbers[:1])
        return files
    if not plate.channels:
        raise BadSettings(f"{plate.path}: only EXR plates have {kind} mattes; give the matte as files by --matte")
    first = plate.file_of(plate.numbers[0])
    if kind == "crypto":
        names = tuple(part.strip() for part in name.split(",") if part.strip())
        objects_of(first, names)  # refused before any work
        return CryptoMatte(plate, names)
    known = channel_names(first)
    if name not in known:
        raise BadSettings(f"{first}: no channel {name!r} for a matte; it has {', '.join(known[:20])}")
    return ChannelMatte(plate, name)


def prepare(matte: Matte) -> None:
    """Get what a matte needs before any work begins. Raises NoNetwork."""
    if _of_people(matte) is not None:
        from scumble.shot.people import person_model

        person_model()


def noticed(matte: Matte) -> list[str]:
    """Notes about a matte after it was used."""
    people = _of_people(matte)
    if people is None or not people.empty:
        return []
    frames = sorted(people.empty)
    listed = format_frames(frames[:50]) + ("..." if len(frames) > 50 else "")
    return [f"nobody was found in frame{'s' * (len(frames) > 1)} {listed}"]


def _of_people(matte: Matte) -> PersonMatte | None:
    """The matte of people inside a shaped matte; None for other mattes."""
    from scumble.shot.people import PersonMatte

    inner = matte.matte if isinstance(matte, ShapedMatte) else matte
    return inner if isinstance(inner, PersonMatte) else None


def write_mattes(matte: Matte, plate: Plate, numbers: Sequence[int], output: Path, tell: Listener = ignore) -> None:
    """Write the mattes of these frames as grey pictures whose codes are the matte. Raises BadOutput.

    In 16 bits where the format has them, half floats in EXR; `tell` hears of every frame.
    """
    # pixel values are the matte, whatever colour space such a picture usually has
    space = LINEAR if output.suffix.lower() == ".exr" else DISPLAY
    began = time.monotonic()
    writer = open_writer(output, WriterSettings(bits=16, out_space=space, grey=True))
    try:
        for done, number in enumerate(numbers, 1):
            writer.write(Frame(number, np.repeat(matte.of(number), 3, axis=2), space))
            tell(Progress(plate.path.name, done, len(numbers), time.monotonic() - began, number))
        writer.close()
    except BaseException:
        writer.abort()
        raise
