"""Key frames that the machine paints: nearer to the painting, of the plate's shapes, alike in a shot, never lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.command import scumble
from helpers.pictures import picture

pytest.importorskip("torch")

import torch

from scumble.core.downloads import shipped_vgg
from scumble.core.errors import BadInput
from scumble.core.frames import Pixels
from scumble.look.look import Look
from scumble.media.open import open_plate
from scumble.network.palette import Palette, recolouring
from scumble.train.match.key_painter import KeyPainter
from scumble.train.match.painted_keys import painted_keys
from scumble.train.match.settings import KeySettings
from scumble.train.nn import losses
from scumble.train.nn.perceptual import PerceptualFeatures
from scumble.train.settings import LAYERS

QUICK = KeySettings(steps=16, match_every=8, threads=1, precision="f32")
SIZE = (176, 128)


def hatching() -> Pixels:
    """A painting of slanted marks, of a few colours."""
    random = np.random.default_rng(5)
    canvas = np.full((160, 192, 3), (0.9, 0.8, 0.5), np.float32)
    for _ in range(900):
        x, y = int(random.integers(192)), int(random.integers(160))
        colour = ((0.1, 0.2, 0.6), (0.8, 0.3, 0.1), (0.95, 0.9, 0.7))[int(random.integers(3))]
        cv2.line(canvas, (x, y), (x + 9, y - 5), colour, 2)
    return canvas


@pytest.fixture(scope="module")
def features() -> PerceptualFeatures:
    return PerceptualFeatures.load(shipped_vgg())


def distance(features: PerceptualFeatures, a: Pixels, b: Pixels) -> float:
    """Relative distance of moments over layers."""
    of_a, of_b = (
        {k: losses.moments(f) for k, f in features(torch.from_numpy(p.transpose(2, 0, 1).copy())[None], LAYERS).items()}
        for p in (a, b)
    )
    return float(
        sum(losses.relative_moments(of_a[k], of_b[k], float(sum(t.square().sum() for t in of_b[k]))) for k in LAYERS)
    )


def test_a_painted_frame_is_nearer_to_the_painting_and_keeps_the_plates_shapes(features: PerceptualFeatures) -> None:
    style, plate = hatching(), picture(SIZE[1], SIZE[0], 3)
    matrix, offset = recolouring(Palette.measure(plate), Palette.measure(style))
    recoloured = (plate @ matrix.T + offset).clip(0, 1).astype(np.float32)
    told: list[tuple[float, float]] = []
    key = KeyPainter([style], features, QUICK).paint(plate, tell=lambda p: told.append((p.done, p.total)))
    assert key.shape == plate.shape
    assert key.min() >= 0
    assert key.max() <= 1
    assert distance(features, key, style) < 0.75 * distance(features, recoloured, style)
    small = [cv2.resize(p.mean(2), (32, 24), interpolation=cv2.INTER_AREA).ravel() for p in (key, plate)]
    assert np.corrcoef(*small)[0, 1] > 0.8
    assert told == [(done, 100) for done in sorted({done for done, _ in told})]
    assert told[-1] == (100, 100)


def test_fine_lines_of_the_plate_are_in_the_key(features: PerceptualFeatures) -> None:
    rng = np.random.default_rng(2)
    plate = picture(128, 160, 6) * 0.5 + 0.25
    plate[:, 20::16] += 0.2  # lines of one pixel, which half the size does not hold
    style = np.repeat(rng.random((160, 128, 1), np.float32), 3, 2)
    key = KeyPainter([style], features, replace(QUICK, steps=3)).paint(plate.astype(np.float32))
    of_key, of_plate = (p.mean(2) - cv2.blur(p.mean(2), (5, 5)) for p in (key, plate))
    assert np.corrcoef(of_key.ravel(), of_plate.ravel())[0, 1] > 0.3  # without them .14


def test_the_same_seed_gives_the_same_bits(features: PerceptualFeatures) -> None:
    style, plate = hatching(), picture(72, 100, 4)
    first, again = (KeyPainter([style], features, replace(QUICK, steps=3)).paint(plate) for _ in range(2))
    assert np.array_equal(first, again)


def test_what_an_earlier_key_shows_is_painted_as_it_is_there(features: PerceptualFeatures) -> None:
    """The earlier key has other colours than the painting."""
    style, plate = hatching(), picture(SIZE[1], SIZE[0], 3)
    earlier = KeyPainter([np.ascontiguousarray(style[:, :, ::-1])], features, QUICK).paint(plate)
    alone, after = (KeyPainter([style], features, QUICK).paint(plate, keys) for keys in ((), [earlier]))
    assert np.abs(after - earlier).mean() < 0.9 * np.abs(alone - earlier).mean()


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    wide = picture(96, 168, 3)
    for i in range(5):
        cv2.imwrite(str(tmp_path / f"p.{1001 + i}.png"), (wide[:, 4 * i : 4 * i + 128, ::-1] * 255).astype(np.uint8))
    cv2.imwrite(str(tmp_path / "style.png"), (hatching()[:, :, ::-1] * 255).astype(np.uint8))
    return tmp_path


def test_keys_that_are_there_are_kept_also_when_they_were_painted_over(shot: Path) -> None:
    plate, quick = open_plate(shot / "p.####.png"), replace(QUICK, steps=1)

    def keys(*numbers: int, settings: KeySettings = quick, overwrite: bool = False) -> list[tuple[int, Path]]:
        return painted_keys(plate, numbers, [shot / "style.png"], shot / "run", SIZE, settings, overwrite=overwrite)

    ((number, file),) = keys(1003)
    assert (number, file.name) == (1003, "key.1003.png")
    assert open_plate(file).size == (128, 96)
    cv2.imwrite(str(file), np.full((96, 128, 3), 90, np.uint8))  # the artist's own
    own = file.read_bytes()
    assert [n for n, _ in keys(1001, 1003)] == [1001, 1003]
    keys(1003, overwrite=True)
    assert file.read_bytes() == own
    with pytest.raises(BadInput, match=r"key\.1003\.png: it was not painted of these .* --painted 1003="):
        keys(1003, settings=replace(quick, content=0.1))
    assert file.read_bytes() == own
    keys(1003, settings=replace(quick, content=0.1), overwrite=True)
    assert file.read_bytes() != own
    with pytest.raises(BadInput, match=r"frame 7 is not in p\.####\.png"):
        keys(7)


def test_keys_are_painted_in_the_order_given_each_with_those_before_it(
    shot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int]] = []

    def paint(self: KeyPainter, plate: Pixels, earlier: list[Pixels], tell: object, task: str, _: None) -> Pixels:
        seen.append((task, len(earlier)))
        return plate

    monkeypatch.setattr(KeyPainter, "paint", paint)
    plate, style = open_plate(shot / "p.####.png"), [shot / "style.png"]
    painted_keys(plate, [1004, 1001], style, shot / "run", SIZE, QUICK)
    painted_keys(plate, [1001, 1003, 1004], style, shot / "run", SIZE, QUICK)
    assert seen == [("key frame 1004", 0), ("key frame 1001", 1), ("key frame 1003", 2)]


def test_a_foreign_picture_in_the_way_is_not_replaced(shot: Path) -> None:
    (shot / "run" / "keys").mkdir(parents=True)
    (shot / "run" / "keys" / "key.1003.png").write_bytes(b"not ours")
    with pytest.raises(BadInput, match="or give --overwrite"):
        painted_keys(open_plate(shot / "p.####.png"), [1003], [shot / "style.png"], shot / "run", SIZE, QUICK)
    assert (shot / "run" / "keys" / "key.1003.png").read_bytes() == b"not ours"


def test_one_command_paints_keys_and_matches_to_them(shot: Path) -> None:
    def match(*words: str) -> tuple[int, str]:
        more = ("--steps", "3", "--threads", "1", "--progress", "none")
        done = scumble("look", "match", "--plate", "p.####.png", "-o", "m.look", *more, *words, cwd=shot)
        return done.returncode, done.stderr

    def frames() -> list[int]:
        return [source["frame"] for source in Look.load(shot / "m.look").facts["sources"]]

    code, said = match()
    assert (code, "--style" in said) == (2, True)
    code, said = match("--style", "style.png", "-o", "m.txt")
    assert (code, "ends in .look" in said, (shot / "m.match").exists()) == (2, True, False)
    assert match("--style", "style.png") == (0, "")
    (first,) = frames()
    assert (shot / "m.match" / "keys" / f"key.{first}.png").is_file()
    other = 1001 if first != 1001 else 1005
    code, said = match("--style", "style.png", "--painted", str(other))  # the look knows another frame
    assert (code, "is there already" in said) == (2, True)
    assert not (shot / "m.match" / "keys" / f"key.{other}.png").exists()
    assert match("--style", "style.png", "--painted", str(other), str(first))[0] == 0
    assert sorted(frames()) == sorted([first, other])


def test_a_part_takes_the_colours_that_it_has_in_the_whole(features: PerceptualFeatures) -> None:
    """A dark part of a bright picture stays dark, where on its own it would take the painting's whole range."""
    style, plate = hatching(), picture(64, 96, 3) * np.float32(0.2)
    whole = np.concatenate([plate, picture(192, 96, 4)])
    painter = KeyPainter([style], features, replace(QUICK, steps=1))
    alone = painter.paint(plate)
    as_part = painter.paint(plate, colours=Palette.measure(whole))
    assert as_part.mean() < alone.mean() - 0.05


