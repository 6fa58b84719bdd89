"""`scumble render` and `scumble matte`."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from scumble.cli.checks import needs_torch
from scumble.cli.grammar import (
    frames_of,
    keyed_looks,
    lines_option,
    looks_in_mattes,
    one_matte,
    proxy_of,
    settings_dump,
    weighted,
)
from scumble.cli.terminal import counting, note, render_progress, say
from scumble.core.errors import BadInput, BadSettings
from scumble.core.files import check_writable


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
            help="Movie (mp4, mov, mkv), sequence pattern (shot.####.png), folder (a movie becomes PNG) or still (png, exr, jpg, tif, dpx, webp).",
        ),
    ],
    look: Annotated[
        list[str] | None,
        typer.Option(
            "--look",
            metavar="FILE|NAME[@FRAME]",
            help='Look file, or the name of a shipped look; given several times with the frames at which each stands alone, they cross-fade; a .toml file lists them, a line each, as in 1001 = "auvers".',
        ),
    ] = None,
    style: Annotated[
        list[str] | None,
        typer.Option("--style", metavar="PICTURE[:WEIGHT]...", help="Style pictures instead of a look."),
    ] = None,
    refine: Annotated[
        float | None,
        typer.Option(
            "--refine",
            metavar="MINUTES",
            min=0.1,
            help="Refine the look of --style for this shot first; it is kept beside the output (needs the extra train).",
        ),
    ] = None,
    frames: Annotated[
        str | None, typer.Option("--frames", metavar="RANGE", help="Frames to paint, as in 1001-1100x2,1150.")
    ] = None,
    start: Annotated[int | None, typer.Option("--start", "-s", help="First frame to paint.")] = None,
    end: Annotated[int | None, typer.Option("--end", "-e", help="Last frame to paint.")] = None,
    step: Annotated[int, typer.Option("--step", "-j", min=1, help="Paint every STEP-th frame.")] = 1,
    first_frame: Annotated[
        int | None, typer.Option("--first-frame", help="Number of the plate's first frame (movies: 1).")
    ] = None,
    frame_rate: Annotated[
        str | None,
        typer.Option(
            "--frame-rate",
            metavar="RATE",
            help="Frames per second of the movie made, as in 24 or 24000/1001; a movie keeps its own by default.",
        ),
    ] = None,
    quality: Annotated[int, typer.Option("--quality", min=0, max=100, help="Quality of movies, JPEG and WebP.")] = 85,
    strength: Annotated[
        str,
        typer.Option(
            "--strength",
            metavar="NUMBER|KEYS",
            help="0 keeps the plate, 1 is the painting; or keys over frames, as in 1001:0,1050:1.",
        ),
    ] = "1",
    keep_color: Annotated[
        float,
        typer.Option(
            "--keep-color",
            help="From 0, which recolours as the style, to 1, which keeps the plate's colours under the strokes.",
        ),
    ] = 0.0,
    keep_exposure: Annotated[
        float,
        typer.Option(
            "--keep-exposure",
            help="From 0, as light or dark as the style, to 1, about as the plate, in the style's hues.",
        ),
    ] = 0.0,
    hold_blacks: Annotated[
        bool,
        typer.Option(
            "--hold-blacks/--no-hold-blacks", help="Leave what is near the plate's black and white points as it is."
        ),
    ] = False,
    palette: Annotated[
        Path | None, typer.Option("--palette", metavar="PICTURE", help="Take colours from this picture instead.")
    ] = None,
    stroke: Annotated[float, typer.Option("--stroke", help="Size of strokes, 0.1 to 20; 2 doubles them.")] = 1.0,
    lines: Annotated[
        str | None,
        typer.Option(
            "--lines",
            metavar="N|full",
            help="Lines at which the network sees the plate (default: at most 720); full is the plate's own.",
        ),
    ] = None,
    carry: Annotated[
        float,
        typer.Option(
            "--carry",
            help="How much of its painted key frames a matched look carries along the shot: 1 all, 0 the network alone.",
        ),
    ] = 1.0,
    precision: Annotated[
        Literal["auto", "f32", "fast"], typer.Option("--precision", help="auto: fast for 8-bit movies, f32 otherwise.")
    ] = "auto",
    engine: Annotated[str, typer.Option("--engine", help="openvino or torch.")] = "openvino",
    cuts: Annotated[
        str | None,
        typer.Option(
            "--cuts",
            metavar="auto|none|FILE",
            help="Where shots begin, each of which has statistics of its own: found, one shot, or a text file of first frames, one a line (default: auto for movies, none for sequences).",
        ),
    ] = None,
    stats: Annotated[
        Path | None,
        typer.Option(
            "--stats",
            metavar="FILE.json",
            help="Statistics to paint with, shared by the shots of a sequence; measured and written when the file is not there.",
        ),
    ] = None,
    stabilize: Annotated[
        Literal["vectors", "flow"] | None,
        typer.Option(
            "--stabilize",
            "--stabilise",
            help="Average every frame with its neighbours along the motion: of the EXR's vector channels, or optical flow.",
        ),
    ] = None,
    window: Annotated[
        int, typer.Option("--window", min=1, max=3, help="Frames on each side that the stabiliser sees.")
    ] = 2,
    grain: Annotated[
        Literal["keep", "remove"] | None,
        typer.Option("--grain", help="Take the plate's grain off before painting; give it back after, or not."),
    ] = None,
    matte: Annotated[
        str | None,
        typer.Option(
            "--matte",
            metavar="PATH",
            help="Paint where this is white only: a sequence, movie or still; alpha where there is one, else red.",
        ),
    ] = None,
    matte_channel: Annotated[
        str | None, typer.Option("--matte-channel", metavar="NAME", help="Paint where this channel of the plate is 1.")
    ] = None,
    crypto: Annotated[
        list[str] | None,
        typer.Option(
            "--crypto", metavar="OBJECT", help="Paint these objects of the plate's Cryptomatte; * stands for anything."
        ),
    ] = None,
    auto_matte: Annotated[
        Literal["person"] | None,
        typer.Option("--auto-matte", help="Paint the people that Scumble finds by itself."),
    ] = None,
    invert_matte: Annotated[
        bool, typer.Option("--invert-matte/--no-invert-matte", help="Paint outside the matte instead.")
    ] = False,
    feather: Annotated[
        float,
        typer.Option("--feather", metavar="PIXELS", help="Soften the edges of mattes over so many pixels, up to 1000."),
    ] = 0.0,
    matte_look: Annotated[
        list[str] | None,
        typer.Option(
            "--matte-look",
            metavar="MATTE=LOOK",
            help="Another look in a matte of its own: a path, channel:NAME, crypto:OBJECT or auto:person; any number of them.",
        ),
    ] = None,
    on: Annotated[
        int,
        typer.Option("--on", min=1, max=24, help="Paint every so many frames and hold them between: 2 is on twos."),
    ] = 1,
    on_warp: Annotated[
        Literal["vectors", "flow"] | None,
        typer.Option("--on-warp", help="Let what is held move with the plate, along its vectors or optical flow."),
    ] = None,
    vectors: Annotated[
        str,
        typer.Option(
            "--vectors",
            metavar="LAYER[:forward|backward][:up|down]",
            help="Layer of motion vectors in pixels, their direction and the way of their y axis; Blender's, Nuke's and Arnold's names are recognised.",
        ),
    ] = "",
    aov: Annotated[
        list[str] | None,
        typer.Option(
            "--aov",
            metavar="LIST",
            help="Parts of the painting as layers of a linear EXR: luma,chroma,detail,matte or some of them; not with --proxy, --compare, --burn-in, nor with --on without --on-warp.",
        ),
    ] = None,
    compare: Annotated[
        Literal["side", "wipe", "stack"] | None,
        typer.Option("--compare", help="The plate left of the painting, in the left half of the frame, or above it."),
    ] = None,
    burn_in: Annotated[
        bool, typer.Option("--burn-in/--no-burn-in", help="Write shot, frame, timecode and look into the picture.")
    ] = False,
    proxy: Annotated[
        int,
        typer.Option(
            "--proxy", metavar="1|2|4", help="Write a half or a quarter of the size, with the strokes of the whole."
        ),
    ] = 1,
    layer: Annotated[
        str,
        typer.Option("--layer", metavar="NAME", help="Colour layer of an EXR, by layer or part (default: the beauty)."),
    ] = "",
    out_layer: Annotated[
        str,
        typer.Option(
            "--out-layer",
            metavar="NAME",
            help="Write the painting as this layer, beside the untouched beauty of an EXR.",
        ),
    ] = "",
    in_space: Annotated[
        str,
        typer.Option(
            "--in-space",
            metavar="SPACE",
            help="Colour space of the plate, as in ACEScg; its tags are believed otherwise.",
        ),
    ] = "",
    out_space: Annotated[
        str,
        typer.Option(
            "--out-space",
            metavar="SPACE",
            help="Colour space of the output (default: the plate's own where the format can hold it).",
        ),
    ] = "",
    ocio: Annotated[
        str | None,
        typer.Option(
            "--ocio",
            metavar="FILE|ocio://NAME",
            help="OpenColorIO configuration (default: $OCIO, else a built-in ACES 1.3 studio configuration).",
        ),
    ] = None,
    missing: Annotated[
        Literal["error", "hold", "skip"],
        typer.Option(
            "--missing", help="Frames that the sequence lacks: stop, repeat the frame before, or leave them out."
        ),
    ] = "error",
    codec: Annotated[
        str,
        typer.Option(
            "--codec",
            metavar="NAME",
            help="Codec of a movie: h264, h264-10, hevc, hevc-10, prores-proxy, -lt, prores, -hq, -4444, -4444xq, dnxhr-lb, -sq, -hq, -hqx, -444, ffv1, ffv1-10, ffv1-16 (default: h264 for 8 bits, else prores-hq in .mov, hevc-10 in .mp4, ffv1 in .mkv).",
        ),
    ] = "",
    settings_file: Annotated[
        Path | None,
        typer.Option(
            "--settings",
            metavar="FILE.toml",
            help="Further flags, by their long names, paths as seen from the file; the command line wins.",
        ),
    ] = None,
    dump_settings: Annotated[
        bool, typer.Option("--dump-settings", help="Print the flags as a file for --settings, and write nothing.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done and write nothing.")] = False,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite/--no-overwrite",
            help="Replace outputs that are there, whoever made them; otherwise frames that were made in the same way are kept.",
        ),
    ] = False,
    progress: Annotated[
        Literal["bar", "json", "none"], typer.Option("--progress", help="A bar, one JSON line an event, or nothing.")
    ] = "bar",
) -> None:
    """Paint a shot with a look, or with style pictures directly."""
    from scumble.core.frames import parse_rate
    from scumble.core.keyed import Keys
    from scumble.look.making import make_look, style_picture
    from scumble.media.aov import parse_aovs
    from scumble.media.ocio import Colours
    from scumble.media.open import open_plate
    from scumble.media.plate import PlateOptions
    from scumble.network.palette import Palette
    from scumble.rendering.options import RenderSettings
    from scumble.rendering.plan import plan
    from scumble.rendering.run import run
    from scumble.shot.matte import NOWHERE

    for flag in ("layer", "out_layer", "in_space", "out_space", "codec", "matte", "matte_channel", "ocio"):
        given = ctx.get_parameter_source(flag)
        if ctx.params.get(flag) == "" and given is not None and given.name == "COMMANDLINE":
            raise BadSettings(f"--{flag.replace('_', '-')}: empty; give a name, or leave it out")
    if dump_settings:
        print(settings_dump(ctx), end="")
        return
    if (not look) == (not style) and (look or not matte_look):
        raise BadSettings("give either --look FILE|NAME or --style PICTURE")
    colours = Colours(ocio)
    if ocio is not None:
        colours.check()
    plate = open_plate(source, first_frame, PlateOptions(layer, in_space, colours))
    settings = RenderSettings(
        frames=frames_of(frames, start, end, step, plate.frame_range),
        first_frame=first_frame,
        frame_rate=parse_rate(frame_rate) if frame_rate else None,
        quality=quality,
        strength=Keys.parse(strength, "strength"),
        keep_color=keep_color,
        keep_exposure=keep_exposure,
        hold_blacks=hold_blacks,
        palette=Palette.measure(style_picture(palette)) if palette else None,
        stroke=stroke,
        lines=lines_option(lines),
        carry=carry,
        precision=precision,
        engine=engine,
        cuts=cuts,
        stats=stats,
        stabilize=stabilize,
        window=window,
        grain=grain,
        matte=one_matte(matte, matte_channel, crypto, auto_matte),
        invert_matte=invert_matte,
        feather=feather,
        on=on,
        on_warp=on_warp,
        vectors=vectors,
        aovs=parse_aovs(",".join(aov)) if aov else (),
        compare=compare,
        burn_in=burn_in,
        proxy=proxy_of(proxy),
        layer=layer,
        out_layer=out_layer,
        in_space=in_space,
        out_space=out_space,
        ocio=ocio,
        missing=missing,
        codec=codec,
        overwrite=overwrite,
    )
    if not look and not style:  # the plate shows where no matte has a look
        if settings.matte:
            raise BadSettings("a matte is for the look of --look or --style; give one of them")
        settings, look = dataclasses.replace(settings, matte=NOWHERE), ["identity"]
    if refine is not None and not style:
        raise BadSettings(
            "--refine is for a look of --style PICTURE; a look of --look is refined by scumble look train"
        )
    pictures = [(Path(n), w) for n, w in map(weighted, style or [])]
    chosen: Any = keyed_looks(look) if look else make_look(pictures)
    if refine is not None:
        plan(plate, chosen, output, settings, looks_in_mattes(matte_look or []))  # refused before minutes are spent
        if not dry_run:
            chosen = _refined(source, pictures, output, refine, PlateOptions(layer, in_space, colours), overwrite)
    job = plan(plate, chosen, output, settings, looks_in_mattes(matte_look or []))
    if dry_run:
        print(job)
        return
    with render_progress(progress, len(job.numbers), source.name) as tick:
        done = run(job, tick)
    if progress != "none":
        note.print(
            f"{done.frames} frame{'s' * (done.frames != 1)} in {done.seconds:.1f} s"
            f" ({done.frames / done.seconds:.2f} frames/s): {job.output}"
            + (f"; {done.kept} were there already, made in the same way" if done.kept else ""),
            soft_wrap=True,
        )
        for line in (*job.notes(), *done.notes):
            note.print(f"note: {line}", soft_wrap=True)


def _refined(
    source: Path, pictures: list[tuple[Path, float]], output: Path, minutes: float, options: Any, overwrite: bool
) -> Any:
    """The look of style pictures refined for a shot, kept beside the shot's output."""
    needs_torch()
    from scumble.train.train_look import refined_look

    if any(weight != 1 for _, weight in pictures):
        raise BadSettings("--refine takes style pictures without weights: they are learned as one style")
    stem = output.name.split(".")[0].strip("#_- ") or "refined"
    with counting() as tell:
        return refined_look(
            source, [p for p, _ in pictures], output.parent / f"{stem}.look", minutes, options, say, tell, overwrite
        )


