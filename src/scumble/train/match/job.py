"""From painted key frames on disk to a look: what is read, checked, trained, shown and written."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from scumble.core.downloads import vgg_path
from scumble.core.errors import BadInput
from scumble.core.files import check_writable
from scumble.core.frames import Pixels, spread
from scumble.core.progress import Listener, ignore, note, said
from scumble.core.version import __version__
from scumble.look.look import Look, with_reference
from scumble.look.making import as_style, look_of_pixels, picture_hash
from scumble.look.painted_frame import PaintedFrame
from scumble.look.statistics import reference_statistics, shot_statistics
from scumble.media.plate import Plate
from scumble.shot.matte import Matte
from scumble.train.journal import BEST
from scumble.train.machine import device_of
from scumble.train.match.check_keys import at_network_size, compare_frames, compare_keys, key_of, network_size
from scumble.train.match.match_run import MatchRun
from scumble.train.match.matcher import Figures, Key, Matcher
from scumble.train.match.previews import Shows, changes_between, changes_in_words
from scumble.train.match.report import write_match_report
from scumble.train.match.settings import MatchSettings
from scumble.train.nn.arithmetic import dtype_of
from scumble.train.nn.perceptual import PerceptualFeatures
from scumble.train.settings import MachineSettings

FREE = 12  # unpainted frames that keep the look from drifting

SHOWN = 5  # frames of a preview

BEFORE = "before.look"


def match_look(
    plate: Plate,
    painted: Sequence[tuple[int, Path]],
    output: Path,
    settings: MatchSettings,
    run: Path,
    matte: Matte | None = None,
    start: Look | None = None,
    painted_space: str = "",
    name: str = "",
    lines: int | None = None,
    vgg: Path | None = None,
    tell: Listener = ignore,
    overwrite: bool = False,
    carry: bool = True,
) -> Look:
    """Train a look on painted key frames of a plate and write it to `output`.

    With `carry` the look keeps the painted frames, which renders of the shot then carry along it.

    `run` is the folder of the journal, previews and checkpoint; a match that was stopped goes on there with
    the same keys, others need `overwrite`. `lines` are those at which the network sees the plate. Raises
    BadInput naming the key and what is wrong with it.
    """
    device_of(settings.device)
    numbers = [number for number, _ in painted]
    twice = next((n for n in numbers if numbers.count(n) > 1), None)
    if not painted or twice is not None:
        raise BadInput("give painted key frames" if twice is None else f"frame {twice} was painted twice; give it once")
    if start is not None and start.shot is not None:  # it goes on at the lines at which it has learned
        learned = start.facts.get("training", {}).get("lines")
        lines = learned if lines is None and isinstance(learned, int) else lines
    size = network_size(plate, lines)
    keys = [key_of(plate, number, path, size, matte, painted_space, tell) for number, path in painted]
    check_writable(output)
    sources = [
        {"picture": path.name, "sha256": picture_hash(path), "frame": number, "weight": 1.0} for number, path in painted
    ]
    first = start or look_of_pixels([as_style(key.painted) for key in keys], [1.0] * len(keys), name, sources)
    # an artist may keep any detail of the plate and make any mark: the network must see and draw it
    first = replace(first, architecture=replace(first.architecture, simplified=0, dabbed=0))
    if first.shot is not None:
        compare_keys(first, sources, tell)
    statistics = shot_statistics(first, plate, size)
    others = [n for n in plate.numbers if n not in numbers]
    unpainted = [(frame.number, at_network_size(frame, size)) for frame in plate.read(spread(others, FREE))]
    free = [pixels for _, pixels in unpainted]
    if not free:
        tell(note(f"{plate.path.name} has no frame that nobody painted: nothing holds the look anywhere else"))
    else:
        compare_frames(keys, unpainted, tell)
    dtype = dtype_of(settings.precision, device_of(settings.device))
    features = PerceptualFeatures.load(vgg or vgg_path(), "relu4_1", dtype)
    matcher = Matcher(first, statistics, keys, free, settings, features)
    shown = [(frame.number, at_network_size(frame, size)) for frame in plate.read(spread(plate.numbers, SHOWN))]
    identity = identity_of(first, keys, free, settings)
    before = matcher.figures()
    kept = tuple(PaintedFrame.of(key.number, *key[1:]) for key in sorted(keys)) if carry else ()
    plates = {key.number: key.plate for key in keys}
    earlier = [key.number for key in first.painted_frames if key.number in plate.numbers and key.number not in plates]
    plates |= {frame.number: at_network_size(frame, size) for frame in plate.read(earlier)}
    shows = Shows(matcher, shown, kept, plates)
    learning = MatchRun(run, matcher, identity, shows, tell)
    best = learning.learn(before, overwrite, goes_on=first.shot is not None)
    matcher.take(load_file(run / BEST))
    shows.write(run)
    now, then = shows.painter(matcher.ema, kept), shows.painter(matcher.start, first.painted_frames)
    changes: dict[int, float] = {}
    (run / BEFORE).unlink(missing_ok=True)
    if first.shot is not None:
        first.save(run / BEFORE)
        changes = changes_between(then, now, plate, size)
        tell(said(changes_in_words(changes)))
    facts = {
        **first.facts,
        "name": name or first.name,
        "made": "matched",
        "made_by": f"scumble {__version__}",
        "sources": sources,
        "training": {
            "step": matcher.steps,
            "seconds": round(learning.clock.seconds, 1),
            "held out": _named(best),
            "held out at first": _named(before),
            **({"changes": {str(n): round(v, 2) for n, v in changes.items()}} if changes else {}),
            "plate": plate.path.name,
            "frames": str(plate.frame_range),
            "lines": size[1],
            "settings": portable(settings),
        },
    }
    look = Look(first.architecture, dict(load_file(run / BEST)), first.palette, None, None, facts)
    look = replace(with_reference(look, reference_statistics(look)), shot=statistics, painted_frames=kept)
    look.save(output)
    pictures = [
        (f"key {key.number}", [("plate", key.plate), ("painted", key.painted), ("learned", matcher.painted(key.plate))])
        for key in keys
    ] + [
        (
            f"frame {n}, which nobody painted",
            [("plate", p), ("before", then(n, p)), ("matched", now(n, p))],
        )
        for n, p in shown
        if n not in numbers
    ]
    length = f"{matcher.steps:,} steps in {learning.clock.seconds / 60:.1f} minutes"
    write_match_report(run, look, f"{length} on {plate.path.name}, frames {plate.frame_range}.", pictures, changes)
    return look


def _named(figures: Figures) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures._asdict().items()}


def identity_of(first: Look, keys: Sequence[Key], free: Sequence[Pixels], settings: MatchSettings) -> dict[str, Any]:
    """What tells one match from another: all that teaches, the look that it starts from, settings except its length."""
    taught = hashlib.sha256()
    for array in (*(part for key in keys for part in key[1:]), *free):
        taught.update(np.ascontiguousarray(array).tobytes())
    lasting = {k: v for k, v in portable(settings).items() if k not in ("minutes", "steps")}
    return {"taught": taught.hexdigest(), "start": first.hash, "settings": lasting}


def portable(settings: MachineSettings) -> dict[str, Any]:
    """Settings as plain values, without those that belong to one machine."""
    return {k: v for k, v in asdict(settings).items() if k not in ("device", "threads")}
