"""A run: a training in its folder, with clock, journal, signals, best weights, stop and resume; of a GAN or a match."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from scumble.core.errors import TrainingFailed
from scumble.core.progress import Listener, Progress, said
from scumble.train.clock import Clock
from scumble.train.journal import Journal
from scumble.train.machine import Signals
from scumble.train.nn.checkpoint import not_in_order

FEW_STEPS = 200  # of a look: a shorter run gets a note that it was too short

Figures = Mapping[str, float]

Due = Literal["evaluation", "preview", "save"]


class Run(ABC):
    """See the module's head. In `with`, signals are taken down and the journal is open.

    `evaluate_every` and `log_every` are steps, `log_every` 0 is never. `preview_seconds` and `save_seconds` are
    seconds, 0 is after every step. After `patience`, a share of the run, without better figures the run goes on to
    its last part, the share `decay`.
    `again` are the words by which its user goes on.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        tell: Listener,
        again: str,
        *,
        evaluate_every: int,
        log_every: int = 0,
        preview_seconds: float = 0.0,
        save_seconds: float = 300.0,
        patience: float = 0.0,
        decay: float = 0.0,
    ) -> None:
        self.folder, self.clock, self.tell, self.again = folder, clock, tell, again
        self.evaluate_every, self.log_every, self.patience, self.decay = evaluate_every, log_every, patience, decay
        self.best: dict[str, float] = {}
        """Figures of the best weights; empty before the first evaluation."""
        self.best_at = 0
        self.last_good: Path | None = None
        """The checkpoint from which a run that breaks can go on."""
        self.has_checkpoint = False
        self._sums: dict[str, tuple[float, int]] = {}
        self._periods = {"preview": preview_seconds, "save": save_seconds}
        self._last = dict.fromkeys(self._periods, time.monotonic())

    # -- what is trained --------------------------------------------------------------------------

    @property
    @abstractmethod
    def steps(self) -> int:
        """Steps that were learned so far."""

    @abstractmethod
    def score(self, figures: Figures) -> float:
        """How good figures are; lower is better."""

    @abstractmethod
    def write_checkpoint(self, facts: Mapping[str, Any]) -> Path:
        """Write what going on needs, with the run's facts; where it is."""

    @abstractmethod
    def write_best(self, figures: Figures, facts: Mapping[str, Any]) -> None:
        """Write the averaged weights with their figures and the run's facts."""

    # -- where it stands --------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.journal = Journal(self.folder, self.steps).__enter__()
        self.signals = Signals().__enter__()
        self._last = dict.fromkeys(self._periods, time.monotonic())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *_: object) -> None:
        self.signals.__exit__()
        self.journal.__exit__(kind)
        if isinstance(error, TrainingFailed):
            raise TrainingFailed(f"{error}; the last good checkpoint is {self.last_good or 'none yet'}") from None

    @property
    def progress(self) -> float:
        """Share of the run that is done."""
        return self.clock.progress(self.steps)

    @property
    def is_over(self) -> bool:
        return self.progress >= 1

    def is_stopped(self, at: int | None = None) -> bool:
        """Whether the run stops here, saved, so that it can go on later: at step `at`.

        Raises SystemExit with the signal's exit code where a signal asks for the end.
        """
        if not (self.signals.asked or (at is not None and self.steps >= at)):
            return False
        self.save()
        self.tell(said(f"stopped at step {self.steps}, {self.progress:.0%}; go on with {self.again}"))
        if self.signals.asked:
            raise SystemExit(128 + self.signals.asked)
        return True

    def is_due(self, what: Due) -> bool:
        """Whether it is time for an evaluation, a preview or a checkpoint; a checkpoint also once there is a best."""
        if what == "evaluation":
            return self.steps % self.evaluate_every == 0
        is_first = what == "save" and self.best and not self.has_checkpoint
        if is_first or time.monotonic() - self._last[what] >= self._periods[what]:
            self._last[what] = time.monotonic()
            return True
        return False

    def take_up(self, facts: Mapping[str, Any], checkpoint: Path) -> None:
        """Go on where a checkpoint's facts say that the run stood. Raises BadInput for facts that do not say it."""
        self.last_good = checkpoint
        self.has_checkpoint = checkpoint.resolve().parent == self.folder.resolve()
        try:
            self.clock.spent = float(facts["seconds"])
            self.clock.skipped = float(facts.get("skipped", 0.0))
            self._sums = {name: (float(total), int(count)) for name, (total, count) in facts.get("sums", {}).items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise not_in_order(checkpoint, error) from error

    # -- what it writes ---------------------------------------------------------------------------

    def log(self, terms: Figures) -> None:
        """Add a step's terms to the running means, which go to the journal every `log_every` steps."""
        for name, value in terms.items():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = (total + value, count + 1)
        if self.log_every and self.steps % self.log_every == 0:
            self.journal.terms(self.steps, self.means())
        self.tell(Progress("training", self.progress, 1, self.clock.seconds, step=self.steps))

    def means(self) -> dict[str, float]:
        """Mean of each term since this was asked last; some terms have their turn every few steps only."""
        means = {name: total / count for name, (total, count) in sorted(self._sums.items())}
        self._sums = {}
        return means

    def judged(self, figures: Figures, on: str) -> None:
        """Keep the weights if these figures are the best so far; end a run that has not got better for too long."""
        is_best = self.keep_best(figures)
        self.tell(Progress("training", self.progress, 1, self.clock.seconds, None, self.steps, figures, on, is_best))
        waited = (self.steps - self.best_at) / max(1, self.steps) * self.progress  # as a share of the whole run
        left_out = 1 - self.decay - self.progress
        if self.patience and waited > self.patience and left_out > 0:
            what = "on to the final decay" if self.decay else "the run ends here"
            self.tell(said(f"{on} has not got better since step {self.best_at}: {what}"))
            self.clock.skipped += left_out

    def keep_best(self, figures: Figures) -> bool:
        """Keep the weights if these figures are better than the best ones so far; whether they are."""
        known = self.score(self.best) if self.best else math.nan
        if math.isfinite(known) and not self.score(figures) < known:  # so that NaN never wins
            return False
        self.best, self.best_at = dict(figures), self.steps
        self.write_best(figures, self._facts())
        return True

    def save(self) -> None:
        """Write a checkpoint from which the run goes on."""
        self.last_good = self.write_checkpoint(self._facts() | {"sums": self._sums})
        self.has_checkpoint = True

    def _facts(self) -> dict[str, Any]:
        return {"seconds": self.clock.seconds, "skipped": self.clock.skipped}
