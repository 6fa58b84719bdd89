"""Examples: painted of a data set's pictures, kept in a folder, learned from step by step."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from helpers.command import scumble
from helpers.pictures import picture
from helpers.training import SMALL
from PIL import Image

pytest.importorskip("torch")

import torch

from scumble.core.errors import BadInput
from scumble.core.settings import load
from scumble.network.palette import Palette
from scumble.train.data.batches import MARGIN, Batches
from scumble.train.data.dataset import Dataset
from scumble.train.data.examples import LIST, Example, Examples, add_example, examples_in
from scumble.train.gan import Gan
from scumble.train.gan_step import gan_step
from scumble.train.match.example_maker import SIZE, make_examples, part_of, styles_of_set
from scumble.train.match.settings import KeySettings
from scumble.train.settings import TrainSettings
from scumble.train.start import features_of, styles_of

CONFIG = Path(__file__).parents[2] / "configs" / "universal.toml"


@pytest.fixture(autouse=True)
def _threads() -> None:
    torch.set_num_threads(1)


def saved(path: Path, pixels: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((np.asarray(pixels) * 255).astype(np.uint8)).save(path)


def folder_of(tmp_path: Path, count: int = 3) -> Path:
    """Examples whose paintings are their plates, upside down and darker."""
    folder = tmp_path / "examples"
    for i in range(count):
        plate = picture(96, 128, i)
        saved(folder / f"{i}.plate.png", plate)
        saved(folder / f"{i}.painted.png", plate[::-1] * 0.5)
        saved(folder / "styles" / f"{i % 2}.png", picture(64, 64, 40 + i % 2))
        colours = Palette.measure(plate)
        names = f"{i}.plate.png", f"{i}.painted.png", f"styles/{i % 2}.png"
        add_example(folder, Example(*names, colours.mean.tolist(), colours.covariance.tolist()))
    return folder


def settings_of(dataset: Path, folder: Path | None, *changes: str) -> TrainSettings:
    settings = load(CONFIG, TrainSettings, [*SMALL, *changes])
    return replace(settings, data=replace(settings.data, dataset=dataset, examples=folder))


def begun(settings: TrainSettings) -> tuple[Gan, Batches]:
    dataset, features = Dataset(settings.data.dataset), features_of(settings)
    assert settings.data.examples is not None
    examples = Examples(settings.data.examples)
    gan = Gan(settings, examples.added_to(styles_of(dataset, settings, features), features), features)
    return gan, Batches.of_run(settings, dataset, gan.styles, examples=examples)


def test_a_plate_and_its_painting_are_cut_alike(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    plate = picture(96, 128, 2)
    saved(folder / "a.png", plate)
    saved(folder / "style.png", plate)  # in its own colours: recoloured it is as it was
    colours = Palette.measure(np.asarray(Image.open(folder / "a.png"), np.float32) / 255)
    add_example(folder, Example("a.png", "a.png", "style.png", colours.mean.tolist(), colours.covariance.tolist()))
    crops = Examples(folder).crops(3, 2, 32, MARGIN, np.random.default_rng(0))
    assert crops.painting.shape == (6, 3, 32, 32)
    assert crops.styles.tolist() == [0, 0, 0]
    for content, painting in zip(crops.content, crops.painting, strict=True):
        inner = content[MARGIN:-MARGIN, MARGIN:-MARGIN]
        np.testing.assert_allclose(inner, painting.permute(1, 2, 0).numpy(), atol=5e-3)


def test_styles_of_examples_stand_behind_the_data_sets_and_are_drawn_for_examples_only(
    dataset: Path, tmp_path: Path
) -> None:
    settings = settings_of(dataset, folder_of(tmp_path), "data.examples_share=0.5", "data.mixed=0.0")
    gan, batches = begun(settings)
    first = len(gan.styles) - 2
    shown = [batches.batch(i) for i in range(18)]
    taught = [i for i, batch in enumerate(shown) if batch.painting is not None]
    assert len(taught) == 9
    for batch in shown:
        styles = batch.styles.tolist()
        assert all((number >= first) == (batch.painting is not None) for number in styles)
    for batch in (shown[i] for i in taught):  # what is real is the painting of the same style, one for each
        views = len(batch.content) // len(batch.styles)
        assert batch.painting is not None
        assert torch.equal(batch.real, batch.painting[::views])
    again = begun(settings)[1].batch(taught[0])
    assert torch.equal(again.content, shown[taught[0]].content)


def test_learning_from_examples_brings_their_paintings_nearer(dataset: Path, tmp_path: Path) -> None:
    settings = settings_of(
        dataset, folder_of(tmp_path), "data.examples_share=1.0", "schedule.rate=3e-3", "schedule.warm_up=0",
        "schedule.motion_from=100", "losses.adversarial=0",
    )  # fmt: skip
    gan, batches = begun(settings)
    reports = [gan_step(gan, batches.batch(i), 0.1) for i in range(40)]
    assert {"pixels", "features", "local"} <= set(reports[0])
    assert not {"content", "style", "nearest", "halo"} & set(reports[0])
    for name in ("pixels", "features"):
        before, after = (np.mean([r[name] for r in part]) for part in (reports[:8], reports[-8:]))
        assert after < 0.8 * before, (name, before, after)


def test_examples_are_painted_of_other_plates_in_other_styles_and_go_on(dataset: Path, tmp_path: Path) -> None:
    contents, folder = Dataset(dataset), tmp_path / "made"
    quick = KeySettings(steps=2, threads=1, precision="f32")
    styles = styles_of_set(contents)
    assert make_examples(contents, styles, folder, 2, settings=quick) == 2
    before = {f.name: f.read_bytes() for f in folder.glob("*.png")}
    assert make_examples(contents, styles, folder, 3, settings=quick) == 3
    after = {f.name: f.read_bytes() for f in folder.glob("*.png")}
    assert len(after) == 6
    assert all(after[name] == data for name, data in before.items())
    rows = examples_in(folder)
    assert len({row.style for row in rows[:2]}) == 2
    assert len({after[row.plate] for row in rows}) == 3
    assert Examples(folder).pictures[0].shape[2] == 3


@pytest.mark.parametrize("size", [(1280, 720), (300, 900), (200, 120)])
def test_a_part_is_no_larger_than_what_is_painted_at_once(size: tuple[int, int]) -> None:
    for seed in range(8):
        part = part_of(Image.new("RGB", size), np.random.default_rng(seed))
        assert sorted(part.size) <= sorted(SIZE)
        assert min(part.size) >= min(*SIZE, *size) * 0.6


def test_a_folder_without_examples_and_a_painting_of_another_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no examples; make some: scumble data examples"):
        Examples(tmp_path)
    folder = folder_of(tmp_path)
    saved(folder / "1.painted.png", picture(40, 40, 0))
    with pytest.raises(BadInput, match=r"1\.painted\.png: has not the size of 1\.plate\.png"):
        Examples(folder)
    (folder / LIST).write_text(json.dumps([{"plate": "x"}]))
    with pytest.raises(BadInput, match="not a list of examples"):
        Examples(folder)


def test_two_styles_whose_files_have_one_name_are_two(dataset: Path, tmp_path: Path) -> None:
    contents, folder = Dataset(dataset), tmp_path / "made"
    styles = [partial(list, [picture(64, 64, seed)]) for seed in (50, 51)]
    make_examples(contents, styles, folder, 3, settings=KeySettings(steps=1, threads=1, precision="f32"))
    first, second, third = (row.style for row in examples_in(folder))
    assert first == third != second
    for file, seed in ((first, 50), (second, 51)):
        saved_one = np.asarray(Image.open(folder / file), np.float32) / 255
        np.testing.assert_allclose(saved_one, picture(64, 64, seed), atol=3e-3)


def test_the_command_paints_examples(dataset: Path, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 2)
    said = scumble("data", "examples", dataset, "-o", folder, "--count", 2)  # both are there
    assert said.stdout.strip().endswith(f"{folder}: 2 examples")
    refused = scumble("data", "examples", tmp_path / "nobody", "-o", folder)
    assert refused.returncode == 2
    assert "nobody" in refused.stderr
