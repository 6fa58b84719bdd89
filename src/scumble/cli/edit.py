"""`scumble edit`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from scumble.cli.terminal import say, say_note
from scumble.core.errors import BadSettings, NotInstalled


def edit(
    document: Annotated[
        Path, typer.Argument(metavar="CUT", help="EDL, FCPXML, Final Cut Pro 7 XML, AAF or OpenTimelineIO.")
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Say what would be painted, event by event, and render nothing.")
    ] = False,
    rate: Annotated[
        str | None, typer.Option("--rate", metavar="RATE", help="Frames per second of an EDL, which does not say it.")
    ] = None,
    handles: Annotated[int, typer.Option("--handles", min=0, help="Frames to paint before and after each cut.")] = 0,
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
    as_json: Annotated[bool, typer.Option("--json", help="The table of --check as JSON.")] = False,
) -> None:
    """Read an editor's cut and find its media: every event with its frames, handles, speed and state."""
    try:
        import opentimelineio as _  # noqa: F401
    except ImportError as error:
        raise NotInstalled("edits need OpenTimelineIO; pip install 'scumble[edit]'") from error
    from scumble.core.frames import parse_rate
    from scumble.edit import table
    from scumble.edit.documents import read_edits
    from scumble.edit.media import Library, parse_maps

    if not check:
        raise BadSettings(
            "an edit is not rendered yet; give --check for its table, and render its shots by scumble render"
        )
    edits = read_edits(document, None if rate is None else parse_rate(rate))
    library = Library(media or [document.absolute().parent], parse_maps(mapped or ()))
    checked = [(read, table.rows_of(read, library, handles)) for read in edits]
    total = table.counts(checked)
    if as_json:
        print(json.dumps({"timelines": [table.as_json(*each) for each in checked], "counts": total}, indent=1))
        return
    for read, rows in checked:
        print(f"{read.timeline.name or read.path.name}, {float(read.rate):.5g} frames/s")
        for line in table.lines_of(read, rows):
            print(line)
        for note in read.notes:
            say_note(note)
    say(
        f"{total['events']} events: {total['painted']} can be painted, {total['skipped']} skipped, {total['offline']} offline"
    )
