"""Looks baked with the shots of a plan, and who paints which frame with which share."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from scumble.core.files import digest
from scumble.core.frames import format_frames
from scumble.core.pixels import resized
from scumble.core.working_space import to_working
from scumble.look.bake import bake
from scumble.look.look import Look
from scumble.look.painted_frame import PaintedFrame
from scumble.network.baked import BakedLook
from scumble.network.engine import open_engine
from scumble.network.palette import OWN_COLOURS
from scumble.rendering.carry import Carrier, Residual
from scumble.rendering.frame import LookInFrame
from scumble.rendering.measure import Measurements
from scumble.rendering.memory_bound import MemoryBound
from scumble.rendering.neighbours import Neighbours
from scumble.rendering.plan import Plan
from scumble.shot.grain import removed


class Schedule:
    """Who paints which frame: looks baked with the statistics of every shot, compiled when their turn comes."""

    def __init__(self, plan: Plan, measured: Measurements, bound: MemoryBound = MemoryBound()) -> None:
        self.plan = plan
        self.measured = [measured[look.hash] for _, look in plan.looks]
        settings = plan.settings
        self.neighbours = Neighbours(
            plan.plate.numbers,
            tuple(m.shot for m in self.measured[0]),
            plan.plate.repeated,
            0 if settings.stabilize is None else settings.window,
            settings.on,
            settings.on_warp is not None,
        )
        self.engine = open_engine(settings.engine)
        self.bound = bound
        self.ready: dict[tuple[int, int], LookInFrame] = {}
        # looks in mattes of their own paint beside these
        self.others = [
            Schedule(replace(plan, looks=((0, look),), matte_looks=()), measured, self.bound)
            for _, look in plan.matte_looks
        ]
        self.digests: dict[tuple[int, int], str] = {}
        self.carried = [self._carried(look) for _, look in plan.looks]

    def notes(self) -> list[str]:
        """Notes about the plate for its user."""
        notes = [note for other in self.others for note in other.notes()]
        for (_, look), carried in zip(self.plan.looks, self.carried, strict=True):
            unknown = sorted({key.number for key in look.painted_frames} - {key.number for key in carried})
            if unknown and self.plan.settings.carry:
                notes.append(
                    f"{look.name}: this plate does not have frame {format_frames(unknown)} as it was painted over:"
                    " what the painter set there is not carried along"
                )
        return notes

    def of(self, number: int) -> list[LookInFrame]:
        """What paints a frame, with shares that sum to 1: one, but for dissolves and cross-fades of looks."""
        wanted = self._shares(number)
        self.ready = {key: self.ready[key] if key in self.ready else self._baked(*key) for key in wanted}
        return [replace(self.ready[key], share=share) for key, share in wanted.items()]

    def _shares(self, number: int) -> dict[tuple[int, int], float]:
        """Shares of looks and shots in a frame."""
        places = self.neighbours.places_of(number)
        shares = [self.neighbours.shots[i].share(number) for i in places]
        # a later shot comes over the ones before it
        left = 1.0
        for k in range(len(places) - 1, -1, -1):
            shares[k], left = left * (shares[k] if k else 1.0), left * (1 - shares[k])
        return {
            (look, place): by_look * by_shot
            for look, by_look in enumerate(self.plan.shares(number))
            for place, by_shot in zip(places, shares, strict=True)
            if by_look * by_shot > 0
        }

    def of_words(self, number: int) -> list[list[object]]:
        """What paints a frame, as plain values: looks and shots with their shares, and digests of their statistics."""
        return [
            [self.plan.looks[look][1].hash, share, self._digest(look, place), *self._carried_words(look, place, number)]
            for (look, place), share in self._shares(number).items()
        ]

    def _digest(self, look: int, place: int) -> str:
        if (look, place) not in self.digests:
            statistics = self.measured[look][place].statistics
            digest = hashlib.blake2b(statistics.palette.mean.tobytes(), digest_size=16)
            digest.update(statistics.palette.covariance.tobytes())
            for name in statistics.mean:
                digest.update(statistics.mean[name].tobytes() + statistics.variance[name].tobytes())
            digest.update(repr([statistics.facts.get(name) for name in ("grain", "points")]).encode())
            self.digests[look, place] = digest.hexdigest()
        return self.digests[look, place]

    def _baked(self, look: int, place: int) -> LookInFrame:
        baked = bake(self.plan.looks[look][1], self.measured[look][place].statistics, self.plan.settings.colouring)
        ready = self._look_in_frame(baked)
        return replace(ready, carrier=self._carrier(look, place, ready))

    def _look_in_frame(self, baked: BakedLook) -> LookInFrame:
        painter = self.engine.painter(baked, self.plan.precision)
        return LookInFrame(baked, painter, window_pixels=self.bound.window_pixels)

    def _carried(self, look: Look) -> list[PaintedFrame]:
        """The look's painted frames whose plates are in this plate."""
        if not self.plan.settings.carry:
            return []
        keys = {key.number: key for key in look.painted_frames if key.number in self.plan.plate.numbers}
        frames = self.plan.plate.read(sorted(keys))
        return [keys[f.number] for f in frames if keys[f.number].knows(to_working(f.pixels, f.colour_space).pixels)]

    def _carried_here(self, look: int, place: int) -> list[PaintedFrame]:
        return [key for key in self.carried[look] if place in self.neighbours.places_of(key.number)]

    def _carried_words(self, look: int, place: int, number: int) -> list[object]:
        """The painted frames that a frame depends on: their distances from it, and digests of their files."""
        numbers = [key.number for key in self._carried_here(look, place)]
        words = [[k - number, digest(self.plan.plate.file_of(k))] for k in numbers]
        return [self.plan.settings.carry, words] if words else []

    def _carrier(self, look: int, place: int, ready: LookInFrame) -> Carrier | None:
        """What carries the painted frames of a shot along; None if there are none."""
        here = self._carried_here(look, place)
        if not here:
            return None
        # a residual is measured against the look's own colours, which the painter saw
        if self.plan.settings.colouring != OWN_COLOURS:
            baked = bake(self.plan.looks[look][1], self.measured[look][place].statistics)
            ready = self._look_in_frame(baked)
        size, margin = self.plan.network_size, self.plan.margin
        scale = size[1] / self.plan.plate.size[1]
        top, left = round(margin.top * scale), round(margin.left * scale)
        residuals = []
        for key, frame in zip(here, self.plan.read([key.number for key in here]), strict=True):
            pixels = to_working(frame.pixels, frame.colour_space).pixels
            if self.plan.settings.grain is not None:
                pixels = removed(pixels, float(ready.baked.statistics.facts.get("grain", 0.0)))
            seen = resized(pixels, self.plan.canvas_size)
            window = np.s_[top : top + size[1], left : left + size[0]]
            plate, own = (np.ascontiguousarray(p[window]) for p in (seen, ready.paint(seen)))
            painted, weight = (resized(p, size).reshape(*size[::-1], -1) for p in (key.painted, key.weight))
            residuals.append(Residual(key.number, plate, weight.clip(0, 1) * (painted - own)))
        return Carrier(residuals, self.plan.settings.carry, (top, left))
