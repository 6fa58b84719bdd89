"""`scumble sheet` and `scumble shots`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from scumble.cli.checks import check_sheet_output
from scumble.cli.terminal import counting
from scumble.rendering.options import lines_of


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
        int, typer.Option("--count", min=1, max=24, help="Without --frames: how many, spread over the plate.")
    ] = 3,
    width: Annotated[int, typer.Option("--width", min=64, max=4096, help="Pixels that a picture is wide.")] = 480,
    strength: Annotated[str, typer.Option("--strength", metavar="NUMBER|KEYS", help="As in scumble render.")] = "1",
    keep_color: Annotated[float, typer.Option("--keep-color", help="As in scumble render.")] = 0.0,
    keep_exposure: Annotated[float, typer.Option("--keep-exposure", help="As in scumble render.")] = 0.0,
    hold_blacks: Annotated[bool, typer.Option("--hold-blacks", help="As in scumble render.")] = False,
    stroke: Annotated[float, typer.Option("--stroke", help="As in scumble render.")] = 1.0,
    lines: Annotated[str | None, typer.Option("--lines", metavar="N|full", help="As in scumble render.")] = None,
    cuts: Annotated[str | None, typer.Option("--cuts", metavar="auto|none|FILE", help="As in scumble render.")] = None,
    first_frame: Annotated[
        int | None, typer.Option("--first-frame", help="Number of the plate's first frame (movies: 1).")
    ] = None,
    layer: Annotated[str, typer.Option("--layer", metavar="NAME", help="As in scumble render.")] = "",
    in_space: Annotated[str, typer.Option("--in-space", metavar="SPACE", help="As in scumble render.")] = "",
    ocio: Annotated[
        str | None, typer.Option("--ocio", metavar="FILE|ocio://NAME", help="As in scumble render.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the sheet if it is there.")] = False,
) -> None:
    """Paint a few frames with many looks and lay them out on one sheet, with their names."""
    from scumble.core.colour import DISPLAY
    from scumble.core.frames import Frame, parse_frames, spread
    from scumble.core.keyed import Keys
    from scumble.look.making import make_look
    from scumble.look.shipped import find_look, shipped_looks
    from scumble.media.open import open_plate
    from scumble.media.picture_writer import write_picture
    from scumble.media.plate import WriterSettings
    from scumble.rendering.contact_sheet import contact_sheet
    from scumble.rendering.options import RenderSettings

    check_sheet_output(output, overwrite)
    settings = RenderSettings(
        strength=Keys.parse(strength, "strength"),
        keep_color=keep_color,
        keep_exposure=keep_exposure,
        hold_blacks=hold_blacks,
        stroke=stroke,
        lines=lines_of(lines),
        cuts=cuts,
        layer=layer,
        in_space=in_space,
        ocio=ocio,
    )
    plate = open_plate(source, first_frame, settings.plate_options)
    found = [make_look([(Path(n), 1.0)]) for n in style or ()]
    found = [*map(find_look, looks or ([] if style else [n for n in shipped_looks() if n != "identity"])), *found]
    numbers = parse_frames(frames) if frames else spread(plate.numbers, count)
    with counting() as tell:
        pixels = contact_sheet(plate, found, numbers, width, settings, tell)
    write_picture(output, Frame(1, pixels, DISPLAY), WriterSettings(quality=92))
    print(
        f"{output}: {len(found)} look{'s' * (len(found) != 1)}, frames {', '.join(map(str, numbers))}, {pixels.shape[1]}x{pixels.shape[0]}"
    )


def shots(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Movie, image sequence or still.")],
    cuts: Annotated[
        str, typer.Option("--cuts", metavar="auto|none|FILE", help="Find the shots, or list those of a file.")
    ] = "auto",
    first_frame: Annotated[
        int | None, typer.Option("--first-frame", help="Number of the plate's first frame (movies: 1).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List a plate's shots: cuts, dissolves, fades through black."""
    from dataclasses import asdict

    from scumble.media.open import open_plate
    from scumble.shot.cuts import as_text, shots_of

    plate = open_plate(source, first_frame)
    found = shots_of(plate, cuts)
    if as_json:
        rate = str(plate.frame_rate) if plate.frame_rate else None
        print(json.dumps({"plate": str(source), "frame_rate": rate, "shots": [asdict(s) for s in found]}, indent=2))
    else:
        print(as_text(found))
