"""A look matched to painted key frames: it learns, it paints the shot as it was trained, it says what is wrong."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.command import scumble
from helpers.pictures import picture, scene

pytest.importorskip("torch")

from safetensors.numpy import load_file

from scumble.core.colour import DISPLAY, LINEAR, srgb_to_linear
from scumble.core.errors import BadInput, BadLook, BadPlate
from scumble.core.frames import Frame, Pixels, key_number
from scumble.core.pixels import resized
from scumble.core.progress import Progress
from scumble.look.look import Look
from scumble.look.making import as_style, look_of_pixels, make_look
from scumble.look.mixing import mix_looks
from scumble.look.statistics import shot_statistics
from scumble.media.open import open_plate
from scumble.media.picture_reader import read_picture
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings
from scumble.rendering.options import RenderSettings
from scumble.rendering.run import render
from scumble.shot.open_matte import parse_matte
from scumble.train.match.check_keys import SURE, alignment
from scumble.train.match.job import match_look
from scumble.train.match.matcher import held_out
from scumble.train.match.settings import MatchSettings

HEIGHT, WIDTH = 96, 128
QUICK = MatchSettings(
    minutes=0.0, steps=40, patches=3, free_patches=1, patch=64, check_every=20, threads=1, precision="f32", rate=2e-3
)


def painting(pixels: Pixels) -> Pixels:
    """What the artist does to every frame: darker, redder, edges drawn."""
    edges = np.abs(np.diff(pixels, axis=1, prepend=pixels[:, :1])).max(axis=2, keepdims=True)
    return np.clip(pixels[:, :, ::-1] * [0.9, 0.6, 0.5] + 0.1 - edges, 0, 1).astype(np.float32)


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    wide = picture(HEIGHT, WIDTH + 40, 3)
    for i in range(8):
        frame = np.ascontiguousarray(wide[:, 4 * i : 4 * i + WIDTH])
        write_picture(tmp_path / f"p.{1001 + i}.png", Frame(1001 + i, frame, DISPLAY), WriterSettings(bits=16))
        painted = Frame(1001 + i, painting(frame), DISPLAY)
        write_picture(tmp_path / f"key.{1001 + i}.png", painted, WriterSettings(bits=16))
    return tmp_path


def difference(files: Any, shot: Path, number: int) -> float:
    wanted = read_picture(shot / f"key.{number}.png")[0]
    return float(np.abs(read_picture(files[number - 1001])[0] - wanted).mean())


def test_it_learns_from_one_frame_and_paints_the_others(shot: Path, vgg: Path) -> None:
    plate = open_plate(shot / "p.####.png")
    heard: list[Progress] = []
    keys = [(1004, shot / "key.1004.png")]
    look = match_look(plate, keys, shot / "m.look", QUICK, shot / "run", vgg=vgg, tell=heard.append, name="mine")
    before = render(shot / "p.####.png", make_look([(shot / "key.1004.png", 1.0)]), shot / "a.####.png").files
    after = render(shot / "p.####.png", Look.load(shot / "m.look"), shot / "b.####.png").files
    for number in (1001, 1008):  # frames nobody painted
        assert difference(after, shot, number) < 0.7 * difference(before, shot, number)
    assert difference(after, shot, 1004) < 1 / 255  # the key frame as it was painted
    preview, rendered = (read_picture(p)[0] for p in (shot / "run/previews/1001.jpg", after[0]))
    assert np.abs(preview - rendered).mean() < 3 / 255
    bare = match_look(plate, keys, shot / "bare.look", QUICK, shot / "run", vgg=vgg, name="mine", carry=False)
    assert [key.number for key in look.painted_frames] == [1004]
    assert not bare.painted_frames
    np.testing.assert_array_equal(bare.weights["kernel.head"], look.weights["kernel.head"])
    assert look.facts["made"] == "matched"
    assert look.facts["sources"][0]["frame"] == 1004
    assert look.facts["training"]["held out"]["pixels"] > 0
    assert sorted(p.name for p in (shot / "run/previews").iterdir())[0] == "1001.jpg"
    lines = [json.loads(line) for line in (shot / "run/metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [20, 40]
    assert lines[-1]["held out pixels"] < lines[0]["held out pixels"]
    assert any(event.is_best for event in heard)


def test_it_carries_the_statistics_of_its_shot(shot: Path, vgg: Path) -> None:
    plate = open_plate(shot / "p.####.png")
    settings = replace(QUICK, steps=4)
    match_look(plate, [(1004, shot / "key.1004.png")], shot / "m.look", settings, shot / "run", vgg=vgg)
    look = Look.load(shot / "m.look")
    assert look.shot is not None
    assert look.to_bytes() == (shot / "m.look").read_bytes()
    assert json.loads(json.dumps(look.facts)) == look.facts
    started = look_of_pixels([as_style(read_picture(shot / "key.1004.png")[0])], [1.0], "", [])
    started = replace(started, architecture=replace(started.architecture, simplified=0, dabbed=0))
    known = shot_statistics(started, plate, (WIDTH, HEIGHT))
    for name, mean in known.mean.items():
        np.testing.assert_array_equal(look.shot.mean[name], mean)
    # another shot is painted by the same function: its own statistics are not measured
    other = Frame(1, 0.3 * picture(HEIGHT, WIDTH, 9), DISPLAY)
    write_picture(shot / "other.png", other, WriterSettings(bits=16))
    found = shot_statistics(look, open_plate(shot / "other.png"), (WIDTH, HEIGHT))
    np.testing.assert_array_equal(found.mean["in2"], look.shot.mean["in2"])
    assert found.facts["points"][1] > 0
    with pytest.raises(BadLook, match="does not mix"):
        mix_looks([look, make_look([(shot / "key.1004.png", 1.0)])], [0.5, 0.5])
    render(shot / "other.png", look, shot / "painted.png", RenderSettings(hold_blacks=True, grain="keep"))


@pytest.mark.full
def test_a_matte_limits_where_it_learns(shot: Path, vgg: Path) -> None:
    matte = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    matte[:, WIDTH // 2 :] = 1
    write_picture(shot / "m.png", Frame(1, matte, DISPLAY), WriterSettings())
    plate, start = open_plate(shot / "p.####.png"), make_look([(shot / "key.1004.png", 1.0)])
    limit = parse_matte(str(shot / "m.png"), plate, [1004])
    looks = {}
    places = {
        "right": np.s_[:, WIDTH // 2 :],
        "left": np.s_[:, : WIDTH // 2],
        "held": held_out((HEIGHT, WIDTH), 1004),
        "none": np.s_[:0],
    }
    for name, place in places.items():
        wrong = read_picture(shot / "key.1004.png")[0].copy()
        wrong[place] = [0.0, 1.0, 0.0]
        write_picture(shot / f"{name}.1004.png", Frame(1004, wrong, DISPLAY), WriterSettings(bits=16))
        quick = replace(QUICK, steps=6)
        keys = [(1004, shot / f"{name}.1004.png")]
        looks[name] = match_look(plate, keys, shot / f"{name}.look", quick, shot / name, limit, start, vgg=vgg)
    kernels = {name: look.weights["kernel.head"] for name, look in looks.items()}
    np.testing.assert_array_equal(kernels["left"], kernels["none"])  # painted over where it does not look
    assert not np.array_equal(kernels["right"], kernels["none"])
    # what is only judged chooses among weights, and teaches none
    trained = {name: load_file(shot / name / "match.safetensors")["generator/kernel.head"] for name in ("held", "none")}
    np.testing.assert_array_equal(trained["held"], trained["none"])
    # another matte is another match, not one to go on with
    with pytest.raises(BadInput, match="other keys or settings"):
        match_look(plate, keys, shot / "x.look", quick, shot / "none", None, start, vgg=vgg)


@pytest.mark.full
@pytest.mark.parametrize("moment", [0.0, 0.3, 1.5, 3.0])
def test_a_match_that_was_stopped_goes_on_to_the_same_look(moment: float, shot: Path, vgg: Path) -> None:
    flags = [
        "--plate",
        "p.####.png",
        "--painted",
        "key.1004.png",
        "--steps",
        "12",
        "--threads",
        "1",
        "--precision",
        "f32",
    ]
    flags += ["--overwrite"]  # a stopped one goes on all the same
    command = [Path(sys.executable).with_name("scumble"), "look", "match", *flags, "--vgg", vgg]
    whole = subprocess.run([*command, "-o", "a.look"], cwd=shot, capture_output=True, text=True, check=False)
    assert whole.returncode == 0, whole.stderr
    with subprocess.Popen([*command, "-o", "b.look"], cwd=shot, stderr=subprocess.PIPE, text=True) as process:
        for _ in range(600):
            if (shot / "b.match/previews").is_dir():
                break
            time.sleep(0.05)
        time.sleep(moment)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=120)
    if process.returncode != 0:  # it may have been through
        assert process.returncode == 128 + signal.SIGTERM, said
        assert not (shot / "b.look").exists()
        again = subprocess.run([*command, "-o", "b.look"], cwd=shot, capture_output=True, text=True, check=False)
        assert again.returncode == 0, again.stderr
        assert moment == 0 or "going on at step" in again.stderr
    a, b = Look.load(shot / "a.look"), Look.load(shot / "b.look")
    for name, weights in a.weights.items():
        np.testing.assert_array_equal(weights, b.weights[name])
    # other keys are another match
    other = [*map(str, command), "-o", "b.look", "--overwrite"]
    other[other.index("key.1004.png")] = "key.1006.png"
    assert subprocess.run(other, cwd=shot, capture_output=True, check=False).returncode == 0


def test_what_is_wrong_is_said(shot: Path, vgg: Path) -> None:
    plate = open_plate(shot / "p.####.png")

    def refused(key: tuple[int, Path], **more: Any) -> str:
        with pytest.raises((BadInput, BadPlate)) as caught:
            match_look(plate, [key], shot / "m.look", QUICK, shot / "run", vgg=vgg, **more)
        assert not (shot / "m.look").exists()
        return str(caught.value)

    assert "frame 1010 is not in" in refused((1010, shot / "key.1004.png"))
    cropped = Frame(1, picture(HEIGHT, HEIGHT, 1), DISPLAY)
    write_picture(shot / "crop.1004.png", cropped, WriterSettings())
    assert "the key is 96x96, the plate 128x96" in refused((1004, shot / "crop.1004.png"))
    (shot / "text.1004.png").write_text("no picture")
    assert "text.1004.png" in refused((1004, shot / "text.1004.png"))
    assert "no such file" in refused((1004, shot / "nobody.1004.png"))
    write_picture(shot / "black.png", Frame(1, np.zeros((HEIGHT, WIDTH, 3), np.float32), DISPLAY), WriterSettings())
    empty = parse_matte(str(shot / "black.png"), plate, [1004])
    assert "nothing to learn from" in refused((1004, shot / "key.1004.png"), matte=empty)
    with pytest.raises(BadInput, match="painted twice"):
        match_look(plate, [(1004, shot / "key.1004.png")] * 2, shot / "m.look", QUICK, shot / "run", vgg=vgg)
    assert key_number("key.1004.png") == (1004, Path("key.1004.png"))
    assert key_number("1010=art/final.png") == (1010, Path("art/final.png"))
    with pytest.raises(BadInput, match="--painted FRAME=final"):
        key_number("final.png")
    done = scumble("look", "match", "--plate", "p.####.png", "--painted", "1010=key.1004.png", "-o", "m.look", cwd=shot)
    assert done.returncode == 2
    assert "frame 1010 is not in" in done.stderr


def test_what_is_odd_is_noted(shot: Path, vgg: Path) -> None:
    heard: list[Progress] = []
    key = read_picture(shot / "key.1004.png")[0]
    alpha = np.ones((HEIGHT, WIDTH, 1), np.float32)
    alpha[:, :30] = 0
    write_picture(shot / "a.1004.png", Frame(1004, key, DISPLAY, alpha), WriterSettings(bits=16))
    for n in (1001, 1002, 1003):
        linear = Frame(n, srgb_to_linear(read_picture(shot / f"p.{n}.png")[0]), LINEAR)
        write_picture(shot / f"l.{n}.exr", linear, WriterSettings(bits=16))
    quick = replace(QUICK, steps=2)
    match_look(
        open_plate(shot / "p.####.png"),
        [(1004, shot / "a.1004.png")],
        shot / "a.look",
        quick,
        shot / "ra",
        vgg=vgg,
        tell=heard.append,
    )
    assert any("a.1004.png has alpha" in event.text for event in heard)
    match_look(
        open_plate(shot / "l.####.exr"),
        [(1002, shot / "key.1002.png")],
        shot / "b.look",
        quick,
        shot / "rb",
        vgg=vgg,
        tell=heard.append,
    )
    assert any("key.1002.png is sRGB, the plate lin_rec709" in event.text for event in heard)


def test_a_key_beside_its_plate_is_seen() -> None:
    pixels = picture(180, 320, 7)
    moved = alignment(pixels, np.roll(painting(pixels), (6, -9), axis=(0, 1)))
    assert (moved.factor, moved.right, moved.down) == pytest.approx((1, -9, 6), abs=1)
    straight = alignment(pixels, painting(pixels))
    assert (straight.factor, straight.right, straight.down) == pytest.approx((1, 0, 0), abs=1)
    detail = scene(3, 180, 320)
    part = resized(painting(detail)[15:165, 27:293], (320, 180))
    assert alignment(detail, part).factor == pytest.approx(1.2, abs=0.04)
    assert alignment(detail, scene(2, 180, 320)).sure < SURE  # another picture


def test_a_key_of_another_frame_is_seen(tmp_path: Path, vgg: Path) -> None:
    """The camera moves on by a fifth of the picture from frame to frame."""
    long = scene(5, 96, 384)
    for i in range(6):
        frame = Frame(1001 + i, np.ascontiguousarray(long[:, 32 * i : 32 * i + 160]), DISPLAY)
        write_picture(tmp_path / f"p.{1001 + i}.png", frame, WriterSettings(bits=16))
    key = painting(read_picture(tmp_path / "p.1005.png")[0])
    write_picture(tmp_path / "k.1002.png", Frame(1002, key, DISPLAY), WriterSettings(bits=16))
    heard: list[Progress] = []
    plate, quick = open_plate(tmp_path / "p.####.png"), replace(QUICK, steps=1)
    match_look(
        plate, [(1002, tmp_path / "k.1002.png")], tmp_path / "a.look", quick, tmp_path / "r", vgg=vgg, tell=heard.append
    )
    assert any("fits frame 1005 far better" in event.text for event in heard), heard


def test_a_shot_of_one_frame_is_said(shot: Path, vgg: Path) -> None:
    heard: list[Progress] = []
    plate, keys = open_plate(shot / "p.1004.png", 1004), [(1004, shot / "key.1004.png")]
    match_look(plate, keys, shot / "o.look", replace(QUICK, steps=1), shot / "ro", vgg=vgg, tell=heard.append)
    assert any("no frame that nobody painted" in event.text for event in heard), heard


@pytest.mark.full
def test_a_further_key_goes_on_and_says_what_changed(shot: Path, vgg: Path) -> None:
    def match(*more: str) -> Any:
        flags = ["--plate", "p.####.png", "--steps", "20", "--threads", "1", "--precision", "f32", "--vgg", vgg]
        return scumble("look", "match", *flags, "-o", "m.look", "--painted", "key.1004.png", *more, cwd=shot)

    assert match().returncode == 0
    first = Look.load(shot / "m.look")
    assert (shot / "m.match/report.html").is_file()
    again = match()
    assert again.returncode == 2  # nothing new to learn: the look is not lost by a repeated line
    assert "there already" in again.stderr
    started = match("key.1006.png", "--start", "auvers")
    assert started.returncode == 2  # not what the look that is there has learned: it is not replaced unasked
    done = match("key.1006.png")
    assert done.returncode == 0, done.stderr
    assert "going on from what it has learned, with frame 1006" in done.stderr
    assert "against the look before" in done.stderr
    look = Look.load(shot / "m.look")
    assert [source["frame"] for source in look.facts["sources"]] == [1004, 1006]
    changes = look.facts["training"]["changes"]
    assert set(changes) == {str(n) for n in range(1001, 1009)}
    assert max(changes.values()) > 0
    assert Look.load(shot / "m.match/before.look").hash == first.hash
    assert first.shot is not None
    assert look.shot is not None
    np.testing.assert_array_equal(look.shot.palette.mean, first.shot.palette.mean)  # the same function goes on
    assert "What changed" in (shot / "m.match/report.html").read_text()


def test_a_small_plate_has_a_pan_figure(shot: Path, vgg: Path) -> None:
    plate, keys = open_plate(shot / "p.####.png"), [(1004, shot / "key.1004.png")]
    look = match_look(plate, keys, shot / "s.look", replace(QUICK, steps=2), shot / "rs", lines=48, vgg=vgg)
    assert np.isfinite(list(look.facts["training"]["held out"].values())).all()


def test_held_out_parts_are_scattered_and_always_the_same() -> None:
    held = held_out((272, 640), 30)
    assert held.shape == (272, 640)
    assert 0.08 < held.mean() < 0.16
    np.testing.assert_array_equal(held, held_out((272, 640), 30))
    assert not np.array_equal(held, held_out((272, 640), 31))
