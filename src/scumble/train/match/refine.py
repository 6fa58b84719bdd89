"""A look refined on a show: some of its frames are painted slowly, and the look is matched to them.

An instant look has the paintings' colours and strokes somewhere. Key frames that are made of the paintings' own patches
say where they belong. The look is matched to the key frames, and held by frames that nobody painted. It paints all of
the show with the statistics of the show, taken together.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from scumble.core.colour import DISPLAY
from scumble.core.downloads import vgg_path
from scumble.core.errors import BadOutput
from scumble.core.files import written_whole
from scumble.core.frames import Frame, Pixels, spread
from scumble.core.pixels import resized
from scumble.core.progress import Listener, ignore, note, said
from scumble.core.settings import load
from scumble.core.version import __version__
from scumble.look.look import Look, with_reference
from scumble.look.making import as_style, look_of_pixels
from scumble.look.shipped import shipped
from scumble.look.statistics import CROP, frame_statistics, reference_statistics
from scumble.media.picture_writer import write_picture
from scumble.media.plate import PlateOptions, WriterSettings
from scumble.network.baked import ShotStatistics
from scumble.network.openvino_engine import OpenVinoEngine
from scumble.network.palette import Palette
from scumble.network.vgg import Features
from scumble.quality import metrics
from scumble.quality.evaluate import painter_of
from scumble.train.data.dataset import Dataset, to_pixels
from scumble.train.data.material import Material, PackedMaterial, begun_with_the_same, gather
from scumble.train.data.one_style import pictures_of
from scumble.train.journal import BEST, CARD, JOURNAL, PREVIEWS
from scumble.train.machine import device_of
from scumble.train.match.check_keys import size_at
from scumble.train.match.job import identity_of, portable
from scumble.train.match.match_run import MatchRun
from scumble.train.match.matcher import Figures, Key, Matcher
from scumble.train.match.painted_keys import KEYS, KeyFrames
from scumble.train.match.report import beside, write_match_report
from scumble.train.match.settings import RefineSettings
from scumble.train.match.suggest import at_lines, suggest_among
from scumble.train.nn.arithmetic import dtype_of
from scumble.train.nn.perceptual import PerceptualFeatures
from scumble.train.run import FEW_STEPS
from scumble.train.run_folder import clear_run
from scumble.train.settings import LAYERS

START = "start.look"

INSTANT = "instant"  # the start of a run that begins with no other look

SEEN = 24  # frames of the show that are looked at

JUDGED = 3  # frames of val, and of test, that are painted before and after

SHOWN = 3  # frames of a preview

STYLES = 16  # style pictures at most that make the instant look and the key frames

PAINTING = 0.4  # share of a run's minutes in which key frames are painted; the first one is painted in any case

MOST_KEYS = 8

STEPS_A_KEY = 1500  # of a run that is limited by steps alone


def refine_look(
    gathered: PackedMaterial,
    output: Path,
    folder: Path,
    settings: RefineSettings,
    first: Look | None = None,
    name: str = "",
    vgg: Path | None = None,
    tell: Listener = ignore,
    resume: bool = False,
    again: str = "--resume",
) -> Look:
    """Refine a look on a show and write it to `output`; its run is in `folder`.

    It starts from `first`, by default from the instant look of the style pictures. `resume` goes on with the run that
    was stopped; `again` are the words that do. The look's facts carry sources, licences, figures and settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    begun = resume and (folder / JOURNAL).exists()
    if not begun:
        clear_run(folder)
    paintings = [as_style(to_pixels(picture)) for picture in pictures_of(gathered.style, "train", STYLES)]
    if resume and (folder / START).is_file():
        first = Look.load(folder / START)
    else:
        first = first or look_of_pixels(paintings, [1.0] * len(paintings), name, [])
        first.save(folder / START)
    contents = Dataset(gathered.content, few=True)
    frames = _frames(contents, "train", SEEN)
    colours = Palette.pool([Palette.measure(p) for p in frames], [1 / len(frames)] * len(frames))
    began = time.monotonic()
    seen = Features(vgg or vgg_path())
    order = _worth_painting(frames, seen)
    shown = {n: frames[n] for n in order}
    keys = KeyFrames(shown, paintings, folder / KEYS, settings.keys, vgg, tell, colours=colours)
    keys.check(overwrite=True)
    painted = _painted(keys, order, settings, begun, began)
    spent = (time.monotonic() - began) / 60
    taught = [Key(n, frames[n], painting, np.ones(painting.shape[:2], np.float32)) for n, painting in painted.items()]
    free = [pixels for n, pixels in enumerate(frames) if n not in painted]
    if not free:
        tell(note("every frame is a key frame: nothing holds the look anywhere else; give more footage"))
    matching = settings.match
    if matching.minutes:
        share = (1 - PAINTING) * matching.minutes
        matching = replace(matching, minutes=share if begun else max(share, matching.minutes - spent))
    # it is to draw marks that are finer than what a look's filters let through
    start = replace(first, architecture=replace(first.architecture, simplified=0, dabbed=0))
    statistics = _of_show(start, frames)
    dtype = dtype_of(matching.precision, device_of(matching.device))
    features = PerceptualFeatures.load(vgg or vgg_path(), LAYERS[-1], dtype)
    matcher = Matcher(start, statistics, taught, free, matching, features)
    engine = OpenVinoEngine()
    paint_before = painter_of(first, _of_show(first, frames), engine)
    sheet = _Sheet(matcher, [frames[n] for n in spread(range(len(frames)), SHOWN)], paint_before)
    run = MatchRun(folder, matcher, identity_of(start, taught, free, matching), sheet, tell, again)
    before = matcher.figures()
    best = run.learn(before, overwrite=False, goes_on=False)
    if matcher.steps < FEW_STEPS:
        tell(note(f"{matcher.steps} steps hardly change a look; give more --minutes or --steps"))
    look = Look(start.architecture, dict(load_file(folder / BEST)), start.palette, None, None, {})
    training: dict[str, Any] = {
        "step": matcher.steps,
        "best_at": run.best_at,
        "seconds": round(run.clock.seconds, 1),
        "key frames": len(taught),
        "held out": _rounded(best),
        "held out at first": _rounded(before),
        **_judged(contents, paint_before, painter_of(look, statistics, engine), paintings, seen, tell),
        "settings": {"keys": portable(settings.keys), "match": portable(settings.match)},
    }
    facts = {
        **first.facts,
        "name": name or output.stem,
        **gathered.facts,
        "made": "fine-tuned",
        "made_by": f"scumble {__version__}",
        "training": training,
    }
    look = replace(with_reference(look, reference_statistics(look)), shot=statistics, facts=facts)
    matcher.take(load_file(folder / BEST))
    sheet.write(folder)
    _write_report(folder, look, matcher, taught)
    with written_whole(folder / CARD) as part:
        part.write_text(json.dumps(training, indent=1) + "\n", "utf-8")
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
    material, begun_with = Material([plate], pictures, options), {"minutes": minutes, "start": INSTANT}
    same = begun_with_the_same(material, folder, begun_with)
    if output.exists():
        if same:
            tell(note(f"{output} was refined for this shot before, and is used again"))
            return Look.load(output)
        if not overwrite:
            raise BadOutput(f"{output}: another look is there; give --overwrite to refine anew, or name another output")
    settings = load(shipped("data") / "look.toml", RefineSettings)
    settings = replace(settings, match=replace(settings.match, minutes=minutes))
    resume = same and (folder / JOURNAL).exists() and not (folder / CARD).exists()
    gathered = gather(material, folder, begun_with, tell, resume)
    return refine_look(gathered, output, folder, settings, tell=tell, resume=resume, again="the same command")


