"""Painted frames written as a movie with the plate's sound, timecode, times and colours: the end of a farm's render."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from scumble.core.errors import BadOutput, BadPlate
from scumble.core.frames import Frame
from scumble.core.progress import ignore
from scumble.media.aov import STROKE
from scumble.media.open import open_plate, open_writer
from scumble.media.plate import Plate, PlateOptions
from scumble.rendering.io_threads import Behind, ahead
from scumble.rendering.options import RenderSettings
from scumble.rendering.output import Output, output_to
from scumble.rendering.plan import asked_frames
from scumble.rendering.run import FrameDone
from scumble.rendering.stamp import of_whole, stamp_in


def encoding_of(pictures: Path, plate: Path | None, output: Path, settings: RenderSettings) -> tuple[Plate, Output]:
    """Pictures and the output they become, settled and checked, writing nothing.

    Without a `plate`, whose sound and times a movie takes, the pictures are their own. Raises ScumbleError.
    """
    own = settings.plate_options if plate is None else PlateOptions(colours=settings.plate_options.colours)
    painted = open_plate(pictures, settings.first_frame if plate is None else None, own)
    like, numbers = asked_frames(painted if plate is None else plate, settings)
    missing = next((n for n in numbers if n not in painted.numbers), None)
    if missing is not None:
        raise BadPlate(f"{pictures}: frame {missing} is not there; render it, or give --frames without it")
    made = output_to(output, like, numbers, settings)
    if not made.is_movie:
        raise BadOutput(f"{output}: not a movie; give one, as in {output.stem.split('.')[0] or 'painted'}.mov")
    made.check()
    return painted, made


def encode(painted: Plate, output: Output, tell: Callable[[FrameDone], None] = ignore) -> None:
    """Write the pictures. Raises ScumbleError; a movie is finished or not there."""
    plate, numbers, started = output.plate, output.numbers, time.monotonic()
    stamp = "" if painted.is_movie else of_whole(stamp_in(painted.file_of(numbers[0])))
    described = output.writer_settings(STROKE, stamp, lambda _: stamp)
    described = replace(described, size=painted.size, alpha=painted.has_alpha and described.alpha)

    def frames() -> Iterator[Frame]:
        for frame in painted.read(numbers):
            yield replace(frame, metadata=plate.metadata(frame.number))

    count = itertools.count(1)

    def written(number: int) -> None:
        tell(FrameDone(output.path.name, next(count), len(numbers), time.monotonic() - started, number))

    writer = open_writer(output.path, described)
    try:
        with ahead(frames()) as source, Behind(writer) as behind:
            for frame in source:
                behind.put(frame, written)
        writer.close()
    except BaseException:
        writer.abort()
        raise
