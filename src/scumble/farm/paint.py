"""Renders done by tasks: planned, handed to what runs them, and what they handed on removed when all is done."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from scumble.core.errors import ScumbleError
from scumble.core.progress import Progress, ignore
from scumble.farm.run import Finished, Mapper, run_tasks
from scumble.farm.settings import FarmSettings
from scumble.farm.tasks import Request, Task, kept_look, tasks_of
from scumble.rendering.job import Job


def paint_by_tasks(
    renders: Sequence[tuple[Request, Job]],
    mapper: Mapper,
    tell: Callable[[Progress], None] = ignore,
    settings: FarmSettings = FarmSettings(),
) -> Iterator[Finished]:
    """Each render as it is done or has failed. Raises ScumbleError where nothing can run any more.

    What tasks hand on to each other stays where a render fails, so that the next try goes on.
    """
    ready: list[tuple[str, list[Task]]] = []
    frames = sum(len(job.plan.numbers) for _, job in renders)
    chunk = settings.frames_a_task(frames, max(1, mapper.places()))
    for request, job in sorted(renders, key=lambda render: -len(render[1].plan.numbers)):  # what lasts goes first
        try:
            job.output.check()
            tasks = tasks_of(request, job, chunk, settings.preview_first)
            look = kept_look(request, job)
            if any(f"--look={look}" in task.command for task in tasks):
                request.folder.mkdir(parents=True, exist_ok=True)
                job.plan.look.save(look)
        except ScumbleError as error:
            yield Finished(request.name, error)
            continue
        ready.append((request.name, tasks))
    if not ready:
        mapper.stop()
        return
    folders = {request.name: request.folder for request, _ in renders}
    for finished in run_tasks(ready, mapper, tell):
        if finished.error is None:
            with suppress(OSError):
                shutil.rmtree(folders[finished.name])
        yield finished
