"""The training loop: a run in its folder, from the first batch to the report; `trainer` holds a step."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch

from scumble.core.errors import TrainingFailed
from scumble.core.files import written_whole
from scumble.core.frames import spread
from scumble.train.data.batches import Batches
from scumble.train.data.dataset import Dataset
from scumble.train.data.one_style import palette_of
from scumble.train.evaluation import evaluate, evaluation_pairs
from scumble.train.journal import BEST, CARD, RESUME, TRAVEL, Journal, written_or_refused
from scumble.train.machine import Signals
from scumble.train.nn import checkpoint, generator_file
from scumble.train.nn.perceptual import PerceptualFeatures
from scumble.train.pace import Pace
from scumble.train.previews import PREVIEWED, painted_whole
from scumble.train.report import write_report
from scumble.train.run_folder import bring_along, checkpoint_of, clear_run, counts_of, refuse_a_run
from scumble.train.settings import TrainSettings
from scumble.train.start import features_of, styles_of
from scumble.train.trainer import Trainer


@dataclass(frozen=True)
class Done:
    """How a run ended: steps in all, figures on val of the best checkpoint and on test, its file."""

    steps: int
    best: dict[str, float]
    test: dict[str, float]
    weights: Path
    start: dict[str, dict[str, float]]
    """Figures of the weights that it started from, by split; empty where it started from nothing."""


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
    resume = checkpoint_of(resume, say)
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
    with written_or_refused(output):
        output.mkdir(parents=True, exist_ok=True)
        for left in output.glob(".*.part*"):  # of a run that was killed while it wrote
            left.unlink()
        if not going_on:
            clear_run(output)
            if resume is not None:
                bring_along(resume.parent, output)

    def save() -> None:
        trainer.save_resume(resume_file)
        trainer.save_travel(output / TRAVEL)

    with (
        Journal(output, trainer.steps) as journal,
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
            generator_file.save_generator(best_file, trainer.ema, trainer.facts() | {"val": figures})
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
        pace = Pace(trainer)
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
        generator_file.load_generator_into(trainer.ema, best_file)
        preview()
        test = look_at("test")
    card = trainer.facts() | {"val": best, "best_at": best_at, "test": test, "pictures": counts_of(dataset)}
    if start:
        card["start"] = start
    with written_whole(output / CARD) as part:
        part.write_text(json.dumps(card, indent=2), "utf-8")
    generator_file.save_generator(best_file, trainer.ema, card)
    write_report(output)
    return Done(trainer.steps, best, test, best_file, start)
