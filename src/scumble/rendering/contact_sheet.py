"""Contact sheets: looks down, frames across, names beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from scumble.core.colour import DISPLAY, over_black
from scumble.core.frames import Frame, Pixels
from scumble.core.pixels import resized
from scumble.core.progress import Listener, Progress, ignore
from scumble.core.working_space import to_working
from scumble.look.look import Look
from scumble.media.plate import Plate
from scumble.rendering.frame import painting_of, strengthened
from scumble.rendering.measure import measure
from scumble.rendering.options import RenderSettings
from scumble.rendering.plan import plan
from scumble.rendering.review import labelled, reduced
from scumble.rendering.schedule import Schedule

GAP = 4  # pixels of black around a picture

LABEL = 1 / 12  # height of a name's line to its picture


def contact_sheet(
    plate: Plate,
    looks: Sequence[Look],
    numbers: Sequence[int],
    width: int,
    settings: RenderSettings = RenderSettings(),
    tell: Listener = ignore,
) -> Pixels:
    """Frames of a plate, and the same under each look, as one picture (H, W, 3) in the working space.

    Pictures are `width` pixels wide. `settings` say how they are painted; `tell` hears of every row.
    """
    height = max(1, round(width * plate.size[1] / (plate.size[0] * (plate.pixel_aspect or 1))))

    def row(name: str, pictures: Sequence[Pixels]) -> Pixels:
        named = zip(pictures, numbers, strict=True)
        return in_a_row([(f"{name}  {n}", np.clip(resized(p, (width, height)), 0, 1)) for p, n in named])

    def shown(pixels: Pixels, frame: Frame) -> Pixels:
        return pixels if frame.alpha is None else over_black(pixels, frame.alpha, DISPLAY)

    rows = [row("plate", [shown(to_working(f.pixels, f.colour_space).pixels, f) for f in plate.read(numbers)])]
    for done, look in enumerate(looks):
        tell(Progress(look.name, done, len(looks)))
        wanted = replace(settings, frames=tuple(numbers), precision="f32", overwrite=True)
        row_plan = plan(plate, look, wanted)
        schedule = Schedule(row_plan, measure(row_plan))
        own = row_plan.network_size
        size = own if own[1] < plate.size[1] else plate.size
        pictures = []
        for frame in plate.read(numbers):
            in_frame = schedule.of(frame.number)
            painting = painting_of(in_frame, reduced(frame, size), own, settings.grain, settings.hold_blacks)
            pictures.append(shown(strengthened(painting, row_plan.strength_at(frame.number)), painting.frame))
        rows.append(row(look.name, pictures))
    return np.concatenate(rows, axis=0)


def in_a_row(pictures: Sequence[tuple[str, Pixels]]) -> Pixels:
    """Pictures of one size beside each other, each under its name."""
    around = ((0, GAP), (GAP, GAP), (0, 0))
    lined = [labelled(p, name, max(14, round(p.shape[0] * LABEL))) for name, p in pictures]
    return np.concatenate([np.pad(p, around) for p in lined], axis=1)
