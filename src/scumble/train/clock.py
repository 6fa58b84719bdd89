"""How far a training is: by its steps or by its minutes, whichever is further."""

from __future__ import annotations

import time


class Clock:
    """Steps and seconds of a run against its limits; `minutes` 0 is no limit."""

    def __init__(self, steps: int, minutes: float) -> None:
        self.limit_steps, self.limit_minutes = steps, minutes
        self.spent = 0.0
        """Seconds of earlier sessions of this run."""
        self.skipped = 0.0
        """Share of the run that was left out because nothing got better."""
        self.began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds that the run has taken so far, earlier sessions included."""
        return self.spent + time.monotonic() - self.began

    def progress(self, steps: int) -> float:
        """Share of the run that is done after so many steps, 0 to 1."""
        by_time = self.seconds / (60 * self.limit_minutes) if self.limit_minutes else 0.0
        return min(1.0, max(steps / self.limit_steps, by_time) + self.skipped)
