"""Fine-tuning a look on its style picture: from the universal generator's prediction, with the same trainer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from scumble.baking import find_look, make_look, picture_facts, reference_statistics, style_picture
from scumble.errors import BadPlate
from scumble.look import Look, read_arrays, with_reference
from scumble.palette import Palette
from scumble.train.loop import train
from scumble.train.settings import TrainSettings


def train_look(
    painting: Path,
    content: Path,
    output: Path,
    settings: TrainSettings,
    start: str | None = None,
    name: str = "",
    say: Callable[[str], None] = print,
    resume: bool = False,
    overwrite: bool = False,
) -> Look:
    """Train and write a look; its facts carry the figures, settings and length of the run.

    `resume` goes on with the run in `settings.run.output`, `overwrite` begins it anew.
    """
    if not painting.is_file():
        raise BadPlate(f"{painting}: no such picture")
    folder = settings.run.output
    folder.mkdir(parents=True, exist_ok=True)
    first = find_look(start) if start else make_look([(painting, 1.0)], name)
    first.save(folder / "start.look")
    settings = replace(
        settings,
        data=replace(settings.data, dataset=content, style=painting),
        generator=replace(settings.generator, start=folder / "start.look", conditioning="none"),
    )
    done = train(settings, folder if resume else None, say=say, overwrite=overwrite)
    assert done is not None  # no stop was asked for
    arrays, card = read_arrays(done.weights)
    weights = {k: (a[0] if k.startswith("kernel.") else a) for k, a in arrays.items()}
    facts = {
        **first.facts,
        "name": name or first.name,
        "sources": picture_facts([(painting, 1.0)]),
        "made": "fine-tuned",
        "training": {k: card[k] for k in ("step", "seconds", "val", "test", "settings")},
    }
    # the colours that training painted in, whatever look it started from
    palette = Palette.measure(style_picture(painting))
    look = Look(first.architecture, weights, palette, None, None, facts)
    look = with_reference(look, reference_statistics(look))
    look.save(output)
    return look
