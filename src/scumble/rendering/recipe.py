"""What a frame's pixels depend on, as a hash: a frame with the same recipe is done.

Options that pixels depend on directly say so where they are declared (`recipe=True` in `rendering/options.py`).
Others act through a fact of the plan, such as the network's size or the shot's statistics: that fact is here.
"""

from __future__ import annotations

import hashlib
import json

from scumble.core.options import recipe_of
from scumble.core.version import __version__
from scumble.rendering.output import looks_in_words
from scumble.rendering.plan import Plan
from scumble.rendering.schedule import Painters
from scumble.rendering.stamp import HASH, digest
from scumble.shot.open_matte import is_named


def mark_of(job: Plan, painters: Painters, number: int) -> str:
    """What a frame's header says: a hash of all that its pixels hang on, and how it was made, in words.

    The hash comes first: DPX cuts the text after 100 characters.
    """
    settings, sources = job.settings, painters.sources(number)
    looks = painters.of_words(number)
    strength = job.strength_at(number)
    words = f"look {looks_in_words(job)}, {job.precision}, strength {strength:g}" + "".join(
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
            ("space", job.space),
        )
        if value
    )
    facts = {
        "version": __version__,
        "looks": looks,
        "strength": strength,
        "options": recipe_of(settings),
        "colours": settings.colouring.as_values(),
        "burn_in": [job.plate.path.name, looks_in_words(job)] if settings.burn_in else None,
        "spaces": [str(job.plate.colour_space), str(job.space), job.configuration],
        "size": [job.network_size, job.margin, job.plate.size, job.plate.bits, job.precision],
        "plate": [digest(file) for file in job.plate.files_of(sources)],
        "frames": [n - number for n in sources],
        # files count by their contents alone
        "mattes": [words if is_named(words) else "" for words in (settings.matte, *job.matte_words)],
        "matte_looks": [other.of_words(number) for other in painters.others],
        "matte_files": [digest(f) for matte in job.mattes for n in sources for f in matte.files_of(n)],
        "place": number - job.plate.numbers[0] if job.plate.kind == "movie" else 0,
    }
    render = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:HASH]
    return f"Scumble {__version__} render {render}, {words}"
