"""Previews: one frame as the render would paint it, without measuring the shot first."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from scumble.core.colour import DISPLAY
from scumble.core.errors import BadInput
from scumble.core.frames import Frame, Pixels
from scumble.core.pixels import resized
from scumble.core.working_space import to_working
from scumble.look.bake import bake
from scumble.look.look import Look
from scumble.look.making import as_style, look_of_pixels
from scumble.look.statistics import known_statistics, reference_picture, reference_statistics
from scumble.media.plate import Plate
from scumble.network.baked import ShotStatistics
from scumble.network.engine import open_engine
from scumble.rendering.frame import LookInFrame, Painting, paint_frame
from scumble.rendering.measure import as_one_shot, measure
from scumble.rendering.options import settings_of
from scumble.rendering.plan import Plan, plan
from scumble.rendering.review import reduced
from scumble.rendering.run import frame_alone, painting_alone
from scumble.rendering.schedule import Schedule
from scumble.studio.desk import Desk
from scumble.studio.requests import Preview
from scumble.studio.work import fitting, shown

WIDTH = 960  # pixels that a preview is wide

LARGE = 2400  # width of a plate from which previews use a proxy: strokes and colours stay the same

THUMBNAIL = 320  # pixels that a look's thumbnail is wide

LINES = 480  # at which it is painted

KEPT = 4  # paintings that are kept, so that a change of strength alone needs no painting


@dataclass(frozen=True)
class PreviewResult:
    """A frame before and after, (H, W, 3) of 0 to 1 in sRGB, and how it was painted."""

    before: Pixels
    after: Pixels
    frame: int
    frames: tuple[int, ...]
    look: str
    statistics: Literal["shot", "reference"]
    """Statistics of the shot itself, if known, or of a reference photograph; then a render may differ a little."""
    seconds: float


class Previews:
    """Paints previews one at a time and keeps the last paintings, plates and looks."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.lock = threading.Lock()
        self.kept: OrderedDict[str, Painting] = OrderedDict()
        self.looks: OrderedDict[str, Look] = OrderedDict()

    def warm(self) -> None:
        """Load and compile what the first preview would wait for: the universal generator, a painter."""
        with self.lock:
            picture = reference_picture()
            look = look_of_pixels([as_style(picture)], [1.0], "warm", [])
            self._painted(look, np.ascontiguousarray(picture[:LINES]))

    def preview(self, asked: Preview) -> PreviewResult:
        """Paint a frame. Raises ScumbleError."""
        began = time.monotonic()
        with self.lock:
            plate = self.desk.plate(asked)
            frame = plate.numbers[0] if asked.frame is None else asked.frame
            if frame not in plate.numbers:
                raise BadInput(f"frame {frame} is not in the plate's {plate.frame_range}; choose one of it")
            look = self._look(asked)
            settings = settings_of({**self.desk.settings(asked), "frames": (frame,), "precision": "fast"})
            settings = replace(settings, proxy=_proxy(plate.size[0]))
            job = plan(plate, look, settings)
            known = _known(job, plate)
            key = _key(asked, job, frame, known)
            if key not in self.kept:
                at_once = as_one_shot(job, lambda look: known[look.hash] or _reference(look)) if known else measure(job)
                self.kept[key] = painting_alone(job, Schedule(job, at_once), frame)
            self.kept.move_to_end(key)
            painting = self.kept[key]
            while len(self.kept) > KEPT:
                self.kept.popitem(last=False)
            done = frame_alone(job, painting)
        statistics: Literal["shot", "reference"] = "reference" if None in known.values() else "shot"
        size = fitting(plate.size, WIDTH, plate.pixel_aspect)
        before, after = (resized(shown(f), size).clip(0, 1) for f in (painting.frame, done))
        return PreviewResult(before, after, frame, plate.numbers, look.name, statistics, time.monotonic() - began)

    def _look(self, asked: Preview) -> Look:
        """The look of a request, from the last ones where its files are those."""
        files = self.desk.pictures(asked.styles)
        own = [self.desk.store.look_file(n) for n in (asked.look, asked.second) if n in self.desk.store.looks()]
        of_files = [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in (*files, *own)]
        key = repr([of_files, asked.look, asked.second, round(asked.mix, 4)])
        if key not in self.looks:
            self.looks[key] = self.desk.look(asked)
            while len(self.looks) > KEPT:
                self.looks.popitem(last=False)
        return self.looks[key]

    def thumbnails(self, reference: str, frame: int | None, looks: Sequence[str]) -> list[tuple[str, Pixels]]:
        """The looks of these names on a frame, each with its name."""
        with self.lock:
            plate = self.desk.open(reference)
            number = frame if frame in plate.numbers else plate.numbers[0]
            seen = next(iter(plate.read([number])))
            lines = min(LINES, plate.size[1])
            size = (max(16, round(plate.size[0] * float(plate.pixel_aspect or 1) * lines / plate.size[1])), lines)
            working = to_working(reduced(seen, size).pixels, seen.colour_space).pixels
            small = fitting(size, THUMBNAIL)
            return [(name, resized(self._painted(self.desk.named(name), working), small)) for name in looks]

    def _painted(self, look: Look, pixels: Pixels) -> Pixels:
        baked = bake(look, _reference(look))
        painter = open_engine("openvino").painter(baked, "fast")
        height, width = pixels.shape[:2]
        return paint_frame([LookInFrame(baked, painter)], Frame(1, pixels, DISPLAY), (width, height), 1.0).clip(0, 1)


def _known(job: Plan, plate: Plate) -> dict[str, ShotStatistics | None]:
    """Statistics of the shot by the looks' hashes, None where a reference photograph's must do; empty to measure.

    Measured is what takes little time: one frame, but for a large one.
    """
    if len(plate.numbers) == 1 and plate.size[0] <= LARGE:
        return {}
    size, colouring = job.network_size, job.settings.colouring
    return {look.hash: known_statistics(look, plate, size, colouring) for look in job.all_looks}


def _reference(look: Look) -> ShotStatistics:
    return look.shot or look.reference or reference_statistics(look)


def _proxy(width: int) -> Literal[1, 2, 4]:
    return 1 if width <= LARGE else 2 if width <= 2 * LARGE else 4


def _key(asked: Preview, job: Plan, frame: int, known: Mapping[str, ShotStatistics | None]) -> str:
    """Everything that a painting depends on, except its strength."""
    files = [*job.plate.files_of([frame]), *(f for matte in job.mattes for f in matte.files_of(frame))]
    told = [(str(f), f.stat().st_mtime_ns, f.stat().st_size) for f in files]
    values: dict[str, Any] = asked.model_dump(exclude={"strength", "look", "styles", "second", "mix"})
    measured = [(look, statistics is not None) for look, statistics in known.items()]
    return repr([sorted(values.items()), frame, [look.hash for look in job.all_looks], measured, told])
