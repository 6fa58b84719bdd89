"""Key frames of a shot that the machine paints: files in a match's folder, which an artist may paint over."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from scumble.core.colour import DISPLAY
from scumble.core.downloads import vgg_path
from scumble.core.errors import BadInput
from scumble.core.files import written_whole
from scumble.core.frames import Frame, Pixels, format_frames
from scumble.core.pixels import resized
from scumble.core.progress import Listener, ignore
from scumble.look.making import style_picture
from scumble.media.open import open_plate
from scumble.media.picture_writer import write_picture
from scumble.media.plate import Plate, WriterSettings
from scumble.network.palette import Palette
from scumble.train.machine import device_of
from scumble.train.match.check_keys import at_network_size
from scumble.train.match.key_painter import KeyPainter
from scumble.train.match.settings import KeySettings
from scumble.train.nn.arithmetic import dtype_of
from scumble.train.nn.perceptual import PerceptualFeatures
from scumble.train.settings import LAYERS

KEYS, MADE = "keys", "keys.json"


def painted_keys(
    plate: Plate,
    numbers: Sequence[int],
    pictures: Sequence[Path],
    folder: Path,
    size: tuple[int, int],
    settings: KeySettings,
    vgg: Path | None = None,
    tell: Listener = ignore,
    overwrite: bool = False,
) -> list[tuple[int, Path]]:
    """Paint frames of a plate, in this order, at `size` in the style of pictures; numbers and files, PNGs of its size.

    What a frame shows again is painted as in the frames before it.

    They lie in `folder`/keys, and may be painted over there: what was painted of the same frame, pictures and settings
    is taken as it is. Raises BadInput for a frame that the plate lacks and, without `overwrite`, where another picture
    is in the way.
    """
    missing = next((n for n in numbers if n not in plate.numbers), None)
    if missing is not None:
        raise BadInput(f"frame {missing} is not in {plate.path.name} ({format_frames(plate.numbers[:50])})")
    paintings = [style_picture(path) for path in pictures]
    frames = {frame.number: at_network_size(frame, size) for frame in plate.read(sorted(set(numbers)))}
    painter = KeyFrames(frames, paintings, folder / KEYS, settings, vgg, tell, plate.size)
    painter.check(overwrite)
    for number in dict.fromkeys(numbers):
        painter.paint(number)
    return [(number, painter.file_of(number)) for number in frames]


class KeyFrames:
    """Frames (H, W, 3) by number, in the working space, of which some are painted into a folder, one at a time.

    What was painted there before of the same frame, paintings and settings is taken as it is. `colours` are those of
    the whole shot: see `KeyPainter.paint`. `size` (width, height) is that of the files; a frame's own by default.
    """

    def __init__(
        self,
        frames: Mapping[int, Pixels],
        paintings: Sequence[Pixels],
        folder: Path,
        settings: KeySettings,
        vgg: Path | None = None,
        tell: Listener = ignore,
        size: tuple[int, int] | None = None,
        colours: Palette | None = None,
    ) -> None:
        self.frames, self.paintings, self.folder, self.settings = frames, paintings, folder, settings
        self.vgg, self.tell, self.size, self.colours = vgg, tell, size, colours
        self.earlier: list[Pixels] = []
        self._made = _made(folder)
        self._painter: KeyPainter | None = None

    def file_of(self, number: int) -> Path:
        return self.folder / f"key.{number:04d}.png"

    def is_painted(self, number: int) -> bool:
        """Whether its file was painted of the same frame, paintings and settings."""
        file = self.file_of(number)
        return file.is_file() and self._made.get(file.name) == self._identity(number)

    def check(self, overwrite: bool) -> None:
        """Take note of what was painted before. Raises BadInput where another picture is in the way."""
        for number in self.frames:
            file = self.file_of(number)
            if self.is_painted(number):
                self.earlier.append(self._read(number))
            elif file.exists() and not overwrite:
                raise BadInput(
                    f"{file}: it was not painted of these pictures with these settings; keep it with"
                    f" --painted {number}={file}, or give --overwrite to paint it anew"
                )

    def paint(self, number: int) -> Pixels:
        """The painting (H, W, 3) of a frame, at the frame's size; what it shows again is painted as before."""
        if self.is_painted(number):
            return self._read(number)
        frame, file = self.frames[number], self.file_of(number)
        if self._painter is None:
            dtype = dtype_of(self.settings.precision, device_of(self.settings.device))
            features = PerceptualFeatures.load(self.vgg or vgg_path(), LAYERS[-1], dtype)
            self._painter = KeyPainter(self.paintings, features, self.settings)
        task = f"key frame {number}"
        painting = self._painter.paint(frame, self.earlier, self.tell, task, self.colours)
        self.folder.mkdir(parents=True, exist_ok=True)
        size = self.size or frame.shape[1::-1]
        write_picture(file, Frame(number, resized(painting, size), DISPLAY), WriterSettings())
        self._made[file.name] = self._identity(number)
        with written_whole(self.folder / MADE) as part:
            part.write_text(json.dumps(self._made, indent=1) + "\n", "utf-8")
        self.earlier.append(self._read(number))
        return self.earlier[-1]

    def _read(self, number: int) -> Pixels:
        key, frame = open_plate(self.file_of(number)), self.frames[number]
        return at_network_size(next(iter(key.read(key.numbers))), frame.shape[1::-1])

    def _identity(self, number: int) -> str:
        """A hash of what a frame's painting is made of."""
        values = {name: v for name, v in asdict(self.settings).items() if name not in ("device", "threads")}
        digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode())
        colours = () if self.colours is None else (self.colours.mean, self.colours.covariance)
        for array in (self.frames[number], *self.paintings, *colours):
            digest.update(repr(array.shape).encode() + np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def _made(folder: Path) -> dict[str, str]:
    """Of what the pictures of a folder of key frames were painted, by file name."""
    try:
        found = json.loads((folder / MADE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return {name: of for name, of in found.items() if isinstance(of, str)} if isinstance(found, dict) else {}
