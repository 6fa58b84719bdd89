"""Both recipes train: losses fall, the discriminator tells real from fake, every term has a switch, runs resume.

All on made pictures and a tiny network: seconds, not quality.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from helpers.pictures import picture  # noqa: E402
from helpers.training import SMALL  # noqa: E402

from scumble.cli.apps import app  # noqa: E402
from scumble.core.downloads import shipped_vgg  # noqa: E402
from scumble.core.errors import BadInput, BadSettings, TrainingFailed  # noqa: E402
from scumble.core.progress import Progress  # noqa: E402
from scumble.core.settings import load  # noqa: E402
from scumble.look.look import Look  # noqa: E402
from scumble.network.universal import Universal  # noqa: E402
from scumble.train import checkpoints  # noqa: E402
from scumble.train import gan_step as step_module  # noqa: E402
from scumble.train.data.batches import MARGIN, Batch, Batches  # noqa: E402
from scumble.train.data.dataset import Dataset  # noqa: E402
from scumble.train.forward import Moved  # noqa: E402
from scumble.train.gan import Gan  # noqa: E402
from scumble.train.gan_run import GanRun  # noqa: E402
from scumble.train.gan_step import gan_step  # noqa: E402
from scumble.train.loop import train  # noqa: E402
from scumble.train.nn.arithmetic import dtype_of  # noqa: E402
from scumble.train.nn.perceptual import PerceptualFeatures  # noqa: E402
from scumble.train.schedule import discriminator_weight  # noqa: E402
from scumble.train.settings import TrainSettings  # noqa: E402
from scumble.train.start import features_of, styles_of  # noqa: E402

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture(scope="module", autouse=True)
def _threads() -> None:
    torch.set_num_threads(1)


def recipe(name: str, dataset: Path, output: Path, *changes: str) -> TrainSettings:
    settings = load(CONFIGS / f"{name}.toml", TrainSettings, [*SMALL, *changes])
    return replace(settings, data=replace(settings.data, dataset=dataset), run=replace(settings.run, output=output))


def begun(settings: TrainSettings) -> tuple[Gan, Batches]:
    """Networks and their batches."""
    dataset, features = Dataset(settings.data.dataset), features_of(settings)
    gan = Gan(settings, styles_of(dataset, settings, features), features)
    return gan, Batches.of_run(settings, dataset, gan.styles)


def step(gan: Gan, batch: Batch) -> dict[str, float]:
    """One step, as far on as its number says."""
    return gan_step(gan, batch, gan.steps / gan.settings.schedule.steps)


def steps(settings: TrainSettings, count: int) -> tuple[Gan, list[dict[str, float]]]:
    """Make `count` steps; the terms of each."""
    gan, batches = begun(settings)
    return gan, [step(gan, batches.batch(i)) for i in range(count)]


@pytest.mark.parametrize(
    ("name", "factor"), [pytest.param("classic", 0.75, marks=pytest.mark.full), ("universal", 0.75)]
)
def test_the_total_falls_and_d_tells_real_from_fake(name: str, factor: float, dataset: Path, tmp_path: Path) -> None:
    """In 60 steps of seed 0 the terms that are there at every step with a constant weight fall to `factor` of what
    they were, and D's verdicts on real and fake move apart."""
    settings = recipe(
        name,
        dataset,
        tmp_path,
        "schedule.steps=60",
        "schedule.adversarial_from=0",
        "schedule.adversarial_ramp=0",
        "schedule.warm_up=0",
        "schedule.rate=3e-3",
        "schedule.rate_d=1e-3",
        "data.dulled=0.0",
        "data.mixed=0.0",
    )
    _, reports = steps(settings, 60)

    def total(report: dict[str, float]) -> float:
        return sum(getattr(settings.losses, k) * report[k] for k in ("content", "style"))

    first = np.mean([total(r) for r in reports[:6]])
    last = np.mean([total(r) for r in reports[-6:]])
    assert last < factor * first, (first, last)
    gap = np.array([v["d_real"] - v["d_fake"] for v in reports])
    assert gap[-10:].mean() > gap[:3].mean() + 0.1, gap


TERMS = ("content", "style", "nearest", "variation", "motion", "range", "halo", "adversarial")


