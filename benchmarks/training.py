"""Speed of a training step: crops painted a second, and where the time goes; an older checkout beside it in one run.

    python benchmarks/training.py --data DATASET [--old CHECKOUT] [--steps 60] [--rounds 2]

All terms of the house recipe and the discriminator are on. The older checkout runs its own house recipe with its own
code, in turns with this one (A B A B), on the same data set: a folder that `scumble data prepare` has made.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
WARM = 12  # steps before the clock starts: compiling, caches

OLD = """
import json, sys, time
from dataclasses import replace
from pathlib import Path
from scumble.settings import load
from scumble.train.batches import Batches
from scumble.train.dataset import Dataset
from scumble.train.loop import Trainer, reference_photograph
from scumble.train.settings import TrainSettings
from scumble.nn.perceptual import PerceptualFeatures
import torch
config, data, vgg, steps, warm = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
changes = ["data.crops=[[160, 160]]", "losses.adversarial=0.5", "schedule.adversarial_from=0.0"]
s = load(Path(config), TrainSettings, changes)
s = replace(s, data=replace(s.data, dataset=data), run=replace(s.run, vgg=vgg))
trainer = Trainer(s)
recipe = s.generator
batches = Batches(Dataset(data), s.data, 0, s.schedule.pooled, reference_photograph(), recipe.palette, recipe.curves)
if trainer.generator.sight is not None:
    trainer.generator.sight.calibrate(batches.batch(i).styles[0].picture for i in range(8))
stream = batches.stream(0)
for _ in range(warm):
    trainer.step(next(stream)[1])
began = time.perf_counter()
for _ in range(steps):
    trainer.step(next(stream)[1])
spent = time.perf_counter() - began
print(json.dumps({"crops_per_second": steps * s.data.contents * s.data.styles / spent}))
"""


def ours(data: Path, steps: int, discriminator: bool) -> dict[str, float]:
    """Crops a second of the whole step, and the shares of generator and features, timed alone on as many crops."""
    from dataclasses import replace

    import torch

    from scumble.core.settings import load
    from scumble.train.data.batches import Batches
    from scumble.train.data.dataset import Dataset
    from scumble.train.data.style_set import LAYERS
    from scumble.train.gan import Gan
    from scumble.train.gan_step import gan_step
    from scumble.train.nn import losses
    from scumble.train.settings import TrainSettings
    from scumble.train.start import features_of, styles_of

    changes = ["data.variants=2", "schedule.adversarial_from=0", "schedule.motion_from=0"]
    settings = load(HERE.parent / "configs" / "universal.toml", TrainSettings, changes)
    settings = replace(settings, data=replace(settings.data, dataset=data))
    if not discriminator:
        settings = replace(settings, losses=replace(settings.losses, adversarial=0.0))
    dataset, features = Dataset(data), features_of(settings)
    gan = Gan(settings, styles_of(dataset, settings, features), features)
    stream = Batches(dataset, settings.data, gan.styles, 0, 0, discriminator).stream(0)
    for _ in range(WARM):
        gan_step(gan, next(stream)[1], 0.0)
    began = time.perf_counter()
    for _ in range(steps):
        gan_step(gan, next(stream)[1], 0.0)
    step = (time.perf_counter() - began) / steps
    side, count = settings.data.crop, settings.data.contents
    x = torch.rand(count, 3, side, side)
    moments = gan.styles.goals.moments[:count].float()

    def generator() -> None:
        y = gan.generator(x, gan.generator.look(moments))
        y.backward(torch.ones_like(y))

    def seen() -> None:
        leaf = x.clone().requires_grad_()
        found = features(leaf, LAYERS)
        stacked = losses.stacked_moments([gan.generator.fused.moments(found[k]) for k in LAYERS])
        torch.autograd.grad(stacked.sum(), leaf)

    def plate() -> None:
        with torch.no_grad():
            features(x, LAYERS)

    def clock(of: object, times: int = 8) -> float:
        assert callable(of)
        of()
        began = time.perf_counter()
        for _ in range(times):
            of()
        return (time.perf_counter() - began) / times

    # the contents' features every third step; at half size, a quarter of the places, every second
    features_seconds = clock(seen) * (1 + 0.25 / 2) + clock(plate) / settings.data.content_reuse
    generator_seconds = clock(generator)
    return {
        "crops_per_second": count / step,
        "generator": generator_seconds / step,
        "features": features_seconds / step,
        "rest": max(0.0, 1 - (generator_seconds + features_seconds) / step),
    }


def in_turns(arguments: argparse.Namespace) -> dict[str, list[dict[str, float]]]:
    """Every subject once a round, each in a process of its own."""
    found: dict[str, list[dict[str, float]]] = {}
    own = [
        sys.executable,
        str(Path(__file__).resolve()),
        "--data",
        str(arguments.data),
        "--steps",
        str(arguments.steps),
    ]
    subjects: dict[str, tuple[list[str], dict[str, str]]] = {
        "step": ([*own, "--one", "discriminator"], {}),
        "step without discriminator": ([*own, "--one", "plain"], {}),
    }
    if arguments.old is not None:
        from scumble.core.downloads import shipped_vgg

        words = [str(arguments.old / "configs" / "universal.toml"), str(arguments.data), str(shipped_vgg())]
        command = [sys.executable, "-c", OLD, *words, str(arguments.steps), str(WARM)]
        subjects["older step"] = (command, {"PYTHONPATH": str(arguments.old / "src")})
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.rounds):
            for name, (command, more) in subjects.items():
                done = subprocess.run(
                    command, env={**os.environ, **more}, cwd=folder, capture_output=True, text=True, check=False
                )
                if done.returncode:
                    sys.exit(f"{name}: {done.stderr.strip().splitlines()[-1]}")
                found.setdefault(name, []).append(json.loads(done.stdout.strip().splitlines()[-1]))
    return found


def main() -> None:
    """See the module's head."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="packed data set")
    parser.add_argument("--old", type=Path, help="checkout of an older Scumble")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--one", choices=["discriminator", "plain"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.data = arguments.data.resolve()
    if arguments.one:
        print(json.dumps(ours(arguments.data, arguments.steps, arguments.one == "discriminator")))
        return
    found = in_turns(arguments)
    middle = {
        name: {key: statistics.median(r[key] for r in rounds) for key in rounds[0]} for name, rounds in found.items()
    }
    older = middle.get("older step", {}).get("crops_per_second")
    for name, values in middle.items():
        line = f"{name:28} {values['crops_per_second']:6.1f} crops/s"
        if older:
            line += f"  {values['crops_per_second'] / older:4.2f} x the older step"
        if "generator" in values:
            line += "  " + ", ".join(f"{part} {values[part]:.0%}" for part in ("generator", "features", "rest"))
        print(line)


if __name__ == "__main__":
    main()
