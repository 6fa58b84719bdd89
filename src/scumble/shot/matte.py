"""Mattes: where a frame is painted. From files, a channel of the plate, or its Cryptomatte objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from scumble.core.errors import BadPlate
from scumble.core.frames import NO_MARGIN, Frame, Margin, Pixels, format_frames
from scumble.media.picture_reader import channel_names, read_channels
from scumble.media.plate import Plate

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
        if self.source.is_movie:
            frame = self._frame(place)
            values = frame.alpha if frame.alpha is not None else frame.pixels[:, :, :1]
        else:
            values = _read(self.source.file_of(place))
        size, own = self.plate.size, (values.shape[1], values.shape[0])
        self._check_shape(own, number)
        if own != size:
            how = cv2.INTER_AREA if own[0] > size[0] else cv2.INTER_LINEAR
            values = np.asarray(cv2.resize(values, size, interpolation=how), np.float32).reshape(size[1], size[0], 1)
        return unit_range(margin.around(values))

    def _frame(self, place: int) -> Frame:
        """A movie's frame. The movie stays open: seeking decodes again from a key frame."""
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
        if self.source.is_movie:
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

    plate: Plate
    channel: str

    def __str__(self) -> str:
        return f"channel {self.channel}"

    def of(self, number: int, margin: Margin = NO_MARGIN) -> Pixels:
        """See `Matte.of`."""
        return unit_range(read_channels(self.plate.channels[number], (self.channel,), margin))

    def files_of(self, number: int) -> list[Path]:
        """See `Matte.files_of`."""
        return []


@dataclass(frozen=True)
class Nowhere:
    """The matte of looks that paint nothing, because other looks paint in their own mattes."""

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
class ShapedMatte:
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
        values = self.matte.of(number, margin)
        if self.invert:
            values = np.float32(1) - values
        if self.feather > 0:
            # 4 standard deviations hold 95 % of an edge's way from 0 to 1
            blurred = cv2.GaussianBlur(values, (0, 0), self.feather / 4, borderType=cv2.BORDER_REPLICATE)
            values = np.asarray(np.clip(blurred, 0, 1), np.float32).reshape(values.shape)
        return values

    def files_of(self, number: int) -> list[Path]:
        """See `Matte.files_of`."""
        return self.matte.files_of(number)


def shares(mattes: Sequence[Pixels]) -> list[Pixels]:
    """Mattes of several looks, (H, W, 1) each: where they overlap their sum is brought to 1."""
    if not mattes:
        return []
    in_order = sorted(mattes, key=bytes)  # the last bit of a sum depends on its order
    total = np.maximum(np.sum(np.stack(in_order), axis=0), np.float32(1))
    return [np.asarray(matte / total, np.float32) for matte in mattes]


def unit_range(pixels: Pixels) -> Pixels:
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


def shaped(matte: Matte, invert: bool, feather: float) -> Matte:
    """The matte inverted or feathered; itself if neither is asked for."""
    return ShapedMatte(matte, invert, feather) if invert or feather else matte
