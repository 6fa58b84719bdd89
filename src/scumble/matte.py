"""Mattes: where a frame is painted. Of files, of a channel of the plate, of its Cryptomatte objects."""

from __future__ import annotations

import fnmatch
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import mmh3
import numpy as np
from numpy.typing import NDArray

from scumble.colour import DISPLAY, LINEAR
from scumble.errors import BadPlate, BadSettings
from scumble.frames import NO_MARGIN, Frame, Margin, Pixels, format_frames
from scumble.media import Plate, WriterSettings, open_plate, open_writer
from scumble.media.movie import MoviePlate
from scumble.media.stills import StillsPlate, channel_names, read_attributes, read_channels

if TYPE_CHECKING:
    from scumble.person import PersonMatte

NOWHERE = "nowhere:"
SHAPE = 0.02  # most that a matte's proportions may differ from the plate's


class Matte(Protocol):
    """Where a frame is painted: 0 keeps the plate, 1 is all paint."""

    def of(self, number: int, margin: Margin = NO_MARGIN) -> Pixels:
        """(H, W, 1) from 0 to 1, of the plate's size and margin. Raises BadPlate naming file and frame."""
        ...

    def files_of(self, number: int) -> list[Path]:
        """The files beside the plate's own that a frame's matte is read from."""
        ...


@dataclass(frozen=True)
class FileMatte:
    """A sequence, movie or still beside the plate; a still is the matte of every frame."""

    plate: Plate
    source: Plate
    _reading: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def check(self, numbers: Sequence[int]) -> None:
        """Raises BadPlate for frames without a matte, and for one of another shape, before any work."""
        for number in numbers:
            self._place(number)
        self._check_shape(self.source.size, numbers[0])

    def _check_shape(self, own: tuple[int, int], number: int) -> None:
        size = self.plate.size
        if abs(own[0] / own[1] - size[0] / size[1]) > SHAPE * size[0] / size[1]:
            raise BadPlate(
                f"{self.source.path}: frame {number} of the matte is {own[0]}x{own[1]}, the plate {size[0]}x{size[1]};"
                " give a matte of the plate's shape"
            )

    def __str__(self) -> str:
        return str(self.source.path)

    def of(self, number: int, margin: Margin = NO_MARGIN) -> Pixels:
        """See `Matte.of`."""
        place = self._place(number)
        if isinstance(self.source, MoviePlate):
            frame = self._frame(place)
            found = frame.alpha if frame.alpha is not None else frame.pixels[:, :, :1]
        else:
            found = _read(self.source.files_of((place,))[0])
        size, own = self.plate.size, (found.shape[1], found.shape[0])
        self._check_shape(own, number)
        if own != size:
            how = cv2.INTER_AREA if own[0] > size[0] else cv2.INTER_LINEAR
            found = np.asarray(cv2.resize(found, size, interpolation=how), np.float32).reshape(size[1], size[0], 1)
        around = ((margin.top, margin.bottom), (margin.left, margin.right), (0, 0))
        return _clean(np.pad(found, around, mode="edge"))

    def _frame(self, place: int) -> Frame:
        """A movie's frame; the movie stays open, since to seek is to decode again from a key frame."""
        if self._reading.get("next") != place:
            self._reading["frames"] = self.source.read(range(place, self.source.numbers[-1] + 1))
        self._reading["next"] = place + 1
        frame: Frame = next(self._reading["frames"])
        return frame

    def files_of(self, number: int) -> list[Path]:
        """See `Matte.files_of`."""
        return self.source.files_of((self._place(number),))

    def _place(self, number: int) -> int:
        """The number of the matte's own frame: a movie's are counted with the plate's."""
        numbers = self.source.numbers
        if self.source.kind == "still":
            return numbers[0]
        if isinstance(self.source, MoviePlate):
            place = number - self.plate.numbers[0]
            if place >= len(numbers):
                raise BadPlate(f"{self.source.path}: the matte ends before frame {number}; give one for every frame")
            return numbers[place]
        if number not in numbers:
            raise BadPlate(
                f"{self.source.path}: the matte of frame {number} is missing; it has {format_frames(numbers[:50])}"
            )
        return number


