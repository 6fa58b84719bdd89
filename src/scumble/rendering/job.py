"""A render: what is painted and where it goes, before any work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scumble.look.look import Look
from scumble.media.plate import Plate, check_memory
from scumble.rendering.memory_bound import FRAME_PIXEL, NEXT_PIXEL
from scumble.rendering.options import RenderSettings
from scumble.rendering.output import Output, output_to
from scumble.rendering.plan import Plan, asked_frames, plan
from scumble.rendering.plan_words import in_words, notes_of


@dataclass(frozen=True)
class Job:
    """A plan and its output; prints as the text of `--dry-run`."""

    plan: Plan
    output: Output

    def notes(self) -> list[str]:
        """Notes that the user did not ask for."""
        return notes_of(self.plan, self.output)

    def __str__(self) -> str:
        return in_words(self.plan, self.output)


def job_of(
    source: Path | Plate,
    look: Look | Sequence[tuple[int, Look]],
    output: Path,
    settings: RenderSettings = RenderSettings(),
    matte_looks: Sequence[tuple[str, Look]] = (),
) -> Job:
    """Open the plate and settle everything, writing nothing. Raises ScumbleError for what cannot be done.

    Files that are in the way are found by `Output.check`, which `run` calls first.
    """
    plate, numbers = asked_frames(source, settings)
    to = output_to(output, plate, numbers, settings)
    settled = plan(plate, look, settings, matte_looks, to)
    check_memory(plate.path, *settled.painted_size, FRAME_PIXEL + NEXT_PIXEL)
    return Job(settled, to)
