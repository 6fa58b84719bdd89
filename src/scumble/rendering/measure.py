"""The statistics of a shot, before any frame is painted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from scumble.core.errors import BadInput
from scumble.look.look import Look
from scumble.look.statistics import shot_statistics
from scumble.look.statistics_file import Measured, load, save
from scumble.network.baked import ShotStatistics
from scumble.rendering.plan import Plan
from scumble.shot.cuts import Shot, own_frames, shots_of

Measurements = Mapping[str, Sequence[Measured]]  # the shots of a plate with their statistics, by the look's hash


def measure(plan: Plan) -> Measurements:
    """Measure every shot once for each look: the phase before painting."""
    return {look.hash: _measured(plan, look) for look in plan.all_looks}


def as_one_shot(plan: Plan, statistics: Callable[[Look], ShotStatistics]) -> Measurements:
    """Known statistics in place of measured ones; the plate counts as one shot."""
    shot = Shot(plan.plate.numbers[0], plan.plate.numbers[-1])
    return {look.hash: [Measured(shot, statistics(look))] for look in plan.all_looks}


def _measured(plan: Plan, look: Look) -> list[Measured]:
    """Statistics of the shots that the render touches, from the file of statistics where there is one."""
    plate, settings, must = plan.plate, plan.settings, set(plan.numbers)
    made_with = {
        **settings.colouring.as_values(),
        "lines": plan.network_size[1],
        "without_grain": settings.grain is not None,
        "space": str(plate.colour_space),
    }
    if settings.stats is not None and settings.stats.exists():
        known = load(settings.stats, look, made_with)
        if settings.hold_blacks and not all("points" in m.statistics.facts for m in known):
            raise BadInput(f"{settings.stats}: measured without black points; measure again into another file")
        if len(known) == 1:  # one shot's statistics, shared by the whole plate
            return [Measured(shot, known[0].statistics) for shot in shots_of(plate, settings.cuts, must)]
        missing = next((n for n in plan.numbers if not any(n in m.shot for m in known)), None)
        if missing is not None:
            raise BadInput(f"{settings.stats}: frame {missing} is in none of its shots; measure again")
        return known
    shots = shots_of(plate, settings.cuts, must)
    own = own_frames(shots, [n for n in plate.numbers if n not in plate.repeated])
    # neighbours that the stabiliser sees, and frames that are held, may stand in the shot beside
    around = (settings.window if settings.stabilize else 0) + settings.on - 1
    without_grain = settings.grain is not None
    wanted = []
    for shot, mine in zip(shots, own, strict=True):
        # a file serves other renders too, so it gets all shots; else only shots that are painted
        if settings.stats is not None or any(shot.first - around <= n <= shot.last + around for n in plan.numbers):
            size = plan.canvas_size if min(plan.margin) < 0 else plan.network_size
            statistics = shot_statistics(look, plate, size, settings.colouring, shot, mine, without_grain, must)
            wanted.append(Measured(shot, statistics))
    if settings.stats is not None:
        save(settings.stats, look, wanted, made_with)
    return wanted
