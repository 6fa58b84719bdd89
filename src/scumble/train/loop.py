"""The training loop: a run in its folder, from the first batch to the report; `trainer` holds a step."""

from __future__ import annotations

import json
import math
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from scumble.baking import as_style
from scumble.errors import BadInput, BadOutput, BadSettings, TrainingFailed
from scumble.files import not_written, written_whole
from scumble.frames import spread
from scumble.network import SEEN
from scumble.nn import checkpoint, files
from scumble.nn.arithmetic import dtype_of
from scumble.nn.perceptual import PerceptualFeatures
from scumble.palette import Palette, recolouring
from scumble.train.batches import Batches
from scumble.train.dataset import Dataset, Pixels, centre_crop, to_batch, to_pixels
from scumble.train.evaluation import evaluate
from scumble.train.one_style import palette_of, pictures_of
from scumble.train.report import GRIDS, JOURNAL, PREVIEWS, read_journal, write_report
from scumble.train.settings import TrainSettings
from scumble.train.style_set import StyleSet, style_set_of, style_set_of_one
from scumble.train.trainer import Trainer
from scumble.weights import shipped_vgg

BEST, RESUME, TRAVEL = "best.safetensors", "resume.safetensors", "travel.safetensors"
CARD, BOARD = "card.json", "tensorboard"
PREVIEWED = 3  # pictures of a preview
PREVIEW_LINES = 540  # at most, of each


@dataclass(frozen=True)
class Done:
    """How a run ended: steps in all, figures on val of the best checkpoint and on test, its file."""

    steps: int
    best: dict[str, float]
    test: dict[str, float]
    weights: Path
    start: dict[str, dict[str, float]]
    """Figures of the weights that it started from, by split; empty where it started from nothing."""


def evaluation_pairs(
    dataset: Dataset, split: str, count: int, side: int, style: Path | None
) -> list[tuple[Pixels, Pixels]]:
    """`count` pairs of a content of `side` and a style as `look make` sees it, the same at every call."""
    contents = dataset.of("content", split)
    if style is not None:
        shown = pictures_of(style, split, count)
    else:
        styles = dataset.of("style", split)
        shown = [dataset.picture(styles[i * 5 % len(styles)]) for i in range(count)]
    pairs = []
    for i in range(count):
        content = centre_crop(dataset.picture(contents[i * 7 % len(contents)]), side)
        pairs.append((content, as_style(to_pixels(shown[i % len(shown)]))))
    return pairs


