"""The run of a match: how it begins or goes on, is judged by what was held out, previewed and saved."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from safetensors.numpy import save

from scumble.core.errors import BadInput
from scumble.core.files import written_whole
from scumble.core.progress import Listener, said
from scumble.train.clock import Clock
from scumble.train.journal import BEST, BOARD, JOURNAL, MATCH, PREVIEWS
from scumble.train.match.matcher import Figures, Matcher
from scumble.train.nn import checkpoint
from scumble.train.run import Run

SECONDS = 60.0  # between previews, and between checkpoints


class Preview(Protocol):
    """What shows the current weights."""

    def write(self, run: Path) -> None:
        """Write pictures into a run's folder."""


class MatchRun(Run):
    """See `Run`. `identity` tells one match from another: what is learned, from which look, and how."""

    def __init__(
        self,
        folder: Path,
        matcher: Matcher,
        identity: Mapping[str, Any],
        shows: Preview,
        tell: Listener,
        again: str = "the same command",
    ) -> None:
        s = matcher.settings
        self.matcher, self.identity, self.shows = matcher, dict(identity), shows
        self.is_finished = False
        super().__init__(
            folder,
            Clock(s.steps, s.minutes),
            tell,
            again,
            evaluate_every=s.check_every,
            preview_seconds=SECONDS,
            save_seconds=SECONDS,
            patience=s.patience,
        )

    @property
    def steps(self) -> int:
        return self.matcher.steps

    def score(self, figures: Mapping[str, float]) -> float:
        return Figures(**figures).score

    def write_checkpoint(self, facts: Mapping[str, Any]) -> Path:
        own = {
            "match": self.identity,
            "finished": self.is_finished,
            "best": list(self.best.values()),
            "best_at": self.best_at,
        }
        self.matcher.save(self.folder / MATCH, {**facts, **own})
        return self.folder / MATCH

    def write_best(self, figures: Mapping[str, float], facts: Mapping[str, Any]) -> None:
        weights = {name: np.ascontiguousarray(a) for name, a in self.matcher.weights().items()}
        with written_whole(self.folder / BEST) as part:
            part.write_bytes(save(weights))

    def begin(self, before: Figures, overwrite: bool, goes_on: bool) -> None:
        """Go on with the match in the folder if it is the same one, else begin; `before` are its first figures.

        A finished match has its look, and gives way to one that `goes_on` from that. Raises BadInput where another
        match would be lost. Called before `with`: the journal opens at the step that this loads.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / MATCH
        known = checkpoint.load(file)[1] if file.is_file() else {}
        same, finished = known.get("match") == self.identity, bool(known.get("finished"))
        if known and not same and not overwrite and not (finished and goes_on):
            raise BadInput(
                f"{self.folder}: holds a match with other keys or settings; give another --run, or --overwrite"
            )
        if same and not (overwrite and finished):
            facts = self.matcher.load(file)
            self.take_up(facts, file)
            self.best, self.best_at = Figures(*facts["best"])._asdict(), int(facts["best_at"])
            self.is_finished = finished and self.is_over  # with more minutes or steps it goes on
            if not self.is_finished:
                self.tell(said(f"going on at step {self.steps}"))
        else:
            (self.folder / JOURNAL).unlink(missing_ok=True)
            for name in (BOARD, PREVIEWS):
                shutil.rmtree(self.folder / name, ignore_errors=True)
            self.keep_best(before._asdict())
        self.preview()

    def learn(self, before: Figures, overwrite: bool, goes_on: bool) -> Figures:
        """Train to the end of the schedule, or until nothing gets better; figures of the best weights. See `begin`."""
        self.begin(before, overwrite, goes_on)
        with self:
            while not (self.is_finished or self.is_over or self.is_stopped()):
                self.log(self.matcher.step(self.progress))
                if self.is_due("evaluation"):
                    self.judge()
                if self.is_due("preview"):
                    self.preview()
                if self.is_due("save"):
                    self.save()
            if self.steps % self.evaluate_every and not self.is_finished:
                self.judge()
            return self.finish()

    def judge(self) -> None:
        """Evaluate on the held-out parts, and write the figures beside the mean terms since the last evaluation."""
        figures = self.matcher.figures()._asdict()
        self.journal.terms(
            self.steps, {**self.means(), **{f"held out {name}": value for name, value in figures.items()}}
        )
        self.judged(figures, "held out")

    def preview(self) -> None:
        """Write frames of the shot as the current weights paint them."""
        self.shows.write(self.folder)

    def finish(self) -> Figures:
        """Save; figures of the best weights."""
        self.is_finished = True
        self.save()
        return Figures(**self.best)
