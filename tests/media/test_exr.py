"""EXR plates: the colour layer is painted, everything else goes back as it came."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from math import prod
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import OpenEXR
import pytest
from helpers.command import scumble
from helpers.exr import read, same, tool, windowed
from helpers.pictures import picture, random_look, scene

from scumble.core.colour import LINEAR, srgb_to_linear
from scumble.look.shipped import identity_look
from scumble.media.open import open_plate
from scumble.media.plate import PlateOptions
from scumble.rendering.job import job_of
from scumble.rendering.options import RenderSettings
from scumble.rendering.run import render, run

HEIGHT, WIDTH = 48, 80


def layered(path: Path, seed: int = 0, **header: Any) -> dict[str, Any]:
    """An EXR as a renderer writes it: beauty, vectors, depth, object numbers, Cryptomatte, camera; its channels."""
    rng = np.random.default_rng(seed)
    linear = srgb_to_linear(scene(seed, HEIGHT, WIDTH))
    linear[5, 40] = (np.nan, 1, 2)
    linear[6, 41] = (np.inf, 0, 0)
    alpha = np.ones((HEIGHT, WIDTH), np.float32)
    alpha[:, :10], alpha[:, 10:14] = 0, 0.5
    channels: dict[str, Any] = {
        f"ViewLayer.Combined.{c}": (linear[:, :, i] * alpha).astype(np.float16) for i, c in enumerate("RGB")
    }
    channels["ViewLayer.Combined.A"] = alpha.astype(np.float16)
    channels |= {f"ViewLayer.AO.{c}": rng.random((HEIGHT, WIDTH)).astype(np.float16) for c in "RGB"}
    channels |= {f"ViewLayer.Vector.{c}": rng.normal(0, 3, (HEIGHT, WIDTH)).astype(np.float32) for c in "XYZW"}
    channels["ViewLayer.Depth.Z"] = rng.uniform(1, 1e10, (HEIGHT, WIDTH)).astype(np.float32)
    channels["ViewLayer.IndexOB.X"] = rng.integers(0, 1 << 32, (HEIGHT, WIDTH), dtype=np.uint32)
    numbers = rng.integers(1, 0x7F7FFFFF, (HEIGHT, WIDTH), dtype=np.uint32)
    channels |= {f"ViewLayer.CryptoObject00.{c}": numbers.view(np.float32) for c in "RG"}
    written = {
        "compression": OpenEXR.PIZ_COMPRESSION,
        "cryptomatte/d593bc3/name": "ViewLayer.CryptoObject",
        "cryptomatte/d593bc3/manifest": '{"Cube":"72c73bdb"}',
        "worldToCamera": np.eye(4, dtype=np.float32),
        "framesPerSecond": Fraction(24000, 1001),
        "capDate": "2026:11:23 10:00:00",
        "owner": "a studio",
        **header,
    }
    OpenEXR.File(written, dict(channels)).write(str(path))
    return channels


def test_only_the_colour_layer_is_changed(tmp_path: Path) -> None:
    channels = layered(tmp_path / "p.1001.exr")
    channels2 = layered(tmp_path / "p.1002.exr", 1)
    done = render(tmp_path / "p.####.exr", random_look(1), tmp_path / "o.####.exr", RenderSettings())
    for file, own, number in zip(done.files, (channels, channels2), (1001, 1002), strict=True):
        ((header, written),) = read(file)
        ((before, _),) = read(tmp_path / f"p.{number}.exr")
        changed = {name for name in own if not same(own[name], written[name])}
        assert changed == {f"ViewLayer.Combined.{c}" for c in "RGB"}
        assert written.keys() == own.keys()
        assert header.pop("scumble").startswith("Scumble ")
        for name in header.keys() | before.keys():
            if name != "channels":
                np.testing.assert_equal(header[name], before[name])
        # premultiplied: where nothing is nothing is painted, and edges are as light as their alpha
        red = written["ViewLayer.Combined.R"]
        assert same(np.ascontiguousarray(red[:, :10]), np.ascontiguousarray(own["ViewLayer.Combined.R"][:, :10]))
        assert np.isnan(written["ViewLayer.Combined.R"][5, 40])
        assert np.isposinf(written["ViewLayer.Combined.R"][6, 41])


def test_an_outside_client_finds_every_other_channel_identical(tmp_path: Path) -> None:
    oiiotool, idiff = tool("oiiotool"), tool("idiff")
    layered(tmp_path / "p.exr")
    render(tmp_path / "p.exr", random_look(1), tmp_path / "o.exr")
    for name in ("p", "o"):
        others = "ViewLayer.Vector.X,ViewLayer.Vector.Y,ViewLayer.Vector.Z,ViewLayer.Vector.W,ViewLayer.Depth.Z"
        command = [oiiotool, tmp_path / f"{name}.exr", "--ch", others, "-d", "float", "-o", tmp_path / f"{name}_.exr"]
        subprocess.run(command, check=True, capture_output=True)
    subprocess.run([idiff, tmp_path / "p_.exr", tmp_path / "o_.exr"], check=True, capture_output=True)
    whole = subprocess.run([idiff, tmp_path / "p.exr", tmp_path / "o.exr"], check=False, capture_output=True)
    assert whole.returncode != 0  # the painting itself is another picture
    said = subprocess.run([tool("exrheader"), tmp_path / "o.exr"], check=True, capture_output=True, text=True).stdout
    assert '"a studio"' in said
    assert "24000/1001" in said


@pytest.mark.parametrize("kind", ["half", "float", "tiled", "multipart", "lossy"])
def test_structures_come_back(kind: str, tmp_path: Path) -> None:
    pixels = srgb_to_linear(picture(HEIGHT, WIDTH)).astype(np.float32 if kind == "float" else np.float16)
    colours = {c: np.ascontiguousarray(pixels[:, :, i]) for i, c in enumerate("RGB")}
    depth = {"Z": np.random.default_rng(0).random((HEIGHT, WIDTH)).astype(np.float32)}
    path = tmp_path / "p.exr"
    if kind == "multipart":
        parts = [OpenEXR.Part({"name": "depth"}, dict(depth)), OpenEXR.Part({"name": "beauty"}, dict(colours))]
        OpenEXR.File(parts).write(str(path))
    else:
        header: dict[str, Any] = {}
        if kind == "tiled":
            tiles = OpenEXR.TileDescription()
            tiles.xSize, tiles.ySize, tiles.mode = 32, 16, OpenEXR.ONE_LEVEL
            header = {"type": OpenEXR.tiledimage, "tiles": tiles}
        if kind == "lossy":
            header = {"compression": OpenEXR.DWAA_COMPRESSION}
        OpenEXR.File(header, {**colours, **depth}).write(str(path))
    before = read(path)
    for look, changes in ((identity_look(), False), (random_look(0), True)):
        out = tmp_path / f"o{changes}.exr"
        render(path, look, out)
        after = read(out)
        assert [h["type"] for h, _ in after] == [h["type"] for h, _ in before]
        if kind == "tiled":
            assert (after[0][0]["tiles"].xSize, after[0][0]["tiles"].ySize) == (32, 16)
        for (_, old), (_, new) in zip(before, after, strict=True):
            for name in old:
                assert same(old[name], new[name]) == (not changes or name == "Z"), name


def test_a_layer_is_chosen_by_name_and_painted_beside_the_beauty(tmp_path: Path) -> None:
    own = layered(tmp_path / "p.exr")
    chosen = job_of(tmp_path / "p.exr", random_look(1), tmp_path / "o.exr", RenderSettings(layer="ViewLayer.AO"))
    assert chosen.plan.plate.has_alpha is False
    render(tmp_path / "p.exr", random_look(1), tmp_path / "o.exr", RenderSettings(layer="ViewLayer.AO"))
    ((_, written),) = read(tmp_path / "o.exr")
    assert {n for n in own if not same(own[n], written[n])} == {f"ViewLayer.AO.{c}" for c in "RGB"}
    render(tmp_path / "p.exr", random_look(1), tmp_path / "l.exr", RenderSettings(out_layer="paint"))
    render(tmp_path / "p.exr", random_look(1), tmp_path / "b.exr", RenderSettings())
    ((_, beside),), ((_, beauty),) = read(tmp_path / "l.exr"), read(tmp_path / "b.exr")
    assert all(same(own[n], beside[n]) for n in own)
    assert beside.keys() - own.keys() == {"paint.R", "paint.G", "paint.B"}
    for c in "RGB":
        assert same(beside[f"paint.{c}"], beauty[f"ViewLayer.Combined.{c}"])
    for flags, words in (
        (["--layer", "Beauty"], "no layer 'Beauty' with R, G and B; it has ViewLayer.AO, ViewLayer.Combined"),
        (["--out-layer", "ViewLayer.AO"], "the plate has a channel or part ViewLayer.AO.R; give another --out-layer"),
    ):
        done = scumble("render", tmp_path / "p.exr", "--look", "identity", "-o", tmp_path / "x.exr", *flags)
        assert done.returncode == 2
        assert words in done.stderr
        assert not (tmp_path / "x.exr").exists()


@pytest.mark.parametrize("lines", [None, 60, 45])
def test_data_windows_are_kept_and_do_not_swim(lines: int | None, tmp_path: Path) -> None:
    world = srgb_to_linear(scene(3, 420, 560))
    look = random_look(2)
    # overscan, wider overscan, a crop inside the display window
    places = {1: (10, 10, 450, 330), 2: (3, 1, 520, 400), 3: (120, 80, 64, 48)}
    for n, (left, top, width, height) in places.items():
        windowed(tmp_path / f"p.{n:04d}.exr", world, left, top, width, height)
    stats = tmp_path / "s.json"
    done = render(tmp_path / "p.####.exr", look, tmp_path / "o.####.exr", RenderSettings(lines=lines, stats=stats))
    found = {n: read(f)[0] for n, f in zip((1, 2, 3), done.files, strict=True)}
    for n, (left, top, width, height) in places.items():
        (x, y), (right, bottom) = found[n][0]["dataWindow"]
        assert (x, y, right - x + 1, bottom - y + 1) == (left - 100, top - 60, width, height)
    # well inside, the same place of the world is painted the same, whatever window it is seen in
    one, two = (np.stack([found[n][1][c] for c in "RGB"], axis=2) for n in (1, 2))
    inner = one[120:-120, 120:-120]
    np.testing.assert_array_equal(inner, two[129 : 129 + inner.shape[0], 127 : 127 + inner.shape[1]])
    # any frame alone equals its frame in the shot, whose canvas is wider
    alone = render(
        tmp_path / "p.####.exr", look, tmp_path / "a.exr", RenderSettings(lines=lines, stats=stats, frames=(1,))
    )
    np.testing.assert_array_equal(read(alone.files[0])[0][1]["R"], found[1][1]["R"])
    # nor does the inside hang on the canvas: by itself the same frame has another margin
    windowed(tmp_path / "q.0001.exr", world, *places[1])
    other = render(tmp_path / "q.####.exr", look, tmp_path / "b.exr", RenderSettings(lines=lines, stats=stats))
    inside = (slice(120, -120), slice(120, -120))
    np.testing.assert_array_equal(read(other.files[0])[0][1]["R"][inside], found[1][1]["R"][inside])


def test_data_far_smaller_than_its_picture_is_painted_alone_and_as_in_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit where the statistics are the same; a matte of the picture's size fits too."""
    world = srgb_to_linear(scene(3, 1200, 1500))
    windowed(tmp_path / "p.0001.exr", world, 1000, 500, 90, 70, display=(1500, 1200))
    windowed(tmp_path / "p.0002.exr", world, 1030, 520, 60, 80, display=(1500, 1200))
    cv2.imwrite(str(tmp_path / "m.png"), (np.arange(1500)[None].repeat(1200, 0) % 256).astype(np.uint8))
    settings = RenderSettings(lines=400, stats=tmp_path / "s.json", matte=str(tmp_path / "m.png"))
    look = random_look(2)
    painted = []
    for name in "ab":
        job = job_of(tmp_path / "p.####.exr", look, tmp_path / f"{name}.####.exr", settings)
        painted.append((prod(job.plan.painted_size), run(job).files))
        monkeypatch.setattr("scumble.rendering.plan._data_alone", lambda *_: None)
    (small, alone), (large, whole) = painted
    assert small < large / 4
    for one, other in zip(alone, whole, strict=True):
        of_one, of_other, plate = (read(f)[0][1] for f in (one, other, tmp_path / one.name.replace("a", "p")))
        for channel in "RGB":
            assert same(of_one[channel], of_other[channel])
            assert not same(of_one[channel], plate[channel])


