"""Stamps in the headers of files: by them a render knows which frames are done, and which files are Scumble's own."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from scumble.core.errors import BadPlate
from scumble.media.checksum import SUMMED, is_whole
from scumble.media.exr import STAMP, check_whole
from scumble.media.picture_reader import read_header

HASH = 16  # digits of the hash that names how a frame was made


def is_ours(path: Path) -> bool:
    """Whether a picture was made by Scumble, whole or not. An empty file was not."""
    if not path.is_file():
        return False
    with suppress(BadPlate):
        return made_by(path) is not None
    with suppress(OSError), path.open("rb") as f:  # a file that is not whole may still hold its stamp
        begin = f.read(1 << 20)
        return not begin or (b"Scumble " in begin and b" render " in begin)
    return False


def is_done(path: Path, stamp: str) -> bool:
    """Whether a frame is there, was made in this way and from this plate, and is whole."""
    try:
        if not path.is_file() or made_by(path) != _render_of(stamp):
            return False
        if path.suffix.lower() in SUMMED:
            return is_whole(path)
        check_whole(path)
    except (BadPlate, OSError):
        return False
    return True


def of_whole(stamp: str) -> str:
    """What a movie says of the render whose frames have such stamps.

    >>> of_whole("Scumble 0.1.0 render 8c312e4502b7c6a9, look auvers dd7c, f32, strength 1, grain keep")
    'Scumble 0.1.0, look auvers dd7c, f32, strength 1'
    """
    return re.sub(r" render [0-9a-f]+(, look .*?, strength [^,]*).*", r"\1", stamp)


def _render_of(stamp: str) -> str:
    return stamp.partition(" render ")[2][:HASH]


def made_by(path: Path) -> str | None:
    """The hash of the render that a picture names in its header; None for one that was not made by Scumble."""
    render = _render_of(stamp_in(path))
    return render if len(render) == HASH else None


def stamp_in(path: Path) -> str:
    """What Scumble wrote into a picture's header; empty for one that it did not make. Raises BadPlate."""
    said = read_header(path).says
    stamp = str(said.get(STAMP) or said.get("Software") or "")
    return stamp if stamp.startswith("Scumble ") else ""
