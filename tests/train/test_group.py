"""Two processes that train together learn what one learns from both batches at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from helpers.training import SMALL  # noqa: E402

from scumble.core.settings import load  # noqa: E402
from scumble.train.data.batches import Batch, Batches  # noqa: E402
from scumble.train.data.dataset import Dataset  # noqa: E402
from scumble.train.gan import Gan  # noqa: E402
from scumble.train.gan_step import gan_step  # noqa: E402
from scumble.train.nn import checkpoint  # noqa: E402
from scumble.train.settings import TrainSettings  # noqa: E402
from scumble.train.start import features_of, styles_of  # noqa: E402

CONFIG = Path(__file__).parents[2] / "configs/universal.toml"

# what draws at random within a batch would draw otherwise for two halves of it
ALONE = ["losses.motion=0.0", "discriminator.mismatched=0.0", "schedule.adversarial_from=0", "run.threads=1"]


def command(dataset: Path, output: Path, *words: str, changes: list[str] = ALONE) -> list[str]:
    more = [part for change in (*SMALL, *changes) for part in ("--set", change)]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    own = ["-m", "scumble.cli", "train", CONFIG, "--data", dataset, "-o", output, "--progress", "none"]
    return [str(word) for word in (*launch, *own, *more, *words)]


def joined(one: Batch, two: Batch) -> Batch:
    """The batch of both processes as one process would have it."""
    together = {
        name: torch.cat([getattr(one, name), getattr(two, name)])
        for name in ("content", "styles", "real")
        if getattr(one, name) is not None
    }
    mixed = {
        name: torch.cat([getattr(one, name), getattr(two, name)])
        for name in ("other", "share")
        if one.other is not None
    }
    return one._replace(**together, **mixed)


@pytest.mark.skipif(sys.platform == "win32", reason="torchrun wants another store there")
def test_two_processes_learn_what_one_does(dataset: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    steps = 2
    done = subprocess.run(
        command(dataset, tmp_path / "two", "--steps", "8", "--stop-at", str(steps)),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    settings = load(CONFIG, TrainSettings, [*SMALL, *ALONE, "schedule.steps=8"])
    settings = replace(settings, data=replace(settings.data, dataset=dataset))
    pictures, features = Dataset(dataset), features_of(settings)
    gan = Gan(settings, styles_of(pictures, settings, features), features)
    halves = [Batches.of_run(settings, pictures, gan.styles, place) for place in (0, 1)]
    first = [half.batch(0) for half in halves]
    assert not torch.equal(first[0].content, first[1].content)
    for n in range(steps):
        gan_step(gan, joined(*(half.batch(n) for half in halves)), n / 8)
    tensors, facts = checkpoint.load(tmp_path / "two/resume.safetensors")
    assert facts["step"] == steps
    assert facts["crops"] == steps * 2 * settings.data.contents
    for name, module, adam in (
        ("generator", gan.generator, gan.adam_g),
        ("discriminator", gan.discriminator, gan.adam_d),
    ):
        own = checkpoint.adam_tensors(module, adam)
        theirs = checkpoint.under(tensors, "adam_g" if name == "generator" else "adam_d")
        means = [key for key in own if "exp_avg" in key and "sq" not in key]
        assert means
        for key in means:  # the gradients: sums are taken in another order
            assert float((theirs[key] - own[key]).norm()) < 2e-3 * float(own[key].norm()) + 1e-9, key
        for key, value in module.state_dict().items():
            learned = checkpoint.under(tensors, name)[key] - value
            assert float(learned.norm()) < 1e-3 * float(value.norm()) + 1e-6, key


@pytest.mark.full
@pytest.mark.skipif(sys.platform == "win32", reason="torchrun wants another store there")
def test_a_run_of_two_stops_is_saved_and_goes_on(dataset: Path, tmp_path: Path) -> None:
    """With everything on, through evaluations, to the report."""
    output = tmp_path / "run"
    changes = ["run.threads=1", "run.evaluate_every=3", "schedule.adversarial_from=2", "schedule.motion_from=1"]
    words = command(dataset, output, "--steps", "400", changes=changes)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True) as running:
        until = time.monotonic() + 120
        while not (output / "best.safetensors").exists():
            assert running.poll() is None, running.communicate()
            assert time.monotonic() < until
            time.sleep(0.2)
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate(timeout=60)
    assert "Traceback" not in said or "SignalException" in said  # torchrun's own, of the signal it got
    stopped = checkpoint.load(output / "resume.safetensors")[1]["step"]
    assert 0 < stopped < 400
    words = command(dataset, output, "--steps", str(stopped + 4), "--resume", str(output), changes=changes)
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("best of") == 1  # one of them speaks
    assert (output / "report.html").is_file()
    assert checkpoint.load(output / "resume.safetensors")[1]["step"] == stopped + 4
