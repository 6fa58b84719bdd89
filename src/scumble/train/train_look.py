"""A look refined on a show: its own footage, its own style pictures, the trainer of the universal generator.

It starts from the look that the universal generator makes of the pictures, or from scratch by the classic recipe. First
some parts of the footage are painted slowly, as examples: they say where the paintings' colours and strokes belong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from scumble.core.errors import BadLook, BadOutput
from scumble.core.progress import Listener, ignore, note, said
from scumble.core.settings import load
from scumble.core.version import __version__
from scumble.look.look import Look, with_reference
from scumble.look.making import as_style, look_of_pixels
from scumble.look.shipped import find_look, load_universal, shipped
from scumble.look.statistics import reference_statistics
from scumble.media.plate import PlateOptions
from scumble.network.shape import SIZES, architecture_named
from scumble.network.weights_file import architecture_of, read_arrays
from scumble.train.data.dataset import Dataset, Pixels, to_pixels
from scumble.train.data.material import Material, PackedMaterial, begun_with_the_same, gather
from scumble.train.data.one_style import palette_of, pictures_of
from scumble.train.journal import CARD, JOURNAL
from scumble.train.loop import train
from scumble.train.match.example_maker import EXAMPLE_STEPS, make_examples
from scumble.train.match.key_painter import KeySettings
from scumble.train.settings import MachineSettings, TrainSettings

CARD_FACTS = ("step", "best_at", "seconds", "start", "val", "test", "pictures", "settings")

FEW_STEPS = 200  # a shorter run gets a note that it was too short

PAINTING = 0.4  # share of a run's minutes in which examples are painted

LEAST = 0.4  # minutes, more than one example takes on two cores: with less none is painted

STEPS_AN_EXAMPLE = 50  # of a run that is limited by steps alone

MOST = 64  # examples

ENCODED = 16  # style pictures that make the instant look at most


def start_of(settings: TrainSettings, start: str | None) -> tuple[TrainSettings, Look | None]:
    """Settings for the network of the look to start from, and that look; None is for one made of the style pictures.

    Raises BadLook for a look that cannot be found, or whose network is none of those that can be trained.
    """
    first = None if start is None else find_look(start)
    architecture = load_universal().architecture if first is None else first.architecture
    form = architecture.form
    sizes = SIZES["painter" if form == "painter" else "textbook"]
    size = next((name for name in sizes if architecture_named(form, name) == architecture), None)
    if size is None:
        raise BadLook(f"{start}: its network is none of those that can be trained; start from another look")
    return replace(settings, generator=replace(settings.generator, form=form, size=size)), first


def train_look(
    gathered: PackedMaterial,
    output: Path,
    settings: TrainSettings,
    first: Look | None = None,
    from_scratch: bool = False,
    name: str = "",
    tell: Listener = ignore,
    resume: bool = False,
    again: str = "--resume",
) -> Look:
    """Train a look on what was gathered and write it to `output`; settings and `first` are those of `start_of`.

    Its facts carry sources, licences, figures, settings and length of the run. `resume` goes on with the run
    in `settings.run.output`; `again` are the words that do.
    """
    folder = settings.run.output
    kept = None if from_scratch else folder / "start.look"
    if kept is not None:
        if resume and kept.is_file():
            first = Look.load(kept)
        else:
            first = first or _made_of(gathered.style, name)
            first.save(kept)
    settings = replace(
        settings,
        data=replace(settings.data, dataset=gathered.content, style=gathered.style, few=True),
        generator=replace(settings.generator, start=kept, conditioning="none"),
    )
    begun = resume and (folder / JOURNAL).exists()
    if settings.data.examples_share and not from_scratch:
        settings = _with_examples(settings, gathered, folder / "examples", begun, tell)
    done = train(settings, folder if begun else None, tell=tell, overwrite=True, again=again)
    assert done is not None  # no stop was asked for
    if done.steps < FEW_STEPS:
        tell(note(f"{done.steps} steps hardly change a look; give more --minutes or --steps"))
    for split, before in done.start.items():
        after = {"val": done.best, "test": done.test}[split]
        figures = ", ".join(f"{k} {after[k]:.3f} (instant {before[k]:.3f})" for k in ("style", "content"))
        tell(said(f"{split}: {figures}"))
    arrays, card = read_arrays(done.weights)
    facts: dict[str, Any] = {
        **({} if first is None else first.facts),
        "name": name or output.stem,
        **gathered.facts,
        "made": "trained" if first is None else "fine-tuned",
        "made_by": f"scumble {__version__}",
        "training": {k: card[k] for k in CARD_FACTS if k in card},
    }
    if not settings.generator.palette:
        facts["keep_color"] = 1.0
    look = Look(architecture_of(done.weights, card), arrays, palette_of(gathered.style), None, None, facts)
    look = with_reference(look, reference_statistics(look))
    look.save(output)
    return look


def refined_look(
    plate: Path,
    pictures: Sequence[Path],
    output: Path,
    minutes: float,
    options: PlateOptions,
    tell: Listener = ignore,
    overwrite: bool = False,
) -> Look:
    """The look of style pictures, refined for one shot for some minutes and kept in `output`, its run beside it.

    A look that was refined for the same shot, pictures and minutes before is used again, and a run that was stopped
    goes on. Raises BadOutput where another look is in the way.
    """
    folder = output.with_suffix(".run")
    material, begun_with = Material([plate], pictures, options), {"minutes": minutes, "start": "instant"}
    same = begun_with_the_same(material, folder, begun_with)
    if output.exists():
        if same:
            tell(note(f"{output} was refined for this shot before, and is used again"))
            return Look.load(output)
        if not overwrite:
            raise BadOutput(f"{output}: another look is there; give --overwrite to refine anew, or name another output")
    settings = load(shipped("data") / "look.toml", TrainSettings)
    settings = replace(
        settings,
        schedule=replace(settings.schedule, minutes=minutes),
        run=replace(settings.run, output=folder),
    )
    settings, _ = start_of(settings, None)
    resume = same and (folder / JOURNAL).exists() and not (folder / CARD).exists()
    gathered = gather(material, folder, begun_with, tell, resume)
    return train_look(gathered, output, settings, None, False, output.stem, tell, resume, "the same command")


def _with_examples(
    settings: TrainSettings, gathered: PackedMaterial, folder: Path, begun: bool, tell: Listener
) -> TrainSettings:
    """Settings of a run that learns from examples too; they are painted in a share of its time, unless it goes on."""
    minutes, run = settings.schedule.minutes, settings.run
    most = MOST if minutes else min(MOST, settings.schedule.steps // STEPS_AN_EXAMPLE)
    if settings.data.examples is not None or not most or 0 < PAINTING * minutes < LEAST:
        return settings
    if not begun:
        how = KeySettings(steps=EXAMPLE_STEPS, **{f.name: getattr(run, f.name) for f in fields(MachineSettings)})
        styles = [partial(_shown, gathered.style)]
        contents = Dataset(gathered.content, few=True)
        make_examples(contents, styles, folder, most, PAINTING * minutes, how, run.vgg, tell)
    return replace(
        settings,
        data=replace(settings.data, examples=folder),
        schedule=replace(settings.schedule, minutes=(1 - PAINTING) * minutes),
    )


def _shown(style: Path) -> list[Pixels]:
    """Pictures spread through the style's, as looks are made of them."""
    return [as_style(to_pixels(picture)) for picture in pictures_of(style, "train", ENCODED)]


def _made_of(style: Path, name: str) -> Look:
    """The look that the universal generator makes of pictures spread through the style's."""
    shown = _shown(style)
    return look_of_pixels(shown, [1.0] * len(shown), name, [])
