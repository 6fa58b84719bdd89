"""How long the shots of an edit will take: a few frames of each kind of shot are painted, and thrown away."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

from scumble.core.errors import ScumbleError
from scumble.core.progress import Progress
from scumble.edit.shots import Shot
from scumble.media.open import open_plate
from scumble.rendering.job import job_of
from scumble.rendering.run import run

TRIED = 4  # frames of a kind

KINDS = 3  # at most so many are tried: those with the most frames


@dataclass(frozen=True)
class Estimate:
    """Seconds of one process; prints as in "about 3 h 20 min"."""

    seconds: float

    def __str__(self) -> str:
        minutes = max(1, round(self.seconds / 60))
        if self.seconds < 90:
            return f"about {max(1, round(self.seconds))} s"
        return f"about {minutes // 60} h {minutes % 60} min" if minutes > 90 else f"about {minutes} min"


def frames_of(shot: Shot) -> int:
    """How many frames are painted."""
    return shot.frames[1] - shot.frames[0] + 1


def estimate(shots: Sequence[Shot]) -> Estimate:
    """Shots of one size, format, look and options take alike; kinds that are not tried, by their pixels."""
    kinds: dict[Any, list[Shot]] = {}
    sizes: dict[Any, tuple[int, int]] = {}
    for shot in shots:
        try:
            size = open_plate(shot.plate).size
        except ScumbleError:
            continue  # a render says what is wrong
        key = (size, shot.output.suffix, repr(shot.assigned))
        kinds.setdefault(key, []).append(shot)
        sizes[key] = size
    counts = {key: sum(map(frames_of, own)) for key, own in kinds.items()}
    measured: dict[Any, tuple[float, float]] = {}
    for key in sorted(kinds, key=lambda key: -counts[key] * prod(sizes[key]))[:KINDS]:
        try:
            measured[key] = _tried(kinds[key][0])
        except ScumbleError:
            continue
    if not measured:
        return Estimate(0.0)
    seconds = 0.0
    for key, own in kinds.items():
        near = min(measured, key=lambda other: (other != key, abs(prod(sizes[other]) - prod(sizes[key]))))
        start, frame = measured[near]
        seconds += len(own) * start + counts[key] * frame * prod(sizes[key]) / prod(sizes[near])
    return Estimate(seconds)


def _tried(shot: Shot) -> tuple[float, float]:
    """Seconds to begin a shot, and for each of its frames. Raises ScumbleError."""
    first, last = shot.frames
    middle = max(first, (first + last - TRIED) // 2)
    numbers = tuple(range(middle, min(last, middle + TRIED - 1) + 1))
    with tempfile.TemporaryDirectory(prefix="scumble-") as folder:
        output = Path(folder) / shot.output.name
        settings = replace(shot.assigned.settings, frames=numbers)
        media = shot.row.found.media
        if media is not None and media.is_still:
            settings = replace(settings, frames=None)
        times: list[float] = []

        def written(event: Progress) -> None:
            times.append(event.seconds)

        done = run(job_of(shot.plate, shot.look, output, settings), written)
    if len(times) < 2:
        return 0.0, done.seconds
    frame = (times[-1] - times[0]) / (len(times) - 1)
    return max(0.0, done.seconds - frame * len(times)), frame
