"""Data preparation: splits by artwork, licences carried through, movies, one packed file."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL")

from conftest import SAMPLES, picture
from PIL import Image
from typer.testing import CliRunner

from scumble.cli import app
from scumble.errors import BadInput
from scumble.train.dataset import Dataset, random_crop, to_pixels
from scumble.train.prepare import prepare, split_of


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((pixels * 255).astype(np.uint8)).save(path)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    for i in range(12):
        save(tmp_path / "photos" / f"p{i}.jpg", picture(80, 120, i))
        save(tmp_path / "art" / f"a{i}.png", picture(90, 60, 50 + i))
    rows = [
        {"file": f"a{i}.png", "source": f"museum/{i // 2}{' [detail crop]' * (i % 2)}", "licence": "CC0", "author": "Ü"}
        | {"split": "test" if i // 2 == 3 else "train"}
        for i in range(12)
    ]
    with (tmp_path / "art" / "MANIFEST.csv").open("w", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return tmp_path


def test_the_command_packs_pictures_and_movies(sources: Path) -> None:
    out = sources / "set"
    arguments = ["--content", str(sources / "photos"), "--content", str(SAMPLES / "sintel_walk.mp4")]
    arguments += ["--style", str(sources / "art"), "-o", str(out), "--size", "48", "--frames-per-movie", "5"]
    done = CliRunner().invoke(app, ["data", "prepare", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    data = Dataset(out)
    assert sorted(p.name for p in out.iterdir()) == ["manifest.csv", "packed.zip"]
    content = [r for r in data.records if r.kind == "content"]
    assert len(content) == 12 + 5
    assert len({r.split for r in content if "sintel_walk" in r.source}) == 1
    assert all(min(data.picture(r).size) == 48 for r in data.records)
    art = {r.source: r for r in data.records if r.kind == "style"}
    assert {r.licence for r in art.values()} == {"CC0"}
    assert {r.author for r in art.values()} == {"Ü"}
    assert art["museum/3"].split == art["museum/3 [detail crop]"].split == "test"
    for i in range(6):
        assert art[f"museum/{i}"].split == art[f"museum/{i} [detail crop]"].split


def test_splits_are_stable_and_of_the_right_size() -> None:
    splits = [split_of(f"picture {i}") for i in range(4000)]
    assert splits == [split_of(f"picture {i}") for i in range(4000)]
    assert 0.88 < splits.count("train") / 4000 < 0.92
    assert abs(splits.count("val") - splits.count("test")) < 80
    assert {split_of(f"picture {i}", "train") for i in range(400)} == {"train", "val"}


def test_unreadable_pictures_are_counted_and_empty_sources_refused(sources: Path, tmp_path: Path) -> None:
    (sources / "photos" / "broken.jpg").write_bytes(b"no")
    done = prepare([sources / "photos"], [sources / "art"], tmp_path / "set", size=48)
    assert len(done.skipped) == 1
    assert "broken.jpg" in done.skipped[0]
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="empty"):
        prepare([tmp_path / "empty"], [sources / "art"], tmp_path / "set2")
    assert not (tmp_path / "set2" / "packed.zip").exists()
    with pytest.raises(BadInput, match="scumble data prepare"):
        Dataset(tmp_path / "empty")


def test_crops_stay_inside_and_in_range() -> None:
    rng = np.random.default_rng(0)
    source = Image.fromarray((picture(50, 70) * 255).astype(np.uint8))
    for _ in range(20):
        crop = random_crop(source, (32, 48), (0.3, 2.0), rng)
        assert crop.shape == (32, 48, 3)
        assert 0 <= crop.min() <= crop.max() <= 1
    whole = random_crop(source, (50, 70), (1.0, 1.0), rng)
    np.testing.assert_allclose(whole, to_pixels(source), atol=1e-6)
