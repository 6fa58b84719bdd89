"""From painted key frames on disk to a look: what is read, checked, trained, shown and written."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from safetensors.numpy import load_file, save

from scumble import __version__
from scumble.baking import as_style, look_of_pixels, picture_hash, reference_statistics, shot_statistics
from scumble.carrying import Carrier, Left, PaintedKey
from scumble.colour import DISPLAY, LUMA, linear_to_srgb, to_working
from scumble.errors import BadInput, BadPlate
from scumble.files import check_writable, written_whole
from scumble.frames import Frame, Pixels, format_frames, spread
from scumble.look import Look, with_reference
from scumble.matte import Matte
from scumble.media import Plate, PlateOptions, WriterSettings, open_plate
from scumble.media.movie import MoviePlate
from scumble.media.stills import StillsPlate, write_picture
from scumble.nn import checkpoint
from scumble.nn.arithmetic import dtype_of
from scumble.nn.generator import Generator
from scumble.nn.perceptual import PerceptualFeatures
from scumble.ocio import Colours
from scumble.plan import LINES
from scumble.train.loop import Signals, device_of
from scumble.train.match_report import write_match_report
from scumble.train.matching import Figures, Key, Matcher, MatchSettings
from scumble.train.report import JOURNAL, read_journal
from scumble.upsampling import resized
from scumble.weights import vgg_path

FREE = 12  # frames that nobody painted and that hold the look
SHOWN = 5  # frames of a preview
SHAPE = 0.02  # most that a key's proportions may differ from the plate's
MOVED = 2.0  # pixels of 360 lines that a key may lie beside its plate before it is said
UNSURE = 2.5  # pixels by which strokes themselves may mislead the measurement
FACTORS = (1.0, 1.04, 1.08, 1.12, 1.17, 1.22, 1.28, 1.34, 1.41, 1.5, 1.6, 1.75)  # at which a cropped key is looked for
ENLARGED = 0.18  # from which one at another size does, where it is also twice that at its own
SURE = 0.12  # from which a correlation of edges says something: right pairs have 0.3, wrong ones less than 0.09
PREVIEW_SECONDS = 60.0
COMPARED = 24  # frames on which a look that goes on is compared with what it was
Paints = Callable[[int, Pixels], Pixels]
RESUME, BEST, BEFORE = "match.safetensors", "best.safetensors", "before.look"


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
    say: Callable[[str], None] = print,
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
    height = plate.size[1]
    if start is not None and start.shot is not None:  # what it has learned, it has learned at those
        learned = start.facts.get("training", {}).get("lines")
        lines = learned if lines is None and isinstance(learned, int) else lines
    lines = min(height, LINES) if lines is None else lines or height
    size = (max(32, round(plate.size[0] * lines / height)), max(32, lines))
    keys = [_key(plate, number, path, size, matte, painted_space, say) for number, path in painted]
    check_writable(output)
    sources = [
        {"picture": path.name, "sha256": picture_hash(path), "frame": number, "weight": 1.0} for number, path in painted
    ]
    first = start or look_of_pixels([as_style(key.painted) for key in keys], [1.0] * len(keys), name, sources)
    if first.shot is not None:
        _compare_keys(first, sources, say)
    statistics = shot_statistics(first, plate, size)
    others = [n for n in plate.numbers if n not in numbers]
    unpainted = [(frame.number, _seen(frame, size)) for frame in plate.read(spread(others, FREE))]
    free = [pixels for _, pixels in unpainted]
    if not free:
        say(f"note: {plate.path.name} has no frame that nobody painted: nothing holds the look anywhere else")
    else:
        _compare_frames(keys, unpainted, say)
    dtype = dtype_of(settings.precision, device_of(settings.device))
    features = PerceptualFeatures.load(vgg or vgg_path(), "relu4_1", dtype)
    matcher = Matcher(first, statistics, keys, free, settings, features)
    shown = [(frame.number, _seen(frame, size)) for frame in plate.read(spread(plate.numbers, SHOWN))]
    taught = hashlib.sha256()  # plate, painting, colour space and matte, as they teach
    for array in (*(part for key in keys for part in key[1:]), *free):
        taught.update(np.ascontiguousarray(array).tobytes())
    identity = {"taught": taught.hexdigest(), "start": first.hash, "settings": _lasting(settings)}
    before = matcher.figures()
    kept = tuple(PaintedKey.of(key.number, *key[1:]) for key in sorted(keys)) if carry else ()
    plates = {key.number: key.plate for key in keys}
    earlier = [key.number for key in first.keys if key.number in plate.numbers and key.number not in plates]
    plates |= {frame.number: _seen(frame, size) for frame in plate.read(earlier)}
    shows = Shows(matcher, shown, kept, plates)
    best, seconds = _trained(matcher, run, identity, shows, before, say, overwrite, first.shot is not None)
    matcher.take(load_file(run / BEST))
    shows.write(run)
    now, then = shows.painter(matcher.ema, kept), shows.painter(matcher.start, first.keys)
    changes: dict[int, float] = {}
    (run / BEFORE).unlink(missing_ok=True)
    if first.shot is not None:
        first.save(run / BEFORE)
        changes = _changes(then, now, plate, size)
        say(_in_words(changes))
    facts = {
        **first.facts,
        "name": name or first.name,
        "made": "matched",
        "made_by": f"scumble {__version__}",
        "sources": sources,
        "training": {
            "step": matcher.steps,
            "seconds": round(seconds, 1),
            "held out": _named(best),
            "held out at first": _named(before),
            **({"changes": {str(n): round(v, 2) for n, v in changes.items()}} if changes else {}),
            "plate": plate.path.name,
            "frames": str(plate.frame_range),
            "lines": lines,
            "settings": _portable(settings),
        },
    }
    look = Look(first.architecture, dict(load_file(run / BEST)), first.palette, None, None, facts)
    look = replace(with_reference(look, reference_statistics(look)), shot=statistics, keys=kept)
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
    write_match_report(run, look, pictures, changes)
    return look


def _compare_keys(first: Look, sources: Sequence[Mapping[str, Any]], say: Callable[[str], None]) -> None:
    """Say what a look that was matched before learned from and is not given any more."""
    given = {source["frame"] for source in sources}
    for source in first.facts.get("sources", []):
        if "frame" in source and source["frame"] not in given:
            say(f"note: {first.name} was matched to frame {source['frame']} too, which is not given now")


def _changes(then: Paints, now: Paints, plate: Plate, size: tuple[int, int]) -> dict[int, float]:
    """Mean absolute difference x 255 between the painting as it was and as it is, by frame."""
    found = {}
    for frame in plate.read(spread(plate.numbers, COMPARED)):
        pixels = _seen(frame, size)
        before, after = (paint(frame.number, pixels).clip(0, 1) for paint in (then, now))
        found[frame.number] = 255 * float(np.abs(after - before).mean())
    return found


def _in_words(changes: Mapping[int, float]) -> str:
    ranked = sorted(changes, key=lambda n: -changes[n])
    most = ", ".join(f"{n} by {changes[n]:.1f}" for n in ranked[:3])
    return (
        f"against the look before, mean absolute difference x 255: {np.mean(list(changes.values())):.1f} over"
        f" {len(changes)} frames; most in {most}; least in {ranked[-1]} by {changes[ranked[-1]]:.1f}"
    )


def _named(figures: Figures) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures._asdict().items()}


def _trained(
    matcher: Matcher,
    run: Path,
    identity: Mapping[str, Any],
    shows: Shows,
    before: Figures,
    say: Callable[[str], None],
    overwrite: bool,
    goes_on: bool,
) -> tuple[Figures, float]:
    """Train to the end of the schedule or until nothing gets better; figures of the best, and seconds spent."""
    s = matcher.settings
    run.mkdir(parents=True, exist_ok=True)
    best, best_at, spent, last_progress = before, 0, 0.0, 0.0
    known = checkpoint.load(run / RESUME)[1] if (run / RESUME).is_file() else {}
    same, finished = known.get("match") == identity, bool(known.get("finished"))
    # a finished one has its look; it is replaced by one that goes on from that
    if known and not same and not overwrite and not (finished and goes_on):
        raise BadInput(f"{run}: holds a match with other keys or settings; give another --run, or --overwrite")
    if same and not (overwrite and finished):
        facts = matcher.load(run / RESUME)
        best, best_at, spent = Figures(*facts["best"]), int(facts["best_at"]), float(facts["seconds"])
        limits = (s.minutes, s.steps)
        last_progress = float(facts["progress"]) if facts["limits"] == list(limits) else 0.0
        _forget_after(run / JOURNAL, matcher.steps)
        if not finished:
            say(f"going on at step {matcher.steps}")
    else:
        finished = False
        (run / JOURNAL).unlink(missing_ok=True)
        shutil.rmtree(run / "previews", ignore_errors=True)
        _keep(run, matcher)
    began = shown_at = time.monotonic()
    shows.write(run)

    def progress() -> float:
        by_time = (spent + time.monotonic() - began) / (60 * s.minutes) if s.minutes else 0.0
        return max(last_progress, matcher.steps / s.steps, by_time)

    def save(at_end: bool = False) -> None:
        matcher.save(
            run / RESUME,
            {
                "match": identity,
                "finished": at_end,
                "limits": [s.minutes, s.steps],
                "best": list(best),
                "best_at": best_at,
                "seconds": spent + time.monotonic() - began,
                "progress": progress() if s.minutes else 0.0,
            },
        )

    with Signals() as signals, (run / JOURNAL).open("a", encoding="utf-8") as journal:

        def look_at(terms: Mapping[str, float]) -> None:
            nonlocal best, best_at
            found = matcher.figures()
            if found.score < best.score:
                best, best_at = found, matcher.steps
                _keep(run, matcher)
            line = {"step": matcher.steps, **terms, **{f"held out {k}": v for k, v in found._asdict().items()}}
            journal.write(json.dumps(line) + "\n")
            journal.flush()
            words = "  ".join(f"{k} {v:.3f}" for k, v in found._asdict().items())
            mark = "  best" if best_at == matcher.steps else ""
            say(f"step {matcher.steps}  {progress():.0%}  held out: {words}{mark}")

        terms: dict[str, float] = {}
        while not finished and (done := progress()) < 1:
            if signals.asked:
                save()
                say(f"stopped at step {matcher.steps}; the same command goes on")
                raise SystemExit(128 + signals.asked)
            terms = matcher.step(done)
            if matcher.steps % s.check_every == 0:
                look_at(terms)
                waited = (matcher.steps - best_at) / matcher.steps * done  # as a share of the whole run
                if waited > s.patience:
                    say(f"nothing has got better since step {best_at}")
                    break
            if time.monotonic() - shown_at > PREVIEW_SECONDS:
                shows.write(run)
                save()
                shown_at = time.monotonic()
        if matcher.steps % s.check_every and not finished:
            look_at(terms)
    save(at_end=True)
    return best, spent + time.monotonic() - began


class Shows:
    """Frames of the shot as a render would give them, with the weights of the moment."""

    def __init__(
        self,
        matcher: Matcher,
        shown: Sequence[tuple[int, Pixels]],
        kept: Sequence[PaintedKey],
        plates: Mapping[int, Pixels],
    ) -> None:
        self.matcher, self.shown, self.kept, self.plates = matcher, shown, kept, plates

    def painter(self, generator: Generator, keys: Sequence[PaintedKey]) -> Paints:
        """How a generator paints a numbered frame (H, W, 3) with these key frames carried along."""
        left = []
        for key in keys:
            if key.number in self.plates:
                plate = self.plates[key.number]
                own = self.matcher.painted(plate, generator)
                size = (plate.shape[1], plate.shape[0])
                painted, weight = (resized(p, size).reshape(*size[::-1], -1) for p in (key.painted, key.weight))
                height, width = own.shape[:2]  # cut to the stride
                missing = weight[:height, :width] * (painted[:height, :width] - own)
                left.append(Left(key.number, plate[:height, :width], missing))
        carrier = Carrier(left)

        def paint(number: int, pixels: Pixels) -> Pixels:
            own = self.matcher.painted(pixels, generator)
            return carrier(number, pixels[: own.shape[0], : own.shape[1]], own)

        return paint

    def write(self, run: Path) -> None:
        """Previews of the averaged weights, in the run's folder."""
        paint = self.painter(self.matcher.ema, self.kept)
        for number, pixels in self.shown:
            picture = Frame(number, paint(number, pixels), DISPLAY)
            write_picture(run / "previews" / f"{number:04d}.jpg", picture, WriterSettings(quality=92))