def _frames(contents: Dataset, split: str, most: int) -> list[Pixels]:
    """Pictures spread through a split, at the size at which a render shows them to the network."""
    records = contents.of("content", split)
    pictures = (contents.decoded(records[i]) for i in spread(range(len(records)), most))
    return [resized(to_pixels(picture), size_at(picture.size)) for picture in pictures]


def _worth_painting(frames: Sequence[Pixels], features: Features) -> list[int]:
    """Numbers of the frames to paint; first the one that shows most of the show."""
    small = {number: at_lines(pixels) for number, pixels in enumerate(frames)}
    return [s.number for s in suggest_among(small, (), MOST_KEYS, features)[1]]


def _painted(
    keys: KeyFrames, order: Sequence[int], settings: RefineSettings, begun: bool, began: float
) -> dict[int, Pixels]:
    """Paintings by number: one, and others while a share of the time lasts; of a run that goes on, those it has."""
    minutes, steps = settings.match.minutes, settings.match.steps
    most = MOST_KEYS if minutes else min(MOST_KEYS, 1 + steps // STEPS_A_KEY)
    painted: dict[int, Pixels] = {}
    for number in order[:most]:
        if painted and not keys.is_painted(number):
            spent = time.monotonic() - began
            of_each = spent / len(painted)
            if begun or (minutes and spent + of_each > 60 * PAINTING * minutes):
                break
        painted[number] = keys.paint(number)
    return painted


def _of_show(look: Look, frames: Sequence[Pixels]) -> ShotStatistics:
    """Statistics of all frames together; they may be of several sizes."""
    height, width = (min(CROP, *(max(32, f.shape[axis] // 32 * 32) for f in frames)) for axis in (0, 1))
    return frame_statistics(replace(look, shot=None), frames, len(frames), crop=(height, width))


class _Sheet:
    """Frames of the show: the plate, the look that was started from, and what the weights paint now."""

    def __init__(self, matcher: Matcher, frames: Sequence[Pixels], before: metrics.Fixed) -> None:
        self.matcher = matcher
        self.rows = [(pixels, before(pixels)) for pixels in frames]

    def write(self, run: Path) -> None:
        """Write the sheet of this step into the folder of previews."""
        step = self.matcher.steps
        rows = [
            beside([("plate", plate), ("before", before), (f"step {step}", self.matcher.painted(plate))])
            for plate, before in self.rows
        ]
        sheet = Frame(step, np.concatenate(rows), DISPLAY)
        write_picture(run / PREVIEWS / f"{step:07d}.jpg", sheet, WriterSettings(quality=92))


def _judged(
    contents: Dataset,
    before: metrics.Fixed,
    now: metrics.Fixed,
    paintings: Sequence[Pixels],
    features: Features,
    tell: Listener,
) -> dict[str, Any]:
    """Style and content of frames of val and test, before (`start`) and now, as renders paint them."""
    maps = [features(painting) for painting in paintings]
    # all paintings as one picture of as many places: style is what they have together
    style = {name: np.concatenate([m[name].reshape(len(m[name]), 1, -1) for m in maps], axis=2) for name in maps[0]}
    judged: dict[str, Any] = {"start": {}}
    for split in ("val", "test"):
        frames = _frames(contents, split, JUDGED)
        plates = [features(frame) for frame in frames]
        figures = []
        for paint in (before, now):
            painted = [features(paint(frame)) for frame in frames]
            of_style = np.mean([metrics.style_distance(p, style) for p in painted])
            of_content = np.mean([metrics.content_distance(p, x) for p, x in zip(painted, plates, strict=True)])
            figures.append({"style": round(float(of_style), 4), "content": round(float(of_content), 4)})
        judged["start"][split], judged[split] = first, last = figures
        words = ", ".join(f"{name} {last[name]:.3f} (before {first[name]:.3f})" for name in last)
        tell(said(f"{split}: {words}"))
    return judged


def _write_report(folder: Path, look: Look, matcher: Matcher, taught: Sequence[Key]) -> None:
    rows = [
        (
            f"key frame {key.number}",
            [("plate", key.plate), ("painted", key.painted), ("learned", matcher.painted(key.plate))],
        )
        for key in taught
    ]
    training = look.facts["training"]
    lead = (
        f"{training['step']:,} steps in {training['seconds'] / 60:.1f} minutes on {', '.join(look.facts['content'])}."
    )
    write_match_report(folder, look, lead, rows)


def _rounded(figures: Figures) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures._asdict().items()}
