"""Painted key frames that a look keeps: they come back as painted, and move with the shot they belong to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.exr import read, windowed
from helpers.pictures import random_look, random_statistics, scene

from scumble.core.colour import DISPLAY, srgb_to_linear
from scumble.core.errors import BadLook, BadSettings
from scumble.core.frames import Frame, Pixels
from scumble.look.look import Look, with_reference
from scumble.look.painted_frame import PaintedFrame
from scumble.look.shipped import identity_look
from scumble.look.statistics import reference_statistics
from scumble.media.movie_writer import MovieWriter
from scumble.media.open import open_plate
from scumble.media.picture_reader import read_picture
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings
from scumble.rendering.carry import Carrier, Residual
from scumble.rendering.job import job_of
from scumble.rendering.measure import measure
from scumble.rendering.options import RenderSettings
from scumble.rendering.run import render
from scumble.rendering.schedule import Schedule

HEIGHT, WIDTH, STEP = 96, 160, 3
NUMBERS = range(1001, 1010)


def frame(number: int, of: Pixels) -> Pixels:
    """A pan over a wide picture."""
    left = STEP * (number - 1001)
    return np.ascontiguousarray(of[:, left : left + WIDTH])


@pytest.fixture
def world() -> Pixels:
    return scene(3, HEIGHT, WIDTH + STEP * 10).clip(0, 1)


@pytest.fixture
def painted_world(world: Pixels) -> Pixels:
    """Its painting, with marks where the plate shows nothing of them."""
    marks = np.random.default_rng(0).uniform(0, 1, (HEIGHT // 8, world.shape[1] // 8 + 1, 1)).astype(np.float32)
    return (0.6 * world + 0.4 * marks.repeat(8, 0).repeat(8, 1)[:, : world.shape[1]]).astype(np.float32)


@pytest.fixture
def plate(world: Pixels, tmp_path: Path) -> Path:
    for n in NUMBERS:
        write_picture(tmp_path / f"p.{n}.png", Frame(n, frame(n, world), DISPLAY), WriterSettings(bits=16))
    return tmp_path / "p.####.png"


def matched(*keys: PaintedFrame, look: Look | None = None) -> Look:
    look = look or random_look(1)
    look = with_reference(look, reference_statistics(look))
    return replace(look, shot=random_statistics(look), painted_frames=keys)


def key(number: int, world: Pixels, painted_world: Pixels, weight: Pixels | None = None) -> PaintedFrame:
    weight = np.ones((HEIGHT, WIDTH), np.float32) if weight is None else weight
    return PaintedFrame.of(number, frame(number, world), frame(number, painted_world), weight)


@pytest.fixture
def look(world: Pixels, painted_world: Pixels) -> Look:
    return matched(key(1003, world, painted_world))


def pictures(files: tuple[Path, ...]) -> list[Pixels]:
    return [read_picture(f)[0] for f in files]


def test_painted_frames_of_a_movie_come_along_into_a_sequence(
    world: Pixels, painted_world: Pixels, tmp_path: Path
) -> None:
    """All frames of a movie are in one file: a second render keeps every frame, another painted frame makes them anew."""
    writer = MovieWriter(tmp_path / "shot.mkv", WriterSettings(size=(WIDTH, HEIGHT), codec="ffv1"))
    for n in NUMBERS:
        writer.write(Frame(n, frame(n, world), DISPLAY))
    writer.close()
    shot = tmp_path / "shot.mkv"
    plates = {f.number: f.pixels for f in open_plate(shot).read(range(1, 10))}
    weight = np.ones((HEIGHT, WIDTH), np.float32)
    keys = [PaintedFrame.of(n, plates[n], frame(1000 + n, painted_world), weight) for n in (2, 7)]
    look, settings = matched(*keys), RenderSettings(frames=(1, 2, 3))
    done = render(shot, look, tmp_path / "a.####.png", settings)
    np.testing.assert_allclose(pictures(done.files)[1], frame(1002, painted_world), atol=1.01 / 255)
    assert render(shot, look, tmp_path / "a.####.png", settings).kept == 3
    assert render(shot, matched(keys[1]), tmp_path / "a.####.png", settings).kept == 0


def test_marks_come_along_that_no_network_could_know(
    plate: Path, world: Pixels, painted_world: Pixels, tmp_path: Path
) -> None:
    look = matched(key(1003, world, painted_world), look=identity_look())  # has learned nothing
    files = render(plate, look, tmp_path / "a.####.png").files
    alone = render(plate, look, tmp_path / "b.####.png", RenderSettings(carry=0)).files
    half = render(plate, look, tmp_path / "h.####.png", RenderSettings(carry=0.5, frames=(1003,))).files
    wanted = [frame(n, painted_world) for n in NUMBERS]
    np.testing.assert_allclose(pictures(files)[2], wanted[2], atol=1.01 / 255)  # the key frame, as it was painted
    both = (pictures(files)[2] + pictures(alone)[2]) / 2
    np.testing.assert_allclose(pictures(half)[0], both, atol=1.01 / 255)
    for n in (1001, 1004, 1006):
        shown, without = (pictures(f)[n - 1001] for f in (files, alone))
        inner = np.s_[8:-8, 30:-30]  # what key and frame both show
        assert np.abs(shown - wanted[n - 1001])[inner].mean() < 0.1 * np.abs(without - wanted[n - 1001])[inner].mean()


def test_what_the_key_does_not_show_is_the_networks(plate: Path, look: Look, tmp_path: Path) -> None:
    files = render(plate, look, tmp_path / "a.####.png", RenderSettings(frames=(1009,))).files
    alone = render(plate, look, tmp_path / "b.####.png", RenderSettings(carry=0, frames=(1009,))).files
    new = np.s_[:, -STEP * 6 + 6 :]  # came in at the right since
    np.testing.assert_allclose(pictures(files)[0][new], pictures(alone)[0][new], atol=2 / 255)


def test_any_subset_of_frames_equals_the_whole(
    plate: Path, world: Pixels, painted_world: Pixels, tmp_path: Path
) -> None:
    look = matched(key(1002, world, painted_world), key(1007, world, painted_world))
    whole = render(plate, look, tmp_path / "a.####.exr").files
    parts = render(plate, look, tmp_path / "b.####.exr", RenderSettings(frames=(1004, 1008))).files
    for part, number in zip(parts, (1004, 1008), strict=True):
        np.testing.assert_array_equal(read(part)[0][1]["R"], read(whole[number - 1001])[0][1]["R"])


def test_another_plate_is_left_alone(plate: Path, look: Look, tmp_path: Path) -> None:
    other = scene(2, HEIGHT, WIDTH + 60).clip(0, 1)
    for n in NUMBERS:
        write_picture(tmp_path / f"q.{n}.png", Frame(n, frame(n, other), DISPLAY), WriterSettings(bits=16))
    for i, name in enumerate(("q.####.png", "q.1001.png")):  # another picture there, and no such frame
        done = render(tmp_path / name, look, tmp_path / f"a{i}.####.png")
        alone = render(tmp_path / name, look, tmp_path / f"b{i}.####.png", RenderSettings(carry=0))
        assert [f.read_bytes() for f in map(_pixels, done.files)] == [f.read_bytes() for f in map(_pixels, alone.files)]
        assert "frame 1003 as it was painted over" in done.notes[0]
        assert alone.notes == ()


def _pixels(path: Path) -> Path:
    target = path.with_suffix(".raw")
    target.write_bytes(read_picture(path)[0].tobytes())
    return target


def test_nothing_is_carried_from_what_was_not_painted(
    plate: Path, world: Pixels, painted_world: Pixels, tmp_path: Path
) -> None:
    weight = np.zeros((HEIGHT, WIDTH), np.float32)
    weight[:, : WIDTH // 2] = 1
    look = matched(key(1003, world, painted_world, weight))
    (done,) = render(plate, look, tmp_path / "a.####.png", RenderSettings(frames=(1003,))).files
    (alone,) = render(plate, look, tmp_path / "b.####.png", RenderSettings(frames=(1003,), carry=0)).files
    right = np.s_[:, WIDTH // 2 :]
    np.testing.assert_array_equal(read_picture(done)[0][right], read_picture(alone)[0][right])
    assert not np.array_equal(read_picture(done)[0], read_picture(alone)[0])


def test_a_key_frame_of_overscan_comes_as_painted_and_nothing_hangs_on_the_canvas(tmp_path: Path) -> None:
    world = 0.7 * scene(3, 420, 560).clip(0, 1)  # no highlights, whose gain would come back
    linear = srgb_to_linear(world)
    places = {1: (90, 50, 220, 150), 2: (83, 41, 260, 180)}
    for n, place in places.items():
        windowed(tmp_path / f"p.{n:04d}.exr", linear, *place)
        windowed(tmp_path / f"q.{n:04d}.exr", linear, *((90, 50, 220, 150) if n == 1 else (70, 30, 300, 200)))
    opened = open_plate(tmp_path / "p.####.exr")
    (shown,) = opened.read([1])
    height, width = shown.pixels.shape[:2]
    painted = np.random.default_rng(0).uniform(0.1, 0.7, (height, width, 3)).astype(np.float32)
    seen = world[60 : 60 + height, 100 : 100 + width]
    look = matched(PaintedFrame.of(1, seen, painted, np.ones((height, width), np.float32)))
    for lines in (None, 60):
        settings = RenderSettings(lines=lines, frames=(1,), strength=1.0)
        done = render(tmp_path / "p.####.exr", look, tmp_path / f"o{lines}.####.exr", settings)
        other = render(tmp_path / "q.####.exr", look, tmp_path / f"u{lines}.####.exr", settings)
        assert done.notes == ()
        found, same = (read(f.files[0])[0] for f in (done, other))
        (left, top), _ = found[0]["dataWindow"]
        inner = np.s_[-top : -top + height, -left : -left + width]
        if lines is None:
            red = srgb_to_linear(painted[:, :, 0])
            np.testing.assert_allclose(found[1]["R"][inner], red, atol=0.004)
        far = np.s_[8:-8, 8:-8]  # from the canvas's border, which is another
        np.testing.assert_allclose(found[1]["R"][inner][far], same[1]["R"][inner][far], atol=1e-6)


def test_asking_for_the_plates_colours_keeps_them(plate: Path, look: Look, world: Pixels, tmp_path: Path) -> None:
    kept = RenderSettings(frames=(1003,), keep_color=1.0)
    (done,) = render(plate, look, tmp_path / "a.####.png", kept).files
    (alone,) = render(plate, look, tmp_path / "b.####.png", replace(kept, carry=0)).files
    (full,) = render(plate, look, tmp_path / "c.####.png", replace(kept, keep_color=0.0)).files
    (full_alone,) = render(plate, look, tmp_path / "d.####.png", replace(kept, keep_color=0.0, carry=0)).files
    added, wanted = (a.astype(np.float64) - b for a, b in (pictures((done, alone)), pictures((full, full_alone))))
    clear = np.abs(read_picture(done)[0] - 0.5) < 0.49  # neither was cut at black or white
    clear &= (np.abs(read_picture(alone)[0] - 0.5) < 0.49) & (np.abs(read_picture(full_alone)[0] - 0.5) < 0.49)
    assert clear.mean() > 0.2
    np.testing.assert_allclose(added[clear], wanted[clear], atol=2.5 / 255)


def test_a_render_that_goes_on_sees_that_the_key_frame_is_another(plate: Path, look: Look, tmp_path: Path) -> None:
    one = RenderSettings(frames=(1005,))
    assert render(plate, look, tmp_path / "a.####.png", one).frames == 1
    assert render(plate, look, tmp_path / "a.####.png", one).kept == 1
    assert render(plate, look, tmp_path / "a.####.png", replace(one, carry=0.5)).frames == 1
    (pixels,) = open_plate(plate).read([1003])
    write_picture(tmp_path / "p.1003.png", replace(pixels, pixels=pixels.pixels * 0.99), WriterSettings(bits=16))
    assert render(plate, look, tmp_path / "a.####.png", replace(one, carry=0.5)).frames == 1


def test_the_look_keeps_its_keys(look: Look, tmp_path: Path) -> None:
    look.save(tmp_path / "m.look")
    loaded = Look.load(tmp_path / "m.look")
    assert loaded.to_bytes() == look.to_bytes()
    assert [k.number for k in loaded.painted_frames] == [1003]
    np.testing.assert_array_equal(loaded.painted_frames[0].painted, look.painted_frames[0].painted)


@pytest.mark.parametrize("fault", ["short", "bytes", "huge", "plate"])
def test_a_spoilt_key_frame_is_said(fault: str, look: Look, tmp_path: Path) -> None:
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    look.save(tmp_path / "m.look")
    arrays = load_file(tmp_path / "m.look")
    with safe_open(tmp_path / "m.look", framework="np") as f:
        facts = f.metadata()
    png = arrays["key.1003.painted"].copy()
    if fault == "huge":
        png[16:20] = 255
    arrays["key.1003.painted"] = {"short": png[:20], "bytes": np.zeros_like(png)}.get(fault, png)
    if fault == "plate":
        del arrays["key.1003.plate"]
    save_file(arrays, tmp_path / "m.look", facts)
    with pytest.raises(BadLook, match="its key frames are not in order"):
        Look.load(tmp_path / "m.look")


def test_a_plan_says_what_is_carried(plate: Path, look: Look, tmp_path: Path) -> None:
    job = job_of(plate, look, tmp_path / "o.####.png", RenderSettings(carry=0.5))
    assert "carried    key frames 1003, 0.5 of them" in str(job)
    assert "carried" not in str(job_of(plate, look, tmp_path / "o.####.png", RenderSettings(carry=0)))
    assert Schedule(job.plan, measure(job.plan)).notes() == []
    with pytest.raises(BadSettings, match="carry 2"):
        RenderSettings(carry=2)


def test_far_and_near_keys_share_a_frame_by_their_distance(world: Pixels) -> None:
    still = frame(1001, world)
    left = [Residual(n, still, np.full_like(still, value)) for n, value in ((10, 0.0), (16, 1.0))]
    carrier = Carrier(left)
    nothing = np.zeros_like(still)
    inner = np.s_[20:-20, 20:-20]
    assert carrier(10, still, nothing).max() == 0
    np.testing.assert_allclose(carrier(12, still, nothing)[inner], 1 / 16 / (1 / 16 + 1 / 4), atol=0.01)
    np.testing.assert_allclose(carrier(13, still, nothing)[inner], 0.5, atol=0.01)
