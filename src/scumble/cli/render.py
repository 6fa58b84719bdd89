"""`scumble render` and `scumble matte`."""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from scumble.cli import terminal
from scumble.cli.checks import needs_torch
from scumble.cli.grammar import (
    flags_given,
    frames_of,
    keyed_looks,
    looks_in_mattes,
    one_matte,
    settings_dump,
    weighted,
)
from scumble.cli.options import HOW_READ, ShowAs, farm_of, given, how_read, refuse_empty, takes
from scumble.cli.terminal import PROGRESS_HELP, Display, Shown, heed, say, say_note
from scumble.core.errors import BadInput, BadSettings
from scumble.core.files import check_writable
from scumble.core.options import options_of, read
from scumble.farm.settings import FarmSettings
from scumble.media.pattern import output_path
from scumble.rendering.options import LOOK, MATTES, PLATE, REVIEW, RUNNING, STEADY, RenderSettings

RENDER_ONLY = ("settings_file", "dump_settings", "dry_run", "measure_only", "progress")  # of `scumble render` itself

EXPORT_ONLY = ("to", "bundle")  # of `scumble farm export`


@takes(FarmSettings)
@takes(RenderSettings)
def render(
    ctx: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT", help="Movie, image sequence (shot.####.exr, shot.%04d.png, a folder) or still."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="OUTPUT",
            rich_help_panel=PLATE,
            parser=output_path,
            help="Movie (mp4, mov, mkv), sequence pattern (shot.####.png), folder (a movie becomes PNG) or still (png, exr, jpg, tif, dpx, webp).",
        ),
    ],
    look: Annotated[
        list[str] | None,
        typer.Option(
            "--look",
            metavar="FILE|NAME[@FRAME]",
            rich_help_panel=LOOK,
            help='Look file, or the name of a shipped look. Several looks, each with the frame at which it stands alone, cross-fade. A .toml file lists them, one a line, as in 1001 = "auvers".',
        ),
    ] = None,
    style: Annotated[
        list[str] | None,
        typer.Option(
            "--style", metavar="PICTURE[:WEIGHT]...", rich_help_panel=LOOK, help="Style pictures instead of a look."
        ),
    ] = None,
    refine: Annotated[
        float | None,
        typer.Option(
            "--refine",
            metavar="MINUTES",
            min=0.1,
            rich_help_panel=LOOK,
            help="Refine the look of --style for this shot first; it is kept beside the output (needs the extra train).",
        ),
    ] = None,
    start: Annotated[
        int | None, typer.Option("--start", "-s", rich_help_panel=PLATE, help="First frame to paint.")
    ] = None,
    end: Annotated[int | None, typer.Option("--end", "-e", rich_help_panel=PLATE, help="Last frame to paint.")] = None,
    step: Annotated[
        int, typer.Option("--step", "-j", min=1, rich_help_panel=PLATE, help="Paint every STEP-th frame.")
    ] = 1,
    matte_channel: Annotated[
        str | None,
        typer.Option(
            "--matte-channel",
            metavar="NAME",
            rich_help_panel=MATTES,
            help="Paint where this channel of the plate is 1.",
        ),
    ] = None,
    crypto: Annotated[
        list[str] | None,
        typer.Option(
            "--crypto",
            metavar="OBJECT",
            rich_help_panel=MATTES,
            help="Paint these objects of the plate's Cryptomatte; * stands for anything.",
        ),
    ] = None,
    auto_matte: Annotated[
        Literal["person"] | None,
        typer.Option("--auto-matte", rich_help_panel=MATTES, help="Paint the people that Scumble finds by itself."),
    ] = None,
    matte_look: Annotated[
        list[str] | None,
        typer.Option(
            "--matte-look",
            metavar="MATTE=LOOK",
            rich_help_panel=MATTES,
            help="Another look in its own matte: a path, channel:NAME, crypto:OBJECT or auto:person. Give it any number of times.",
        ),
    ] = None,
    settings_file: Annotated[
        Path | None,
        typer.Option(
            "--settings",
            metavar="FILE.toml",
            rich_help_panel=RUNNING,
            help="Read flags from this TOML file, by their long names. Paths are relative to the file. The command line wins.",
        ),
    ] = None,
    dump_settings: Annotated[
        bool,
        typer.Option(
            "--dump-settings",
            rich_help_panel=RUNNING,
            help="Print the flags as a file for --settings, and write nothing.",
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            rich_help_panel=REVIEW,
            help="Print what would be done, with the commands of its tasks, and write nothing.",
        ),
    ] = False,
    measure_only: Annotated[
        bool,
        typer.Option(
            "--measure-only",
            rich_help_panel=STEADY,
            help="Write the file of --stats and paint nothing. Renders of parts of the shot then share it. With --frames, only shots that these touch are measured.",
        ),
    ] = False,
    progress: Annotated[
        Shown, typer.Option("--progress", rich_help_panel=REVIEW, help=PROGRESS_HELP, callback=heed)
    ] = "bar",
    **options: Any,
) -> None:
    """Paint a shot with a look, or with style pictures directly."""
    if dump_settings:
        refuse_empty(ctx)
        print(settings_dump(ctx), end="")
        return
    asked = settle(ctx)
    job = asked.job
    if dry_run:
        job.output.check()  # as a render does
        print(job)
        if asked.farm.spreads:
            _print_tasks(asked, ctx.params["style"] or [])
        return
    if measure_only:
        _measure(job)
        return
    if asked.farm.spreads:
        _by_tasks(asked, progress)
        return
    from scumble.rendering.run import run

    if job.output.is_sequence:
        terminal.goes_on = "the same command goes on with the frames that are missing"
    with Display(progress, stays=True) as tell:
        done = run(job, tell)
    if progress != "none":
        say(
            f"{done.frames} frame{'s' * (done.frames != 1)} in {done.seconds:.1f} s"
            f" ({done.frames / done.seconds:.2f} frames/s): {job.output.path}"
            + (f"; {done.kept} were there already, made in the same way" if done.kept else "")
        )
        for line in (*job.notes(), *done.notes):
            say_note(line)


