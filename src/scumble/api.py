"""What `import scumble` offers: open a plate, get a look, paint. The same functions as the command line's."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from scumble.core.colour import DISPLAY
from scumble.core.errors import BadSettings
from scumble.core.frames import Frame, Pixels
from scumble.core.pixels import resized
from scumble.core.working_space import to_working
from scumble.look import making, mixing, shipped, statistics
from scumble.look.bake import bake
from scumble.look.look import Look
from scumble.media import open as opening
from scumble.media.ocio import Colours
from scumble.media.pattern import output_path
from scumble.media.plate import Plate, PlateOptions
from scumble.network.engine import open_engine
from scumble.rendering.frame import LookInFrame, paint_frame
from scumble.rendering.job import job_of
from scumble.rendering.options import LINES, settings_of
from scumble.rendering.run import FrameDone, Rendered, run

PathLike = str | os.PathLike[str]


def open_plate(
    path: PathLike,
    first_frame: int | None = None,
    *,
    layer: str = "",
    in_space: str = "",
    ocio: str | None = None,
    timecode: str = "",
) -> Plate:
    """A movie, an image sequence (`shot.####.exr`, a folder) or a still; only its headers are read.

    `plate.numbers` are its frames, `plate.read(numbers)` gives them one by one: `Frame.pixels` float32
    (H, W, 3) in `plate.colour_space`. `layer`, `in_space`, `ocio` and `timecode` are the flags of
    `scumble render`.
    Raises BadPlate, BadSettings.
    """
    return opening.open_plate(Path(path), first_frame, PlateOptions(layer, in_space, Colours(ocio), timecode=timecode))


def find_look(name: PathLike) -> Look:
    """A look by its file or by the name of a shipped one. Raises BadLook."""
    return shipped.find_look(os.fspath(name))


def make_look(*pictures: PathLike | tuple[PathLike, float], name: str = "") -> Look:
    """A look of style pictures, each alone or as (PICTURE, WEIGHT); `Look.save` keeps it.

    Raises BadPlate, BadSettings.
    """
    pairs = [p if isinstance(p, tuple) else (p, 1.0) for p in pictures]
    if not pairs:
        raise BadSettings("make_look: give at least one picture")
    return making.make_look([(Path(path), weight) for path, weight in pairs], name)


def mix_looks(looks: Sequence[Look | PathLike], weights: Sequence[float]) -> Look:
    """One look between several of the same universal generator. Raises BadLook."""
    return mixing.mix_looks([_look(look) for look in looks], weights)


def render(
    plate: Plate | PathLike,
    look: Look | PathLike | Mapping[int, Look | PathLike],
    output: PathLike,
    *,
    matte_looks: Mapping[str, Look | PathLike] | None = None,
    on_frame: Callable[[FrameDone], None] = lambda _: None,
    watch: Callable[[Frame], None] = lambda _: None,
    **settings: Any,
) -> Rendered:
    """Paint a shot and write it, as `scumble render` does.

    `look` is a look, its file or name, or several by the frames at which each stands alone; `matte_looks`
    are others by their mattes. `settings` are the fields of `RenderSettings`, and most may be given as on
    the command line: `frames` "1001-1100x2", `strength` "1001:0,1050:1", `lines` "full", `frame_rate`
    "23.976", `aovs` "luma,matte", paths as text. `matte` is a path, "auto:person", "channel:NAME" or
    "crypto:NAME". `on_frame` hears of every frame when it is on disk; `watch` gets each frame before it is written.
    Raises ScumbleError; a movie is finished or not there.
    """
    wanted = settings_of(settings)
    if isinstance(plate, str | os.PathLike):
        opened = opening.open_plate(Path(plate), wanted.first_frame, wanted.plate_options)
    else:  # as it was opened
        opened = plate
        given = plate.options
        how = (wanted.layer, wanted.view, wanted.in_space, wanted.ocio, wanted.timecode)
        if wanted.first_frame is not None or any(how):
            raise BadSettings("first_frame, layer, view, in_space, ocio and timecode: give them to open_plate")
        known = {name: getattr(given, name) for name in ("layer", "view", "in_space", "timecode")}
        wanted = replace(wanted, **known, ocio=given.colours.name)
    looks = [(number, _look(one)) for number, one in look.items()] if isinstance(look, Mapping) else _look(look)
    others = [(matte, _look(one)) for matte, one in (matte_looks or {}).items()]
    return run(job_of(opened, looks, output_path(os.fspath(output)), wanted, others), on_frame, watch)


def paint(pixels: Pixels, look: Look | PathLike, strength: float = 1.0, *, lines: int | str | None = None) -> Pixels:
    """A picture (H, W, 3) of 0 to 1 in sRGB to its painting, of the same shape; clip it before it becomes bytes.

    With statistics of the picture alone: the frames of a shot are painted alike by `render`. `lines` is
    the height at which the network sees it, at most 720 by default.
    """
    if np.ndim(pixels) != 3 or np.shape(pixels)[2] != 3 or min(np.shape(pixels)) < 1:
        raise BadSettings(f"paint: a picture has the shape (H, W, 3), this is {np.shape(pixels)}")
    if not np.issubdtype(np.asarray(pixels).dtype, np.floating):
        raise BadSettings(f"paint: give floats of 0 to 1, not {np.asarray(pixels).dtype}: pixels / 255")
    if np.nanmax(pixels) > 4 and np.isfinite(np.nanmax(pixels)):
        raise BadSettings(f"paint: values up to {np.nanmax(pixels):g}: give floats of 0 to 1: pixels / 255")
    settings = settings_of({"strength": strength, "lines": lines})
    frame = Frame(1, np.ascontiguousarray(pixels, np.float32), DISPLAY)
    height, width = frame.pixels.shape[:2]
    seen = max(16, min(height, LINES) if settings.lines is None else settings.lines or height)
    size = (max(16, round(width * seen / height)), seen)
    own = _look(look)
    baked = bake(own, statistics.frame_statistics(own, [resized(to_working(frame.pixels, DISPLAY).pixels, size)], 1))
    painter = open_engine("openvino").painter(baked, "f32")
    return paint_frame([LookInFrame(baked, painter)], frame, size, strength)


def _look(look: Look | PathLike) -> Look:
    if not isinstance(look, Look | str | os.PathLike):
        raise BadSettings(f"a look, its file or its name is wanted, not {type(look).__name__}")
    return look if isinstance(look, Look) else find_look(look)