def _forget_after(journal: Path, step: int) -> None:
    """Leave out of a journal what a run that goes on will see again."""
    kept = [line for line in read_journal(journal) if line["step"] <= step]
    with written_whole(journal) as part:
        part.write_text("".join(json.dumps(line) + "\n" for line in kept), "utf-8")


def _keep(run: Path, matcher: Matcher) -> None:
    with written_whole(run / BEST) as part:
        part.write_bytes(save({k: np.ascontiguousarray(v) for k, v in matcher.weights().items()}))


def _key(
    plate: Plate,
    number: int,
    path: Path,
    size: tuple[int, int],
    matte: Matte | None,
    space: str,
    say: Callable[[str], None],
) -> Key:
    """A painted frame and its plate in the working space at the network's size. Raises BadInput, BadPlate."""
    if number not in plate.numbers:
        raise BadInput(
            f"{path}: frame {number} is not in {plate.path.name} ({format_frames(plate.numbers[:50])});"
            f" write --painted FRAME={path.name} with the frame that it was painted over"
        )
    source = open_plate(path, options=PlateOptions("", space, Colours()))
    if isinstance(source, MoviePlate) or not isinstance(source, StillsPlate) or source.kind != "still":
        raise BadInput(f"{path}: a painted key frame is one picture; name a still")
    (painted,), (frame,) = source.read(source.numbers), plate.read([number])
    own, theirs = source.size, plate.size
    if abs(own[0] / own[1] - theirs[0] / theirs[1]) > SHAPE * theirs[0] / theirs[1]:
        raise BadPlate(
            f"{path}: the key is {own[0]}x{own[1]}, the plate {theirs[0]}x{theirs[1]}; paint over the whole frame"
        )
    if own != theirs:
        say(f"note: {path.name} is {own[0]}x{own[1]}, the plate {theirs[0]}x{theirs[1]}: brought to its size")
    working = to_working(frame.pixels, frame.colour_space)
    pixels = resized(painted.pixels, theirs)
    if painted.colour_space.kind == "display":
        target = painted.colour_space.to_reference(pixels)
        if working.gain is not None:
            say(f"note: {path.name} is {painted.colour_space}, the plate {plate.colour_space}: taken as it is seen")
    else:
        linear = painted.colour_space.to_reference(pixels)
        gain = np.float32(1) if working.gain is None else working.gain
        target = linear_to_srgb((np.maximum(linear, 0) / gain).astype(np.float32))
    weight = np.ones((*theirs[::-1], 1), np.float32) if matte is None else matte.of(number)
    if painted.alpha is not None and painted.alpha.min() < 1:
        say(f"note: {path.name} has alpha: what is transparent teaches nothing")
        weight = weight * resized(painted.alpha, theirs).reshape(weight.shape)
    weight = weight * (~working.bad[:, :, None]) * np.isfinite(target).all(axis=2, keepdims=True)
    if weight.max() < 0.5:
        raise BadInput(f"{path}: frame {number}: its matte or alpha is empty, there is nothing to learn from")
    seen, wanted = resized(working.pixels, size), resized(np.nan_to_num(target).astype(np.float32), size)
    said = _beside(alignment(seen, wanted), alignment(seen, wanted, (1.0,)), size, theirs)
    if said:
        say(f"note: {path.name} {said} frame {number}; check the number and that it was not moved or cropped")
    small = resized(weight.astype(np.float32), size).reshape(size[1], size[0])
    return Key(number, seen, wanted, np.clip(small, 0, 1).astype(np.float32))


