"""A render written as a job for a studio's own queue: the same commands, in the words of each queue."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scumble.core.errors import BadOutput, BadSettings
from scumble.core.files import written_whole
from scumble.core.frames import format_frames
from scumble.farm.deadline import deadline_files
from scumble.farm.flamenco import flamenco_files
from scumble.farm.opencue import opencue_files
from scumble.farm.openjd import MOST_FRAMES, openjd_files
from scumble.farm.queued import Queued
from scumble.farm.settings import FarmSettings, QueueName
from scumble.farm.tasks import Request, chunks, kept_look, steps_of
from scumble.farm.tractor import tractor_files
from scumble.rendering.job import Job


@dataclass(frozen=True)
class Queue:
    """A render queue."""

    files: Callable[[Queued], dict[str, str]]
    """Texts by file name."""
    submit: str
    """How a person hands the job over; {folder} is where its files lie."""


QUEUES: dict[QueueName, Queue] = {
    "openjd": Queue(
        openjd_files,
        "deadline bundle submit {folder}",
    ),
    "deadline": Queue(deadline_files, "python {folder}/submit.py"),
    "opencue": Queue(opencue_files, "python {folder}/submit.py"),
    "tractor": Queue(tractor_files, "tractor-spool {folder}/job.alf"),
    "flamenco": Queue(flamenco_files, "copy {folder}/*.js into the manager's scripts folder"),
}


def export(
    request: Request, job: Job, farm: FarmSettings, queue: QueueName, folder: Path, overwrite: bool = False
) -> str:
    """Write a render as a job for a queue; gives the command that submits it. Raises BadSettings, BadOutput.

    Nothing is painted. A look that is made of style pictures is written beside the output, for all machines.
    """
    _check(farm, queue, job)
    job.output.check()
    steps = steps_of(request, job, clears_up=True)
    numbers = job.plan.numbers
    parts = tuple(chunks(numbers, farm.frames_a_task(), farm.preview_first))
    inputs = [*job.plan.plate.files_of(numbers)]
    for matte in job.plan.mattes:
        inputs += [file for number in numbers for file in matte.files_of(number)]
    look = kept_look(request, job)
    handed = f"--look={look}" in steps.paint
    named = [part for value in steps.values for part in (value, value.rpartition("@")[0], value.rpartition("=")[2])]
    inputs += [path for path in map(Path, filter(None, named)) if path.is_file() or (handed and path == look)]
    queued = Queued(request, steps, numbers, parts, farm, tuple(dict.fromkeys(inputs)))
    files = QUEUES[queue].files(queued)
    taken = next((folder / name for name in files if (folder / name).exists()), None)
    if taken is not None and not overwrite:
        raise BadOutput(f"{taken}: is there already; give --overwrite to replace it, or another folder")
    if handed:
        job.plan.look.save(look)
    for name, text in files.items():
        with written_whole(folder / name) as part:
            part.write_text(text, "utf-8")
    return QUEUES[queue].submit.format(folder=shlex.quote(str(folder)))


def _check(farm: FarmSettings, queue: QueueName, job: Job) -> None:
    """Raises BadSettings for what a job of this queue cannot have."""
    if farm.workers > 1 or farm.ray:
        raise BadSettings(f"--to {queue} leaves the work to the queue: leave --workers and --ray out")
    if farm.preview_first and queue != "tractor":
        raise BadSettings(f"--to {queue}: the queue parts the frames by itself: leave --preview-first out")
    if queue == "openjd" and farm.frames_a_task() > MOST_FRAMES:
        raise BadSettings(f"--chunk {farm.chunk}: Deadline Cloud takes at most {MOST_FRAMES} frames a task")
    numbers = job.plan.numbers
    if queue in ("deadline", "opencue") and numbers[-1] - numbers[0] + 1 != len(numbers):
        raise BadSettings(
            f"--to {queue}: its tasks are ranges without gaps, these frames are {format_frames(numbers)[:60]}; export"
            " each range by itself, or take --to openjd or tractor"
        )
