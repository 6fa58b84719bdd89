"""Parts of the recipe left out one at a time: short runs of equal length, and the table of docs/training.md.

    python benchmarks/quality/ablations.py DATASET OUTPUT [--only NAME ...] [--steps 800] [--threads 1]

DATASET is what `scumble data prepare` made. Every run begins from scratch with the same seed, in a folder of OUTPUT
of its own; a run that is there is not made again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

from torch import Tensor
from torch.nn import functional as F

from scumble.network import Architecture, Node
from scumble.nn import generator
from scumble.settings import load
from scumble.train.loop import CARD, train
from scumble.train.settings import TrainSettings

RECIPE = Path(__file__).parents[2] / "configs" / "first.toml"
COMMON = ["generator.size='draft'", "schedule.minutes=0", "run.seed=11", "run.device='cpu'"]
CHANGES: dict[str, list[str]] = {
    "none": [],
    "without the discriminator": ["losses.adversarial=0"],
    "a discriminator that sees no reference": ["discriminator.kind='plain'"],
    "one kernel a layer instead of a mixture": ["generator.experts=1"],
    "every sample's own statistics": ["schedule.pooled=0"],
    "without the temporal term": ["losses.temporal=0"],
    "affine terms from the code alone": [],
    "strided convolutions and nearest ups": [],
    "without skips": ["generator.skips=false"],
    "without recolouring": ["generator.palette=false"],
}
FIGURES = ("content", "style", "pan", "composite")


@contextmanager
def patched(name: str) -> Iterator[None]:
    """What no setting changes, since nobody should: it is put in place of the product's own for one run."""
    nodes = Architecture.nodes

    def uninjected(own: Architecture) -> tuple[Node, ...]:
        return tuple(replace(node, injected=False) for node in nodes(own))

    def strided(x: Tensor) -> Tensor:
        return x[..., ::2, ::2]

    with ExitStack() as held:
        if name == "affine terms from the code alone":
            held.enter_context(patch.object(Architecture, "nodes", uninjected))
        if name == "strided convolutions and nearest ups":
            held.enter_context(patch.object(generator, "blur_down", strided))
            held.enter_context(patch.object(generator, "up", partial(F.interpolate, scale_factor=2.0, mode="nearest")))
        yield


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
            with patched(name):
                train(replace(settings, data=own[0], run=own[1]), say=lambda words: None, overwrite=True)
        test = json.loads((folder / CARD).read_text("utf-8"))["test"]
        print(f"| {name} | " + " | ".join(f"{test[figure]:.3f}" for figure in FIGURES) + " |", flush=True)


if __name__ == "__main__":
    main()