@dataclasses.dataclass(frozen=True)
class Asked:
    """A render command, understood."""

    job: Any
    farm: FarmSettings
    request: Any
    """The same in words, for tasks."""


def settle(ctx: typer.Context) -> Asked:
    """What a command with the flags of `scumble render` asks for. Raises ScumbleError.

    With --refine the look is refined here, unless nothing is to be painted.
    """
    from scumble.look.making import make_look
    from scumble.media.open import open_plate
    from scumble.rendering.job import job_of
    from scumble.shot.matte_spec import NOWHERE

    refuse_empty(ctx)
    words = ctx.params
    look, style, matte_look, refine = (words[name] for name in ("look", "style", "matte_look", "refine"))
    source, output = words["source"], words["output"]
    options = {name: words[name] for name in (*options_of(RenderSettings), *options_of(FarmSettings))}
    if (not look) == (not style) and (look or not matte_look):
        raise BadSettings("give either --look FILE|NAME or --style PICTURE")
    plate_options = how_read(options)
    plate = open_plate(source, options["first_frame"], plate_options)
    options["frames"] = frames_of(options["frames"], words["start"], words["end"], words["step"], plate.frame_range)
    options["matte"] = one_matte(options["matte"] or None, words["matte_channel"], words["crypto"], words["auto_matte"])
    farm = farm_of(options)
    settings = read(RenderSettings, given(RenderSettings, options), "render")
    if not look and not style:  # the plate shows where no matte has a look
        if settings.matte:
            raise BadSettings("a matte is for the look of --look or --style; give one of them")
        settings, look = dataclasses.replace(settings, matte=str(NOWHERE)), ["identity"]
    if refine is not None and not style:
        raise BadSettings(
            "--refine is for a look of --style PICTURE; a look of --look is refined by scumble look train"
        )
    pictures = [(Path(n), w) for n, w in map(weighted, style or [])]
    chosen: Any = keyed_looks(look) if look else make_look(pictures)
    others = looks_in_mattes(matte_look or [])
    if refine is not None:
        named = job_of(plate, chosen, output, settings, others).output
        named.check()  # refused before minutes are spent
        if not words.get("dry_run"):
            chosen = _refined(source, pictures, named.path, refine, plate_options, settings.overwrite)
    job = job_of(plate, chosen, output, settings, others)
    return Asked(job, farm, _request(ctx, job, settings))


def _measure(job: Any) -> None:
    """Write the file of statistics alone."""
    from scumble.rendering.measure import measure

    settings = job.plan.settings
    if settings.stats is None:
        raise BadSettings("--measure-only writes the file of --stats; give its name by --stats FILE.json")
    was_there = settings.stats.exists()
    measure(job.plan, every=settings.frames is None)
    say(f"{settings.stats}: {'was there already, and fits' if was_there else 'measured'}")


def _print_tasks(asked: Asked, style: Sequence[str]) -> None:
    """The commands that several processes or machines would run; a cluster with more of them takes longer parts."""
    from scumble.farm.tasks import kept_look, tasks_of

    job, farm, look = asked.job, asked.farm, kept_look(asked.request, asked.job)
    chunk = farm.frames_a_task(len(job.plan.numbers), farm.workers)
    tasks = tasks_of(asked.request, job, chunk, farm.preview_first)
    if any(f"--look={look}" in task.command for task in tasks):
        print(shlex.join(["scumble", "look", "make", *style, f"--name={job.plan.look.name}", "-o", str(look)]))
    for task in tasks:
        print(task.line)


