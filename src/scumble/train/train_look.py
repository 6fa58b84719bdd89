"""A look trained from nothing on a show's footage and style pictures, by the classic recipe of the textbooks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from scumble.core.progress import Listener, ignore, note, said
from scumble.core.version import __version__
from scumble.look.look import Look, with_reference
from scumble.look.statistics import reference_statistics
from scumble.network.weights_file import architecture_of, read_arrays
from scumble.train.data.material import PackedMaterial
from scumble.train.data.one_style import palette_of
from scumble.train.journal import JOURNAL
from scumble.train.loop import train
from scumble.train.run import FEW_STEPS
from scumble.train.settings import TrainSettings

CARD_FACTS = ("step", "best_at", "seconds", "val", "test", "pictures", "settings")


def train_look(
    gathered: PackedMaterial,
    output: Path,
    settings: TrainSettings,
    name: str = "",
    tell: Listener = ignore,
    resume: bool = False,
    again: str = "--resume",
) -> Look:
    """Train a look on what was gathered and write it to `output`.

    Its facts carry sources, licences, figures, settings and length of the run. `resume` goes on with the run
    in `settings.run.output`; `again` are the words that do.
    """
    folder = settings.run.output
    settings = replace(
        settings,
        data=replace(settings.data, dataset=gathered.content, style=gathered.style, few=True),
        generator=replace(settings.generator, conditioning="none"),
    )
    begun = resume and (folder / JOURNAL).exists()
    done = train(settings, folder if begun else None, tell=tell, overwrite=True, again=again)
    assert done is not None  # no stop was asked for
    if done.steps < FEW_STEPS:
        tell(note(f"{done.steps} steps hardly change a look; give more --minutes or --steps"))
    for split, after in (("val", done.best), ("test", done.test)):
        tell(said(f"{split}: " + ", ".join(f"{name} {after[name]:.3f}" for name in ("style", "content"))))
    arrays, card = read_arrays(done.weights)
    facts = {
        "name": name or output.stem,
        **gathered.facts,
        "made": "trained",
        "made_by": f"scumble {__version__}",
        "training": {k: card[k] for k in CARD_FACTS if k in card},
    }
    if not settings.generator.palette:
        facts["keep_color"] = 1.0
    look = Look(architecture_of(done.weights, card), arrays, palette_of(gathered.style), None, None, facts)
    look = with_reference(look, reference_statistics(look))
    look.save(output)
    return look