@dataclass(frozen=True)
class ChannelMatte:
    """A channel of the plate, such as `mask.Y`."""

    plate: StillsPlate
    channel: str

    def __str__(self) -> str:
        return f"channel {self.channel}"

    def of(self, number: int, margin: Margin = NO_MARGIN) -> Pixels:
        """See `Matte.of`."""
        return _clean(read_channels(self.plate.files[number], (self.channel,), margin))

    def files_of(self, number: int) -> list[Path]:
        """See `Matte.files_of`."""
        return []


@dataclass(frozen=True)
class CryptoMatte:
    """Objects of the plate's Cryptomatte by name; `*` stands for anything [Friedman and Jones, Cryptomatte 1.2]."""

    plate: StillsPlate
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"Cryptomatte of {', '.join(self.names)}"

    def of(self, number: int, margin: Margin = NO_MARGIN) -> Pixels:
        """See `Matte.of`."""
        path = self.plate.files[number]
        total: Any = 0
        for layer, wanted in _objects(path, self.names).items():
            channels = _ranks(path, layer)
            read = read_channels(path, channels, margin)
            for i in range(0, len(channels), 2):
                numbers = np.ascontiguousarray(read[:, :, i]).view(np.uint32)
                total = total + np.where(np.isin(numbers, wanted), read[:, :, i + 1], np.float32(0))
        return _clean(np.asarray(total, np.float32)[:, :, None])

    def files_of(self, number: int) -> list[Path]:
        """See `Matte.files_of`."""
        return []


@dataclass(frozen=True)
class Nowhere:
    """Of looks that paint nothing, since others paint in mattes of their own."""

    plate: Plate

    def __str__(self) -> str:
        return "nowhere"

    def of(self, number: int, margin: Margin = NO_MARGIN) -> Pixels:
        """See `Matte.of`."""
        width, height = self.plate.size
        return np.zeros((height + margin.top + margin.bottom, width + margin.left + margin.right, 1), np.float32)

    def files_of(self, number: int) -> list[Path]:
        """See `Matte.files_of`."""
        return []


@dataclass(frozen=True)
class Shaped:
    """A matte turned around or softened."""

    matte: Matte
    invert: bool = False
    feather: float = 0.0  # pixels of the plate over which an edge is softened

    def __str__(self) -> str:
        return (
            f"{self.matte}{', inverted' if self.invert else ''}{f', feather {self.feather:g}' if self.feather else ''}"
        )

    def of(self, number: int, margin: Margin = NO_MARGIN) -> Pixels:
        """See `Matte.of`."""
        found = self.matte.of(number, margin)
        if self.invert:
            found = np.float32(1) - found
        if self.feather > 0:
            # an edge's 4 standard deviations hold 95 % of its way from 0 to 1
            blurred = cv2.GaussianBlur(found, (0, 0), self.feather / 4, borderType=cv2.BORDER_REPLICATE)
            found = np.asarray(np.clip(blurred, 0, 1), np.float32).reshape(found.shape)
        return found

    def files_of(self, number: int) -> list[Path]:
        """See `Matte.files_of`."""
        return self.matte.files_of(number)


