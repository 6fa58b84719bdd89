"""The painted cut as one movie for a review: names and timecode burnt in, with its transitions, retimes and sound."""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import groupby
from pathlib import Path

import numpy as np

from scumble.core.colour import DISPLAY, converted
from scumble.core.errors import ScumbleError
from scumble.core.frames import Frame, Metadata, Pixels
from scumble.core.progress import Progress, ignore
from scumble.edit.documents import Edit
from scumble.edit.events import NEAR
from scumble.edit.shots import Shot
from scumble.edit.sound import Piece, mix
from scumble.edit.table import Row, timecode
from scumble.edit.wipes import share_of_next
from scumble.media.open import open_plate, open_writer
from scumble.media.plate import Plate, Tracks, WriterSettings
from scumble.media.tracks import tracks_of
from scumble.rendering.review import burnt_in, reduced

WIDEST = 1280  # pixels


@dataclass
class Strip:
    """An event as it is seen in the review: its painting, or its plate where there is none."""

    row: Row
    plate: Plate
    first: int
    """Number of the file's frame that is the media's first one, if there were one."""
    said: str
    frames: Iterator[tuple[int, Pixels]] | None = field(default=None, repr=False)

    @property
    def span(self) -> tuple[int, int]:
        """Frames of the timeline in which it is seen, transitions included."""
        before, after = (math.ceil(side - NEAR) for side in self.row.event.overlap)
        return self.row.event.record[0] - before, self.row.event.record[1] + after

    def number(self, frame: int) -> int:
        """The file's frame that is seen at a frame of the timeline."""
        event, seen = self.row.event, self.row.found.seen
        assert seen is not None
        count = max(1, event.record[1] - event.record[0])
        step = (seen.last - seen.first + 1) / count if event.speed or event.warps else Fraction(0)
        into = (frame - event.record[0]) * step
        place = seen.last - into if event.speed < 0 else seen.first + into
        numbers = self.plate.numbers
        return min(max(self.first + math.floor(place + NEAR), numbers[0]), numbers[-1])

    def at(self, frame: int, size: tuple[int, int]) -> Pixels:
        """Its picture at a frame of the timeline; frames are asked for in order."""
        if self.frames is None:
            self.frames = self._read(range(max(0, self.span[0]), self.span[1]), size)
        for number, pixels in self.frames:
            if number == frame:
                return pixels
        raise AssertionError("frames are asked for in order")

    def _read(self, wanted: range, size: tuple[int, int]) -> Iterator[tuple[int, Pixels]]:
        numbers = [self.number(frame) for frame in wanted]
        falls = numbers != sorted(numbers)
        unique = sorted(set(numbers))
        pictures = ((f.number, _shown(f, size)) for f in self.plate.read(unique))
        if falls:  # backwards, or a warp: small pictures, all at once
            known = dict(pictures)
            yield from ((frame, known[number]) for frame, number in zip(wanted, numbers, strict=True))
            return
        for number, frames in groupby(zip(wanted, numbers, strict=True), key=lambda pair: pair[1]):
            found, pixels = next(pictures)
            assert found == number
            yield from ((frame, pixels) for frame, _ in frames)


def write_review(
    edit: Edit,
    rows: Sequence[Row],
    shots: Sequence[Shot],
    path: Path,
    sounds: Sequence[Piece] = (),
    tell: Callable[[Progress], None] = ignore,
) -> Path | None:
    """The timeline as a movie; None where nothing of it is there. Raises ScumbleError.

    `sounds` are mixed; where the edit is a movie, its own tracks go along as they are.
    """
    tracks = _strips(rows, shots)
    strips = [strip for track in tracks for strip in track]
    if not strips:
        return None
    length = max(row.event.record[1] for row in rows)
    width, height = strips[0].plate.size
    scale = min(1.0, WIDEST / width)
    size = (max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2))
    with ExitStack() as stack:
        sound = edit.path if edit.is_movie else None
        if sounds:
            sound = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "sound.mp4"
            mix(sounds, length / edit.rate, sound)
        settings = WriterSettings(
            frame_rate=edit.rate,
            size=size,
            out_space=DISPLAY,
            tracks_from=sound,
            tracks=Tracks() if sound is None else replace(tracks_of(sound, path), refused=""),
            metadata=Metadata(timecode=timecode(edit, 0)),
        )
        writer = open_writer(path, settings)
        try:
            for frame in range(length):
                pixels, said = _composed(tracks, frame, size)
                words = (said[0], timecode(edit, frame), said[1])
                writer.write(burnt_in(Frame(frame + 1, pixels, DISPLAY), words))
                tell(Progress("review", frame + 1, length))
            writer.close()
        except BaseException:
            writer.abort()
            raise
    return path


