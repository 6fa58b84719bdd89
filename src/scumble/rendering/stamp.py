"""Stamps in the headers of files: by them a render knows which frames are done, and which files are Scumble's own."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from scumble.core.errors import BadPlate
from scumble.media.exr import STAMP, check_whole
from scumble.media.picture_reader import read_header

HASH = 16  # digits of the hash that names how a frame was made

MOST_HASHED = 1 << 28  # bytes of a source file that are all hashed; more is a movie


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
        check_whole(path)
    except BadPlate:
        return False
    return True


def _render_of(stamp: str) -> str:
    return stamp.partition(" render ")[2][:HASH]


def made_by(path: Path) -> str | None:
    """The hash of the render that a picture names in its header; None for one that was not made by Scumble."""
    said = read_header(path).says
    stamp = str(said.get(STAMP) or said.get("Software") or "")
    render = _render_of(stamp) if stamp.startswith("Scumble ") else ""
    return render if len(render) == HASH else None


def digest(path: Path) -> str:
    """The digest of a file's bytes. For a large file, a movie: of its size, time, beginning and end."""
    try:
        facts = path.stat()
        return _digest_of(path, facts.st_size, facts.st_mtime_ns)
    except OSError as error:
        raise BadPlate(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


@lru_cache(maxsize=64)  # the stabiliser asks for the same files again and again
def _digest_of(path: Path, size: int, time_ns: int) -> str:
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    with path.open("rb") as f:
        if size <= MOST_HASHED:
            digest.update(f.read())
        else:
            digest.update(f.read(1 << 20))
            f.seek(-(1 << 20), os.SEEK_END)
            digest.update(f.read() + str(time_ns).encode())
    return digest.hexdigest()
