"""How fast a run goes, and how long it still takes."""

from __future__ import annotations

import time

from scumble.train.trainer import Trainer


class Pace:
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
