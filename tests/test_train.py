"""Both recipes train: losses fall, the critic tells real from fake, every term has a switch, runs resume.

All on made pictures, a tiny network and random perceptual weights: seconds, not quality.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.numpy import load_file  # noqa: E402

from scumble.cli import app  # noqa: E402
from scumble.errors import TrainingFailed  # noqa: E402
from scumble.look import Look, Universal  # noqa: E402
from scumble.nn.perceptual import PerceptualFeatures  # noqa: E402
from scumble.settings import load  # noqa: E402
from scumble.train.batches import Batch, Batches  # noqa: E402
from scumble.train.dataset import Dataset  # noqa: E402
from scumble.train.loop import Trainer, reference_photograph, train  # noqa: E402
from scumble.train.settings import TrainSettings  # noqa: E402

CONFIGS = Path(__file__).parent.parent / "configs"
SMALL = [
    "data.crops=[[32, 32], [32, 40]]",
    "data.style_crop=40",
    "data.contents=3",
    "generator.size=tiny",
    "generator.code=16",
    "generator.sight=false",  # which takes the widths of a real VGG
    "discriminator.width=8",
    "discriminator.depth=2",
    "discriminator.crop=24",
    "run.precision=f32",
    "run.evaluate_every=1000",
    "run.evaluate_pairs=2",
    "run.evaluate_side=160",
    "schedule.minutes=0",
]


@pytest.fixture(scope="module", autouse=True)
def _threads() -> None:
    torch.set_num_threads(1)


def recipe(name: str, dataset: Path, vgg: Path, output: Path, *changes: str) -> TrainSettings:
    settings = load(CONFIGS / f"{name}.toml", TrainSettings, [*SMALL, *changes])
    return replace(
        settings, data=replace(settings.data, dataset=dataset), run=replace(settings.run, vgg=vgg, output=output)
    )


def steps(settings: TrainSettings, count: int) -> tuple[Trainer, list[dict[str, float]], list[tuple[float, float]]]:
    """Run `count` steps; the terms of each, and D's mean logits for real and fake."""
    trainer = Trainer(settings)
    batches = Batches(
        Dataset(settings.data.dataset),
        settings.data,
        settings.run.seed,
        settings.schedule.pooled,
        reference_photograph(),
        settings.generator.palette,
    )
    reports, logits = [], []
    for i in range(count):
        reports.append(trainer.step(batches.batch(i)))
        logits.append(trainer.logits)
    return trainer, reports, logits


@pytest.mark.parametrize(("name", "factor"), [("classic", 0.7), ("universal", 0.87)])
def test_the_total_falls_and_d_tells_real_from_fake(
    name: str, factor: float, dataset: Path, vgg: Path, tmp_path: Path
) -> None:
    """In 60 steps of seed 0 the weighted sum of content and style, the terms of constant weight, falls to
    `factor` of what it was, and D's mean logits for real and fake move apart."""
    settings = recipe(
        name,
        dataset,
        vgg,
        tmp_path,
        "schedule.steps=60",
        "schedule.adversarial_from=0.0",
        "schedule.rate=2e-3",
        "schedule.rate_d=1e-3",
        "discriminator.augment=false",  # which hides from D, for longer than this test runs, what is fake
        "losses.style=1000" if name == "classic" else "losses.style=30",  # random features are weaker than VGG's
        "data.augment=false",
        "losses.temporal_every=1",
        "losses.identity_every=1",
        "losses.adversarial=0.5",
        *([] if name == "classic" else ["losses.style_kind=relative", "data.styles=1"]),  # steep enough for 60 steps
        "generator.bands=false",  # which bring the style's statistics near before anything is learned
    )
    _, reports, logits = steps(settings, 60)
    kept = ("content", "style")  # the terms that are there at every step with a constant weight

    def total(report: dict[str, float]) -> float:
        return sum(getattr(settings.losses, k) * report[k] for k in kept)

    first = np.mean([total(r) for r in reports[:6]])
    last = np.mean([total(r) for r in reports[-6:]])
    assert last < factor * first, (first, last)
    gap = np.array([real - fake for real, fake in logits])
    assert gap[-10:].mean() > gap[:3].mean() + 0.2, gap


