"""The statistics of a shot, before any frame is painted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from scumble.core.errors import BadInput
from scumble.core.files import digest
from scumble.look.look import Look
from scumble.look.statistics import shot_statistics
from scumble.look.statistics_file import Measured, load, save
from scumble.network.baked import ShotStatistics
from scumble.rendering.plan import Plan
from scumble.shot.cuts import Shot, default_cuts, own_frames, shots_of

Measurements = Mapping[str, Sequence[Measured]]  # the shots of a plate with their statistics, by the look's hash


def measure(plan: Plan, every: bool = True) -> Measurements:
    """Measure shots once for each look: the phase before painting. A file of statistics is read, or written.

    Such a file serves other renders too, so it gets `every` shot of the plate; else shots that are painted.
    """
    path = plan.settings.stats
    if path is not None and path.exists():
        return {look.hash: _known(plan, look, path) for look in plan.all_looks}
    measured = {look.hash: (look, _measured(plan, look, every)) for look in plan.all_looks}
    if path is not None:
        save(path, list(measured.values()), _made_with(plan), _digest(plan))
    return {name: shots for name, (_, shots) in measured.items()}


def as_one_shot(plan: Plan, statistics: Callable[[Look], ShotStatistics]) -> Measurements:
    """Known statistics in place of measured ones; the plate counts as one shot."""
    shot = Shot(plan.plate.numbers[0], plan.plate.numbers[-1])
    return {look.hash: [Measured(shot, statistics(look))] for look in plan.all_looks}


def _made_with(plan: Plan) -> dict[str, object]:
    """What statistics depend on beside look and plate."""
    return {
        **plan.settings.colouring.as_values(),
        "lines": plan.network_size[1],
        "without_grain": plan.settings.grain is not None,
        "space": str(plan.plate.colour_space),
    }


def _digest(plan: Plan) -> str:
    """What tells a plate and its cuts from others: the contents of a movie, or of a sequence's first frame."""
    plate, cuts = plan.plate, plan.settings.cuts or default_cuts(plan.plate)
    listed = digest(Path(cuts)) if Path(cuts).is_file() else cuts
    return f"{digest(plate.files_of(plate.numbers)[0])} {plate.frame_range} {listed}"


def _known(plan: Plan, look: Look, path: Path) -> list[Measured]:
    """Statistics of a file. Raises BadInput where they do not fit."""
    known, plate = load(path, look, _made_with(plan))
    if plan.settings.hold_blacks and not all("points" in m.statistics.facts for m in known):
        raise BadInput(f"{path}: measured without black points; measure again into another file")
    if len(known) == 1 and plate != _digest(plan):  # one shot's statistics, shared by the whole of another plate
        shots = shots_of(plan.plate, plan.settings.cuts, set(plan.numbers))
        return [Measured(shot, known[0].statistics) for shot in shots]
    missing = next((n for n in plan.numbers if not any(n in m.shot for m in known)), None)
    if missing is not None:
        raise BadInput(f"{path}: frame {missing} is in none of its shots; measure again")
    return known


def _measured(plan: Plan, look: Look, every: bool) -> list[Measured]:
    """Statistics of the shots that the render touches, or of every one where they go to a file."""
    plate, settings, must = plan.plate, plan.settings, set(plan.numbers)
    shots = shots_of(plate, settings.cuts, must)
    own = own_frames(shots, [n for n in plate.numbers if n not in plate.repeated])
    # neighbours that the stabiliser sees, and frames that are held, may stand in the shot beside
    around = (settings.window if settings.stabilize else 0) + settings.on - 1
    without_grain = settings.grain is not None
    wanted = []
    for shot, mine in zip(shots, own, strict=True):
        is_near = any(shot.first - around <= n <= shot.last + around for n in plan.numbers)
        if is_near or (every and settings.stats is not None):
            size = plan.canvas_size if min(plan.margin) < 0 else plan.network_size
            statistics = shot_statistics(look, plate, size, settings.colouring, shot, mine, without_grain, must)
            wanted.append(Measured(shot, statistics))
    return wanted