def _by_tasks(asked: Asked, progress: Shown) -> None:
    """The render by several processes or machines."""
    from scumble.farm.paint import paint_by_tasks

    job = asked.job
    job.output.check()  # refused before anything is started
    terminal.goes_on = "the same command goes on with what is missing"
    mapper = asked.farm.mapper()
    with Display(progress, stays=True) as tell:
        for finished in paint_by_tasks([(asked.request, job)], mapper, tell, asked.farm):
            if finished.error is not None:
                raise finished.error
    if progress != "none":
        say(f"{len(job.plan.numbers)} frame{'s' * (len(job.plan.numbers) != 1)}: {job.output.path}")
        for line in job.notes():
            say_note(line)


# flags that say which frames, how often and where, not how a frame is painted
OF_THE_WHOLE = ("output", "frames", "start", "end", "step", "stats", "overwrite", "measure_only", "progress", "refine")


def _request(ctx: typer.Context, job: Any, settings: RenderSettings) -> Any:
    """The command as a request for tasks, its paths in full."""
    from scumble.farm.tasks import Request
    from scumble.rendering.words import as_words

    declared = {*RENDER_ONLY, *OF_THE_WHOLE, *options_of(FarmSettings), *EXPORT_ONLY}
    flags = flags_given(ctx, declared)
    is_refined = ctx.params["refine"] is not None
    if is_refined:
        flags = {name: value for name, value in flags.items() if name != "style"}
    words = [*as_words(flags), *([f"--look={os.path.abspath(refined_path(job.output.path))}"] if is_refined else [])]
    plate = Path(os.path.abspath(job.plan.plate.path))
    output = Path(os.path.abspath(job.output.path))
    return Request(output.name.split(".")[0] or "shot", plate, output, tuple(words), settings.overwrite)


def refined_path(output: Path) -> Path:
    """Where the look that --refine makes is kept: beside the output."""
    return output.parent / f"{output.name.split('.')[0].strip('#_- ') or 'refined'}.look"


def _refined(
    source: Path, pictures: list[tuple[Path, float]], output: Path, minutes: float, options: Any, overwrite: bool
) -> Any:
    """The look of style pictures refined for a shot, kept beside the shot's output."""
    needs_torch()
    from scumble.train.match.refine import refined_look

    if any(weight != 1 for _, weight in pictures):
        raise BadSettings("--refine takes style pictures without weights: they are learned as one style")
    with Display() as tell:
        return refined_look(source, [p for p, _ in pictures], refined_path(output), minutes, options, tell, overwrite)


@takes(RenderSettings, only=(*HOW_READ, "first_frame", "invert_matte", "feather"))
def matte(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Movie, image sequence or still.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="SEQ",
            parser=output_path,
            help="Sequence pattern (roto.####.png), folder or still. Its pixel values are the matte.",
        ),
    ],
    auto: Annotated[
        Literal["person"] | None,
        typer.Option("--auto", "--auto-matte", help="The people in the frame, detected automatically (default)."),
    ] = None,
    path: Annotated[
        str | None, typer.Option("--matte", metavar="PATH", help="Of files, to be turned around or softened.")
    ] = None,
    channel: Annotated[
        str | None, typer.Option("--matte-channel", metavar="NAME", help="Of this channel of the plate.")
    ] = None,
    crypto: Annotated[
        list[str] | None,
        typer.Option("--crypto", metavar="OBJECT", help="Of these objects of the plate's Cryptomatte."),
    ] = None,
    frames: Annotated[
        str | None, typer.Option("--frames", metavar="RANGE", help="Frames to write, as in 1001-1100.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace mattes that are there.")] = False,
    progress: ShowAs = "bar",
    **options: Any,
) -> None:
    """Write a shot's mattes as files, to be looked at, corrected, and given back with --matte."""
    from scumble.core.frames import parse_frames
    from scumble.media.open import open_plate
    from scumble.rendering.output import check_files, named_output, output_files
    from scumble.shot.matte import shaped
    from scumble.shot.open_matte import noticed, parse_matte, prepare, write_mattes

    words = one_matte(path, channel, crypto, auto) or "auto:person"
    settings = read(RenderSettings, {**given(RenderSettings, options), "matte": words}, "matte")
    plate = open_plate(source, settings.first_frame, settings.plate_options)
    numbers = parse_frames(frames) if frames else plate.numbers
    missing = next(iter(sorted(set(numbers) - set(plate.numbers))), None)
    if missing is not None:
        raise BadInput(f"{source}: frame {missing} is not in the plate's {plate.frame_range}; give --frames inside it")
    wanted = shaped(parse_matte(words, plate, numbers), settings.invert_matte, settings.feather)
    output = named_output(plate, output, painting=False)
    files = output_files(output, numbers)
    check_files(output, files, plate, overwrite, goes_on=False)
    check_writable(files[0])
    prepare(wanted)
    with Display(progress, stays=True) as tell:
        write_mattes(wanted, plate, numbers, output, tell)
    if progress != "none":
        say(f"{len(numbers)} matte{'s' * (len(numbers) != 1)} of {wanted}: {output}")
        for line in noticed(wanted):
            say_note(line)
