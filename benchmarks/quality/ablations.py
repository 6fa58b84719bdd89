"""Parts of the recipe left out one at a time: short runs of equal length, and the table of docs/training.md.

    python benchmarks/quality/ablations.py DATASET OUTPUT [--only NAME ...] [--steps 800] [--threads 1]

DATASET is what `scumble data prepare` made. Every run begins from scratch with the same seed, in a folder of OUTPUT
of its own; a run that is there is not made again.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from scumble.core.settings import load
from scumble.train.journal import CARD
from scumble.train.loop import train
from scumble.train.settings import TrainSettings

RECIPE = Path(__file__).parents[2] / "configs" / "universal.toml"
COMMON = ["schedule.minutes=0", "schedule.adversarial_from=100", "schedule.adversarial_ramp=200", "run.seed=11"]
CHANGES: dict[str, list[str]] = {
    "none": [],
    "without the discriminator": ["losses.adversarial=0"],
    "a discriminator that sees no false names": ["discriminator.mismatched=0"],
    "without the style at half size": ["losses.half=0"],
    "without Gram matrices": ["losses.gram=0"],
    "without mixtures": ["data.mixed=0"],
    "without the motion term": ["losses.motion=0"],
    "without recolouring": ["generator.palette=false"],
    "U-Net": ["generator.form='unet'"],
}
FIGURES = ("content", "style", "pan", "composite")


def main() -> None:
    """See the module's head."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--only", action="append", choices=CHANGES)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    print("| change | " + " | ".join(FIGURES) + " |\n|---|" + "---|" * len(FIGURES), flush=True)
    for name in given.only or CHANGES:
        folder = given.output / name.replace(" ", "_")
        if not (folder / CARD).is_file():
            changes = [*COMMON, *CHANGES[name], f"schedule.steps={given.steps}", f"run.threads={given.threads}"]
            settings = load(RECIPE, TrainSettings, changes)
            own = replace(settings.data, dataset=given.dataset), replace(settings.run, output=folder)
            train(replace(settings, data=own[0], run=own[1]), overwrite=True)
        test = json.loads((folder / CARD).read_text("utf-8"))["test"]
        print(f"| {name} | " + " | ".join(f"{test[figure]:.3f}" for figure in FIGURES) + " |", flush=True)


if __name__ == "__main__":
    main()