def matte(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Movie, image sequence or still.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="SEQ",
            help="Sequence pattern (roto.####.png), folder or still; its codes are the matte.",
        ),
    ],
    auto: Annotated[
        Literal["person"] | None,
        typer.Option("--auto", "--auto-matte", help="The people that Scumble finds by itself (default)."),
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
    invert_matte: Annotated[bool, typer.Option("--invert-matte", help="Turn it around.")] = False,
    feather: Annotated[
        float, typer.Option("--feather", min=0.0, max=1000.0, metavar="PIXELS", help="Soften its edges.")
    ] = 0.0,
    frames: Annotated[
        str | None, typer.Option("--frames", metavar="RANGE", help="Frames to write, as in 1001-1100.")
    ] = None,
    first_frame: Annotated[
        int | None, typer.Option("--first-frame", help="Number of the plate's first frame (movies: 1).")
    ] = None,
    layer: Annotated[str, typer.Option("--layer", metavar="NAME", help="As in scumble render.")] = "",
    in_space: Annotated[str, typer.Option("--in-space", metavar="SPACE", help="As in scumble render.")] = "",
    ocio: Annotated[
        str | None, typer.Option("--ocio", metavar="FILE|ocio://NAME", help="As in scumble render.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace mattes that are there.")] = False,
    progress: Annotated[
        Literal["bar", "json", "none"], typer.Option("--progress", help="A bar, one JSON line an event, or nothing.")
    ] = "bar",
) -> None:
    """Write a shot's mattes as files, to be looked at, corrected, and given back with --matte."""
    from scumble.core.frames import parse_frames
    from scumble.media.ocio import Colours
    from scumble.media.open import open_plate
    from scumble.media.plate import PlateOptions
    from scumble.rendering.output import checked_output
    from scumble.rendering.run import FrameDone
    from scumble.shot.matte import shaped
    from scumble.shot.open_matte import noticed, parse_matte, prepare, write_mattes

    colours = Colours(ocio)
    if ocio is not None:
        colours.check()
    plate = open_plate(source, first_frame, PlateOptions(layer, in_space, colours))
    numbers = parse_frames(frames) if frames else plate.numbers
    missing = next(iter(sorted(set(numbers) - set(plate.numbers))), None)
    if missing is not None:
        raise BadInput(f"{source}: frame {missing} is not in the plate's {plate.frame_range}; give --frames inside it")
    words = one_matte(path, channel, crypto, auto) or "auto:person"
    found = shaped(parse_matte(words, plate, numbers), invert_matte, feather)
    output, files = checked_output(plate, output, numbers, overwrite, painting=False)
    check_writable(files[0])
    prepare(found)
    began = time.monotonic()
    with render_progress(progress, len(numbers), source.name) as tick:
        write_mattes(found, plate, numbers, output, lambda n: tick(FrameDone(source.name, n, time.monotonic() - began)))
    if progress != "none":
        say(f"{len(numbers)} matte{'s' * (len(numbers) != 1)} of {found}: {output}")
        for line in noticed(found):
            say(f"note: {line}")
