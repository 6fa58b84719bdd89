"""A look trained on a show: its own footage, its own style pictures, the trainer of the universal generator.

It starts from the look that the universal generator makes of the pictures, or from scratch by the classic recipe.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from scumble import __version__
from scumble.baking import as_style, find_look, look_of_pixels, picture_facts, reference_statistics
from scumble.errors import BadInput, BadPlate
from scumble.files import written_whole
from scumble.look import Look, architecture_of, read_arrays, with_reference
from scumble.media import PlateOptions
from scumble.train.dataset import PACKED, Dataset, to_pixels
from scumble.train.loop import refuse_a_run, train
from scumble.train.one_style import palette_of, pictures_of
from scumble.train.prepare import files_of, prepare
from scumble.train.report import JOURNAL
from scumble.train.settings import TrainSettings

MATERIAL = "material.json"
CARD_FACTS = ("step", "best_at", "seconds", "start", "val", "test", "pictures", "settings")
FEW_STEPS = 200  # a run of fewer is told that it was too short
FRAMES = 48  # of each movie and sequence
CONTENT_LINES = 720  # at which a render shows the network its plate
STYLE_SIDE = 512  # pixels of the short side, at which strokes are learned
QUALITY = 95  # WebP's, which strokes outlive
ENCODED = 16  # style pictures that the universal generator is shown
RECORDED = 100  # of which the look keeps names and hashes


@dataclass(frozen=True)
class Material:
    """What a show brings: footage, and the pictures that are its style."""

    content: Sequence[Path]
    """Folders, pictures, movies, sequences; or one packed data set."""
    style: Sequence[Path]
    """Pictures and folders of pictures, together one style."""
    options: PlateOptions = field(default_factory=PlateOptions)
    """How the footage is to be understood."""
    licence: str = ""
    """Of what no MANIFEST.csv speaks of."""


def gather(
    material: Material,
    folder: Path,
    say: Callable[[str], None] = print,
    resume: bool = False,
    overwrite: bool = False,
    tell: Callable[[str, int, int], None] = lambda *_: None,
) -> tuple[Path, Path]:
    """Packed data sets of the footage and of the style pictures, made in a run's folder unless they are there.

    `resume` is for a run that goes on, `overwrite` for one that begins anew in its folder; `tell` gets file, done,
    total. Raises BadInput, BadPlate naming what cannot be trained on, BadOutput for a folder that holds a run.
    """
    if resume and not folder.exists():  # one that was killed in its preparation goes on with that
        raise BadInput(f"{folder}: no run to go on with; leave --resume out to begin one")
    if not (resume or overwrite):
        refuse_a_run(folder, "--resume")

    known, own = folder / MATERIAL, json.dumps(_identity(material, folder), sort_keys=True)
    if resume and known.is_file() and known.read_text("utf-8") != own:
        raise BadInput(f"{folder}: begun with other pictures or footage than these; name those, or leave --resume out")

    def prepared(content: Sequence[Path], style: Sequence[Path], output: Path, size: int) -> Path:
        if resume and (output / PACKED).is_file():
            return output
        options, licence = material.options, material.licence
        done = prepare(content, style, output, size, QUALITY, FRAMES, licence, tell, True, options, few=True)
        for line in [f"skipped {line}" for line in done.skipped] + [f"note: {line}" for line in done.notes]:
            say(line)
        return output

    packed = [p for p in material.content if _is_packed(p)]
    if packed and len(material.content) > 1:
        raise BadInput(f"{packed[0]}: a packed data set stands alone; make one of everything, or name footage only")
    for path in packed:
        for split in ("train", "val", "test"):  # refused before anything is written
            Dataset(path, few=True).of("content", split)
    fresh = not folder.exists()
    try:
        style = prepared([], material.style, folder / "style", STYLE_SIDE)
        content = packed[0] if packed else prepared(material.content, [], folder / "content", CONTENT_LINES)
    except (BadInput, BadPlate):
        if fresh:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    with written_whole(known) as part:
        part.write_text(own, "utf-8")
    return content, style


def _identity(material: Material, folder: Path) -> dict[str, list[list[str | int]]]:
    """Names and sizes of all files, by which a run's material is known again."""
    return {
        kind: [
            [file.name, file.stat().st_size]
            for path in paths
            for source in files_of(path, kind, folder, [])
            for file in source.files
        ]
        for kind, paths in (("content", [p for p in material.content if not _is_packed(p)]), ("style", material.style))
    }