def test_identity_keeps_every_code_of_every_window(tmp_path: Path) -> None:
    world = srgb_to_linear(scene(3, 210, 360))
    for n, place in {1: (84, 44, 192, 122), 2: (120, 80, 64, 48), 3: (10, 5, 50, 20), 4: (100, 60, 160, 90)}.items():
        windowed(tmp_path / f"p.{n:04d}.exr", world, *place)
    done = render(tmp_path / "p.####.exr", identity_look(), tmp_path / "o.####.exr", RenderSettings())
    for n, file in enumerate(done.files, start=1):
        assert all(
            same(a, b)
            for a, b in zip(read(tmp_path / f"p.{n:04d}.exr")[0][1].values(), read(file)[0][1].values(), strict=True)
        )


def test_the_same_render_gives_the_same_bytes(tmp_path: Path) -> None:
    layered(tmp_path / "p.exr")
    for suffix in ("exr", "png"):
        files = [tmp_path / f"{name}.{suffix}" for name in "ab"]
        for file in files:
            render(tmp_path / "p.exr", random_look(1), file)
        assert files[0].read_bytes() == files[1].read_bytes()


def test_a_plate_of_one_channel_is_painted_in_colour(tmp_path: Path) -> None:
    grey = srgb_to_linear(picture(HEIGHT, WIDTH))[:, :, 1].astype(np.float16)
    OpenEXR.File({}, {"Y": grey}).write(str(tmp_path / "y.exr"))
    render(tmp_path / "y.exr", random_look(1), tmp_path / "o.exr")
    ((_, written),) = read(tmp_path / "o.exr")
    assert set(written) == {"R", "G", "B"}