def test_what_is_grey_stays_grey_after_a_grey_painting(features: PerceptualFeatures) -> None:
    """Pixels that are optimised through VGG take tints, which it hardly minds."""
    style, plate = (np.repeat(p.mean(2, keepdims=True), 3, 2) for p in (hatching(), picture(64, 96, 3)))
    painting = KeyPainter([style], features, replace(QUICK, steps=8)).paint(plate)
    assert np.abs(painting - painting.mean(2, keepdims=True)).max() < 0.01
    assert painting.std() > 0.05  # it has the painting's contrast


@pytest.mark.parametrize("size", [(96, 128), (90, 61), (32, 32)])
def test_features_do_not_see_where_a_picture_ends(features: PerceptualFeatures, size: tuple[int, int]) -> None:
    """VGG sees black around a picture, and would paint a frame: a flat picture looks the same at its edges."""
    maps = KeyPainter([hatching()], features, QUICK)._seen(torch.full((1, 3, *size), 0.7), ("relu2_1", "relu3_1"))
    for stride, found in zip((2, 4), maps.values(), strict=True):
        assert found.shape[2:] == tuple(side // stride for side in size)
        middle = found[:, :, found.shape[2] // 2, found.shape[3] // 2]
        assert float((found - middle[:, :, None, None]).abs().max()) < 1e-3 * float(middle.max())
