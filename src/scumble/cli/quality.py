"""`scumble evaluate` and `scumble qc`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from scumble.cli.checks import check_report_output, write_json
from scumble.cli.options import HOW_READ, Vgg, how_read, takes
from scumble.cli.terminal import Display
from scumble.core.errors import BadSettings
from scumble.rendering.options import RenderSettings


def evaluate(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="LOOK|CHECKPOINT",
            help="Look file, name of a shipped look, checkpoint or folder of a run, or the word universal.",
        ),
    ],
    content: Annotated[
        list[Path], typer.Option("--content", metavar="PICTURE|DIR|MOVIE...", help="Pictures to paint.")
    ],
    style: Annotated[
        list[Path], typer.Option("--style", metavar="PICTURE|DIR...", help="Style pictures to be held against.")
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="REPORT.html", help="Page to write, with its JSON beside it."),
    ] = None,
    size: Annotated[
        int,
        typer.Option(
            "--size", min=0, help="Short side in pixels at which pairs are measured; 0 keeps the size of the contents."
        ),
    ] = 320,
    vgg: Vgg = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the report if it is there.")] = False,
) -> None:
    """Measure style, content, steadiness and sharpness over pairs of content and style."""
    from scumble.core.downloads import vgg_path
    from scumble.network.vgg import Features
    from scumble.quality import evaluate as e

    if output is not None:
        check_report_output(output, overwrite)
    if 0 < size < 4 * 32:
        raise BadSettings(f"size {size}: give 0, or a number from 128 on")
    judged = e.open_subject(subject)
    contents, styles = e.gather(content, "content", size), e.gather(style, "style", size)
    features = Features(vgg or vgg_path())
    with Display() as tell:
        done = e.evaluate(judged, contents, styles, features, tell)
    facts = e.as_json(done, features.name, size)
    if output is not None:
        e.write_page(output, done, facts, contents, styles)
        write_json(output.with_suffix(".json"), facts)
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    for name, value in done.mean.items():
        print(f"{name:12} {value:9.4f}   {e.FIGURES[name]}")
    if output is not None:
        print(f"{output}: {len(done.pairs)} pairs")


@takes(RenderSettings, only=(*HOW_READ, "first_frame", "vectors", "cuts"))
def qc(
    plate: Annotated[
        Path | None, typer.Argument(metavar="PLATE", help="Movie or sequence that was painted.", show_default=False)
    ] = None,
    rendered: Annotated[
        Path | None, typer.Argument(metavar="RENDER", help="Its painting, by Scumble or not.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="REPORT.html", help="Page to write, with its JSON beside it."),
    ] = None,
    limits: Annotated[
        Path | None, typer.Option("--limits", metavar="FILE.toml", help="What the render must keep to pass.")
    ] = None,
    motion: Annotated[
        Literal["auto", "vectors", "flow"],
        typer.Option(
            "--motion", help="The plate's vector channels, or optical flow; auto takes vectors where they are."
        ),
    ] = "auto",
    frames: Annotated[
        str | None, typer.Option("--frames", metavar="RANGE", help="Frames to look at, as in 1001-1100.")
    ] = None,
    out_layer: Annotated[
        str, typer.Option("--out-layer", metavar="NAME", help="Layer of the painting in the render.")
    ] = "",
    out_space: Annotated[
        str, typer.Option("--out-space", metavar="SPACE", help="Colour space of the render; its tags otherwise.")
    ] = "",
    probe: Annotated[
        str | None, typer.Option("--probe", metavar="LOOK", help="Certify a look on this machine instead.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the report if it is there.")] = False,
    **options: Any,
) -> None:
    """Measure a render against its plate: steadiness, sharpness, colour, broken and missing frames.

    Exit code 1 when a limit is not kept. --probe LOOK measures exact pans, the static half, and that
    strips equal the frame and chunks the whole.
    """
    if probe is not None:
        _probe(probe, as_json)
        return
    from scumble.core.frames import parse_frames
    from scumble.core.settings import load
    from scumble.quality import html_report as report
    from scumble.quality import qc as q

    if plate is None or rendered is None:
        raise BadSettings("give PLATE and RENDER, or --probe LOOK")
    if output is not None:
        check_report_output(output, overwrite)
    of_plate = how_read(options)
    same_layer = of_plate.layer if rendered.suffix.lower() == ".exr" else ""
    kept = load(limits, q.Limits) if limits else q.Limits()
    with Display() as tell:
        numbers = parse_frames(frames) if frames else None
        done = q.examine(
            plate,
            rendered,
            motion,
            numbers,
            options["vectors"],
            tell,
            options["cuts"],
            options["first_frame"],
            of_plate,
            replace(of_plate, layer=out_layer or same_layer, in_space=out_space),
        )
    facts = q.as_json(done, kept)
    if output is not None:
        report.write(output, *q.page(done, kept))
        write_json(output.with_suffix(".json"), facts)
    if as_json:
        print(json.dumps(facts, indent=2))
    else:
        for name, value in done.summary.items():
            mark = {True: "ok", False: "FAIL", None: "--"}[facts["verdicts"][name]]
            shown = "not measured" if value is None else f"{value:.3f}"
            print(f"{mark:4} {name:10} {shown:>12}   limit {getattr(kept, name):g}")
        print("passes" if facts["passes"] else "FAILS")
    if not facts["passes"]:
        raise typer.Exit(1)


def _probe(name: str, as_json: bool) -> None:
    from scumble.look.shipped import find_look
    from scumble.quality import certificate as probe

    certificate = probe.probe(find_look(name))
    if as_json:
        print(json.dumps(certificate.as_json(), indent=2))
    else:
        print(certificate)
    if not certificate.exact:
        raise typer.Exit(1)