def train(
    settings: TrainSettings,
    resume: Path | None = None,
    features: PerceptualFeatures | None = None,
    say: Callable[[str], None] = print,
    stop_at: int | None = None,
    overwrite: bool = False,
    again: str = "",
) -> Done | None:
    """Train to the end of the schedule; `settings.run.output` receives checkpoints, scalars, grids, card and report.

    `resume` is a checkpoint, or the folder of a run, which begins anew where it has no checkpoint yet.
    From another folder than the output, the run so far is brought over. At step `stop_at`, or on SIGINT
    and SIGTERM, the run is saved after the step in hand and None is returned, or SystemExit raised: going
    on from there gives the same bits as never having stopped (CPU, one precision and thread count, a
    schedule in steps). `again` are the words by which the caller's user goes on. Raises BadOutput for a
    folder that holds a run already, TrainingFailed on a non-finite loss, naming the last good checkpoint.
    """
    run, plan = settings.run, settings.schedule
    output = run.output
    again = again or f"--resume {output}"
    best_file, resume_file = output / BEST, output / RESUME
    resume = _checkpoint_of(resume, say)
    going_on = resume is not None and resume.resolve().parent == output.resolve()
    if not going_on and not overwrite:
        refuse_a_run(output, again)
    dataset = Dataset(settings.data.dataset, settings.data.few)
    own_palette = None if settings.data.style is None else palette_of(settings.data.style)
    pairs = {
        split: evaluation_pairs(dataset, split, run.evaluate_pairs, run.evaluate_side, settings.data.style)
        for split in ("val", "test")
    }
    features = features or features_of(settings)
    trainer = Trainer(settings, styles_of(dataset, settings, features, say), features)
    if trainer.uncompiled:
        say("note: no C++ compiler was found: steps take about twice as long; install g++, or set run.compiled=false")
    if trainer.device.type == "cpu" and run.precision == "auto" and trainer.generator.dtype == torch.float32:
        say("note: this processor does not multiply in bfloat16: steps are in float32 and take longer")
    if resume is not None:
        trainer.load(resume)
    batches = Batches(
        dataset,
        settings.data,
        trainer.styles,
        run.seed,
        plan.motion_from if settings.losses.motion else None,
        bool(settings.losses.adversarial) or settings.losses.style_kind == "gram",
    )
    with _written(output):
        output.mkdir(parents=True, exist_ok=True)
        for left in output.glob(".*.part*"):  # of a run that was killed while it wrote
            left.unlink()
        if not going_on:
            _clear(output)
            if resume is not None:
                _bring(resume.parent, output)

    def save() -> None:
        trainer.save_resume(resume_file)
        trainer.save_travel(output / TRAVEL)

    with (
        _Journal(output, trainer.steps) as journal,
        closing(batches.stream(trainer.steps)) as stream,
        Signals() as signals,
    ):
        best: dict[str, float] = {}
        best_at = 0
        if resume is not None and best_file.is_file():
            known = checkpoint.load(best_file)[1]
            best, best_at = dict(known.get("val", {})), int(known.get("best_at", known.get("step", 0)))

        def look_at(split: str) -> dict[str, float]:
            seen = evaluate(
                trainer.ema,
                trainer.features,
                pairs[split],
                settings.generator.palette,
                run.composite_style,
                style_palette=own_palette,
                goal=None if own_palette is None else trainer.styles.goals.moments,
            )
            journal.figures(trainer.steps, split, seen.figures, seen.grid)
            return seen.figures

        def keep(figures: dict[str, float]) -> dict[str, float]:
            nonlocal best_at
            known = best.get("composite", math.nan)
            if math.isfinite(known) and not figures["composite"] < known:  # so that NaN never wins
                return best
            if best and figures["content"] > limit:
                return best
            best_at = trainer.steps
            files.save_generator(best_file, trainer.ema, trainer.facts() | {"val": figures})
            return figures

        limit = math.inf  # of val's content figure
        start = journal.start
        if settings.generator.start is not None and not start and trainer.steps == 0:
            start = {split: look_at(split) for split in ("val", "test")}
            best = keep(start["val"])
        # where the start's figure is not known, nothing is held
        if run.content_held and start:
            limit = start["val"]["content"] * (1 + run.content_held)

        contents = dataset.of("content", "train")
        shown = [dataset.picture(contents[i]) for i in spread(range(len(contents)), PREVIEWED)]

        def preview() -> None:
            if own_palette is None or trainer.generator.conditioning != "none":
                return  # of one style alone
            if run.preview_seconds:
                journal.preview(trainer.steps, painted_whole(trainer, shown, own_palette))

        if not going_on:
            preview()
        previewed = time.monotonic()
        last_good = str(resume) if resume is not None else "none yet"
        saved = evaluated = time.monotonic()
        since = trainer.steps
        pace = _Pace(trainer)
        for _, batch in stream:
            if trainer.progress >= 1:
                break
            if signals.asked or (stop_at is not None and trainer.steps >= stop_at):
                save()
                say(f"stopped at step {trainer.steps}, {trainer.progress:.0%}; go on with {again}")
                if signals.asked:
                    raise SystemExit(128 + signals.asked)
                return None
            try:
                report = trainer.step(batch)
            except TrainingFailed as error:
                raise TrainingFailed(f"{error}; the last good checkpoint is {last_good}") from None
            trainer.take_down(report)
            if trainer.steps % run.log_every == 0:
                journal.terms(trainer.steps, trainer.means())
            if trainer.steps % run.evaluate_every == 0:
                speed = (trainer.steps - since) / (time.monotonic() - evaluated)
                figures = look_at("val")
                best = keep(figures)
                evaluated, since = time.monotonic(), trainer.steps
                words = "  ".join(f"{k} {v:.3f}" for k, v in figures.items())
                say(f"step {trainer.steps}  {trainer.progress:.0%}  val: {words}  ({speed:.1f} steps/s)")
                waited = (trainer.steps - best_at) / trainer.steps * trainer.progress  # as a share of the whole run
                left_out = 1 - plan.decay - trainer.progress
                if plan.patience and waited > plan.patience and left_out > 0:
                    say(f"val has not got better since step {best_at}: on to the final decay")
                    trainer.skipped += left_out
            elif line := pace.line():
                say(line)
            if time.monotonic() - previewed > run.preview_seconds:
                preview()
                previewed = time.monotonic()
            if time.monotonic() - saved > 60 * run.save_minutes or (best and not resume_file.exists()):
                save()
                last_good, saved = str(resume_file), time.monotonic()
        best = keep(look_at("val"))
        save()
        files.load_generator_into(trainer.ema, best_file)
        preview()
        test = look_at("test")
    card = trainer.facts() | {"val": best, "best_at": best_at, "test": test, "pictures": _counts(dataset)}
    if start:
        card["start"] = start
    with written_whole(output / CARD) as part:
        part.write_text(json.dumps(card, indent=2), "utf-8")
    files.save_generator(best_file, trainer.ema, card)
    write_report(output)
    return Done(trainer.steps, best, test, best_file, start)