def _is_packed(path: Path) -> bool:
    return path.suffix.lower() == ".zip" or (path / PACKED).is_file()


def train_look(
    material: Material,
    content: Path,
    style: Path,
    output: Path,
    settings: TrainSettings,
    start: str | None = None,
    from_scratch: bool = False,
    name: str = "",
    say: Callable[[str], None] = print,
    resume: bool = False,
    overwrite: bool = False,
) -> Look:
    """Train a look on what `gather` made of the material and write it to `output`.

    Its facts carry sources, licences, figures, settings and length of the run. `resume` goes on with the run
    in `settings.run.output`, `overwrite` begins it anew.
    """
    folder = settings.run.output
    kept = None if from_scratch else folder / "start.look"
    first: Look | None = None
    if kept is not None:
        first = Look.load(kept) if resume and kept.is_file() else _start(style, start, name)
        first.save(kept)
    settings = replace(
        settings,
        data=replace(settings.data, dataset=content, style=style, few=True),
        generator=replace(settings.generator, start=kept, conditioning="none"),
    )
    begun = resume and (folder / JOURNAL).exists()
    done = train(settings, folder if begun else None, say=say, overwrite=overwrite, again="--resume")
    assert done is not None  # no stop was asked for
    if done.steps < FEW_STEPS:
        say(f"note: {done.steps} steps hardly change a look; give more --minutes or --steps")
    for split, before in done.start.items():
        after = {"val": done.best, "test": done.test}[split]
        say(f"{split}: " + ", ".join(f"{k} {after[k]:.3f} (instant {before[k]:.3f})" for k in ("style", "content")))
    arrays, card = read_arrays(done.weights)
    weights = {k: (a[0] if k.startswith("kernel.") else a) for k, a in arrays.items()}
    facts: dict[str, Any] = {
        **({} if first is None else first.facts),
        "name": name or output.stem,
        **_sources(material, content, style),
        "made": "trained" if first is None else "fine-tuned",
        "made_by": f"scumble {__version__}",
        "training": {
            k: card[k]
            for k in ("step", "best_at", "seconds", "start", "val", "test", "pictures", "settings")
            if k in card
        },
    }
    if not settings.generator.palette:
        facts["keep_color"] = 1.0
    look = Look(architecture_of(done.weights, card), weights, palette_of(style), None, None, facts)
    look = with_reference(look, reference_statistics(look))
    look.save(output)
    return look


def _start(style: Path, start: str | None, name: str) -> Look:
    """The look given, or the one that the universal generator makes of pictures spread through the style's."""
    if start is not None:
        return find_look(start)
    shown = [as_style(to_pixels(picture)) for picture in pictures_of(style, "train", ENCODED)]
    return look_of_pixels(shown, [1.0] * len(shown), name, [])


def _sources(material: Material, content: Path, style: Path) -> dict[str, Any]:
    """What a look records of what it was trained on: its first style pictures, footage, licences."""
    pictures = [file.path for path in material.style for file in files_of(path, "style", style, [])]
    licences = {
        kind: sorted({record.licence or "none on record" for record in Dataset(path).records if record.kind == kind})
        for kind, path in (("content", content), ("style", style))
    }
    return {
        "sources": picture_facts([(path, 1.0) for path in pictures[:RECORDED]]),
        "style pictures": len(pictures),
        "content": [path.name for path in material.content],
        "licences": licences,
    }
