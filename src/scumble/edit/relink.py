"""The editor's own document with its media changed, and nothing else: what writers of documents lose stays."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from scumble.edit.edl import EVENT
from scumble.edit.shots import Shot

NAMED = re.compile(r"^(\s*\*?\s*(FROM CLIP NAME|TO CLIP NAME|SOURCE FILE)\s*:\s*)(.*?)(\s*)$", re.IGNORECASE)


def relinked_edl(data: bytes, shots: Sequence[Shot]) -> bytes:
    """An EDL's bytes with the painted files in place of clip names and source files.

    A transition's event names two clips: what comes in is its own, what goes out is the event before.
    """
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        encoding, text = "latin-1", data.decode("latin-1")
    painted = {int(shot.row.event.clip.metadata["scumble"]["line"]): shot for shot in shots}
    lines = text.splitlines(keepends=True)
    went: Shot | None = None  # the clip that a transition's event goes out of
    now: Shot | None = None
    event, is_transition = "", False
    for place, line in enumerate(lines, start=1):
        bare = line.lstrip("\ufeff").rstrip("\r\n")
        if match := EVENT.match(bare):
            if match[1] != event:
                event, is_transition, went = match[1], False, now
            words = match[2].split()
            is_transition = is_transition or any(re.fullmatch(r"D|W\d+|K[BOL]?", word) for word in words[-2:])
            now = painted.get(place, now if match[5] == match[6] else None)
            continue
        named = NAMED.match(bare)
        if named is None:
            continue
        goes_out = is_transition and named[2].upper() == "FROM CLIP NAME"
        shot = went if goes_out else now
        if shot is not None:
            ending = line[len(line.rstrip("\r\n")) :]
            lines[place - 1] = f"{named[1]}{shot.output.name}{named[4]}{ending}"
    return "".join(lines).encode(encoding)


def relinked(path: Path, shots: Sequence[Shot]) -> Mapping[str, bytes]:
    """New documents by file name, for the kinds of documents in which only names change."""
    if path.suffix.lower() == ".edl":
        return {path.name: relinked_edl(path.read_bytes(), shots)}
    return {}
