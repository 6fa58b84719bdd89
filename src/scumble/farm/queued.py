"""What the writers of all queues are given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scumble.core.frames import format_frames
from scumble.farm.settings import FarmSettings
from scumble.farm.tasks import Request, Steps


@dataclass(frozen=True)
class Queued:
    """A render with its steps, frames and files."""

    request: Request
    steps: Steps
    numbers: tuple[int, ...]
    parts: tuple[tuple[int, ...], ...]
    """The frames of each task, for queues that do not part them by themselves."""
    farm: FarmSettings
    inputs: tuple[Path, ...]
    """Files that the commands read."""

    @property
    def name(self) -> str:
        return self.request.name

    @property
    def frames(self) -> str:
        """As in 1001-1100,1200."""
        return format_frames(self.numbers)

    @property
    def constraint(self) -> str:
        """In Open Job Description's words: whether chunks may have gaps."""
        return "CONTIGUOUS" if "," not in self.frames else "NONCONTIGUOUS"

    @property
    def outputs(self) -> tuple[Path, ...]:
        """Folders that the commands write into."""
        return (self.request.output.parent, self.request.folder)