@pytest.mark.parametrize("term", TERMS)
def test_every_term_alone_moves_the_generator_and_has_a_switch(term: str, dataset: Path, tmp_path: Path) -> None:
    settings = recipe(
        "universal",
        dataset,
        tmp_path,
        *[f"losses.{name}={1.0 if name == term else 0.0}" for name in TERMS],
        "losses.half=0.0",
        "losses.gram=0.0",
        "losses.turned=0.0",
        "losses.adversarial_relative=false",
        "schedule.adversarial_from=0",
        "schedule.adversarial_ramp=0",
        "schedule.motion_from=0",
        "schedule.motion_ramp=0",
        "data.mixed=0.0",
    )
    gan, batches = begun(settings)
    if term == "range":  # of paintings that leave it
        with torch.no_grad():
            gan.generator.terms[-1].bias[-6:-3] += 40
    reports = [step(gan, batches.batch(i)) for i in range(3)]
    report = reports[2]  # the third step of a content's three paints pairs
    verdicts = {"d", "d_real", "d_fake", "d_wrong"} if term == "adversarial" else set()
    assert set(report) - {"total", "gradient"} == {term} | verdicts
    assert report["gradient"] > 0
    assert report["total"] == pytest.approx(report[term], rel=1e-4)


def test_turned_pictures_show_relief() -> None:
    """What draws ridges lit from one side changes under half a turn, what draws the same on both sides does not."""
    content = torch.from_numpy(np.stack([picture(72, 72, i) for i in range(4)]).transpose(0, 3, 1, 2).copy())
    plate = content[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN]

    def outlined(x: torch.Tensor) -> torch.Tensor:
        return x + 2 * (4 * x - x.roll(1, 2) - x.roll(-1, 2) - x.roll(1, 3) - x.roll(-1, 3))

    def embossed(x: torch.Tensor) -> torch.Tensor:
        return x + 2 * (x.roll(1, 3) - x.roll(-1, 3))

    def seen(paint: Callable[[torch.Tensor], torch.Tensor], turned: float) -> float:
        found = []
        for seed in range(6):
            moved = Moved(content, torch.Generator().manual_seed(seed), turned)
            assert moved.turned is (turned == 1)
            found.append(float(moved.difference(paint(plate), paint(moved.picture))))
        return min(found)  # without grain

    assert seen(embossed, 1.0) > 3 * seen(outlined, 1.0)
    assert seen(embossed, 0.0) < 1.5 * seen(outlined, 0.0)


def test_the_style_term_looks_at_half_size_and_at_gram_matrices_too(dataset: Path, tmp_path: Path) -> None:
    _, reports = steps(recipe("universal", dataset, tmp_path, "data.mixed=0.0"), 2)
    assert {"style", "half", "gram"} < set(reports[0])
    assert "half" not in reports[1]  # every second step
    w = recipe("universal", dataset, tmp_path).losses
    parts = {
        "content": w.content,
        "variation": w.variation,
        "range": w.range,
        "halo": w.halo,
        "nearest": w.nearest,
        "style": w.style,
        "gram": w.style * w.gram,
    }
    assert reports[1]["total"] == pytest.approx(sum(weight * reports[1][k] for k, weight in parts.items()), rel=1e-4)


def test_contents_are_compared_as_the_painter_sees_them(dataset: Path, tmp_path: Path) -> None:
    """The simplified plate itself, as a painting, has no content distance; the plate has."""
    gan, batches = begun(recipe("universal", dataset, tmp_path, "data.mixed=0.0"))
    batch = batches.batch(0)
    plates = batch.content[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN].contiguous()
    goal = gan.styles.goals.of(batch.styles)

    def content(painting: torch.Tensor) -> float:
        return float(gan.terms(painting, plates, goal, torch.empty(0), batch.content_key, 1)["content"])

    assert content(gan.generator.simplified(plates)) == pytest.approx(0, abs=1e-6)
    assert content(plates) > 0.01