def parse_matte(words: str, plate: Plate, numbers: Sequence[int] = ()) -> Matte:
    """`PATH`, `channel:NAME`, `crypto:NAME[,NAME...]`, `auto:person` or `nowhere:`, for these frames.

    Raises BadPlate, BadSettings.
    """
    if words == NOWHERE:
        return Nowhere(plate)
    kind, colon, name = words.partition(":")
    if kind == "auto" and colon:
        from scumble.person import PersonMatte

        if name != "person":
            raise BadSettings(f"auto-matte {name!r}: Scumble finds people by itself; give person")
        return PersonMatte(plate)
    if kind not in ("channel", "crypto") or not colon:
        found = FileMatte(plate, open_plate(Path(words)))
        found.check(numbers or plate.numbers[:1])
        return found
    if not isinstance(plate, StillsPlate) or plate.files[plate.numbers[0]].suffix.lower() != ".exr":
        raise BadSettings(f"{plate.path}: only EXR plates have {kind} mattes; give the matte as files by --matte")
    first = plate.files[plate.numbers[0]]
    if kind == "crypto":
        names = tuple(part.strip() for part in name.split(",") if part.strip())
        _objects(first, names)  # refused before any work
        return CryptoMatte(plate, names)
    known = channel_names(first)
    if name not in known:
        raise BadSettings(f"{first}: no channel {name!r} for a matte; it has {', '.join(known[:20])}")
    return ChannelMatte(plate, name)


def prepare(matte: Matte) -> None:
    """Get what a matte needs before any work begins. Raises NoNetwork."""
    if _of_people(matte) is not None:
        from scumble.person import person_model

        person_model()


def noticed(matte: Matte) -> list[str]:
    """What was seen of a matte while it was asked for."""
    people = _of_people(matte)
    if people is None or not people.empty:
        return []
    frames = sorted(people.empty)
    listed = format_frames(frames[:50]) + ("..." if len(frames) > 50 else "")
    return [f"nobody was found in frame{'s' * (len(frames) > 1)} {listed}"]


def _of_people(matte: Matte) -> PersonMatte | None:
    """The matte of people under what shapes it, where it is one."""
    from scumble.person import PersonMatte

    found = matte.matte if isinstance(matte, Shaped) else matte
    return found if isinstance(found, PersonMatte) else None


def write_mattes(
    matte: Matte, plate: Plate, numbers: Sequence[int], output: Path, written: Callable[[int], None] = lambda _: None
) -> None:
    """Write the mattes of these frames as grey pictures whose codes are the matte. Raises BadOutput.

    In 16 bits where the format has them, half floats in EXR; `written` hears of every frame.
    """
    # as numbers, whatever a picture of that kind usually means
    space = LINEAR if output.suffix.lower() == ".exr" else DISPLAY
    writer = open_writer(output, WriterSettings(bits=16, out_space=space, grey=True))
    try:
        for number in numbers:
            found = matte.of(number)
            writer.write(Frame(number, np.repeat(found, 3, axis=2), space))
            written(number)
        writer.close()
    except BaseException:
        writer.abort()
        raise


def is_named(words: str) -> bool:
    """Whether a matte is asked for by a name in the plate's own files, not by a path."""
    return words.partition(":")[0] in ("auto", "channel", "crypto", "nowhere") and ":" in words


def shares(mattes: Sequence[Pixels]) -> list[Pixels]:
    """Mattes of several looks, (H, W, 1) each: where they overlap their sum is brought to 1."""
    if not mattes:
        return []
    in_order = sorted(mattes, key=bytes)  # a sum's last bit hangs on its order
    total = np.maximum(np.sum(np.stack(in_order), axis=0), np.float32(1))
    return [np.asarray(matte / total, np.float32) for matte in mattes]


def _clean(pixels: Pixels) -> Pixels:
    return np.clip(np.nan_to_num(pixels, nan=0.0, posinf=1.0, neginf=0.0), 0, 1).astype(np.float32)


def _read(path: Path) -> Pixels:
    """A picture as a matte (H, W, 1): its alpha where that says something, else its red or only channel."""
    names = channel_names(path)
    last = {name.rpartition(".")[2].upper(): name for name in reversed(names)}
    if "A" in last:
        alpha = read_channels(path, (last["A"],))
        if alpha.min() < 1 or len(names) == 1:
            return alpha
    return read_channels(path, (next((last[c] for c in ("R", "Y") if c in last), names[0]),))