TERMS = {
    "content": "content",
    "style": "style",
    "variation": "variation",
    "temporal": "temporal",
    "relief": "relief",
    "coherence": "coherence",
    "identity_pixels": "identity_pixels",
    "identity_features": "identity_features",
    "signature": "signature",
    "adversarial": "adversarial",
    "bands": "bands",
}


@pytest.mark.parametrize("term", list(TERMS))
def test_every_term_alone_moves_the_generator_and_has_a_switch(
    term: str, dataset: Path, vgg: Path, tmp_path: Path
) -> None:
    every = [f"losses.{name}={1.0 if name == term else 0.0}" for name in TERMS] + ["losses.affine=0.0"]
    settings = recipe(
        "universal",
        dataset,
        vgg,
        tmp_path,
        *every,
        "losses.temporal_every=1",
        "losses.identity_every=1",
        "schedule.adversarial_from=0.0",
        "schedule.adversarial_ramp=0.0",
        "schedule.temporal_ramp=0.0",
    )
    _, reports, _ = steps(settings, 2)
    expected = {term, "d"} if term == "adversarial" else {term}
    assert set(reports[1]) - {"total", "gradient"} == expected
    assert reports[1]["gradient"] > 0
    assert reports[1]["total"] == pytest.approx(
        reports[1][term] * (0.9 * 1 + 0.1 if "identity" in term else 1), rel=0.2
    )


def test_kernels_that_know_no_sides_make_no_relief(dataset: Path, vgg: Path, tmp_path: Path) -> None:
    """Kernels equal to themselves turned by half a turn make a network for which the term is 0, in training too."""
    found = []
    for sides in ("true", "false"):
        changes = (f"generator.sides={sides}", "losses.relief=1.0", "losses.temporal_every=1", "schedule.rate=1e-3")
        _, reports, _ = steps(recipe("universal", dataset, vgg, tmp_path, *changes), 3)
        found.append(reports[2]["relief"])
    assert found[0] > 100 * found[1], found


@pytest.mark.parametrize("weight", [1.0, 0.0])
def test_affine_terms_that_run_away_are_pulled_back(weight: float, dataset: Path, vgg: Path, tmp_path: Path) -> None:
    """Normalisation after them hides their size from every other term: only this one sees it, and brings it down."""
    settings = recipe(
        "universal", dataset, vgg, tmp_path, "schedule.rate=3e-2", "schedule.warm_up=0.0", f"losses.affine={weight}"
    )
    trainer = Trainer(settings)
    batches = Batches(Dataset(dataset), settings.data, 0, 0.0, reference_photograph(), True)
    with torch.no_grad():
        for parameter in trainer.generator.gamma.values():
            parameter.add_(30)

    @torch.no_grad()
    def size() -> float:
        style = trainer.generator.encode(batches.batch(0).styles[0].picture)
        return float(torch.stack([g.abs().mean() for g in trainer.generator.collapse(style).gamma.values()]).mean())

    before = size()
    for i in range(25):
        trainer.step(batches.batch(i))
    assert (size() < 0.99 * before) is (weight > 0), (before, size())


