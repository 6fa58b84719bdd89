"""`scumble encode`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from scumble.cli.options import HOW_READ, ShowAs, given, takes
from scumble.cli.terminal import Display, say, say_note
from scumble.core.options import read
from scumble.media.pattern import output_path
from scumble.rendering.options import RenderSettings

HOW = (
    "frames",
    "first_frame",
    "timecode",
    "frame_rate",
    "missing",
    "overwrite",
    *HOW_READ,
    "out_space",
    "codec",
    "quality",
)


@takes(RenderSettings, only=HOW)
def encode(
    source: Annotated[Path, typer.Argument(metavar="PICTURES", help="Painted frames, as in painted.####.exr.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="MOVIE", parser=output_path, help="Movie (mp4, mov, mkv)."),
    ],
    plate: Annotated[
        Path | None,
        typer.Option(
            "--plate", metavar="PLATE", help="What was painted: the movie gets its sound, timecode, times and colours."
        ),
    ] = None,
    remove_pictures: Annotated[
        bool, typer.Option("--remove-pictures", help="Remove the pictures when the movie is written.")
    ] = False,
    progress: ShowAs = "bar",
    **options: Any,
) -> None:
    """Write painted frames as a movie, with the sound and times of their plate."""
    from scumble.rendering.encode import encode as write
    from scumble.rendering.encode import encoding_of

    settings = read(RenderSettings, given(RenderSettings, options), "encode")
    painted, made = encoding_of(source, plate, output, settings)
    with Display(progress, stays=True) as tell:
        write(painted, made, tell)
    if remove_pictures:
        for file in painted.files_of(made.numbers):
            file.unlink(missing_ok=True)
    if progress != "none":
        say(f"{len(made.numbers)} frame{'s' * (len(made.numbers) != 1)}: {made.path}")
        for line in made.tracks.lost:
            say_note(line)
