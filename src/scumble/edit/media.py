"""The media of an edit found on disk: by path, by mapped path, by name, by reel and timecode."""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import chain, takewhile
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import unquote, urlsplit

from scumble.core.errors import BadInput, BadPlate
from scumble.edit.events import NEAR, Event, MediaRange
from scumble.media.open import open_plate
from scumble.media.pattern import parse_pattern
from scumble.media.plate import MOVIES, STILLS
from scumble.media.timecode import frames_of, later
from scumble.media.tracks import holds_sound

HOUR = 3600

TOO_MANY = 200_000  # files under the folders of media; more is a disk, not a show

FOOTAGE = MOVIES | STILLS

SOUNDS = {".wav", ".bwf", ".rf64", ".w64", ".aif", ".aiff", ".caf", ".mp3", ".m4a", ".aac", ".flac", ".ogg", ".opus"}


@dataclass(frozen=True)
class Media:
    """A movie, sequence or still that is there."""

    path: Path
    """As `scumble render` takes it."""
    numbers: tuple[int, ...]
    rate: Fraction | None
    timecode: int | None
    """Of its first frame, in frames."""
    is_still: bool
    has_sound: bool

    @property
    def is_sequence(self) -> bool:
        return parse_pattern(self.path) is not None

    @property
    def frames(self) -> int:
        """From its first to its last number."""
        return self.numbers[-1] - self.numbers[0] + 1


@dataclass(frozen=True)
class Found:
    """What became of looking for an event's media."""

    media: Media | None = None
    seen: MediaRange | None = None
    offline: str = ""
    """Why there is none, with a remedy."""
    note: str = ""
    """For the user: what was assumed."""
    timecode: str = ""
    """Of the first frame of a movie that says none, as the document counts it."""

    @property
    def frames(self) -> tuple[int, int]:
        """First and last number of the plate that are painted, handles included."""
        assert self.media is not None
        assert self.seen is not None
        first = int(self.seen.first + NEAR) - self.seen.before
        last = int(max(self.seen.last, self.seen.reach) + NEAR) + self.seen.after
        least, most = self.media.numbers[0], self.media.numbers[-1]
        return max(least, least + first), min(most, least + last)


