"""What a frame's pixels depend on, as a hash: a frame with the same recipe is done.

Options that pixels depend on directly say so where they are declared (`recipe=True` in `rendering/options.py`).
Others act through a fact of the plan, such as the network's size or the shot's statistics: that fact is here.
"""

from __future__ import annotations

import hashlib
import json

from scumble.core.files import digest
from scumble.core.options import recipe_of
from scumble.core.version import __version__
from scumble.rendering.output import Output
from scumble.rendering.plan import Plan
from scumble.rendering.schedule import Schedule
from scumble.rendering.stamp import HASH
from scumble.shot.matte_spec import MatteSpec


def looks_in_words(plan: Plan) -> str:
    """Names and hashes of the looks, as headers have them."""
    return " + ".join(f"{look.name} {look.hash}" for _, look in plan.looks)


def stamp_of(plan: Plan, output: Output, schedule: Schedule, number: int) -> str:
    """What a frame's header says: a hash of all that its pixels depend on, and how it was made, in words.

    The hash comes first: DPX cuts the text after 100 characters.
    """
    settings, sources = plan.settings, schedule.neighbours.sources(number)
    looks, asked = schedule.of_words(number), (settings.matte, *plan.matte_words)
    strength = plan.strength_at(number)
    words = f"look {looks_in_words(plan)}, {plan.precision}, strength {strength:g}" + "".join(
        f", {name} {value}"
        for name, value in (
            ("keep_color", settings.keep_color),
            ("keep_exposure", settings.keep_exposure),
            ("hold_blacks", settings.hold_blacks),
            ("stabilize", settings.stabilize),
            ("grain", settings.grain),
            ("proxy", settings.proxy if settings.proxy > 1 else None),
            ("compare", settings.compare),
            ("on", settings.on if settings.on > 1 else None),
            ("space", output.space),
        )
        if value
    )
    facts = {
        "version": __version__,
        "looks": looks,
        "strength": strength,
        "options": recipe_of(settings),
        "colours": settings.colouring.as_values(),
        "burn_in": [plan.plate.path.name, looks_in_words(plan)] if settings.burn_in else None,
        "spaces": [str(plan.plate.colour_space), str(output.space), output.configuration],
        "size": [plan.network_size, plan.margin, plan.plate.size, plan.plate.bits, plan.precision],
        "plate": [digest(file) for file in plan.plate.files_of(sources)],
        "frames": [n - number for n in sources],
        # a matte file counts by its contents
        "mattes": [named if MatteSpec.parse(named).kind != "path" else "" for named in asked],
        "matte_looks": [other.of_words(number) for other in schedule.others],
        "matte_files": [digest(f) for matte in plan.mattes for n in sources for f in matte.files_of(n)],
        "place": number - plan.plate.numbers[0] if plan.plate.is_movie else 0,
    }
    if settings.timecode:
        facts["timecode"] = settings.timecode
    if output.eyes:
        facts["views"] = [eye.options.view for eye in output.eyes]
    render = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:HASH]
    return f"Scumble {__version__} render {render}, {words}"
