"""`scumble farm export`: a render as a job for a studio's own queue."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from scumble.cli.render import RENDER_ONLY, render, settle
from scumble.cli.terminal import say
from scumble.farm.settings import QueueName
from scumble.rendering.options import FARM


def _as_render(command: Callable[..., None]) -> Callable[..., None]:
    """A command that takes what `scumble render` takes, and its own flags."""
    own = inspect.signature(command, eval_str=True).parameters.values()
    theirs = [p for p in inspect.signature(render).parameters.values() if p.name not in ("ctx", *RENDER_ONLY)]
    parameters = [p for p in (*own, *theirs) if p.kind is not inspect.Parameter.VAR_KEYWORD]
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


@_as_render
def farm_export(
    ctx: typer.Context,
    to: Annotated[
        QueueName,
        typer.Option(
            "--to",
            rich_help_panel=FARM,
            help="The queue: Open Job Description (Deadline Cloud), Deadline 10, OpenCue, Tractor or Flamenco.",
        ),
    ] = "openjd",
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--bundle",
            metavar="FOLDER",
            rich_help_panel=FARM,
            help="Folder for the job's files. By default one beside the output, named after it and the queue.",
        ),
    ] = None,
    **_: object,
) -> None:
    """Write a render as a job for a render queue: measure, paint in tasks, encode. Nothing is painted here."""
    from scumble.farm.export import export

    asked = settle(ctx)
    output = asked.request.output
    folder = bundle or output.parent / f"{output.name.split('.')[0].strip('#%_- ') or 'shot'}.{to}"
    submit = export(asked.request, asked.job, asked.farm, to, folder, asked.request.overwrite)
    say(f"written: {folder}; submit it by: {submit}")
