"""A folder watched for edits: each is painted when it is whole, and again when it changes.

The folder is asked again and again. What a file system tells of changes does not come over NFS and SMB.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from scumble.core.errors import ScumbleError
from scumble.core.files import written_whole
from scumble.edit.documents import SUFFIXES
from scumble.media.open import open_plate
from scumble.media.plate import MOVIES

STATE = "watch.json"

PAUSE = 2.0  # seconds between two looks at the folder

AGAIN = 600.0  # seconds after which what failed is tried again: a farm or a share that was away may be back

Stamp = tuple[int, int]  # size and time of a file


class Watch:
    """What is known of the files of a folder."""

    def __init__(self, folder: Path, output: Path, still: float, paint: Callable[[Path, Path], None]) -> None:
        """`paint` gets a document and its output folder; a ScumbleError of it is a failure. `still` is in seconds."""
        self.folder, self.output, self.still, self.paint = folder, output, still, paint
        self.seen: dict[str, tuple[Stamp, float]] = {}
        """Stamps, and since when they have been so."""
        self.done = self._load()
        self.failed: dict[str, tuple[Stamp, float, str]] = {}
        """Stamps, when they failed and why."""

    def look(self, now: float, say: Callable[[str], None]) -> int:
        """One look at the folder: paints what is whole and not done. Gives how many were painted or tried."""
        tried = 0
        for path in self._documents():
            stamp, name = _stamp(path), path.name
            if stamp is None:
                continue
            if self.seen.get(name, (None, 0.0))[0] != stamp:
                self.seen[name] = (stamp, now)
            failed, when, why = self.failed.get(name, (None, 0.0, ""))
            waits = failed == stamp and now - when < AGAIN
            if self.done.get(name) == [*stamp] or waits or now - self.seen[name][1] < self.still:
                continue
            began = time.monotonic()
            reason = _not_whole(path)
            if reason is None:
                tried += 1
                reason = self._paint(path)
            if reason is not None:
                self.failed[name] = (stamp, now + time.monotonic() - began, reason)
                if (failed, why) != (stamp, reason):
                    say(f"{name}: {reason}; it is tried again when it changes, and every {AGAIN / 60:.0f} minutes")
                continue
            self.done[name] = [*stamp]
            self._keep()
            say(f"{name}: done")
        return tried

    def run(self, say: Callable[[str], None]) -> None:
        """Looks for ever."""
        while True:
            self.look(time.monotonic(), say)
            time.sleep(PAUSE)

    def _paint(self, path: Path) -> str | None:
        try:
            self.paint(path, self.output / path.name)
        except ScumbleError as error:
            return str(error)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return None

    def _documents(self) -> list[Path]:
        known = set(SUFFIXES) | MOVIES
        try:
            return sorted(p for p in self.folder.iterdir() if p.suffix.lower() in known and not p.name.startswith("."))
        except OSError:  # a share that is away comes back
            return []

    def _load(self) -> dict[str, list[int]]:
        try:
            found = json.loads((self.output / STATE).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        stamps = found.items() if isinstance(found, dict) else ()
        return {str(name): list(stamp) for name, stamp in stamps if isinstance(stamp, list)}

    def _keep(self) -> None:
        self.output.mkdir(parents=True, exist_ok=True)
        with written_whole(self.output / STATE) as part:
            part.write_text(json.dumps(self.done, indent=1) + "\n", "utf-8")


def _stamp(path: Path) -> Stamp | None:
    try:
        facts = path.stat()
    except OSError:  # gone since
        return None
    return facts.st_size, facts.st_mtime_ns


def _not_whole(path: Path) -> str | None:
    """Why a movie cannot be read to its last frame; None where it can, and for documents, which are read whole."""
    if path.suffix.lower() not in MOVIES:
        return None
    try:
        plate = open_plate(path)
        list(plate.read(plate.numbers[-1:]))
    except ScumbleError as error:
        return str(error)
    return None
