"""A render written as a job for a studio's own queue: the same commands, in the words of each queue."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scumble.core.errors import BadOutput, BadSettings
from scumble.core.files import written_whole
from scumble.farm.deadline import deadline_files
from scumble.farm.flamenco import flamenco_files
from scumble.farm.opencue import opencue_files
from scumble.farm.openjd import openjd_files
from scumble.farm.queued import Queued
from scumble.farm.settings import FarmSettings
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


QUEUES = {
    "openjd": Queue(
        openjd_files,
        "deadline bundle submit {folder}",
    ),
    "deadline": Queue(deadline_files, "python {folder}/submit.py"),
    "opencue": Queue(opencue_files, "python {folder}/submit.py"),
    "tractor": Queue(tractor_files, "tractor-spool {folder}/job.alf"),
    "flamenco": Queue(flamenco_files, "copy {folder}/*.js into the manager's scripts folder"),
}


def export(request: Request, job: Job, farm: FarmSettings, queue: str, folder: Path, overwrite: bool = False) -> str:
    """Write a render as a job for a queue; gives the command that submits it. Raises BadSettings, BadOutput.

    Nothing is painted. A look that is made of style pictures is written beside the output, for all machines.
    """
    job.output.check()
    steps = steps_of(request, job)
    numbers = job.plan.numbers
    parts = tuple(chunks(numbers, farm.frames_a_task(), farm.preview_first))
    inputs = [*job.plan.plate.files_of(numbers)]
    for matte in job.plan.mattes:
        inputs += [file for number in numbers for file in matte.files_of(number)]
    handed = f"--look={kept_look(request)}" in steps.paint
    inputs += [path for path in map(Path, steps.paths) if path.is_file() or (handed and path == kept_look(request))]
    queued = Queued(request, steps, numbers, parts, farm, tuple(dict.fromkeys(inputs)))
    files = QUEUES[queue].files(queued)
    taken = next((folder / name for name in files if (folder / name).exists()), None)
    if taken is not None and not overwrite:
        raise BadOutput(f"{taken}: is there already; give --overwrite to replace it, or another folder")
    if handed:
        job.plan.look.save(kept_look(request))
    for name, text in files.items():
        with written_whole(folder / name) as part:
            part.write_text(text, "utf-8")
    return QUEUES[queue].submit.format(folder=shlex.quote(str(folder)))


def check_queue(name: str) -> None:
    """Raises BadSettings for a queue that is not known."""
    if name not in QUEUES:
        raise BadSettings(f"--to {name[:40]}: give one of {', '.join(QUEUES)}")