def test_classic_is_the_textbook_recipe(dataset: Path, vgg: Path, tmp_path: Path) -> None:
    """One step's total equals content + style + variation + BCE, computed here from the written formulas."""
    settings = recipe("classic", dataset, vgg, tmp_path)
    assert settings.schedule.betas == (0.9, 0.999)
    assert settings.schedule.rate == settings.schedule.rate_d == 1e-4
    assert settings.discriminator.loss == "bce"
    trainer = Trainer(settings)
    batch = Batches(Dataset(dataset), settings.data, 0, 0.0, reference_photograph(), False).batch(0)
    style = batch.styles[0]
    with torch.no_grad():
        strokes, _ = trainer.generator(
            batch.content, trainer.generator.collapse(trainer.generator.encode(style.picture))
        )
        y = batch.content + strokes
        features = PerceptualFeatures.load(vgg)
        layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_1"]
        of_y, of_x, of_s = (features(p, layers) for p in (y, batch.content, style.picture))
        content = ((of_y["relu3_1"] - of_x["relu3_1"]) ** 2).mean()
        style_term = 0.0
        for k in layers:
            n, c, h, w = of_y[k].shape
            flat = of_y[k].reshape(n, c, -1)
            g_y = torch.einsum("ncp,ndp->ncd", flat, flat) / (c * h * w)
            s = of_s[k].reshape(c, -1)
            g_s = s @ s.T / s.numel()
            style_term += ((g_y - g_s) ** 2).sum((1, 2)).mean() / c**2
        variation = (y.diff(dim=2) ** 2).sum() / len(y) + (y.diff(dim=3) ** 2).sum() / len(y)
    report = trainer.step(batch)
    assert report["content"] == pytest.approx(float(content), rel=1e-4)
    assert report["style"] == pytest.approx(float(style_term), rel=1e-4)
    assert report["variation"] == pytest.approx(float(variation), rel=1e-4)
    w = settings.losses
    total = w.content * content + w.style * style_term + w.variation * variation + w.adversarial * report["adversarial"]
    assert report["total"] == pytest.approx(float(total), rel=1e-4)
    assert 0 < report["d"] < 3


def test_mismatched_style_counts_as_fake(dataset: Path, vgg: Path, tmp_path: Path) -> None:
    """With the switch the condition matters: D ends up preferring a style's own reference to another's."""
    settings = recipe(
        "universal", dataset, vgg, tmp_path, "schedule.adversarial_from=0.0", "schedule.rate_d=2e-3", "losses.style=0.0"
    )
    trainer, _, _ = steps(settings, 60)
    batches = Batches(Dataset(dataset), settings.data, 5, 0.0, reference_photograph(), True)
    wins = 0
    for i in range(20):
        style = batches.batch(i).styles[0]
        with torch.no_grad():
            own = trainer.discriminator(style.picture, style.more).mean()
            other = trainer.discriminator(style.other, style.more).mean()
        wins += int(own > other)
    assert wins >= 14


def test_a_loss_that_is_not_finite_stops_the_run(dataset: Path, vgg: Path, tmp_path: Path) -> None:
    settings = recipe("universal", dataset, vgg, tmp_path / "run", "schedule.steps=30", "schedule.rate=1e30")
    with pytest.raises(TrainingFailed, match="not finite; the last good checkpoint is"):
        train(settings, say=lambda _: None)


def one_batch(settings: TrainSettings) -> tuple[Trainer, Batch]:
    """A trainer, and a batch of its first step."""
    data, schedule = settings.data, settings.schedule
    batches = Batches(Dataset(data.dataset), data, 0, schedule.pooled, reference_photograph(), True)
    return Trainer(settings), batches.batch(0)


