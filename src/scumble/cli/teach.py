"""`scumble look train`, `match` and `suggest`: looks that learn from a show or from painted frames."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from scumble.cli.checks import check_look_output, check_sheet_output, needs_torch, override
from scumble.cli.options import HOW_READ, MACHINE, ShowAs, Vgg, how_read, takes
from scumble.cli.terminal import Display, say
from scumble.core.errors import BadInput, BadLook, BadSettings
from scumble.rendering.options import RenderSettings, lines_of
from scumble.train.match.settings import MatchSettings, RefineSettings
from scumble.train.settings import RunSettings, TrainSettings

ON_WHAT = tuple(name for name in MACHINE if name != "vgg")  # of a match


@takes(RenderSettings, only=HOW_READ)
@takes(RunSettings, only=MACHINE, unset=True)
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
        typer.Option("--minutes", min=0.0, help="Time limit in minutes: 5 by default, 30 from scratch, 0 for none."),
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
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="TABLE.KEY=VALUE",
            help="Any setting, in TOML, as in match.local=6 or keys.content=2. Give it any number of times.",
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that was stopped.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the look and its run if they are there.")
    ] = False,
    progress: ShowAs = "bar",
    **options: Any,
) -> None:
    """Refine a look on a show's own footage and style pictures (needs the extra `train`).

    Some frames of the footage are painted slowly in the style; then the look is matched to them. It is for this
    footage. Previews and report.html appear in the run's folder.
    """
    needs_torch()
    from scumble.core.settings import load
    from scumble.look.shipped import find_look, shipped
    from scumble.train.data.material import Material, gather
    from scumble.train.journal import CARD, JOURNAL
    from scumble.train.machine import device_of
    from scumble.train.match.refine import INSTANT, refine_look
    from scumble.train.run_folder import refuse_a_run
    from scumble.train.train_look import train_look

    pictures = [*(paintings or ()), *(style or ())]
    if not pictures:
        raise BadInput("look train: no style picture; name some with --style")
    if from_scratch and start:
        raise BadSettings("--from-scratch starts from no look; leave --start out")
    if generator and not from_scratch:
        raise BadSettings("--generator is for --from-scratch; a look that is started from has its own")
    plate_options = how_read(options)
    recipe = config or shipped("data") / ("classic_look.toml" if from_scratch else "look.toml")
    settings: Any = load(recipe, TrainSettings if from_scratch else RefineSettings, changes or ())
    length, machine = ("schedule", "run") if from_scratch else ("match", "match")
    if steps is not None and minutes is None and not any(c.startswith(f"{length}.minutes") for c in changes or ()):
        minutes = 0.0
    settings = override(settings, length, minutes=minutes, steps=steps)
    on = {name: options[name] for name in MACHINE if from_scratch or name != "vgg"}
    settings = override(settings, machine, **on)
    folder = run or output.with_suffix(".run")
    if from_scratch:
        if generator:
            settings = override(settings, "generator", form=generator)
        if settings.run.output != RunSettings().output and run is None:
            folder = settings.run.output
        settings = override(settings, "run", output=folder)
    else:
        settings = override(settings, "keys", **on)
    # refused before any work, and before anything of an earlier run is touched
    if not (resume and (folder / JOURNAL).exists() and not (folder / CARD).exists()):
        check_look_output(output, overwrite)
    if not (resume or overwrite):
        refuse_a_run(folder, "--resume")
    own = getattr(settings, machine)
    device_of(own.device)
    first = find_look(start) if start else None
    begun_with = {
        "seed": own.seed,
        "start": "scratch" if from_scratch else first.hash if first is not None else INSTANT,
    }
    material = Material(content, pictures, plate_options, licence)
    again = "the same command and --resume" + (" instead of --overwrite" if overwrite and not resume else "")
    name = name or output.stem
    with Display(progress) as tell:
        gathered = gather(material, folder, begun_with, tell, resume)
        if from_scratch:
            made = train_look(gathered, output, settings, name, tell, resume, again)
        else:
            vgg = options["vgg"]
            made = refine_look(gathered, output, folder, settings, first, name, vgg, tell, resume, again)
    _say_made(output, made, progress, folder / "report.html")


@takes(RenderSettings, only=(*HOW_READ, "first_frame", "lines"))
@takes(MatchSettings, only=ON_WHAT)
def look_match(
    plate: Annotated[
        Path, typer.Option("--plate", metavar="INPUT", help="The shot: movie or image sequence, as in scumble render.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="LOOK", help="Look file to write.")],
    painted: Annotated[
        list[str] | None,
        typer.Option(
            "--painted",
            metavar="[FRAME=]PICTURE|FRAME...",
            help="Frames that were painted over: the number is the last one in the file's name, or stands before it."
            " With --style, a number alone is a frame to paint.",
        ),
    ] = None,
    style: Annotated[
        list[Path] | None,
        typer.Option(
            "--style",
            metavar="PICTURE...",
            help="Paint the key frames in the style of these pictures first, into the run's folder; one frame that is"
            " suggested, or those of --painted. Takes minutes a frame.",
        ),
    ] = None,
    matte: Annotated[
        str | None,
        typer.Option(
            "--matte",
            metavar="MATTE",
            help="Learn where this is white: a path, channel:NAME, crypto:OBJECT, auto:person.",
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", min=0.0, help="Time limit in minutes: 20 by default, 0 for none.")
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
    carry: Annotated[
        bool,
        typer.Option(
            "--carry/--no-carry", help="Keep the painted frames in the look, so that renders carry them along the shot."
        ),
    ] = True,
    name: Annotated[str, typer.Option("--name", help="Name of the look; the file's name by default.")] = "",
    run: Annotated[
        Path | None,
        typer.Option("--run", help="Folder of previews, journal and checkpoint; beside the look by default."),
    ] = None,
    vgg: Vgg = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the look; a finished match begins anew, a stopped one goes on.")
    ] = False,
    progress: ShowAs = "bar",
    **options: Any,
) -> None:
    """Match a look to frames that an artist painted over, or that are painted by --style (needs the extra `train`).

    Goes on where it was stopped when it is run again with the same keys, and from the look that is there when keys
    are added to it. Previews and report.html appear in the run's folder.
    """
    needs_torch()
    from scumble.core.frames import frame_number, key_number
    from scumble.core.settings import load
    from scumble.look.shipped import find_look, shipped
    from scumble.media.open import open_plate
    from scumble.shot.open_matte import parse_matte
    from scumble.train.match.check_keys import network_size
    from scumble.train.match.job import match_look
    from scumble.train.match.painted_keys import painted_keys
    from scumble.train.match.settings import KeySettings

    if not painted and not style:
        raise BadInput(
            "look match: name painted frames with --painted, or pictures in whose style to paint with --style"
        )
    to_paint = [n for words in painted or () if style and (n := frame_number(words)) is not None]
    keys = [key_number(words) for words in painted or () if not style or frame_number(words) is None]
    # where strokes lie cannot be told from the plate: as in refining, as many are asked for
    own = load(shipped("data") / "look.toml", RefineSettings).match if style else MatchSettings()
    settings = replace(own, minutes=MatchSettings().minutes, **{name: options[name] for name in ON_WHAT})
    folder, lines = run or output.with_suffix(".match"), options["lines"] and lines_of(options["lines"])
    shot = open_plate(plate, options["first_frame"], how_read(options))
    if style:
        on = KeySettings(**{name: options[name] for name in ON_WHAT})
        with Display(progress) as tell:
            numbers = to_paint or ([] if keys else [_suggested(shot, vgg, tell)])
            learned, asked = _frames_of(output), {*numbers, *(n for n, _ in keys)}
            if not learned or not learned < asked:  # no look that goes on: refused before minutes of work
                check_look_output(output, overwrite)
            keys += painted_keys(shot, numbers, style, folder, network_size(shot, lines), on, vgg, tell, overwrite)
    before = None if overwrite or start is not None else _matched_to_fewer(output, keys)
    if before is None:
        check_look_output(output, overwrite)
    known = [number for number, _ in keys if number in set(shot.numbers)]
    if steps is not None:  # alone it is the only limit
        settings = replace(settings, steps=steps, minutes=0.0)
    if minutes is not None:
        settings = replace(settings, minutes=minutes)
    with Display(progress) as tell:
        made = match_look(
            shot,
            keys,
            output,
            settings,
            folder,
            None if matte is None else parse_matte(matte, shot, known),
            find_look(start) if start is not None else before,
            painted_space,
            name or output.stem,
            lines,
            vgg,
            tell,
            overwrite,
            carry,
        )
    _say_made(output, made, progress, folder / "report.html")


def _frames_of(output: Path) -> set[int]:
    """The painted frames that the look has learned from which is there already."""
    from scumble.look.look import Look

    sources = Look.load(output).facts.get("sources", []) if output.is_file() else []
    return {source["frame"] for source in sources if isinstance(source.get("frame"), int)}


def _suggested(shot: Any, vgg: Path | None, tell: Any) -> int:
    """The frame that is worth painting first."""
    from scumble.core.downloads import vgg_path
    from scumble.network.vgg import Features
    from scumble.train.match.suggest import suggest

    return suggest(shot, (), 1, Features(vgg or vgg_path()), tell)[1][0].number


def _say_made(output: Path, look: Any, progress: str, report: Path) -> None:
    """The last line of a command that has made a look."""
    if progress == "json":
        facts = {"event": "look", "file": str(output), "name": look.name, "hash": look.hash, "report": str(report)}
        print(json.dumps(facts))
    else:
        print(f"{output}: look {look.name} ({look.hash}); {report}")


def _matched_to_fewer(output: Path, keys: Sequence[tuple[int, Path]]) -> Any:
    """The look that is there already, where it was matched to some of these keys: it goes on with all of them."""
    from scumble.look.look import Look
    from scumble.look.making import picture_hash

    if not output.is_file():
        return None
    look = Look.load(output)
    learned = {(str(source.get("frame")), str(source.get("sha256"))) for source in look.facts.get("sources", [])}
    given = {(str(number), picture_hash(path)) for number, path in keys if path.is_file()}
    if look.shot is None or not learned < given:
        return None
    frames = ", ".join(number for number, _ in sorted(given - learned))
    say(f"{output}: going on from what it has learned, with frame {frames}")
    return look


@takes(RenderSettings, only=(*HOW_READ, "first_frame"))
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
    vgg: Vgg = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the sheet if it is there.")] = False,
    **options: Any,
) -> None:
    """Say which frame of a shot to paint next: the one that shows most of what no key frame shows."""
    from scumble.core.colour import DISPLAY
    from scumble.core.downloads import vgg_path
    from scumble.core.frames import Frame, frame_number, key_number
    from scumble.look.shipped import find_look
    from scumble.media.open import open_plate
    from scumble.media.picture_writer import write_picture
    from scumble.media.plate import WriterSettings
    from scumble.network.vgg import Features
    from scumble.rendering.contact_sheet import in_a_row
    from scumble.train.match.suggest import suggest

    if output is not None:
        check_sheet_output(output, overwrite)
    shot = open_plate(plate, options["first_frame"], how_read(options))
    numbers = [n if (n := frame_number(words)) is not None else key_number(words)[0] for words in painted or ()]
    if look is not None:
        known = [source.get("frame") for source in find_look(look).facts.get("sources", [])]
        if not known or not all(isinstance(n, int) for n in known):
            raise BadLook(f"{look}: not matched to painted frames; give their numbers with --painted")
        numbers += known
    features = Features(vgg or vgg_path())
    with Display() as tell:
        before, suggestions = suggest(shot, sorted(set(numbers)), count, features, tell)
    if output is not None:
        sheet = in_a_row([(f"{s.number}  {s.novelty:.2f}", s.thumbnail) for s in suggestions])
        write_picture(output, Frame(1, sheet, DISPLAY), WriterSettings(quality=92))
    if as_json:
        rows = [{"frame": s.number, "novelty": round(s.novelty, 4), "left": round(s.left, 4)} for s in suggestions]
        print(
            json.dumps(
                {"plate": str(plate), "painted": sorted(set(numbers)), "novelty": round(before, 4), "paint": rows}
            )
        )
        return
    print(f"novelty of the shot {before:.3f}" + (f" with {len(set(numbers))} painted" if numbers else ""))
    for s in suggestions:
        print(f"paint frame {s.number}: novelty {s.novelty:.3f}, leaves {s.left:.3f}")