def _objects(path: Path, names: Sequence[str]) -> Mapping[str, NDArray[np.uint32]]:
    """Numbers of named objects by Cryptomatte layer. Raises BadSettings for a name that no manifest has."""
    found: dict[str, list[int]] = {}
    known: list[str] = []
    left = set(names)
    for layer, manifest in _manifests(path):
        for name, number in manifest.items():
            hits = [pattern for pattern in names if name == pattern or fnmatch.fnmatchcase(name, pattern)]
            if hits:
                found.setdefault(layer, []).append(number)
                left -= set(hits)
        known += list(manifest)
        if not manifest and any(set("*?[") & set(name) for name in names):
            raise BadSettings(f"{path}: its Cryptomatte {layer} has no manifest: give names in full, without *")
        if not manifest:  # files without one are asked by the hash of the name alone
            found.setdefault(layer, []).extend(_hash(name) for name in names)
            left.clear()
    if not found or left:
        missing = sorted(left or names)[0]
        has = f"it has {', '.join(sorted(known)[:12])}" if known else "it has no Cryptomatte"
        raise BadSettings(f"{path}: no object {missing!r} in its Cryptomatte; {has}")
    return {layer: np.array(numbers, np.uint32) for layer, numbers in found.items()}


def _manifests(path: Path) -> Iterator[tuple[str, dict[str, int]]]:
    """Layer and numbers by name, of every Cryptomatte in a picture's header."""
    attributes = read_attributes(path)
    for key, value in attributes.items():
        parts = key.split("/")
        if len(parts) != 3 or parts[0] != "cryptomatte" or parts[2] != "name":
            continue
        head = f"cryptomatte/{parts[1]}"
        text = str(attributes.get(f"{head}/manifest", ""))
        beside = path.parent / str(attributes.get(f"{head}/manif_file", ""))
        if not text and beside != path.parent and not beside.is_file():
            raise BadPlate(f"{path}: the manifest of its Cryptomatte {value}, {beside}, is not there; bring it along")
        try:
            if not text and beside.is_file():
                text = beside.read_text("utf-8")
            yield str(value), _parsed(text)
        except (OSError, ValueError, AttributeError, RecursionError) as error:
            raise BadPlate(f"{path}: the manifest of its Cryptomatte {value} is damaged ({error})") from error


@lru_cache(maxsize=8)  # the frames of a shot mostly have one
def _parsed(manifest: str) -> dict[str, int]:
    """Numbers of objects by name."""
    found = json.loads(manifest) if manifest else {}
    return {str(name): int(str(number), 16) & 0xFFFFFFFF for name, number in found.items()}


def _hash(name: str) -> int:
    """The number of an object: MurmurHash3 with an exponent that makes it a plain float."""
    number = int(mmh3.hash(name, signed=False))
    return number ^ 1 << 23 if number >> 23 & 255 in (0, 255) else number


def _ranks(path: Path, layer: str) -> list[str]:
    """Channels of a Cryptomatte layer, number and coverage in turn."""
    found: list[str] = []
    by_lower = {name.lower(): name for name in channel_names(path)}

    def channel(rank: int, *names: str) -> str:
        asked = (f"{layer}{rank:02}.{name}".lower() for name in names)
        return next((by_lower[name] for name in asked if name in by_lower), "")

    for rank in itertools.count():
        red, green = channel(rank, "r", "red"), channel(rank, "g", "green")
        if not red or not green:
            break
        blue, alpha = channel(rank, "b", "blue"), channel(rank, "a", "alpha")
        found += [red, green, blue, alpha] if blue and alpha else [red, green]
    if not found:
        raise BadPlate(f"{path}: Cryptomatte {layer} has no channels {layer}00.R and .G; take another copy of it")
    return found


def shaped(matte: Matte, invert: bool, feather: float) -> Matte:
    """The matte itself where nothing is asked of it."""
    return Shaped(matte, invert, feather) if invert or feather else matte