class Alignment(NamedTuple):
    """How a painting lies on its plate: enlarged by a factor, pixels right and down; how surely, from 0 to 1."""

    factor: float
    right: float
    down: float
    sure: float


def alignment(plate: Pixels, painted: Pixels, factors: Sequence[float] = FACTORS) -> Alignment:
    """Where the edges of a painting (H, W, 3) meet those of its plate: phase correlation, at several enlargements."""
    height, width = painted.shape[:2]
    window, own = cv2.createHanningWindow((width, height), cv2.CV_32F), _edges(painted)
    found = []
    for factor in factors:
        large = resized(plate, (round(width * factor), round(height * factor)))
        top, left = (large.shape[0] - height) // 2, (large.shape[1] - width) // 2
        (x, y), sure = cv2.phaseCorrelate(_edges(large[top : top + height, left : left + width]), own, window)
        found.append(Alignment(factor, float(x), float(y), float(sure)))
    return max(found, key=lambda a: a.sure)


def _edges(picture: Pixels) -> Pixels:
    luma = cv2.GaussianBlur(np.ascontiguousarray(picture @ np.asarray(LUMA, np.float32)), (0, 0), 2.0)
    gradient = np.hypot(cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1))
    return np.sqrt(gradient).astype(np.float32)


def _beside(found: Alignment, straight: Alignment, size: tuple[int, int], full: tuple[int, int]) -> str:
    """What is to be said of an alignment at `size`, in pixels of `full`; nothing where edges tell nothing."""
    if found.factor > 1 and found.sure > max(ENLARGED, 2 * straight.sure):
        return f"looks like a part, enlarged by about {found.factor:.2f}, of"
    if straight.sure > SURE and np.hypot(straight.right, straight.down) > max(UNSURE, MOVED * size[1] / 360):
        right, down = straight.right * full[0] / size[0], straight.down * full[1] / size[1]
        return f"seems to lie {right:+.0f} pixels across and {down:+.0f} down beside"
    return ""


def _compare_frames(keys: Sequence[Key], others: Sequence[tuple[int, Pixels]], say: Callable[[str], None]) -> None:
    """Say where a key's edges meet those of another frame far better than those of its own."""
    for key in keys:
        own = alignment(key.plate, key.painted, (1.0,)).sure
        number, best = max(((n, alignment(p, key.painted, (1.0,))) for n, p in others), key=lambda f: f[1].sure)
        if best.sure > max(1.5 * own, SURE) and np.hypot(best.right, best.down) < 2:
            say(f"note: the key of frame {key.number} fits frame {number} far better; check its number")


def _seen(frame: Frame, size: tuple[int, int]) -> Pixels:
    return resized(to_working(frame.pixels, frame.colour_space).pixels, size)


def _portable(settings: MatchSettings) -> dict[str, Any]:
    values = asdict(settings)
    return {k: v for k, v in values.items() if k not in ("device", "threads")}


def _lasting(settings: MatchSettings) -> dict[str, Any]:
    """What must be the same for a match to go on: all but how long."""
    return {k: v for k, v in _portable(settings).items() if k not in ("minutes", "steps")}