class Library:
    """The folders in which media may lie, and the changes of paths from the editor's machine to this one."""

    def __init__(
        self, folders: Sequence[Path], mapped: Sequence[tuple[str, str]] = (), without: Path | None = None
    ) -> None:
        """`without` is a folder in which paintings lie, not footage. Raises BadInput."""
        missing = next((folder for folder in folders if not folder.is_dir()), None)
        if missing is not None:
            raise BadInput(f"--media {missing}: no such folder; name one that holds the footage")
        self.folders, self.mapped = tuple(folders), tuple(mapped)
        self.without = None if without is None else without.resolve()
        self._opened: dict[Path, Media | str] = {}

    def find(self, event: Event, handles: int) -> Found:
        """The media of an event with the frames that are needed."""
        source, reason = event.source, ""
        for path in self._candidates(event):
            media = self._open(path)
            if isinstance(media, str):
                reason = reason or media
                continue
            found = fitted(event, media, handles)
            if not found.offline:
                return found
            reason = reason or found.offline
        if reason:
            return Found(offline=reason)
        wanted = _last(source.url) or source.reel or event.name or "(no name)"
        return Found(offline=f"{wanted} is not there; give its folder by --media, or --map OLD=NEW for its path")

    def find_sound(self, event: Event) -> tuple[Path, Fraction] | None:
        """The file that an event's sound comes from, and the second in it at which the event begins."""
        named = (path for name in event.source.names for path in self._sounds.get(_last(name).casefold(), ()))
        for path in chain(self._candidates(event), named):
            if path.suffix.lower() not in FOOTAGE:
                if holds_sound(path):
                    begins = event.begins - (event.source.start or 0)
                    return path, begins if begins >= 0 else event.begins
                continue
            media = self._open(path)
            if isinstance(media, Media) and media.has_sound and media.rate:
                found = fitted(event, media, 0)
                if found.seen is not None and not found.offline:
                    return path, found.seen.first / media.rate
        return None

    def _candidates(self, event: Event) -> Iterator[Path]:
        """Paths that may be an event's media, the likeliest first."""
        source, seen = event.source, set()
        for path in chain(self._by_path(source.url), self._by_name(event)):
            if path not in seen:
                seen.add(path)
                yield path

    def _by_path(self, url: str) -> Iterator[Path]:
        path = path_of(url)
        if not path:
            return
        for old, new in self.mapped:
            if _same_start(path, old):
                yield Path(new + path[len(old) :].replace("\\", "/"))
        yield Path(path)
        if not os.path.isabs(path):
            yield from (folder / path for folder in self.folders)

    def _by_name(self, event: Event) -> Iterator[Path]:
        """Files under the folders whose name is the media's, or begins with its reel."""
        source = event.source
        files = [name for name in (_last(source.url), *map(_last, source.names)) if name]
        stems = [_plain(name) for name in files]
        for name in files:
            yield from self._files.get(name.casefold(), ())
        for stem in [*stems, _plain(source.reel)]:
            yield from self._stems.get(stem, ()) if stem else ()
        reel = _plain(source.reel.rstrip("._-"))
        if len(reel) >= 4 and reel.upper() != "AX":  # cut to eight characters, as CMX reels are
            ordered = self._ordered_stems
            for stem in takewhile(lambda stem: stem.startswith(reel), ordered[bisect_left(ordered, reel) :]):
                yield from self._stems[stem]

    @cached_property
    def _files(self) -> dict[str, list[Path]]:
        """Movies, stills and sequences by their names; a sequence by its pattern."""
        names: dict[str, list[Path]] = {}
        for path in self._all:
            names.setdefault(path.name.casefold(), []).append(path)
        return names

    @cached_property
    def _stems(self) -> dict[str, list[Path]]:
        stems: dict[str, list[Path]] = {}
        for path in self._all:
            stems.setdefault(_plain(path.name), []).append(path)
            if parse_pattern(path) is not None:  # a folder with one sequence is named like its shot
                stems.setdefault(_plain(path.parent.name), []).append(path)
        return stems

    @cached_property
    def _ordered_stems(self) -> list[str]:
        return sorted(self._stems)

    @cached_property
    def _all(self) -> list[Path]:
        found: dict[Path, None] = {}
        for path in self._below(FOOTAGE):
            found[sequence_of(path) or path] = None
            if path.suffix.lower() in STILLS:
                found[path] = None
        return list(found)

    @cached_property
    def _sounds(self) -> dict[str, list[Path]]:
        """Sound files by their names."""
        names: dict[str, list[Path]] = {}
        for path in self._below(SOUNDS):
            names.setdefault(path.name.casefold(), []).append(path)
        return names

    def _below(self, kinds: Collection[str]) -> Iterator[Path]:
        """Files of some suffixes under the folders. Raises BadInput."""
        count = 0
        for folder in self.folders:
            for place, folders, files in os.walk(folder, followlinks=True):
                below = (name for name in folders if not name.startswith("."))
                folders[:] = sorted(name for name in below if (Path(place) / name).resolve() != self.without)
                for name in sorted(files):
                    if name.startswith(".") or Path(name).suffix.lower() not in kinds:
                        continue
                    count += 1
                    if count > TOO_MANY:
                        raise BadInput(f"--media {folder}: more than {TOO_MANY} files; name the folder of the show")
                    yield Path(place) / name

    def _open(self, path: Path) -> Media | str:
        """The media at a path; a sentence where it cannot be read, and where it is not there nothing."""
        if path not in self._opened:
            self._opened[path] = _opened(path)
        return self._opened[path]


def _opened(path: Path) -> Media | str:
    try:
        if parse_pattern(path) is None and not path.exists():
            return ""
    except OSError:  # a name that is longer than names can be
        return ""
    try:
        plate = open_plate(path)
    except BadPlate as error:
        return "" if parse_pattern(path) is not None and not list(path.parent.glob("*")) else str(error)
    said = plate.metadata(plate.numbers[0])
    rate = plate.frame_rate
    timecode = frames_of(said.timecode, rate) if said.timecode and rate else None
    return Media(path, plate.numbers, rate, timecode, plate.kind == "still", plate.has_sound)


