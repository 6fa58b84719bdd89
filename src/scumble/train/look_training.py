"""Fine-tuning a look on its style picture: from the universal generator's prediction, with the same trainer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from scumble.baking import find_look, make_look, picture_facts, reference_statistics, style_picture
from scumble.errors import BadInput
from scumble.look import Look, read_arrays, with_reference
from scumble.palette import Palette
from scumble.train.dataset import Dataset
from scumble.train.loop import refuse_a_run, train
from scumble.train.report import JOURNAL
from scumble.train.settings import TrainSettings

FEW_STEPS = 200  # a run of fewer is told that it was too short


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
    style_picture(painting)  # refused before any work
    folder = settings.run.output
    if resume and not (folder / JOURNAL).exists():
        raise BadInput(f"{folder}: no run to go on with; leave --resume out to begin one")
    if not (resume or overwrite):
        refuse_a_run(folder, "--resume")
    dataset = Dataset(content)
    for split in ("train", "val", "test"):  # refused before anything is written
        dataset.of("content", split)
    kept = folder / "start.look"
    if resume and kept.is_file():
        first = Look.load(kept)
    else:
        first = find_look(start) if start else make_look([(painting, 1.0)], name)
        first.save(kept)
    settings = replace(
        settings,
        data=replace(settings.data, dataset=content, style=painting),
        generator=replace(settings.generator, start=kept, conditioning="none"),
    )
    done = train(settings, folder if resume else None, say=say, overwrite=overwrite, again="--resume")
    assert done is not None  # no stop was asked for
    if done.steps < FEW_STEPS:
        say(f"note: {done.steps} steps hardly change a look; give more --minutes or --steps")
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
