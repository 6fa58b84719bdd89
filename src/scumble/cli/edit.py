"""`scumble edit`."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from scumble.cli import terminal
from scumble.cli.options import ShowAs, farm_of, takes
from scumble.cli.terminal import Display, Shown, say, say_note
from scumble.core.errors import BadInput, BadOutput, BadSettings, NotInstalled, ScumbleError
from scumble.farm.settings import FarmSettings, QueueName


@takes(FarmSettings)
def edit(
    document: Annotated[
        Path | None,
        typer.Argument(
            metavar="CUT",
            help="EDL, FCPXML, Final Cut Pro 7 XML, AAF, OpenTimelineIO, or a movie, whose cuts are found.",
        ),
    ] = None,
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
        bool,
        typer.Option(
            "--dry-run", help="Print the commands of the shots that are not done, and about how long they take."
        ),
    ] = False,
    to: Annotated[
        QueueName | None,
        typer.Option(
            "--to",
            help="Write each shot that is not done as a job for this render queue, and paint nothing; see scumble farm export. The same command without it then goes on.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are in the way, whoever made them.")
    ] = False,
    with_reports: Annotated[
        bool,
        typer.Option(
            "--reports/--no-reports",
            help="Measure each shot; write a page of all, the worst first, and a review movie.",
        ),
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="What --check and --dry-run say, as JSON.")] = False,
    progress: ShowAs = "bar",
    watch: Annotated[
        Path | None,
        typer.Option(
            "--watch", metavar="FOLDER", help="Instead of CUT: paint every edit and movie that appears or changes here."
        ),
    ] = None,
    settle: Annotated[
        float, typer.Option("--settle", min=0, help="Seconds for which a watched file must not have changed.")
    ] = 10.0,
    **options: Any,
) -> None:
    """Paint an editor's cut: every event with its look, and a timeline that shows the paintings."""
    try:
        import opentimelineio as _  # noqa: F401
    except ImportError as error:
        raise NotInstalled("edits need OpenTimelineIO; pip install 'scumble[edit]'") from error
    from scumble.core.frames import parse_rate
    from scumble.edit.assign import one_look, read_assignment
    from scumble.edit.cut import Wishes, read_cut
    from scumble.edit.media import parse_maps
    from scumble.edit.watch import Watch
    from scumble.media.plate import STILLS, WRITTEN_MOVIES, formats

    farm = farm_of(options)
    given = [option for option in (looks, look, style) if option]
    if len(given) > 1 or (not given and not check):
        raise BadSettings("give one of --looks FILE.toml, --look FILE|NAME and --style PICTURE")
    if output is None and not check:
        raise BadSettings("give a folder for the shots by -o, or --check to render nothing")
    if (document is None) == (watch is None):
        raise BadSettings("give either an edit, or --watch FOLDER")
    assignment = None if not given else read_assignment(looks) if looks else one_look(look or "", style or ())
    wishes = Wishes(
        assignment,
        None if rate is None else parse_rate(rate),
        handles,
        tuple(media or ()),
        tuple(parse_maps(mapped or ())),
        f".{suffix.lower().lstrip('.')}" if suffix else "",
    )
    if wishes.suffix and wishes.suffix not in WRITTEN_MOVIES | STILLS:
        raise BadSettings(f"--format {suffix}: not a format that Scumble writes; {formats(written=True)}")
    folder = output or Path("painted")
    if folder.exists() and not folder.is_dir():
        raise BadOutput(f"{folder}: is a file, not a folder; choose another output")

    def painted(document: Path, folder: Path) -> bool:
        own = wishes if watch is None or document.suffix.lower() == ".edl" else replace(wishes, rate=None)
        return _painted(read_cut(document, own, folder), folder, progress, overwrite, with_reports, farm)

    if watch is not None:
        if check or dry_run or to or not watch.is_dir():
            raise BadSettings(f"--watch {watch}: give a folder that is there, without --check, --dry-run and --to")
        say(f"watching {watch}; Ctrl-C ends")
        Watch(watch, folder, settle, lambda document, folder: _complete(painted(document, folder))).run(say)
    assert document is not None
    cut = read_cut(document, wishes, folder)
    for note in cut.notes:
        say_note(note)
    if check:
        _print_table(cut, as_json)
        return
    if dry_run:
        _print_commands(cut, folder, as_json)
        return
    if to is not None:
        _hand_over(cut, folder, to, farm, overwrite)
        return
    if not _painted(cut, folder, progress, overwrite, with_reports, farm):
        raise typer.Exit(1)


def _complete(is_complete: bool) -> None:
    if not is_complete:
        raise BadInput("not every event is painted")


def _painted(cut: Any, folder: Path, progress: Shown, overwrite: bool, with_reports: bool, farm: FarmSettings) -> bool:
    """Paint a cut and say what became of it; whether every event that should be is painted."""
    from scumble.edit.conform import paint

    terminal.goes_on = "the same command goes on with the shots that are missing"
    with Display(progress, stays=True) as tell:
        result = paint(cut, folder, tell, overwrite, with_reports, farm)
    for note in result.notes:
        say_note(note)
    for shot, reason in result.failed:
        say(f"failed: {', '.join(row.event.id for row in shot.rows)}: {reason}")
    for row in cut.offline:
        say(f"offline: {row.event.id}: {row.reason}")
    total, failed = cut.counts, sum(len(shot.rows) for shot, _ in result.failed)
    say(
        f"{total['events']} events: {total['painted'] - failed} painted ({result.now} now), {total['skipped']} skipped,"
        f" {total['offline']} offline, {failed} failed: {result.page or folder}"
    )
    return not failed and not cut.offline


def _hand_over(cut: Any, folder: Path, queue: QueueName, farm: FarmSettings, overwrite: bool) -> None:
    from scumble.edit.conform import hand_over

    count = failed = 0
    for shot, result in hand_over(cut, folder, queue, farm, overwrite):
        if isinstance(result, ScumbleError):
            say(f"failed: {', '.join(row.event.id for row in shot.rows)}: {result}")
            failed += 1
            continue
        print(result)
        count += 1
    for row in cut.offline:
        say(f"offline: {row.event.id}: {row.reason}")
    say(f"{count} of {len(cut.shots)} shots written as jobs; submit them, then run the same command without --to")
    if failed or cut.offline:
        raise typer.Exit(1)


def _print_table(cut: Any, as_json: bool) -> None:
    from scumble.edit import table

    total = cut.counts
    if as_json:
        print(json.dumps({"timelines": [table.as_json(*each) for each in cut.checked], "counts": total}, indent=1))
        return
    for read, rows in cut.checked:
        print(f"{read.timeline.name or read.path.name}, {float(read.rate):.5g} frames/s")
        for line in table.lines_of(read, rows):
            print(line)
    words = f"{total['painted']} to paint, {total['skipped']} skipped, {total['offline']} offline"
    print(f"{total['events']} events: {words}")


def _print_commands(cut: Any, folder: Path, as_json: bool) -> None:
    from scumble.edit.conform import todo
    from scumble.edit.estimate import estimate, frames_of

    left = todo(cut.shots, folder)
    frames = sum(map(frames_of, left))
    if not as_json:
        for shot in left:
            print(shlex.join(shot.command()))
    expected = estimate(left)
    if as_json:
        facts = {"shots": [shot.as_json() for shot in left], "frames": frames, "seconds": round(expected.seconds, 1)}
        print(json.dumps(facts, indent=1))
        return
    say(
        f"{len(left)} of {len(cut.shots)} shots to paint, {frames} frames"
        + (f", {expected} by one process of this machine, reports not counted" if left else "")
    )
