"""`scumble edit`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from scumble.cli import terminal
from scumble.cli.terminal import Display, say, say_note
from scumble.core.errors import BadOutput, BadSettings, NotInstalled


def edit(
    document: Annotated[
        Path,
        typer.Argument(
            metavar="CUT",
            help="EDL, FCPXML, Final Cut Pro 7 XML, AAF, OpenTimelineIO, or a movie, whose cuts are found.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="Folder for the shots and the timeline of the paintings."
        ),
    ] = None,
    looks: Annotated[
        Path | None,
        typer.Option(
            "--looks",
            "-c",
            metavar="FILE.toml",
            help="Which events get which look: [default], and [[rule]] by patterns.",
        ),
    ] = None,
    look: Annotated[
        str | None, typer.Option("--look", metavar="FILE|NAME", help="One look for all events, instead of --looks.")
    ] = None,
    style: Annotated[
        list[str] | None,
        typer.Option("--style", metavar="PICTURE...", help="Style pictures for all events, instead of a look."),
    ] = None,
    rate: Annotated[
        str | None, typer.Option("--rate", metavar="RATE", help="Frames per second of an EDL, which does not say it.")
    ] = None,
    handles: Annotated[
        int, typer.Option("--handles", min=0, max=1000, help="Frames to paint before and after each cut.")
    ] = 0,
    media: Annotated[
        list[Path] | None,
        typer.Option(
            "--media", metavar="FOLDER", help="Where footage lies, folders inside included; the edit's own by default."
        ),
    ] = None,
    mapped: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="OLD=NEW", help="The beginning of paths on the editor's machine, and here."),
    ] = None,
    suffix: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="SUFFIX",
            help="Of the shots, as in mov, mp4, exr or png. A movie becomes mov by default, a sequence keeps its own.",
        ),
    ] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Print every event with its media, and render nothing.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the commands of the shots that are not done, and render nothing.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are in the way, whoever made them.")
    ] = False,
    with_reports: Annotated[
        bool,
        typer.Option("--reports/--no-reports", help="Measure each shot, and write a page of all, the worst first."),
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="What --check and --dry-run say, as JSON.")] = False,
    progress: Annotated[
        Literal["bar", "json", "none"],
        typer.Option("--progress", help="A bar, one JSON line an event, or nothing."),
    ] = "bar",
) -> None:
    """Paint an editor's cut: every event with its look, and a timeline that shows the paintings."""
    try:
        import opentimelineio as _  # noqa: F401
    except ImportError as error:
        raise NotInstalled("edits need OpenTimelineIO; pip install 'scumble[edit]'") from error
    from scumble.core.frames import parse_rate
    from scumble.edit import table
    from scumble.edit.assign import one_look, read_assignment
    from scumble.edit.conform import paint, todo
    from scumble.edit.documents import read_edits
    from scumble.edit.media import Library, parse_maps
    from scumble.edit.shots import check_shots, shots_of

    given = [option for option in (looks, look, style) if option]
    if len(given) > 1 or (not given and not check):
        raise BadSettings("give one of --looks FILE.toml, --look FILE|NAME and --style PICTURE")
    if output is None and not check:
        raise BadSettings("give a folder for the shots by -o, or --check to render nothing")
    assignment = None if not given else read_assignment(looks) if looks else one_look(look or "", style or ())
    edits = read_edits(document, None if rate is None else parse_rate(rate))
    library = Library(media or [document.absolute().parent], parse_maps(mapped or ()))
    checked = [(read, table.rows_of(read, library, handles)) for read in edits]
    folder = output or Path("painted")
    dotted = f".{suffix.lower().lstrip('.')}" if suffix else ""
    shots: list[Any] = []
    if assignment is not None:
        for n, (read, rows) in enumerate(checked):
            own, states = shots_of(read, rows, assignment, folder if len(checked) == 1 else folder / str(n + 1), dotted)
            shots += own
            checked[n] = (read, states)
        check_shots(shots)
    total = table.counts(checked)
    for read in edits:
        for note in read.notes:
            say_note(note)
    if check:
        _print_table(checked, total, as_json)
        return
    if folder.exists() and not folder.is_dir():
        raise BadOutput(f"{folder}: is a file, not a folder; choose another output")
    left = todo(shots, folder)
    if dry_run:
        _print_commands(shots, left, as_json)
        return
    terminal.goes_on = "the same command goes on with the shots that are missing"
    with Display(progress, stays=True) as tell:
        result = paint(checked, shots, folder, tell, overwrite, with_reports)
    for note in result.notes:
        say_note(note)
    for shot, reason in result.failed:
        say(f"failed: {', '.join(row.event.id for row in shot.rows)}: {reason}")
    for _read, rows in checked:
        for row in rows:
            if row.state == "offline":
                say(f"offline: {row.event.id}: {row.reason}")
    failed = sum(len(shot.rows) for shot, _ in result.failed)
    say(
        f"{total['events']} events: {total['painted'] - failed} painted ({result.now} now), {total['skipped']} skipped,"
        f" {total['offline']} offline, {failed} failed: {result.page or folder}"
    )
    if failed or total["offline"]:
        raise typer.Exit(1)


def _print_table(checked: list[Any], total: dict[str, int], as_json: bool) -> None:
    from scumble.edit import table

    if as_json:
        print(json.dumps({"timelines": [table.as_json(*each) for each in checked], "counts": total}, indent=1))
        return
    for read, rows in checked:
        print(f"{read.timeline.name or read.path.name}, {float(read.rate):.5g} frames/s")
        for line in table.lines_of(read, rows):
            print(line)
    words = f"{total['painted']} to paint, {total['skipped']} skipped, {total['offline']} offline"
    print(f"{total['events']} events: {words}")


def _print_commands(shots: list[Any], left: list[Any], as_json: bool) -> None:
    frames = sum(shot.frames[1] - shot.frames[0] + 1 for shot in left)
    if as_json:
        print(json.dumps({"shots": [shot.as_json() for shot in left], "frames": frames}, indent=1))
        return
    for shot in left:
        print(shlex.join(shot.command()))
    say(f"{len(left)} of {len(shots)} shots to paint, {frames} frames")