@torch.no_grad()
def painted_whole(trainer: Trainer, pictures: Sequence[Image.Image], style_palette: Palette) -> Tensor:
    """Whole pictures beside what the averaged weights make of them, one under the other: (3, H, W) in [0, 1].

    For a generator of one style; a picture's own statistics and colours stand in for its shot's.
    """
    stride = trainer.generator.architecture.stride
    rows = []
    for picture in pictures:
        factor = min(1.0, PREVIEW_LINES / picture.height)
        width, height = (max(stride, round(n * factor) // stride * stride) for n in picture.size)
        pixels = to_pixels(picture.resize((width, height), Image.Resampling.LANCZOS))
        x = torch.from_numpy(to_batch([pixels])).to(trainer.device)
        p = x
        if trainer.settings.generator.palette:
            matrix, offset = recolouring(Palette.measure(pixels), style_palette)
            t, o = (torch.from_numpy(a.astype(np.float32)).to(trainer.device) for a in (matrix, offset))
            p = torch.einsum("ij,njhw->nihw", t, x) + o.view(1, 3, 1, 1)
        y, _ = trainer.ema.measured(p, trainer.ema.look())
        rows.append(torch.cat([x[0], y[0].clamp(0, 1)], dim=2).cpu())
    widest = max(row.shape[2] for row in rows)
    return torch.cat([F.pad(row, (0, widest - row.shape[2])) for row in rows], dim=1)


def features_of(settings: TrainSettings) -> PerceptualFeatures:
    """The features network of a run, on its device. Raises BadSettings, BadLook."""
    run = settings.run
    if run.vgg is not None and settings.generator.conditioning == "style":
        raise BadSettings(
            f"{run.vgg}: a universal generator is told of styles by the shipped features; leave --vgg out"
        )
    device = device_of(run.device)
    features = PerceptualFeatures.load(run.vgg or shipped_vgg(), "relu4_1", dtype_of(run.precision, device))
    if features.widths != SEEN:
        raise BadSettings(f"{run.vgg}: not the layers of VGG-16 or VGG-19; take a file of scumble weights fetch")
    return features.to(device)


def styles_of(
    dataset: Dataset, settings: TrainSettings, features: PerceptualFeatures, say: Callable[[str], None] = lambda _: None
) -> StyleSet:
    """The styles that a run learns: those of the data set, or its one style."""
    device = next(features.buffers()).device
    if settings.data.style is not None:
        pictures = pictures_of(settings.data.style, "train")
        return style_set_of_one(pictures, settings.data, features, device, settings.run.seed)
    return style_set_of(dataset, settings.data, features, device, settings.run.seed, say)


def device_of(name: str) -> torch.device:
    """The device of that name, or the best for `auto`. Raises BadSettings where there is none such."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        words = str(error).splitlines()[0]
        raise BadSettings(f"device {name!r} cannot be used ({words}); give cpu, or auto") from error
    return device


class _Pace:
    """How fast a run goes and how long it will take, now and then: a log is not left silent between evaluations."""

    EVERY = 60.0  # seconds between lines; the first comes earlier
    FIRST = 10.0

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.steps, self.progress, self.began = trainer.steps, trainer.progress, time.monotonic()
        self.due = self.began + self.FIRST

    def line(self) -> str:
        """The line that is due, or nothing."""
        now, trainer = time.monotonic(), self.trainer
        if now < self.due:
            return ""
        self.due = now + self.EVERY
        spent, done = now - self.began, trainer.progress - self.progress
        speed = f"{(trainer.steps - self.steps) / spent:.1f} steps/s"
        left = f", {spent * (1 - trainer.progress) / done / 60:.0f} min left" if done > 0 else ""
        return f"step {trainer.steps}  {trainer.progress:.0%}  ({speed}{left})"


def refuse_a_run(folder: Path, again: str) -> None:
    """Raises BadOutput where a folder holds a run that would be lost."""
    if (folder / JOURNAL).exists() and not _only_begun(folder):
        raise BadOutput(f"{folder}: holds a run already; go on with {again}, or give --overwrite")


def _checkpoint_of(resume: Path | None, say: Callable[[str], None]) -> Path | None:
    """The checkpoint to go on from: the one given, or a run folder's exact one, else its travel one."""
    if resume is None or not resume.is_dir():
        if resume is not None and not resume.is_file():
            raise BadInput(f"{resume}: no such checkpoint; name {RESUME}, or the folder of a run")
        return resume
    for name in (RESUME, TRAVEL):
        if (resume / name).is_file():
            return resume / name
    if not _only_begun(resume):
        raise BadInput(f"{resume}: no run to go on with in this folder; name one that scumble train has written")
    say(f"{resume}: no checkpoint yet, beginning anew")
    return None


def _only_begun(folder: Path) -> bool:
    """A run that was killed before its first checkpoint has nothing to lose."""
    return (folder / JOURNAL).exists() and not any((folder / name).exists() for name in (RESUME, TRAVEL, CARD))


def _clear(folder: Path) -> None:
    """Take away what a run writes, and nothing else."""
    for name in (BEST, RESUME, TRAVEL, CARD, JOURNAL, "report.html", "val.png", "test.png"):
        (folder / name).unlink(missing_ok=True)
    for name in (BOARD, GRIDS, PREVIEWS):
        shutil.rmtree(folder / name, ignore_errors=True)


def _bring(source: Path, folder: Path) -> None:
    """A run that goes on elsewhere takes its past along: the best weights so far, journal, grids and curves."""
    for name in (BEST, JOURNAL):
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
    for name in (BOARD, GRIDS, PREVIEWS):
        if (source / name).is_dir():
            shutil.copytree(source / name, folder / name)


@contextmanager
def _written(folder: Path) -> Iterator[None]:
    """Failed writes of the run's own files as one sentence."""
    try:
        yield
    except OSError as error:
        raise not_written(folder, error) from error


class Signals:
    """SIGINT and SIGTERM are taken down while a step is under way; a second one is obeyed at once."""

    def __enter__(self) -> Signals:
        self.asked = 0
        self.before: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.before[number] = signal.signal(number, self._ask)
        return self

    def _ask(self, number: int, _: object) -> None:
        if self.asked:
            raise SystemExit(128 + number)
        self.asked = number

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)


class _Journal:
    """What a run writes down: TensorBoard, `metrics.jsonl`, and every evaluation's grid.

    A run that goes on from step `first` drops what was written of later steps: it will see them again.
    """

    def __init__(self, folder: Path, first: int) -> None:
        self.folder = folder
        path = folder / JOURNAL
        kept = [line for line in read_journal(path) if line["step"] <= first] if first else []
        self.seen = {(line["step"], line["split"]) for line in kept if "split" in line}
        firsts = [line for line in kept if "split" in line and line["step"] == 0]
        self.start = {str(f["split"]): {k: v for k, v in f.items() if k not in ("step", "split")} for f in firsts}
        """Figures of the weights that the run began with, by split."""
        with written_whole(path) as part:
            part.write_text("".join(json.dumps(line) + "\n" for line in kept), "utf-8")
        with _written(folder):
            (folder / GRIDS).mkdir(exist_ok=True)
            self.board = SummaryWriter(str(folder / BOARD), purge_step=first + 1 if first else None)
            self.lines = path.open("a", encoding="utf-8")

    def __enter__(self) -> _Journal:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        with _written(self.folder) if kind is None else suppress(OSError):
            self.lines.close()
            self.board.close()

    def terms(self, step: int, report: dict[str, float]) -> None:
        """A training step's named terms."""
        with _written(self.folder):
            for name, value in report.items():
                self.board.add_scalar(f"train/{name}", value, step)
            self._line({"step": step, **report})

    def figures(self, step: int, split: str, figures: dict[str, float], grid: Tensor) -> None:
        """An evaluation: figures and the grid (3, H, W) of content, style, painting; once a step and split."""
        if (step, split) in self.seen:
            return
        self.seen.add((step, split))
        codes = (grid.permute(1, 2, 0).numpy() * 255 + 0.5).astype(np.uint8)
        with _written(self.folder):
            for name, value in figures.items():
                self.board.add_scalar(f"{split}/{name}", value, step)
            self.board.add_image(f"{split}/content, style, painting", grid, step)
            Image.fromarray(codes).save(self.folder / f"{split}.png")
            Image.fromarray(codes).save(self.folder / GRIDS / f"{split}_{step:07d}.jpg", quality=90)
            self._line({"step": step, "split": split, **figures})

    def preview(self, step: int, picture: Tensor) -> None:
        """Whole pictures and their paintings (3, H, W)."""
        codes = (picture.permute(1, 2, 0).numpy() * 255 + 0.5).astype(np.uint8)
        with _written(self.folder):
            (self.folder / PREVIEWS).mkdir(exist_ok=True)
            Image.fromarray(codes).save(self.folder / PREVIEWS / f"{step:07d}.jpg", quality=88)
            self.board.add_image("preview", picture, step)

    def _line(self, values: dict[str, Any]) -> None:
        self.lines.write(json.dumps(values) + "\n")
        self.lines.flush()  # whoever follows the run, or finds it killed, has every line


def _counts(dataset: Dataset) -> dict[str, int]:
    counts: dict[str, int] = {}
    for r in dataset.records:
        counts[f"{r.kind} {r.split}"] = counts.get(f"{r.kind} {r.split}", 0) + 1
    return counts