def test_a_gradient_that_is_not_finite_teaches_nothing(
    dataset: Path, vgg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a crop gives it that is flat to the last bit; here 0 / 0, of the root of a difference that is 0. The run goes on."""
    trainer, batch = one_batch(recipe("universal", dataset, vgg, tmp_path, "data.styles=1"))
    weight = trainer.generator.kernel["stem"]
    before = weight.detach().clone()
    monkeypatch.setattr(trainer, "_phase_g", lambda *_: {"style": (weight - before).square().sum().sqrt()})
    for _ in range(19):
        trainer.step(batch)
    assert torch.equal(weight, before)
    with pytest.raises(TrainingFailed, match="the gradient is not finite, 20 times in a row"):
        trainer.step(batch)
    assert trainer.steps == 19


def test_styles_pull_alike_however_large_their_gradients(
    dataset: Path, vgg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = recipe("universal", dataset, vgg, tmp_path, "data.styles=2", "losses.style=1", "losses.bands=0")
    trainer, batch = one_batch(settings)
    one, other = trainer.generator.kernel["stem"], trainer.generator.kernel["head"]
    terms = iter([1e3 * one.sum(), 1e6 * other.sum()])
    monkeypatch.setattr(trainer, "_phase_g", lambda *_: {"style": next(terms)})
    trainer.step(batch)
    assert one.grad is not None
    assert float(one.grad.norm()) == pytest.approx(settings.schedule.clip / 2, rel=1e-3)  # a mean of two styles
    assert other.grad is not None
    assert float(other.grad.norm()) == pytest.approx(settings.schedule.clip / 2, rel=1e-3)


@pytest.mark.full
@pytest.mark.skipif(shutil.which("g++") is None, reason="compiling needs g++")
@pytest.mark.filterwarnings("ignore")  # the compiler of torch warns of torch itself
def test_compiled_it_takes_the_same_steps(dataset: Path, vgg: Path, tmp_path: Path) -> None:
    terms = []
    for compiled in ("false", "true"):
        out = tmp_path / compiled
        more = (f"run.compiled={compiled}", "run.precision=f32", "run.log_every=1", "schedule.steps=4")
        train(recipe("universal", dataset, vgg, out, *more), say=lambda _: None)
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        terms.append([line for line in lines if "split" not in line])
    assert len(terms[0]) == 4
    for one, other in zip(*terms, strict=True):
        assert other == pytest.approx(one, rel=2e-3)


def test_the_command_trains_evaluates_and_resumes(dataset: Path, vgg: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    out = tmp_path / "run"
    command = ["train", str(CONFIGS / "universal.toml"), "--data", str(dataset), "-o", str(out), "--vgg", str(vgg)]
    changes = [part for change in SMALL for part in ("--set", change)]
    more = ["--set", "run.evaluate_every=4", "--set", "run.log_every=2"]
    done = CliRunner().invoke(app, [*command, "--steps", "8", *changes, *more], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    names = {p.name for p in out.iterdir()}
    assert names >= {"best.safetensors", "resume.safetensors", "travel.safetensors", "card.json", "val.png", "test.png"}
    assert list((out / "tensorboard").iterdir())
    card = json.loads((out / "card.json").read_text())
    assert card["step"] == 8
    assert set(card["test"]) == {"content", "style", "pan", "composite"}
    assert Universal.load(out / "best.safetensors").architecture.widths == (8, 16, 16, 16)
    assert (out / "travel.safetensors").stat().st_size < (out / "resume.safetensors").stat().st_size / 3
    for name in ("resume", "travel"):
        again = ["--steps", "10", "--resume", str(out / f"{name}.safetensors")]
        done = CliRunner().invoke(app, [*command, *again, *changes, *more], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        assert json.loads((out / "card.json").read_text())["step"] == 10
    started = Trainer(recipe("universal", dataset, vgg, tmp_path, f"generator.start={out / 'travel.safetensors'}"))
    averages = Universal.load(out / "travel.safetensors").arrays
    for name, own in started.generator.state_dict().items():
        np.testing.assert_array_equal(own.numpy(), averages[name].astype(np.float32))


def test_resuming_goes_on_with_the_same_numbers(dataset: Path, vgg: Path, tmp_path: Path) -> None:
    settings = recipe("universal", dataset, vgg, tmp_path, "schedule.steps=20", "schedule.adversarial_from=0.0")
    _, reports, _ = steps(settings, 6)
    first, _, _ = steps(settings, 3)
    first.save_resume(tmp_path / "r.safetensors")
    second = Trainer(settings)
    second.load(tmp_path / "r.safetensors")
    batches = Batches(Dataset(dataset), settings.data, 0, settings.schedule.pooled, reference_photograph(), True)
    for i in range(3, 6):
        assert second.step(batches.batch(i)) == pytest.approx(reports[i], rel=1e-5)


def test_batches_follow_from_seed_and_step(dataset: Path, vgg: Path, tmp_path: Path) -> None:
    settings = recipe("universal", dataset, vgg, tmp_path)
    one, two = (Batches(Dataset(dataset), settings.data, 3, 0.5, reference_photograph(), True) for _ in range(2))
    streamed = one.stream(2)
    for step, batch in (next(streamed), next(streamed)):
        again = two.batch(step)
        assert torch.equal(batch.content, again.content)
        assert torch.equal(batch.styles[0].picture, again.styles[0].picture)
    streamed.close()
    assert not torch.equal(two.batch(0).styles[0].picture, two.batch(1).styles[0].picture)


def test_pictures_that_do_not_fit_into_memory_are_decoded_again(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, small = Dataset(dataset), Dataset(dataset)
    records = whole.of("content", "train")
    whole.load(records)
    monkeypatch.setattr("scumble.train.dataset.MOST_KEPT", 3 * 64 * 96 * 4)
    small.load(records)
    assert len(small._pictures) < len(whole._pictures) == len(records)
    for record in records:
        np.testing.assert_array_equal(np.asarray(small.picture(record)), np.asarray(whole.picture(record)))


def test_a_look_is_fine_tuned_on_its_picture(dataset: Path, vgg: Path, tmp_path: Path) -> None:
    from conftest import SAMPLES, random_look
    from typer.testing import CliRunner

    from scumble.network import SIZES

    random_look(1, SIZES["tiny"]).save(tmp_path / "start.look")
    changes = [part for change in [*SMALL[:1], *SMALL[3:]] for part in ("--set", change)]
    changes += ["--set", "data.style_crop=64"]
    arguments = ["--content", str(dataset), "-o", str(tmp_path / "a.look"), "--start", str(tmp_path / "start.look")]
    picture = str(SAMPLES / "vangogh_auvers.jpg")
    done = CliRunner().invoke(
        app,
        ["look", "train", picture, *arguments, "--steps", "6", "--minutes", "0", "--vgg", str(vgg), *changes],
        catch_exceptions=False,
    )
    assert done.exit_code == 0, done.output
    look = Look.load(tmp_path / "a.look")
    assert look.facts["made"] == "fine-tuned"
    assert look.facts["training"]["step"] == 6
    assert look.reference is not None
    # the look may be the start, where val did not get better in so few steps; the generator has moved
    trained = load_file(tmp_path / "a.run/resume.safetensors")["generator/kernel.stem"][0]
    assert not np.array_equal(trained, Look.load(tmp_path / "start.look").weights["kernel.stem"])


def test_a_look_goes_on_from_its_own_run_only(dataset: Path, vgg: Path, tmp_path: Path) -> None:
    from conftest import SAMPLES, picture, random_look
    from test_bad_input import scumble

    from scumble import colour
    from scumble.frames import Frame
    from scumble.media import WriterSettings
    from scumble.media.stills import write_picture
    from scumble.network import SIZES

    random_look(1, SIZES["tiny"]).save(tmp_path / "start.look")
    painting = tmp_path / "painting.dpx"  # what only the plate reader knows
    write_picture(painting, Frame(1, picture(96, 128), colour.DISPLAY), WriterSettings(bits=10))
    changes = [part for change in [*SMALL[:1], *SMALL[3:]] for part in ("--set", change)]
    start = ["--start", tmp_path / "start.look", "--set", "data.style_crop=64", "--vgg", vgg, "--minutes", "0"]

    def train_look(picture: Path, *more: str | Path, data: Path = dataset) -> str:
        done = scumble("look", "train", picture, "--content", data, *start, *changes, *more)
        assert "Traceback" not in done.stderr, done.stderr
        return done.stderr if done.returncode else f"done: {done.stderr}"

    out = tmp_path / "a.look"
    assert "no run to go on with" in train_look(painting, "-o", out, "--steps", "4", "--resume")
    assert not (tmp_path / "a.run").exists()
    said = train_look(painting, "-o", out, "--steps", "4")
    assert said.startswith("done")
    assert "4 steps hardly change a look" in said
    other = ["-o", tmp_path / "b.look", "--run", tmp_path / "a.run"]
    assert "go on with --resume, or give --overwrite" in train_look(painting, *other, "--steps", "8")
    assert "begun with other pictures" in train_look(SAMPLES / "vangogh_auvers.jpg", *other, "--steps", "8", "--resume")
    assert not (tmp_path / "b.look").exists()
    assert train_look(painting, *other, "--steps", "8", "--resume").startswith("done")
    assert Look.load(tmp_path / "b.look").facts["training"]["step"] == 8
    # nothing is begun where it cannot end
    empty = tmp_path / "empty.zip"
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("manifest.csv", "file,kind,split\n")
    assert "no content picture in the train split" in train_look(painting, "-o", tmp_path / "c.look", data=empty)
    assert not (tmp_path / "c.run").exists()
