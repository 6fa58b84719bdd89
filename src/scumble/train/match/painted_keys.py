"""Key frames of a shot that the machine paints: files in a match's folder, which an artist may paint over."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
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
from scumble.train.machine import device_of
from scumble.train.match.check_keys import at_network_size
from scumble.train.match.key_painter import KeyPainter, KeySettings
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
    files = {number: folder / KEYS / f"key.{number:04d}.png" for number in frames}
    of = {number: _identity([pixels, *paintings], settings) for number, pixels in frames.items()}
    made = _made(folder / KEYS)
    there = [n for n, file in files.items() if file.is_file() and made.get(file.name) == of[n]]
    in_the_way = next((n for n, file in files.items() if file.exists() and n not in there), None)
    if in_the_way is not None and not overwrite:
        file = files[in_the_way]
        raise BadInput(
            f"{file}: it was not painted of these pictures with these settings; keep it with"
            f" --painted {in_the_way}={file}, or give --overwrite to paint it anew"
        )
    earlier = [_read(files[n], size) for n in there]
    if len(there) < len(frames):
        dtype = dtype_of(settings.precision, device_of(settings.device))
        painter = KeyPainter(paintings, PerceptualFeatures.load(vgg or vgg_path(), LAYERS[-1], dtype), settings)
        (folder / KEYS).mkdir(parents=True, exist_ok=True)
    for number in (n for n in dict.fromkeys(numbers) if n not in there):
        file = files[number]
        painting = painter.paint(frames[number], earlier, tell, f"key frame {number}")
        write_picture(file, Frame(number, resized(painting, plate.size), DISPLAY), WriterSettings())
        made[file.name] = of[number]
        with written_whole(folder / KEYS / MADE) as part:
            part.write_text(json.dumps(made, indent=1) + "\n", "utf-8")
        earlier.append(_read(file, size))
    return list(files.items())


def _read(file: Path, size: tuple[int, int]) -> Pixels:
    key = open_plate(file)
    return at_network_size(next(iter(key.read(key.numbers))), size)


def _made(folder: Path) -> dict[str, str]:
    """Of what the pictures of a folder of key frames were painted, by file name."""
    try:
        found = json.loads((folder / MADE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return {name: of for name, of in found.items() if isinstance(of, str)} if isinstance(found, dict) else {}


def _identity(pictures: Sequence[Pixels], settings: KeySettings) -> str:
    values = {name: value for name, value in asdict(settings).items() if name not in ("device", "threads")}
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode())
    for pixels in pictures:
        digest.update(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()
