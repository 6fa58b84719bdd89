"""The run of a GAN: how it begins, goes on, is judged, previewed, saved and reported."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scumble.core.files import written_whole
from scumble.core.progress import Listener
from scumble.train.checkpoints import facts_of, save_resume, save_travel
from scumble.train.clock import Clock
from scumble.train.data.dataset import Dataset
from scumble.train.evaluation import Judge
from scumble.train.gan import Gan
from scumble.train.journal import BEST, CARD, RESUME, TRAVEL
from scumble.train.nn import checkpoint, generator_file
from scumble.train.previews import Previews
from scumble.train.report import write_report
from scumble.train.run import Figures, Run
from scumble.train.run_folder import counts_of


@dataclass(frozen=True)
class TrainingResult:
    """How a run ended: steps in all, figures on val of the best checkpoint and on test, its file."""

    steps: int
    best: dict[str, float]
    test: dict[str, float]
    weights: Path
    start: dict[str, dict[str, float]]
    """Figures of the weights that it started from, by split; empty where it started from nothing."""


class GanRun(Run):
    """See `Run`. Its folder receives checkpoints, scalars, grids, previews, card and report."""

    def __init__(self, gan: Gan, dataset: Dataset, judge: Judge, tell: Listener, again: str) -> None:
        settings = gan.settings
        self.gan, self.dataset, self.judge = gan, dataset, judge
        self.previews = Previews(settings, dataset)
        self.start: dict[str, dict[str, float]] = {}
        super().__init__(
            settings.run.output,
            Clock(settings.schedule.steps, settings.schedule.minutes),
            tell,
            again,
            evaluate_every=settings.run.evaluate_every,
            log_every=settings.run.log_every,
            preview_seconds=settings.run.preview_seconds,
            save_seconds=60 * settings.run.save_minutes,
            patience=settings.schedule.patience,
            decay=settings.schedule.decay,
        )

    @property
    def steps(self) -> int:
        return self.gan.steps

    def score(self, figures: Figures) -> float:
        return figures.get("composite", math.nan)

    def write_checkpoint(self, facts: Mapping[str, Any]) -> Path:
        save_resume(self.gan, self.folder / RESUME, facts)
        save_travel(self.gan, self.folder / TRAVEL, {k: v for k, v in facts.items() if k != "sums"})
        return self.folder / RESUME

    def write_best(self, figures: Figures, facts: Mapping[str, Any]) -> None:
        facts = facts_of(self.gan) | dict(facts) | {"val": dict(figures)}
        generator_file.save_generator(self.folder / BEST, self.gan.ema, facts)

    def begin(self) -> None:
        """Judge the weights that the run started from. Called inside `with`: the figures go to the journal.

        These are the first best weights.
        """
        settings = self.gan.settings
        if self.last_good is not None and (self.folder / BEST).is_file():  # of the run that goes on
            known = checkpoint.load(self.folder / BEST)[1]
            self.best = dict(known.get("val", {}))
            self.best_at = int(known.get("best_at", known.get("step", 0)))
        self.start = self.journal.start
        if settings.generator.start is not None and not self.start and self.steps == 0:
            self.start = {split: self.figures(split) for split in ("val", "test")}
            self.keep_best(self.start["val"])
        if not self.has_checkpoint:
            self.preview()

    def figures(self, split: str) -> dict[str, float]:
        """Evaluate the averaged weights on a split, and write the figures to the journal."""
        evaluation = self.judge(self.gan, split)
        self.journal.figures(self.steps, split, evaluation.figures, evaluation.grid)
        return evaluation.figures

    def preview(self) -> None:
        """Write a preview, if the run learns one style and previews are wanted."""
        if self.previews.wanted:
            self.journal.preview(self.steps, self.previews.painted(self.gan))

    def finish(self) -> TrainingResult:
        """Evaluate the last weights, then the best ones on the test split; write checkpoints, card and report."""
        self.keep_best(self.figures("val"))
        self.save()
        best_file = self.folder / BEST
        generator_file.load_generator_into(self.gan.ema, best_file)
        self.preview()
        test = self.figures("test")
        results = {"val": self.best, "best_at": self.best_at, "test": test, "pictures": counts_of(self.dataset)}
        card = facts_of(self.gan) | self._facts() | results | ({"start": self.start} if self.start else {})
        with written_whole(self.folder / CARD) as part:
            part.write_text(json.dumps(card, indent=2), "utf-8")
        generator_file.save_generator(best_file, self.gan.ema, card)
        write_report(self.folder)
        return TrainingResult(self.steps, self.best, test, best_file, self.start)