def test_classic_is_the_textbook_recipe(dataset: Path, tmp_path: Path) -> None:
    """One step's total equals content + style + variation + BCE, computed here from the written formulas."""
    settings = recipe("classic", dataset, tmp_path)
    assert settings.schedule.betas == (0.9, 0.999)
    assert settings.schedule.rate == settings.schedule.rate_d == 1e-4
    gan, batches = begun(settings)
    batch = batches.batch(0)
    with torch.no_grad():
        x = batch.content[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN]
        moments = gan.styles.goals.moments[batch.styles].float()
        y = gan.generator(x, gan.generator.look(moments))
        features = PerceptualFeatures.load(shipped_vgg())
        layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_1"]
        of_y, of_x, of_s = (features(p, layers) for p in (y, x, batch.real))
        content = ((of_y["relu3_1"] - of_x["relu3_1"]) ** 2).mean()
        style_term = 0.0
        for k in layers:
            n, c, h, w = of_y[k].shape
            flat = of_y[k].reshape(n, c, -1)
            g_y = torch.einsum("ncp,ndp->ncd", flat, flat) / (c * h * w)
            s = of_s[k].reshape(n, c, -1)
            g_s = torch.einsum("ncp,ndp->ncd", s, s) / (c * s.shape[2])
            style_term += ((g_y - g_s) ** 2).sum((1, 2)).mean() / c**2
        variation = (y.diff(dim=2) ** 2).sum() / len(y) + (y.diff(dim=3) ** 2).sum() / len(y)
    report = step(gan, batch)
    assert report["content"] == pytest.approx(float(content), rel=1e-4)
    assert report["style"] == pytest.approx(float(style_term), rel=1e-4)
    assert report["variation"] == pytest.approx(float(variation), rel=1e-4)
    w = settings.losses
    total = w.content * content + w.style * style_term + w.variation * variation + w.adversarial * report["adversarial"]
    assert report["total"] == pytest.approx(float(total), rel=1e-4)
    assert 0 < report["d"] < 3


@pytest.mark.full
def test_mismatched_style_counts_as_fake(dataset: Path, tmp_path: Path) -> None:
    """With the switch the condition matters: D tells a crop under its own style's name from one under another's."""
    settings = recipe(
        "universal",
        dataset,
        tmp_path,
        *[f"losses.{name}=0.0" for name in ("content", "style", "motion", "halo")],
        "schedule.adversarial_from=0",
        "schedule.rate=0.0",
        "data.mixed=0.0",
        "data.recoloured=0.0",
        "data.turned=0.0",  # the styles are stripes: turned ones look like each other
        "data.style_scale=[1.0, 1.0]",
        "discriminator.mismatched=1.0",
    )
    _, reports = steps(settings, 240)
    gap = np.array([report["d_real"] - report["d_wrong"] for report in reports])
    assert abs(gap[:10].mean()) < 0.1
    assert gap[-80:].mean() > 0.15, gap


def test_a_loss_that_is_not_finite_stops_the_run(dataset: Path, tmp_path: Path) -> None:
    settings = recipe("universal", dataset, tmp_path / "run", "schedule.steps=30", "schedule.rate=1e30")
    with pytest.raises(TrainingFailed, match=r"not finite.*; the last good checkpoint is"):
        train(settings)