def fitted(event: Event, media: Media, handles: int) -> Found:
    """The frames of a media that an event needs, where it has them."""
    if media.is_still:
        return Found(media, MediaRange(Fraction(0), Fraction(0)))
    source, note, start, whole = event.source, "", event.source.start, media.rate
    if start is not None:  # the document's own count from the first frame on
        wanted = event
    elif source.is_sequence and source.first:
        wanted = replace(event, source=replace(source, start=Fraction(0)))
    else:
        # timecode counts frames: 23.976 and 24 count alike
        counted = event.begins * event.rate / round(event.rate)
        rate = media.rate or event.rate
        if media.timecode is not None:
            start = Fraction(media.timecode, round(rate))
        else:
            start = Fraction(0)
            if counted * round(rate) > media.frames - 1:
                start = Fraction(int(counted) // HOUR * HOUR)
                note = f"{media.path.name} has no timecode: taken to begin at {int(start) // HOUR:02}:00:00:00"
        wanted = replace(event, begins=counted, rate=Fraction(round(event.rate)), source=replace(source, start=start))
        whole = Fraction(round(rate))
    seen = wanted.media_range(handles, rate=whole, frames=media.frames)
    first, last = int(seen.first + NEAR), int(seen.last + NEAR)
    if seen.first < -NEAR or first > media.frames - 1:
        return Found(
            offline=f"{media.path.name} does not hold the frames that are asked for: from frame {first + 1} on,"
            f" of {media.frames}; give the media of that reel"
        )
    if last > media.frames - 1:
        short = last - media.frames + 1
        note = note or f"{media.path.name} ends {short} frame{'s' * (short > 1)} early"
        seen = seen._replace(last=Fraction(media.frames - 1), after=0)
    return Found(media, seen, note=note, timecode=_timecode(media, start, whole))


def _timecode(media: Media, start: Fraction | None, rate: Fraction | None) -> str:
    """Of a movie that has none, so that its painting is found by it: programs ask for it before they count frames."""
    if media.timecode is not None or media.is_sequence or media.rate is None or start is None or rate is None:
        return ""
    return later("00:00:00:00", round(start * rate), media.rate) or ""


def sequence_of(path: Path) -> Path | None:
    """The pattern of the sequence that a picture with a number may belong to."""
    match = re.fullmatch(r"(.*?)(-?\d+)(\.[A-Za-z0-9]+)", path.name)
    if match is None or path.suffix.lower() not in STILLS:
        return None
    return path.with_name(f"{match[1]}{'#' * len(match[2])}{match[3]}")


def path_of(url: str) -> str:
    """The path of a URL as documents write them, or a path as it is."""
    if re.match(r"file:", url, re.IGNORECASE):
        parts = urlsplit(url)
        path = unquote(parts.path)
        if parts.netloc not in ("", "localhost"):
            path = f"//{parts.netloc}{path}"
        if parts.fragment:  # an unescaped # in a name
            path += f"#{unquote(parts.fragment)}"
        return path[1:] if re.match(r"/[A-Za-z]:", path) else path
    return url


def _last(url: str) -> str:
    """The file name of a path of any system."""
    path = path_of(url)
    return (PureWindowsPath if "\\" in path or re.match(r"[A-Za-z]:", path) else PurePosixPath)(path).name


def _plain(name: str) -> str:
    """A name without suffix, case and what stands for numbers."""
    stem = Path(name).stem if Path(name).suffix.lower() in FOOTAGE else name
    return re.sub(r"[._\- ]*(#+|%0?\d*d|@+)$", "", stem).strip().casefold()


def _same_start(path: str, old: str) -> bool:
    return path.replace("\\", "/").casefold().startswith(old.replace("\\", "/").casefold())


def parse_maps(given: Iterable[str]) -> list[tuple[str, str]]:
    """OLD=NEW pairs. Raises BadInput."""
    maps = []
    for words in given:
        old, equals, new = words.partition("=")
        if not old or not equals:
            raise BadInput(f"--map {words}: give OLD=NEW, as in --map /Volumes/RAID=/mnt/raid")
        maps.append((old, new))
    return maps
