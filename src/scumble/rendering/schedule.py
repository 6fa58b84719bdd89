"""Looks baked with the shots of a plan, and who paints which frame with which share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from scumble.core.frames import format_frames
from scumble.core.pixels import resized
from scumble.core.working_space import to_working
from scumble.look.bake import bake
from scumble.look.look import Look
from scumble.look.painted_frame import PaintedKey
from scumble.look.statistics_file import Measured
from scumble.network.baked import ShotStatistics
from scumble.network.engine import open_engine
from scumble.network.palette import OWN_COLOURS
from scumble.rendering.carry import Carrier, Left
from scumble.rendering.frame import Weighted
from scumble.rendering.measure import measured
from scumble.rendering.neighbours import keys, windows
from scumble.rendering.plan import Plan
from scumble.rendering.stamp import digest
from scumble.shot.cuts import Shot, frames_of
from scumble.shot.grain import removed


class Painters:
    """The looks baked with every shot that is rendered, compiled when their turn comes.

    With `statistics` nothing is measured: the plate is one shot with those that it gives for a look.
    """

    def __init__(self, job: Plan, statistics: Callable[[Look], ShotStatistics] | None = None) -> None:
        self.job = job
        self.engine = open_engine(job.settings.engine)
        if statistics is None:
            self.measured = [measured(job, look) for _, look in job.looks]
        else:
            shot = Shot(job.plate.numbers[0], job.plate.numbers[-1])
            self.measured = [[Measured(shot, statistics(look))] for _, look in job.looks]
        self.shots = [m.shot for m in self.measured[0]]
        self.places: dict[int, list[int]] = {}  # of the shots that a frame of the plate stands in
        for place, shot in enumerate(self.shots):
            for n in frames_of(shot, job.plate.numbers):
                self.places.setdefault(n, []).append(place)
        self.run_of: dict[int, int] = {}  # first frame of the run without holes that a frame stands in
        for n in job.plate.numbers:
            behind_hole = n - 1 in job.held and n not in job.held
            self.run_of[n] = n if behind_hole else self.run_of.get(n - 1, n)
        self.ready: dict[tuple[int, int], Weighted] = {}
        # looks in mattes of their own paint beside these
        self.others = [
            Painters(replace(job, looks=((0, look),), matte_looks=()), statistics) for _, look in job.matte_looks
        ]
        self.digests: dict[tuple[int, int], str] = {}
        self.carried = [self._carried(look) for _, look in job.looks]

    def notes(self) -> list[str]:
        """What was seen of the plate that its user should know."""
        found = [note for other in self.others for note in other.notes()]
        for (_, look), carried in zip(self.job.looks, self.carried, strict=True):
            left = sorted({key.number for key in look.keys} - {key.number for key in carried})
            if left and self.job.settings.carry:
                found.append(
                    f"{look.name}: this plate does not have frame {format_frames(left)} as it was painted over:"
                    " what the painter set there is not carried along"
                )
        return found

    def of(self, number: int) -> list[Weighted]:
        """What paints a frame, with shares that sum to 1: one, but for dissolves and cross-fades of looks."""
        wanted = self._shares(number)
        self.ready = {key: self.ready[key] if key in self.ready else self._baked(*key) for key in wanted}
        return [replace(self.ready[key], share=share) for key, share in wanted.items()]

    def _shares(self, number: int) -> dict[tuple[int, int], float]:
        """Shares of looks and shots in a frame."""
        places = self._places(number)
        shares = [self.shots[i].share(number) for i in places]
        # a later shot comes over the ones before it
        left = 1.0
        for k in range(len(places) - 1, -1, -1):
            shares[k], left = left * (shares[k] if k else 1.0), left * (1 - shares[k])
        return {
            (look, place): by_look * by_shot
            for look, by_look in enumerate(self.job.shares(number))
            for place, by_shot in zip(places, shares, strict=True)
            if by_look * by_shot > 0
        }

    def of_words(self, number: int) -> list[list[object]]:
        """What paints a frame, as plain values: looks and shots with their shares, and digests of their statistics."""
        return [
            [self.job.looks[look][1].hash, share, self._digest(look, place), *self._carried_words(look, place, number)]
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

    def sources(self, number: int) -> list[int]:
        """The frames of the plate that a frame's pixels hang on: its neighbours where it is steadied, what is held."""
        settings = self.job.settings
        steady: tuple[int, ...] = (number,)
        if settings.on > 1:
            steady = keys((number,), settings.on, self.first_of, settings.on_warp is not None)
        if settings.stabilize is not None:
            steady = windows(steady, settings.window, self.together)
        return sorted({*steady, number})

    def together(self, n: int, m: int) -> bool:
        """Whether two frames stand in one shot of the plate, without a hole between them."""
        between = range(min(n, m), max(n, m) + 1)
        no_hole = all(k in self.run_of and k not in self.job.held for k in between)
        return no_hole and not set(self.places.get(n, ())).isdisjoint(self.places.get(m, ()))

    def first_of(self, number: int) -> int:
        """First frame of the shot that a frame belongs to, of the later one in a dissolve; behind a hole the next."""
        return max(self.shots[self._places(number)[-1]].first, self.run_of[number])

    def _places(self, number: int) -> list[int]:
        return self.places.get(number, [0])

    def _baked(self, look: int, place: int) -> Weighted:
        baked = bake(self.job.looks[look][1], self.measured[look][place].statistics, self.job.settings.colouring)
        ready = Weighted(baked, self.engine.painter(baked, self.job.precision))
        return replace(ready, carrier=self._carrier(look, place, ready))

    def _carried(self, look: Look) -> list[PaintedKey]:
        """The look's key frames that this plate has as they were painted over."""
        if not self.job.settings.carry:
            return []
        keys = {key.number: key for key in look.keys if key.number in self.job.plate.numbers}
        frames = self.job.plate.read(sorted(keys))
        return [keys[f.number] for f in frames if keys[f.number].knows(to_working(f.pixels, f.colour_space).pixels)]

    def _carried_here(self, look: int, place: int) -> list[PaintedKey]:
        return [key for key in self.carried[look] if place in self._places(key.number)]

    def _carried_words(self, look: int, place: int, number: int) -> list[object]:
        """What of the key frames a frame hangs on: where they stand from it, and digests of their files."""
        numbers = [key.number for key in self._carried_here(look, place)]
        files = self.job.plate.files_of(numbers)
        words = [[k - number, digest(file)] for k, file in zip(numbers, files, strict=True)]
        return [self.job.settings.carry, words] if words else []

    def _carrier(self, look: int, place: int, ready: Weighted) -> Carrier | None:
        """Brings the key frames of a shot along; None where there are none."""
        here = self._carried_here(look, place)
        if not here:
            return None
        if self.job.settings.colouring != OWN_COLOURS:  # what is asked for of colours is not what the painter did
            baked = bake(self.job.looks[look][1], self.measured[look][place].statistics)
            ready = Weighted(baked, self.engine.painter(baked, self.job.precision))
        size, margin = self.job.network_size, self.job.margin
        scale = size[1] / self.job.plate.size[1]
        top, left = round(margin.top * scale), round(margin.left * scale)
        found = []
        for key, frame in zip(here, self.job.read([key.number for key in here]), strict=True):
            pixels = to_working(frame.pixels, frame.colour_space).pixels
            if self.job.settings.grain is not None:
                pixels = removed(pixels, float(ready.baked.statistics.facts.get("grain", 0.0)))
            seen = resized(pixels, self.job.canvas_size)
            window = np.s_[top : top + size[1], left : left + size[0]]
            plate, own = (np.ascontiguousarray(p[window]) for p in (seen, ready.paint(seen)))
            painted, weight = (resized(p, size).reshape(*size[::-1], -1) for p in (key.painted, key.weight))
            found.append(Left(key.number, plate, weight.clip(0, 1) * (painted - own)))
        return Carrier(found, self.job.settings.carry, (top, left))