def test_a_gradient_that_is_not_finite_teaches_nothing(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a crop gives it that is flat to the last bit; here 0 / 0, of the root of a difference that is 0. The run goes on."""
    gan, batches = begun(recipe("universal", dataset, tmp_path, "losses.adversarial=0.0"))
    weight = gan.generator.kernel["head"]
    before = weight.detach().clone()
    monkeypatch.setattr(gan, "terms", lambda y, *_: {"style": (y - y.detach()).square().sum().sqrt()})
    for _ in range(19):
        step(gan, batches.batch(0))
    assert torch.equal(weight, before)
    with pytest.raises(TrainingFailed, match="the gradient is not finite, 20 times in a row"):
        step(gan, batches.batch(0))


def test_pictures_pull_alike_however_large_their_gradients(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One style's loss a thousand times as steep as the others' is cut to a few times their mean."""
    gan, batches = begun(recipe("universal", dataset, tmp_path, "losses.adversarial=0.0"))
    steep = torch.tensor([1e4, 1.0, 1.0, 1.0]).view(4, 1, 1, 1)
    monkeypatch.setattr(gan, "terms", lambda y, *_: {"style": (y * steep).sum()})
    found: list[torch.Tensor] = []
    learn = step_module._learn
    monkeypatch.setattr(step_module, "_learn", lambda g, y, to: [y.register_hook(found.append), learn(g, y, to)][1])
    step(gan, batches.batch(0))
    norms = found[0].flatten(1).norm(dim=1)
    assert float(norms[0]) < 2.6 * float(1e4 / 4 * norms[1])
    assert float(norms[0]) / float(norms[1]) == pytest.approx(2.5 * 1e4 / 4, rel=0.01)


def test_the_discriminators_gradient_is_a_share_of_what_the_others_ask_for(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = (
        "schedule.adversarial_from=0",
        "schedule.adversarial_ramp=0",
        "losses.adversarial=0.25",
        "data.mixed=0.0",
    )
    gan, batches = begun(recipe("universal", dataset, tmp_path, *changes))
    gradients: dict[str, torch.Tensor] = {}
    monkeypatch.setattr(step_module, "_learn", lambda g, y, gradient: float(gradients.update(both=gradient) or 0))
    step(gan, batches.batch(0))
    gan.steps = 0
    monkeypatch.setattr(step_module, "_by_discriminator", lambda g, own, leaf, _: (0.0, torch.zeros_like(leaf)))
    monkeypatch.setattr(step_module, "_learn", lambda g, y, gradient: float(gradients.update(others=gradient) or 0))
    step(gan, batches.batch(0))
    of_discriminator = (gradients["both"] - gradients["others"]).flatten(1).norm(dim=1)
    share = of_discriminator / gradients["others"].flatten(1).norm(dim=1)
    assert torch.allclose(share, torch.full_like(share, 0.25), rtol=1e-2)


def test_bfloat16_is_taken_only_where_the_processor_multiplies_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    for has, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda has=has: has)
        assert dtype_of("auto", cpu) == dtype
        assert dtype_of("bf16", cpu) == torch.bfloat16
        assert dtype_of("f32", cpu) == torch.float32


@pytest.mark.full
@pytest.mark.skipif(shutil.which("g++") is None, reason="compiling needs g++")
@pytest.mark.filterwarnings("ignore")  # the compiler of torch warns of torch itself
def test_compiled_it_takes_the_same_steps(dataset: Path, tmp_path: Path) -> None:
    found = []
    for compiled in ("false", "true"):
        changes = (f"run.compiled={compiled}", "schedule.adversarial_from=0", "schedule.motion_from=0")
        found.append(steps(recipe("universal", dataset, tmp_path, *changes), 6)[1])
    for one, other in zip(*found, strict=True):
        assert other == pytest.approx(one, rel=5e-3)


def test_without_a_compiler_the_run_says_what_that_costs(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scumble.train.gan.can_compile", lambda: False)
    heard: list[Progress] = []
    settings = recipe("universal", dataset, tmp_path / "run", "schedule.steps=1", "run.compiled=true")
    train(settings, tell=heard.append)
    notes = [event.text for event in heard if event.is_note]
    assert any("no C++ compiler was found" in text and "install g++" in text for text in notes), notes
    assert heard[-1].step == 1
    assert heard[-1].done == 1


def test_the_command_trains_evaluates_and_resumes(dataset: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    out = tmp_path / "run"
    command = ["train", str(CONFIGS / "universal.toml"), "--data", str(dataset), "-o", str(out)]
    changes = [part for change in SMALL for part in ("--set", change)]
    more = ["--set", "run.evaluate_every=4", "--set", "run.log_every=2"]
    done = CliRunner().invoke(app, [*command, "--steps", "8", *changes, *more], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    names = {p.name for p in out.iterdir()}
    assert names >= {"best.safetensors", "resume.safetensors", "travel.safetensors", "card.json", "val.png", "test.png"}
    assert list((out / "tensorboard").iterdir())
    card = json.loads((out / "card.json").read_text())
    assert card["step"] == 8
    assert card["crops"] == 32
    assert set(card["test"]) == {"content", "style", "pan", "composite"}
    assert Universal.load(out / "best.safetensors").architecture.widths == (8, 8, 16, 16)
    assert (out / "travel.safetensors").stat().st_size < (out / "resume.safetensors").stat().st_size / 3
    for name in ("resume", "travel"):
        again = ["--steps", "10", "--resume", str(out / f"{name}.safetensors")]
        done = CliRunner().invoke(app, [*command, *again, *changes, *more], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        assert json.loads((out / "card.json").read_text())["step"] == 10
    started, _ = begun(
        recipe("universal", dataset, tmp_path, f"generator.start={json.dumps(str(out / 'travel.safetensors'))}")
    )
    assert started.discriminator_is_trained
    assert (
        discriminator_weight(started.settings.schedule, started.settings.losses, 0, started.discriminator_is_trained)
        > 0
    )
    averages = Universal.load(out / "travel.safetensors").arrays
    for name, own in started.generator.state_dict().items():
        np.testing.assert_array_equal(own.numpy(), averages[name].astype(np.float32))


def test_a_universal_generator_is_trained_with_the_features_that_looks_are_made_with(
    dataset: Path, vgg: Path, tmp_path: Path
) -> None:
    settings = recipe("universal", dataset, tmp_path, f"run.vgg={json.dumps(str(vgg))}")
    with pytest.raises(BadSettings, match="leave --vgg out"):
        train(settings)


def test_resuming_goes_on_with_the_same_numbers(dataset: Path, tmp_path: Path) -> None:
    changes = ("schedule.steps=20", "schedule.adversarial_from=0", "schedule.motion_from=0")
    settings = recipe("universal", dataset, tmp_path, *changes)
    whole, reports = steps(settings, 7)
    for stopped in (3, 5):  # before a new content, and between two steps that share one
        first, _ = steps(settings, stopped)
        checkpoints.save_resume(first, tmp_path / "r.safetensors", {})
        second, batches = begun(settings)
        checkpoints.load(second, tmp_path / "r.safetensors")
        for i in range(stopped, 7):
            assert step(second, batches.batch(i)) == reports[i]
        for module in ("generator", "ema", "discriminator"):
            for name, value in getattr(second, module).state_dict().items():
                assert torch.equal(value, getattr(whole, module).state_dict()[name]), (module, name)


def test_a_checkpoint_that_does_not_say_where_it_stood_is_refused_and_nothing_is_lost(
    dataset: Path, tmp_path: Path
) -> None:
    settings = recipe("universal", dataset, tmp_path / "run", "schedule.steps=2", "schedule.adversarial_from=0")
    gan, _ = steps(settings, 1)
    checkpoints.save_resume(gan, tmp_path / "elsewhere.safetensors", {})  # without the run's own facts
    kept = tmp_path / "run" / "resume.safetensors"
    kept.parent.mkdir()
    kept.write_bytes(b"of the run before")
    with pytest.raises(BadInput, match=r"elsewhere\.safetensors: its facts are not those of a checkpoint"):
        train(settings, tmp_path / "elsewhere.safetensors", overwrite=True)
    assert kept.read_bytes() == b"of the run before"


def test_zero_minutes_between_checkpoints_save_every_step(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []
    write = GanRun.write_checkpoint

    def watched(run: GanRun, facts: Mapping[str, Any]) -> Path:
        saved.append(run.steps)
        return write(run, facts)

    monkeypatch.setattr(GanRun, "write_checkpoint", watched)
    train(recipe("universal", dataset, tmp_path / "run", "schedule.steps=3", "run.save_minutes=0.0"))
    assert saved == [1, 2, 3, 3]  # the last one at the end


def test_batches_follow_from_seed_and_step(dataset: Path, tmp_path: Path) -> None:
    _, one = begun(recipe("universal", dataset, tmp_path, "run.seed=3"))
    _, two = begun(recipe("universal", dataset, tmp_path, "run.seed=3"))
    streamed = one.stream(2)

    def same(a: Batch, b: Batch) -> bool:
        parts = zip(a, b, strict=True)
        return all(torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y for x, y in parts)

    for step, batch in (next(streamed), next(streamed)):
        assert same(batch, two.batch(step))
    streamed.close()
    assert torch.equal(two.batch(0).content, two.batch(1).content)  # used three times
    assert len(two.batch(0).styles) == 2  # of four crops, two views of two pictures
    assert not torch.equal(two.batch(0).styles, two.batch(1).styles)
    assert not torch.equal(two.batch(2).content, two.batch(3).content)


def test_styles_are_measured_once_and_kept_beside_the_data_set(dataset: Path, tmp_path: Path) -> None:
    settings = recipe("universal", dataset, tmp_path, "run.seed=11")
    heard: list[Progress] = []
    opened, features = Dataset(dataset), features_of(settings)
    first = styles_of(opened, settings, features, heard.append)
    assert heard
    kept = sorted(dataset.glob("styles-*/*.safetensors"))
    assert kept
    heard.clear()
    again = styles_of(opened, settings, features, heard.append)
    assert not heard
    assert torch.equal(first.goals.moments, again.goals.moments)
    assert len(first) == 2 * len(opened.of("style", "train"))
    other = styles_of(opened, recipe("universal", dataset, tmp_path, "run.seed=11", "data.turned=0.9"), features)
    assert not torch.equal(first.goals.moments, other.goals.moments)
    # the discriminator is shown the very crop whose moments are the goal
    shown = torch.from_numpy(first.crop(5, np.random.default_rng(0))).permute(2, 0, 1)[None]
    seen = features(shown, ["relu1_1"])["relu1_1"]
    assert torch.allclose(first.goals.moments[5, :64], seen.mean((0, 2, 3)), rtol=1e-2, atol=1e-2)


def test_styles_are_drawn_by_their_weights(dataset: Path, tmp_path: Path) -> None:
    settings = recipe("universal", dataset, tmp_path, 'data.style_weights={"" = 0.0}')
    with_none = styles_of(Dataset(dataset), settings, features_of(settings))
    assert float(with_none.weights.sum()) == 0
    weights = torch.tensor([0.0, 1.0, 3.0, 0.0])
    with_none.weights = weights
    drawn = with_none.draw(4000, np.random.default_rng(1))
    counts = torch.bincount(drawn, minlength=4)
    assert counts[0] == counts[3] == 0
    assert float(counts[2]) / float(counts[1]) == pytest.approx(3, rel=0.15)


def test_weights_go_by_the_names_that_pictures_had_before_they_were_packed(dataset: Path, tmp_path: Path) -> None:
    settings = recipe("universal", dataset, tmp_path, 'data.style_weights={"0" = 0.0}')
    records = Dataset(dataset).of("style", "train")
    expected = [0.0 if record.file.split("_")[1].startswith("0") else 1.0 for record in records]
    assert 0 < sum(expected) < len(expected)
    weights = styles_of(Dataset(dataset), settings, features_of(settings)).weights
    assert weights.view(len(records), -1).mean(1).tolist() == expected


def test_pictures_that_do_not_fit_into_memory_are_decoded_again(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, small = Dataset(dataset), Dataset(dataset)
    records = whole.of("content", "train")
    whole.load(records)
    monkeypatch.setattr("scumble.train.data.dataset.MOST_KEPT", 3 * 64 * 96 * 4)
    small.load(records)
    assert len(small._pictures) < len(whole._pictures) == len(records)
    for record in records:
        np.testing.assert_array_equal(np.asarray(small.picture(record)), np.asarray(whole.picture(record)))


@pytest.mark.full
def test_a_look_goes_on_from_its_own_run_only(dataset: Path, tmp_path: Path) -> None:
    from helpers.command import scumble
    from helpers.pictures import SAMPLES, picture, random_look

    from scumble.core import colour
    from scumble.core.frames import Frame
    from scumble.media.picture_writer import write_picture
    from scumble.media.plate import WriterSettings
    from scumble.network.shape import SIZES

    random_look(1, SIZES["painter"]["tiny"]).save(tmp_path / "start.look")
    painting = tmp_path / "painting.dpx"  # what only the plate reader knows
    write_picture(painting, Frame(1, picture(96, 128), colour.DISPLAY), WriterSettings(bits=10))
    changes = [part for change in ("keys.steps=1", "match.patch=32") for part in ("--set", change)]
    start = ["--start", tmp_path / "start.look", "--minutes", "0"]

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