def review_identity(rows: Sequence[Row], shots: Sequence[Shot], sounds: Sequence[Piece] = ()) -> str:
    """Changes with what the review shows: events, their paintings, the plates where there are none, and the sound."""
    painted = {id(row): shot.identity for shot in shots for row in shot.rows}
    facts: list[object] = list(sounds)
    for row in rows:
        event, media = row.event, row.found.media
        plate = "" if media is None or id(row) in painted else str(media.path)
        facts.append(
            [event.id, event.name, event.record, event.speed, event.overlap, event.wipe, painted.get(id(row)), plate]
        )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def _strips(rows: Sequence[Row], shots: Sequence[Shot]) -> list[list[Strip]]:
    """What is seen, by tracks, the lowest first."""
    painted = {id(row): shot for shot in shots for row in shot.rows}
    tracks: dict[str, list[Strip]] = {}
    for row in rows:
        media = row.found.media
        if media is None or row.event.left_out:
            continue
        shot = painted.get(id(row))
        try:
            plate = open_plate(media.path if shot is None else shot.output)
        except ScumbleError:
            continue
        # numbers of the plate begin with the media's first; a painted movie counts from its own first frame
        first = media.numbers[0]
        if shot is not None and plate.is_movie:
            first -= shot.frames[0] - plate.numbers[0]
        said = "plate" if shot is None else shot.look.name
        tracks.setdefault(row.event.track, []).append(Strip(row, plate, first, said))
    return list(tracks.values())


def _composed(tracks: Sequence[Sequence[Strip]], frame: int, size: tuple[int, int]) -> tuple[Pixels, tuple[str, str]]:
    """The topmost picture at a frame, with its name and look; black where there is none."""
    for track in reversed(tracks):
        seen = [strip for strip in track if strip.span[0] <= frame < strip.span[1]]
        if not seen:
            continue
        pixels = seen[0].at(frame, size)
        for comes in seen[1:]:
            begins = comes.span[0]
            lasts = max(1, seen[0].span[1] - begins)
            share = min(1.0, (frame - begins + 1) / (lasts + 1))
            seen_of_next = share_of_next(comes.row.event.wipe, share, size)
            pixels = pixels + seen_of_next * (comes.at(frame, size) - pixels)
        names = " > ".join(strip.row.event.name or strip.row.event.id for strip in seen)
        return pixels, (names, seen[-1].said)
    return np.zeros((size[1], size[0], 3), np.float32), ("", "")


def _shown(frame: Frame, size: tuple[int, int]) -> Pixels:
    """A frame for the eye, letterboxed into a size (width, height)."""
    pixels = np.clip(converted(frame.pixels, frame.colour_space, DISPLAY), 0, 1)
    height, width = pixels.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    inner = (min(size[0], max(1, round(width * scale))), min(size[1], max(1, round(height * scale))))
    small = reduced(Frame(frame.number, pixels, DISPLAY), inner).pixels
    if inner == size:
        return small
    canvas = np.zeros((size[1], size[0], 3), np.float32)
    top, left = (size[1] - inner[1]) // 2, (size[0] - inner[0]) // 2
    canvas[top : top + inner[1], left : left + inner[0]] = small
    return canvas