def test_a_damaged_other_part_is_said_before_anything_is_written(tmp_path: Path) -> None:
    layered(tmp_path / "p.exr")
    data = (tmp_path / "p.exr").read_bytes()
    (tmp_path / "p.exr").write_bytes(data[: len(data) * 4 // 5])
    done = scumble("render", tmp_path / "p.exr", "--look", "identity", "-o", tmp_path / "o.exr", "--progress", "none")
    assert done.returncode == 2
    assert "p.exr: the picture is damaged" in done.stderr
    assert not (tmp_path / "o.exr").exists()


def test_a_damaged_part_beside_the_beauty_is_not_passed_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    colours = {c: rng.random((HEIGHT, WIDTH)).astype(np.float16) for c in "RGB"}
    depth = {"Z": rng.random((HEIGHT, WIDTH)).astype(np.float32)}
    parts = [OpenEXR.Part({"name": "beauty"}, colours), OpenEXR.Part({"name": "depth"}, depth)]
    OpenEXR.File(parts).write(str(tmp_path / "p.exr"))
    data = (tmp_path / "p.exr").read_bytes()
    (tmp_path / "p.exr").write_bytes(data[:-200])
    done = scumble("render", tmp_path / "p.exr", "--look", "identity", "-o", tmp_path / "o.exr", "--progress", "none")
    assert done.returncode == 2
    assert "p.exr: the picture is damaged" in done.stderr
    assert not (tmp_path / "o.exr").exists()


def test_colours_of_a_layer_are_told_by_the_file(tmp_path: Path) -> None:
    layered(tmp_path / "p.exr", colorInteropID="lin_ap1_scene")
    assert open_plate(tmp_path / "p.exr").colour_space.name == "ACEScg"
    assert open_plate(tmp_path / "p.exr", None, PlateOptions(in_space="lin_rec709")).colour_space == LINEAR


def test_held_frames_keep_their_own_data(tmp_path: Path) -> None:
    own = {n: layered(tmp_path / f"p.{n}.exr", n, owner=f"frame {n}") for n in range(1001, 1005)}
    done = render(tmp_path / "p.####.exr", random_look(1), tmp_path / "o.####.exr", RenderSettings(on=2))
    for n, file in zip(own, done.files, strict=True):
        ((header, written),) = read(file)
        assert header["owner"] == f"frame {n}"
        colours = {f"ViewLayer.Combined.{c}" for c in "RGB"}
        assert all(same(own[n][name], written[name]) for name in own[n].keys() - colours)
    opaque = slice(20, None)
    one, two = (read(f)[0][1]["ViewLayer.Combined.G"][:, opaque] for f in done.files[:2])
    np.testing.assert_array_equal(one, two)


def test_another_space_is_told_by_every_part(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    chroma = {"chromaticities": (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)}
    parts = [
        OpenEXR.Part({"name": "beauty", **chroma}, {c: rng.random((HEIGHT, WIDTH)).astype(np.float16) for c in "RGB"}),
        OpenEXR.Part({"name": "depth", **chroma}, {"Z": rng.random((HEIGHT, WIDTH)).astype(np.float32)}),
    ]
    OpenEXR.File(parts).write(str(tmp_path / "p.exr"))
    assert str(open_plate(tmp_path / "p.exr").colour_space) == "ACEScg"
    for space in ("lin_rec709", "ACEScct", "Linear Rec.2020"):
        out = tmp_path / f"{space[:3]}{space[-4:]}.exr"
        render(tmp_path / "p.exr", identity_look(), out, RenderSettings(out_space=space))
        assert str(open_plate(out).colour_space) == space
        assert len(read(out)) == 2


def test_foreign_files_of_the_format_are_left_alone(tmp_path: Path) -> None:
    layered(tmp_path / "p.1001.exr")
    foreign = (tmp_path / "p.1001.exr").read_bytes()
    (tmp_path / "o.1001.exr").write_bytes(foreign[:300])  # still being written, or damaged
    done = scumble("render", tmp_path / "p.####.exr", "--look", "identity", "-o", tmp_path / "o.####.exr")
    assert done.returncode == 2
    assert "give --overwrite to replace it" in done.stderr
    assert (tmp_path / "o.1001.exr").read_bytes() == foreign[:300]


def test_a_grey_channel_beside_alpha_is_the_picture(tmp_path: Path) -> None:
    grey = srgb_to_linear(picture(HEIGHT, WIDTH))[:, :, 1].astype(np.float16)
    alpha = np.ones((HEIGHT, WIDTH), np.float16)
    OpenEXR.File({}, {"A": alpha, "mask": grey}).write(str(tmp_path / "y.exr"))
    (frame,) = open_plate(tmp_path / "y.exr").read((1,))
    np.testing.assert_array_equal(frame.pixels[:, :, 0], grey.astype(np.float32))
    render(tmp_path / "y.exr", random_look(1), tmp_path / "o.exr")
    ((_, written),) = read(tmp_path / "o.exr")
    assert set(written) == {"R", "G", "B", "A"}
    assert same(written["A"], alpha)


def test_windows_that_have_gone_astray_are_refused(tmp_path: Path) -> None:
    world = srgb_to_linear(scene(3, 210, 360))
    windowed(tmp_path / "p.0001.exr", world, 84, 44, 192, 122)
    window = (np.array([-3000, -9000], np.int32), np.array([-2990, -8990], np.int32))
    OpenEXR.File(
        {"dataWindow": window, "displayWindow": (np.zeros(2, np.int32), np.array([159, 89], np.int32))},
        {c: np.zeros((11, 11), np.float16) for c in "RGB"},
    ).write(str(tmp_path / "p.0002.exr"))
    done = scumble("render", tmp_path / "p.####.exr", "--look", "identity", "-o", tmp_path / "o.####.exr")
    assert done.returncode == 2
    assert "crop its data windows" in done.stderr


def test_the_tag_of_a_turned_photograph_means_nothing_in_exr(tmp_path: Path) -> None:
    layered(tmp_path / "p.exr", Orientation=6)
    before = read(tmp_path / "p.exr")[0][1]
    render(tmp_path / "p.exr", identity_look(), tmp_path / "o.exr")
    assert all(same(a, b) for a, b in zip(before.values(), read(tmp_path / "o.exr")[0][1].values(), strict=True))


def test_what_is_named_by_the_user_is_told_by_the_output(tmp_path: Path) -> None:
    plain = {c: np.full((HEIGHT, WIDTH), 0.25, np.float16) for c in "RGB"}
    OpenEXR.File({}, dict(plain)).write(str(tmp_path / "none.exr"))
    OpenEXR.File({"colorInteropID": "lin_rec709_scene"}, dict(plain)).write(str(tmp_path / "wrong.exr"))
    for name in ("none", "wrong"):
        out = tmp_path / f"{name}_out.exr"
        render(tmp_path / f"{name}.exr", identity_look(), out, RenderSettings(in_space="ACEScg"))
        assert str(open_plate(out).colour_space) == "ACEScg"
        assert same(read(out)[0][1]["R"], plain["R"])


def test_depth_alone_is_no_picture_and_suffixes_are_true(tmp_path: Path) -> None:
    OpenEXR.File({}, {"Z": np.ones((HEIGHT, WIDTH), np.float32)}).write(str(tmp_path / "z.exr"))
    (tmp_path / "liar.exr").write_bytes((Path(__file__).parents[2] / "docs/steady.jpg").read_bytes())
    layered(tmp_path / "p.exr")
    for flags, words in (
        ([tmp_path / "z.exr"], "no layer with R, G and B, nor one channel of light; it has Z"),
        ([tmp_path / "liar.exr"], "named .exr, but a picture of jpeg"),
        ([tmp_path / "p.exr", "--out-layer", "ViewLayer.Vector"], "the plate has a channel or part ViewLayer.Vector.X"),
        ([tmp_path / "p.exr", "--out-layer", ""], "--out-layer: empty"),
        ([tmp_path / "p.exr", "--feather", "3"], "feather softens a matte's edges"),
    ):
        done = scumble("render", *flags, "--look", "identity", "-o", tmp_path / "o.exr", "--dry-run")
        assert done.returncode == 2, done.stdout
        assert words in done.stderr, done.stderr


def test_channels_of_parts_are_told_apart(tmp_path: Path) -> None:
    from scumble.media.picture_reader import channel_names, read_channels

    rng = np.random.default_rng(0)
    planes = [rng.random((HEIGHT, WIDTH)).astype(np.float32) for _ in range(3)]
    parts = [
        OpenEXR.Part({"name": "beauty"}, dict.fromkeys("RGB", planes[0])),
        OpenEXR.Part({"name": "depth"}, {"Z": planes[1]}),
        OpenEXR.Part({"name": "diffuse"}, dict.fromkeys("RGB", planes[2])),
    ]
    OpenEXR.File(parts).write(str(tmp_path / "p.exr"))
    assert {"Z", "beauty.R", "diffuse.G"} <= set(channel_names(tmp_path / "p.exr"))
    for name, wanted in (("Z", 1), ("depth.Z", 1), ("diffuse.R", 2), ("beauty.B", 0)):
        np.testing.assert_array_equal(read_channels(tmp_path / "p.exr", (name,))[:, :, 0], planes[wanted])
    done = scumble("render", tmp_path / "p.exr", "--look", "identity", "-o", tmp_path / "o.exr", "--matte-channel", "R")
    assert done.returncode == 2
    assert "no channel 'R' for a matte; it has" in done.stderr


@pytest.mark.parametrize("command", ["render", "matte"])
def test_channels_of_a_sampling_that_does_not_fit_are_refused(command: str, tmp_path: Path) -> None:
    """A byte of the header: green says that it has a quarter of its pixels. OpenEXR's binding drops the part silently."""
    planes = {c: np.zeros((48, 80), np.float16) for c in "ABGR"}
    OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION}, planes).write(str(tmp_path / "p.exr"))
    data = bytearray((tmp_path / "p.exr").read_bytes())
    at = data.index(b"G\0") + 2 + 4 + 4  # name, type, pLinear
    assert data[at : at + 8] == bytes([1, 0, 0, 0, 1, 0, 0, 0])
    data[at], data[at + 4] = 2, 2
    (tmp_path / "p.exr").write_bytes(data)
    words = {"render": ("--look", "identity"), "matte": ("--crypto", "x")}[command]
    done = scumble(command, tmp_path / "p.exr", *words, "-o", tmp_path / "out.exr")
    assert done.returncode == 2, done.stderr
    assert "p.exr" in done.stderr
    assert "take another copy" in done.stderr
