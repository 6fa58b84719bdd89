"""`scumble sheet` and `scumble shots`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from scumble.cli.checks import check_sheet_output
from scumble.cli.options import HOW_READ, given, takes
from scumble.cli.terminal import Display
from scumble.core.options import read
from scumble.rendering.options import RenderSettings

ON_SHEETS = ("strength", "keep_color", "keep_exposure", "hold_blacks", "stroke", "lines", "cuts")


@takes(RenderSettings, only=(*HOW_READ, "first_frame", *ON_SHEETS))
def sheet(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Movie, image sequence or still.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="PICTURE", help="Contact sheet to write (png, jpg, tif, webp).")
    ],
    looks: Annotated[
        list[str] | None,
        typer.Option("--looks", metavar="FILE|NAME...", help="Looks, a row each (default: all shipped looks)."),
    ] = None,
    style: Annotated[
        list[str] | None,
        typer.Option("--style", metavar="PICTURE...", help="Style pictures, a row each, beside --looks or alone."),
    ] = None,
    frames: Annotated[
        str | None, typer.Option("--frames", metavar="RANGE", help="Frames, a column each, as in 1001,1050.")
    ] = None,
    count: Annotated[
        int,
        typer.Option(
            "--count", min=1, max=24, help="Number of frames, spread over the plate, if --frames is not given."
        ),
    ] = 3,
    width: Annotated[int, typer.Option("--width", min=64, max=4096, help="Pixels that a picture is wide.")] = 480,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the sheet if it is there.")] = False,
    **options: Any,
) -> None:
    """Paint a few frames with many looks and lay them out on one sheet, with their names."""
    from scumble.core.colour import DISPLAY
    from scumble.core.frames import Frame, parse_frames, spread
    from scumble.look.making import make_look
    from scumble.look.shipped import find_look, shipped_looks
    from scumble.media.open import open_plate
    from scumble.media.picture_writer import write_picture
    from scumble.media.plate import WriterSettings
    from scumble.rendering.contact_sheet import contact_sheet

    check_sheet_output(output, overwrite)
    settings = read(RenderSettings, given(RenderSettings, options), "sheet")
    plate = open_plate(source, settings.first_frame, settings.plate_options)
    chosen = [make_look([(Path(n), 1.0)]) for n in style or ()]
    chosen = [*map(find_look, looks or ([] if style else [n for n in shipped_looks() if n != "identity"])), *chosen]
    numbers = parse_frames(frames) if frames else spread(plate.numbers, count)
    with Display() as tell:
        pixels = contact_sheet(plate, chosen, numbers, width, settings, tell)
    write_picture(output, Frame(1, pixels, DISPLAY), WriterSettings(quality=92))
    print(
        f"{output}: {len(chosen)} look{'s' * (len(chosen) != 1)}, frames {', '.join(map(str, numbers))}, {pixels.shape[1]}x{pixels.shape[0]}"
    )


@takes(RenderSettings, only=("first_frame",))
def shots(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Movie, image sequence or still.")],
    cuts: Annotated[
        str, typer.Option("--cuts", metavar="auto|none|FILE", help="Find the shots, or list those of a file.")
    ] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    **options: Any,
) -> None:
    """List a plate's shots: cuts, dissolves, fades through black."""
    from dataclasses import asdict

    from scumble.media.open import open_plate
    from scumble.shot.cuts import as_text, shots_of

    plate = open_plate(source, options["first_frame"])
    listed = shots_of(plate, cuts)
    if as_json:
        rate = str(plate.frame_rate) if plate.frame_rate else None
        print(json.dumps({"plate": str(source), "frame_rate": rate, "shots": [asdict(s) for s in listed]}, indent=2))
    else:
        print(as_text(listed, plate.numbers))
