"""Mattes: 0 and 1 are exact, complements sum, order means nothing; Cryptomatte finds its objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest
from helpers.command import scumble
from helpers.cryptomattes import HEIGHT, WIDTH, crypto
from helpers.exr import read, same
from helpers.pictures import picture, random_look, scene
from hypothesis import given, settings
from hypothesis import strategies as st

from scumble.core.colour import DISPLAY, LINEAR, converted, mixed, srgb_to_linear
from scumble.core.frames import Frame, Margin
from scumble.look.shipped import identity_look
from scumble.media.ocio import Colours
from scumble.media.open import open_plate
from scumble.media.picture_reader import read_picture
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings
from scumble.rendering.options import RenderSettings
from scumble.rendering.run import render
from scumble.shot.matte import shares
from scumble.shot.open_matte import parse_matte

unit = st.floats(0, 1, width=32)


def half_matte(path: Path, softness: int = 8) -> Any:
    """Left 0, right 1, a ramp between, as an 8-bit picture."""
    ramp = np.clip((np.arange(WIDTH) - WIDTH / 2) / softness + 0.5, 0, 1).astype(np.float32)
    shown = np.broadcast_to(ramp[None, :, None], (HEIGHT, WIDTH, 3))
    write_picture(path, Frame(1, np.ascontiguousarray(shown), DISPLAY), WriterSettings())
    return np.round(ramp * 255) / 255


def exr(path: Path, seed: int = 0) -> Any:
    linear = srgb_to_linear(scene(seed, HEIGHT, WIDTH))
    linear[3, 5] = np.inf
    linear[4, 6] = np.nan
    coded = linear.astype(np.float16)
    OpenEXR.File({}, {c: np.ascontiguousarray(coded[:, :, i]) for i, c in enumerate("RGB")}).write(str(path))
    return coded


def rgb(path: Path) -> Any:
    ((_, channels),) = read(path)
    return np.stack([channels[c] for c in "RGB"], axis=2)


@given(
    st.lists(st.tuples(unit, unit, unit, unit), min_size=1, max_size=20), st.sampled_from(["sRGB", "ACEScg", "ACEScct"])
)
@settings(max_examples=40)
def test_zero_and_one_are_exact_and_complements_sum(values: list[tuple[float, ...]], name: str) -> None:
    space = Colours().space(name)
    table = np.array(values, np.float32)[:, None, :]
    plate, painted, share = table[:, :, :3], table[:, :, 1:], table[:, :, :1]
    zero, one = np.zeros_like(share), np.ones_like(share)
    np.testing.assert_array_equal(mixed(plate, painted, zero, space), plate)
    np.testing.assert_array_equal(mixed(plate, painted, one, space), painted)
    there, back = mixed(plate, painted, share, space), mixed(painted, plate, 1 - share, space)
    np.testing.assert_allclose(there, back, atol=2e-3 if name == "ACEScct" else 1e-4)
    broken = np.full_like(plate, np.inf)
    np.testing.assert_array_equal(mixed(plate, broken, zero, space), plate)  # 0 x Inf too
    np.testing.assert_array_equal(mixed(broken, plate, zero, space), broken)


@given(st.lists(st.lists(unit, min_size=6, max_size=6), min_size=1, max_size=4), st.randoms())
@settings(max_examples=40)
def test_overlapping_mattes_share_and_order_means_nothing(values: list[list[float]], rng: Any) -> None:
    mattes = [np.array(v, np.float32).reshape(2, 3, 1) for v in values]
    found = shares(mattes)
    total = np.sum(found, axis=0)
    assert (total <= 1 + 1e-6).all()
    plain = np.sum(mattes, axis=0)
    np.testing.assert_allclose(total, np.minimum(plain, 1), atol=1e-6)
    order = list(range(len(mattes)))
    rng.shuffle(order)
    again = shares([mattes[i] for i in order])
    for place, i in enumerate(order):
        np.testing.assert_array_equal(again[place], found[i])


@pytest.mark.parametrize("suffix", ["exr", "png"])
def test_the_plate_survives_where_the_matte_is_zero(suffix: str, tmp_path: Path) -> None:
    ramp = half_matte(tmp_path / "m.png")
    look = random_look(1)
    if suffix == "exr":
        plate = exr(tmp_path / "p.exr")
    else:
        write_picture(tmp_path / "p.png", Frame(1, picture(HEIGHT, WIDTH), DISPLAY), WriterSettings())
        plate = read_picture(tmp_path / "p.png")[0]

    def load(path: Path) -> Any:
        return rgb(path) if suffix == "exr" else read_picture(path)[0]

    whole = render(tmp_path / f"p.{suffix}", look, tmp_path / f"whole.{suffix}").files[0]
    common = RenderSettings(matte=str(tmp_path / "m.png"))
    part = render(tmp_path / f"p.{suffix}", look, tmp_path / f"part.{suffix}", common).files[0]
    found, everything = load(part), load(whole)
    none, all_of_it = ramp == 0, ramp == 1
    assert same(np.ascontiguousarray(found[:, none]), np.ascontiguousarray(plate[:, none]))
    assert same(np.ascontiguousarray(found[:, all_of_it]), np.ascontiguousarray(everything[:, all_of_it]))
    assert not np.array_equal(found[:, ~none & ~all_of_it], everything[:, ~none & ~all_of_it])
    # inside out: what is mixed is mixed in linear light, so the two halves sum to plate and painting
    inverted = RenderSettings(matte=str(tmp_path / "m.png"), invert_matte=True)
    other = load(render(tmp_path / f"p.{suffix}", look, tmp_path / f"other.{suffix}", inverted).files[0])
    space = LINEAR if suffix == "exr" else DISPLAY
    light = [converted(p.astype(np.float32), space, LINEAR) for p in (found, other, plate, everything)]
    good = np.isfinite(light[2]).all(axis=2)
    if suffix == "png":  # which cuts what lies beyond black and white
        good &= np.all([(p > 0.002) & (p < 0.998) for p in light], axis=0).all(axis=2)
    assert good.mean() > 0.3
    np.testing.assert_allclose(
        (light[0] + light[1])[good], (light[2] + light[3])[good], rtol=4e-3, atol=3e-3 if suffix == "exr" else 0.02
    )


def test_looks_in_mattes_of_their_own(tmp_path: Path) -> None:
    ramp = half_matte(tmp_path / "m.png", 1)
    mirrored = read_picture(tmp_path / "m.png")[0][:, ::-1]
    write_picture(tmp_path / "n.png", Frame(1, np.ascontiguousarray(mirrored), DISPLAY), WriterSettings())
    exr(tmp_path / "p.exr")
    looks = [random_look(n) for n in (1, 2)]
    alone = [rgb(render(tmp_path / "p.exr", look, tmp_path / f"{i}.exr").files[0]) for i, look in enumerate(looks)]
    pairs = [(str(tmp_path / "m.png"), looks[0]), (str(tmp_path / "n.png"), looks[1])]
    both = []
    for i, order in enumerate((pairs, pairs[::-1])):
        done = render(
            tmp_path / "p.exr",
            identity_look(),
            tmp_path / f"b{i}.exr",
            RenderSettings(matte="nowhere:"),
            matte_looks=order,
        )
        both.append(rgb(done.files[0]))
    np.testing.assert_array_equal(both[0], both[1])
    right, left = ramp == 1, ramp[::-1] == 1
    near = {"rtol": 2e-3, "atol": 6e-8}  # the least step of a half float
    np.testing.assert_allclose(both[0][:, right].astype(np.float32), alone[0][:, right].astype(np.float32), **near)
    np.testing.assert_allclose(both[0][:, left].astype(np.float32), alone[1][:, left].astype(np.float32), **near)
    # over another look, through the command
    for n, look in enumerate(looks):
        look.save(tmp_path / f"{n}.look")
    command = ["render", tmp_path / "p.exr", "--look", tmp_path / "0.look", "-o", tmp_path / "c.exr"]
    done = scumble(*command, "--matte-look", f"{tmp_path / 'n.png'}={tmp_path / '1.look'}", "--progress", "none")
    assert done.returncode == 0, done.stderr
    over = rgb(tmp_path / "c.exr").astype(np.float32)
    np.testing.assert_allclose(over[:, right], alone[0][:, right].astype(np.float32), **near)
    np.testing.assert_allclose(over[:, left], alone[1][:, left].astype(np.float32), **near)
    bare = [
        "render",
        tmp_path / "p.exr",
        "-o",
        tmp_path / "d.exr",
        "--matte-look",
        f"{tmp_path / 'n.png'}={tmp_path / '1.look'}",
    ]
    assert scumble(*bare, "--progress", "none").returncode == 0
    shown, plate = rgb(tmp_path / "d.exr"), rgb(tmp_path / "p.exr")
    assert same(np.ascontiguousarray(shown[:, right]), np.ascontiguousarray(plate[:, right]))


@pytest.mark.parametrize("manifest", [True, False])
def test_cryptomatte_by_name(manifest: bool, tmp_path: Path) -> None:
    coverage = crypto(tmp_path / "p.exr", manifest)
    plate = open_plate(tmp_path / "p.exr")
    for words, wanted in (
        ("cube", coverage["cube"]),
        ("tree_1,cube", coverage["tree_1"] + coverage["cube"]),
        *([("tree*", coverage["tree_1"] + coverage["tree_2"])] if manifest else []),
    ):
        np.testing.assert_allclose(parse_matte(f"crypto:{words}", plate).of(1)[:, :, 0], wanted, atol=1e-6)
    if not manifest:
        done = scumble("render", tmp_path / "p.exr", "--look", "identity", "--crypto", "t*", "-o", tmp_path / "o.exr")
        assert done.returncode == 2
        assert "has no manifest: give names in full" in done.stderr
    if manifest:
        done = scumble("render", tmp_path / "p.exr", "--look", "identity", "--crypto", "cub", "-o", tmp_path / "o.exr")
        assert done.returncode == 2
        assert "no object 'cub' in its Cryptomatte; it has cube, tree_1, tree_2" in done.stderr
    done = scumble("render", tmp_path / "p.exr", "--look", "auvers", "--crypto", "cube", "-o", tmp_path / "o.exr")
    assert done.returncode == 0, done.stderr
    changed = (rgb(tmp_path / "o.exr") != rgb(tmp_path / "p.exr")).any(axis=(0, 2))
    assert changed[:20].all()
    assert not changed[20:].any()


def test_channels_sizes_and_margins(tmp_path: Path) -> None:
    mask = np.random.default_rng(0).random((HEIGHT, WIDTH)).astype(np.float32)
    planes: dict[str, Any] = {c: np.full((HEIGHT, WIDTH), 0.3, np.float16) for c in "RGB"}
    OpenEXR.File({}, {**planes, "mask.Y": mask}).write(str(tmp_path / "p.exr"))
    plate = open_plate(tmp_path / "p.exr")
    np.testing.assert_array_equal(parse_matte("channel:mask.Y", plate).of(1)[:, :, 0], mask)
    assert parse_matte("channel:mask.Y", plate).of(1, Margin(3, 2, 1, 0)).shape == (HEIGHT + 2, WIDTH + 4, 1)
    small = Frame(1, np.full((HEIGHT // 2, WIDTH // 2, 3), 0.5, np.float32), DISPLAY)
    write_picture(tmp_path / "half.png", small, WriterSettings())
    assert parse_matte(str(tmp_path / "half.png"), plate).of(1).shape == (HEIGHT, WIDTH, 1)
    # alpha where it says something
    cut = Frame(1, np.ones((HEIGHT, WIDTH, 3), np.float32), DISPLAY, np.full((HEIGHT, WIDTH, 1), 0.2, np.float32))
    write_picture(tmp_path / "cut.png", cut, WriterSettings())
    np.testing.assert_allclose(parse_matte(str(tmp_path / "cut.png"), plate).of(1), 0.2, atol=1e-3)
    write_picture(tmp_path / "tall.png", Frame(1, np.ones((WIDTH, HEIGHT, 3), np.float32), DISPLAY), WriterSettings())
    write_picture(tmp_path / "m.0007.png", Frame(1, np.ones((HEIGHT, WIDTH, 3), np.float32), DISPLAY), WriterSettings())
    common = ["render", tmp_path / "p.exr", "--look", "identity", "-o", tmp_path / "o.exr", "--progress", "none"]
    for flags, words in (
        (["--matte", tmp_path / "tall.png"], "frame 1 of the matte is 48x80, the plate 80x48"),
        (["--matte", tmp_path / "m.####.png", "--dry-run"], "the matte of frame 1 is missing; it has 7"),
        (["--matte-channel", "spec.R"], "no channel 'spec.R' for a matte; it has"),
        (["--matte", tmp_path / "m.0007.png", "--matte-channel", "mask.Y"], "give one of --matte"),
        (["--crypto", "cube"], "it has no Cryptomatte"),
        (["--invert-matte"], "give a matte with it"),
        (["--matte-look", "a.png"], "write MATTE=LOOK"),
        (["--feather", "-1"], "feather -1.0"),
    ):
        done = scumble(*common, *flags)
        assert done.returncode == 2, done.stdout
        assert words in done.stderr, done.stderr
        assert not (tmp_path / "o.exr").exists()


def test_feather_softens_an_edge(tmp_path: Path) -> None:
    half_matte(tmp_path / "m.png", 1)
    write_picture(tmp_path / "p.png", Frame(1, picture(HEIGHT, WIDTH), DISPLAY), WriterSettings())
    from scumble.shot.matte import ShapedMatte

    plate = open_plate(tmp_path / "p.png")
    hard = parse_matte(str(tmp_path / "m.png"), plate)
    soft = ShapedMatte(hard, False, 16).of(1)[HEIGHT // 2, :, 0]
    inside = (soft > 0.025) & (soft < 0.975)
    assert 13 <= inside.sum() <= 19
    assert (np.diff(soft) >= -1e-6).all()
    np.testing.assert_allclose(ShapedMatte(hard, True, 16).of(1)[HEIGHT // 2, :, 0], 1 - soft, atol=1e-5)


def test_a_movie_is_a_matte_read_in_order_or_not(tmp_path: Path) -> None:
    from scumble.media.movie_writer import MovieWriter

    writer = MovieWriter(tmp_path / "m.mkv", WriterSettings(size=(WIDTH, HEIGHT), codec="ffv1"))
    for n in range(8):
        writer.write(Frame(n, np.full((HEIGHT, WIDTH, 3), n / 10, np.float32), DISPLAY))
        write_picture(tmp_path / f"p.{n + 1001}.png", Frame(n, picture(HEIGHT, WIDTH), DISPLAY), WriterSettings())
    writer.close()
    matte = parse_matte(str(tmp_path / "m.mkv"), open_plate(tmp_path / "p.####.png"))
    for number in (1001, 1002, 1003, 1007, 1008, 1002, 1002):
        np.testing.assert_allclose(matte.of(number), (number - 1001) / 10, atol=1 / 255)


def test_neighbours_need_their_mattes_before_any_work(tmp_path: Path) -> None:
    for n in range(1, 8):
        write_picture(tmp_path / f"p.{n:04}.png", Frame(n, picture(HEIGHT, WIDTH, n), DISPLAY), WriterSettings())
        if n > 2:
            half_matte(tmp_path / f"m.{n:04}.png")
    command = ["render", tmp_path / "p.####.png", "--look", "auvers", "-o", tmp_path / "o.####.png", "--frames", "4-6"]
    done = scumble(*command, "--matte", tmp_path / "m.####.png", "--stabilize", "flow", "--progress", "none")
    assert done.returncode == 2
    assert "the matte of frame 2 is missing" in done.stderr
    assert not list(tmp_path.glob("o.*"))


def test_a_matte_that_changes_paints_its_frames_again(tmp_path: Path) -> None:
    for n in (1, 2):
        write_picture(tmp_path / f"p.{n:04}.png", Frame(n, picture(HEIGHT, WIDTH, n), DISPLAY), WriterSettings())
        half_matte(tmp_path / f"m.{n:04}.png")
    common = RenderSettings(matte=str(tmp_path / "m.####.png"), stats=tmp_path / "s.json")
    look = random_look(1)
    render(tmp_path / "p.####.png", look, tmp_path / "o.####.png", common)
    half_matte(tmp_path / "m.0002.png", 30)
    again = render(tmp_path / "p.####.png", look, tmp_path / "o.####.png", common)
    assert [f.name for f in again.files] == ["o.0001.png", "o.0002.png"]


@pytest.mark.parametrize(("name", "index"), [("ground", 1), ("big ball", 2), ("ring.001", 3), ("Kegel-ä", 4)])
def test_blenders_cryptomatte_is_its_object_index(name: str, index: int) -> None:
    path = Path(__file__).parents[1] / "golden/cryptomatte.exr"  # by make_cryptomatte.py
    plate = open_plate(path)
    ((_, channels),) = read(path)
    there = channels["ViewLayer.IndexOB.X"] == index
    assert 0.05 < there.mean() < 0.6
    found = parse_matte(f"crypto:{name}", plate).of(plate.numbers[0])[:, :, 0]
    assert ((found > 0.5) != there).mean() < 0.002
    # all objects together are all that is not sky
    everything = parse_matte("crypto:*", plate).of(plate.numbers[0])[:, :, 0]
    assert ((everything > 0.5) != (channels["ViewLayer.IndexOB.X"] > 0)).mean() < 0.002


def test_another_channel_for_another_look_is_another_render(tmp_path: Path) -> None:
    planes = {c: np.full((HEIGHT, WIDTH), 0.4, np.float16) for c in "RGB"}
    left = np.zeros((HEIGHT, WIDTH), np.float16)
    left[:, :40] = 1
    for n in (1, 2):
        OpenEXR.File({}, {**planes, "a.Y": left, "b.Y": 1 - left}).write(str(tmp_path / f"p.{n}.exr"))

    def with_matte(words: str) -> Any:
        return render(
            tmp_path / "p.#.exr", identity_look(), tmp_path / "o.#.exr", matte_looks=[(words, random_look(1))]
        )

    assert with_matte("channel:a.Y").kept == 0
    assert with_matte("channel:a.Y").kept == 2
    again = with_matte("channel:b.Y")
    assert again.kept == 0
    assert [f.name for f in again.files] == ["o.1.exr", "o.2.exr"]
    assert np.array_equal(rgb(tmp_path / "o.1.exr")[:, :40], np.full((HEIGHT, 40, 3), 0.4, np.float16))
    (tmp_path / "o.2.exr").unlink()
    part = with_matte("channel:b.Y")
    assert (part.frames, part.kept, len(part.files)) == (1, 1, 2)


def test_mattes_are_written_as_codes(tmp_path: Path) -> None:
    for n in (1, 2):
        shown = Frame(n, picture(HEIGHT, WIDTH, n), DISPLAY)
        write_picture(tmp_path / f"shot/{n:04}.jpg", shown, WriterSettings())
    half_matte(tmp_path / "m.png")
    done = scumble("matte", "shot", "--matte", "m.png", "--invert-matte", "-o", "out", cwd=tmp_path)
    (tmp_path / "out").mkdir(exist_ok=True)
    again = scumble("matte", "shot", "--matte", "m.png", "--invert-matte", "-o", "folder/", "--overwrite", cwd=tmp_path)
    assert done.returncode == again.returncode == 0, done.stderr + again.stderr
    wrote = sorted(p.name for p in [*tmp_path.glob("out/*"), *tmp_path.glob("folder/*")])
    assert wrote == ["0001.png", "0001.png", "0002.png", "0002.png"]
    given, back = read_picture(tmp_path / "m.png")[0], read_picture(tmp_path / "out/0001.png")[0]
    np.testing.assert_allclose(back, 1 - given, atol=1 / 65535)
    for wrong in ("a.####.jpg", "a.####.webp", "a.mov"):
        refused = scumble("matte", "shot", "--matte", "m.png", "-o", wrong, cwd=tmp_path)
        assert refused.returncode == 2
        assert "would change codes" in refused.stderr
    as_exr = scumble("matte", "shot", "--matte", "m.png", "-o", "e.####.exr", cwd=tmp_path)
    assert as_exr.returncode == 0, as_exr.stderr
    ((_, channels),) = read(tmp_path / "e.0001.exr")
    assert list(channels) == ["Y"]
    np.testing.assert_allclose(channels["Y"], given[:, :, 0], atol=5e-4)


@pytest.mark.parametrize("way", ["absolute", "up", "link", "missing", "beside"])
def test_a_manifest_is_looked_for_beside_its_picture_only(way: str, tmp_path: Path) -> None:
    """A header could name any file: what stands in it is not told, nor whether it is there."""
    folder = tmp_path / "shot"
    folder.mkdir()
    secret = tmp_path / "secret.json"
    secret.write_text('{"token": "hunter2"}')
    (folder / "names.json").write_text('{"hero": "3f800000"}')
    named = {"absolute": str(secret), "up": "../secret.json", "link": "link.json", "missing": "other.json"}.get(
        way, "names.json"
    )
    if way == "link":
        (folder / "link.json").symlink_to(secret)
    head = {"name": "obj", "hash": "MurmurHash3_32", "conversion": "uint32_to_float32", "manif_file": named}
    planes = {c: np.full((36, 64), 0.2, np.float16) for c in "RGB"}
    planes |= {f"obj00.{c}": np.zeros((36, 64), np.float32) for c in "RGBA"}
    OpenEXR.File({f"cryptomatte/abc1234/{k}": v for k, v in head.items()}, planes).write(str(folder / "plate.exr"))
    done = scumble("render", "plate.exr", "--look", "identity", "--crypto", "hero", "-o", "out.exr", cwd=folder)
    if way == "beside":
        assert done.returncode == 0, done.stderr
        return
    assert done.returncode == 2
    assert done.stderr.strip() == (
        f"scumble: plate.exr: the manifest of its Cryptomatte obj, {named!r}, is not beside it; put it there"
    )
