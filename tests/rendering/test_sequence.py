"""Over the frames of a shot: keyed strength, looks that cross-fade, paintings on twos, grain that does not crawl."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.command import scumble
from helpers.pictures import picture, random_look, scene
from helpers.plates import CONVENTIONS, HEIGHT, WIDTH, exr_with, moving
from hypothesis import given
from hypothesis import strategies as st

from scumble.core.colour import DISPLAY
from scumble.core.errors import BadInput, BadSettings
from scumble.core.frames import Frame, Pixels
from scumble.core.keyed import Keyed
from scumble.look.statistics import shot_statistics
from scumble.media.open import open_plate
from scumble.media.picture_reader import read_picture
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings
from scumble.rendering.job import job_of
from scumble.rendering.neighbours import Neighbours
from scumble.rendering.options import RenderSettings
from scumble.rendering.run import render
from scumble.shot.cuts import Shot
from scumble.shot.grain import deviation, removed
from scumble.shot.motion import warp

COUNT = 9


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plate")
    for n, shown in enumerate(moving(COUNT), start=1001):
        exr_with(folder / f"plate.{n}.exr", shown, CONVENTIONS["nuke"][0])
    return folder / "plate.####.exr"


def painted(plate: Path, output: Path, look: object, **settings: object) -> dict[int, Pixels]:
    done = render(plate, look, output, RenderSettings(**settings))  # type: ignore[arg-type]
    numbers = settings.get("frames") or range(1001, 1001 + COUNT)
    return {n: read_picture(file)[0] for n, file in zip(numbers, done.files, strict=True)}  # type: ignore[call-overload]


@given(st.dictionaries(st.integers(-50, 2000), st.floats(0, 1), min_size=1, max_size=6), st.integers(-100, 2100))
def test_keys_are_met_and_lines_between_them_are_straight(places: dict[int, float], number: int) -> None:
    found = Keyed(tuple(sorted(places.items())))
    assert all(found.at(n) == value for n, value in places.items())
    assert min(places.values()) <= found.at(number) <= max(places.values())
    assert Keyed.parse(str(found), "strength").at(number) == pytest.approx(found.at(number), abs=1e-4)
    step = abs(found.at(number + 1) - found.at(number))
    gaps = [b - a for a, b in zip(sorted(places), sorted(places)[1:], strict=False)]
    assert step <= 1 / min(gaps, default=1) + 1e-9


@pytest.mark.parametrize("text", ["much", "1001:", "1001:0,1001:1", "x:1,2:0", "1001:0;1050:1", ""])
def test_keys_that_cannot_be_read(text: str) -> None:
    with pytest.raises(BadSettings, match="strength"):
        Keyed.parse(text, "strength")


def test_keyed_strength_is_the_strength_of_each_frame(plate: Path, tmp_path: Path) -> None:
    look = random_look(3)
    keyed = painted(plate, tmp_path / "k.####.exr", look, strength=Keyed(((1002, 0.0), (1006, 1.0))))
    full = painted(plate, tmp_path / "f.####.exr", look)
    half = painted(plate, tmp_path / "h.####.exr", look, strength=0.5)
    original = {n: read_picture(open_plate(plate).files[n])[0] for n in (1001, 1002)}  # type: ignore[attr-defined]
    for n in (1001, 1002):
        np.testing.assert_allclose(keyed[n], original[n], atol=1e-3)
    np.testing.assert_array_equal(keyed[1004], half[1004])
    for n in (1006, 1009):
        np.testing.assert_array_equal(keyed[n], full[n])
    with pytest.raises(BadSettings, match="from 0 to 1"):
        RenderSettings(strength=Keyed(((1, 0.0), (2, 1.5))))


def test_looks_cross_fade_between_their_frames(plate: Path, tmp_path: Path) -> None:
    a, b = random_look(3), random_look(4)
    mixed = painted(plate, tmp_path / "m.####.png", [(1007, b), (1003, a)])
    alone = [painted(plate, tmp_path / f"{i}.####.png", look) for i, look in enumerate((a, b))]
    for n in (1001, 1003):
        np.testing.assert_array_equal(mixed[n], alone[0][n])
    for n in (1007, 1009):
        np.testing.assert_array_equal(mixed[n], alone[1][n])
    # mixed in the working space, which is the space of these files, before they are clipped
    inside = np.all([(p[1005] > 0.01) & (p[1005] < 0.99) for p in alone], axis=0)
    assert inside.mean() > 0.3
    np.testing.assert_allclose(mixed[1005][inside], (alone[0][1005] + alone[1][1005])[inside] / 2, atol=2 / 255)
    job = job_of(plate, [(1003, a), (1007, b)], tmp_path / "x.####.png", RenderSettings())
    assert job.plan.shares(1004) == [0.75, 0.25]
    assert all(sum(job.plan.shares(n)) == pytest.approx(1) for n in range(1000, 1010))
    with pytest.raises(BadSettings, match="two looks"):
        job_of(plate, [(1003, a), (1003, b)], tmp_path / "x.####.png", RenderSettings())
    # one file has the statistics of both
    stats = tmp_path / "s.json"
    for name in ("first", "second"):
        again = painted(plate, tmp_path / f"{name}.####.png", [(1007, b), (1003, a)], stats=stats)
        assert stats.is_file()
        assert all(np.array_equal(again[n], mixed[n]) for n in mixed)
    with pytest.raises(BadInput, match="another file"):
        painted(plate, tmp_path / "other.####.png", random_look(5), stats=stats)


def test_paintings_are_held_on_twos(plate: Path, tmp_path: Path) -> None:
    look = random_look(3)
    every = painted(plate, tmp_path / "e.####.exr", look)
    held = painted(plate, tmp_path / "h.####.exr", look, on=2)
    for n in every:
        np.testing.assert_array_equal(held[n], every[n - (n - 1001) % 2])
    # any frame alone equals its frame in the shot
    alone = painted(plate, tmp_path / "a.####.exr", look, on=3, frames=(1003, 1008))
    threes = painted(plate, tmp_path / "t.####.exr", look, on=3)
    for n, pixels in alone.items():
        np.testing.assert_array_equal(pixels, threes[n])
        np.testing.assert_array_equal(pixels, every[n - (n - 1001) % 3])


@pytest.mark.parametrize("along", ["vectors", "flow"])
@pytest.mark.parametrize("stabilised", [None, "flow"])
def test_what_is_held_moves_with_the_plate(along: str, stabilised: str | None, plate: Path, tmp_path: Path) -> None:
    look = random_look(3)
    settings = {"on": 4, "on_warp": along, "stabilize": stabilised}
    every = painted(plate, tmp_path / "e.####.exr", look, stabilize=stabilised)
    held = painted(plate, tmp_path / "h.####.exr", look, **settings)
    for n in (1001, 1005, 1009):
        np.testing.assert_array_equal(held[n], every[n])
    back = np.zeros((HEIGHT, WIDTH, 2), np.float32) + np.float32([-6.0, 2.0])  # two frames of the pan
    carried = warp(every[1001], back)
    inner = (slice(20, -20), slice(24, -24))
    moved, drawn = (float(np.abs(held[1003] - p)[inner].mean()) for p in (carried, every[1003]))
    assert moved < drawn  # it is the key frame's painting, at another place
    alone = painted(plate, tmp_path / "a.####.exr", look, frames=(1003,), **settings)
    np.testing.assert_array_equal(alone[1003], held[1003])


def test_only_what_is_shown_is_painted() -> None:
    shot = (tuple(range(1001, 1011)), (Shot(1001, 1010),))
    assert Neighbours(*shot, on=2).painted((1001, 1002, 1003, 1004)) == (1001, 1003)
    assert Neighbours(*shot, on=3).painted((1004,)) == (1004,)
    assert Neighbours(*shot, on=3, warped=True).painted((1006,)) == (1004, 1005, 1006)
    assert Neighbours(*shot, on=3, window=1).painted((1006,)) == (1003, 1004, 1005)
    assert Neighbours(*shot, on=3, window=1).sources(1006) == [1003, 1004, 1005, 1006]
    edit = (tuple(range(1, 13)), (Shot(1, 9), Shot(10, 12)))
    assert Neighbours(*edit, on=4).painted((9, 10, 11)) == (9, 10)  # begun anew with every shot
    assert Neighbours(*edit, window=2).window_of(9) == [7, 8, 9]
    assert Neighbours(*edit, window=2, missing=frozenset({3})).window_of(2) == [1, 2]


def test_grain_is_measured_and_taken_off_but_edges_stay() -> None:
    clean = scene(4, 200, 800)[:, :300]
    rng = np.random.default_rng(0)
    for amount in (0.01, 0.03):
        noisy = clean + rng.normal(0, amount, clean.shape).astype(np.float32)
        # luma of three independent channels has less of it
        assert deviation(noisy) == pytest.approx(amount * np.hypot(np.hypot(0.2126, 0.7152), 0.0722), rel=0.35)
    flat = np.full((100, 100, 3), 0.5, np.float32)
    assert deviation(flat) == 0
    noisy = flat + rng.normal(0, 0.02, flat.shape).astype(np.float32)
    assert removed(noisy, deviation(noisy))[4:-4, 4:-4].std() < 0.35 * 0.02
    edge = np.repeat((np.arange(100) > 50)[None, :, None], 3, axis=2).astype(np.float32).repeat(60, axis=0)
    assert np.abs(removed(edge, 0.02) - edge).max() < 0.02
    assert removed(noisy, 0.0) is noisy


def test_grain_does_not_crawl(tmp_path: Path) -> None:
    """A still picture under moving grain: what changes from frame to frame is grain alone, or nothing."""
    clean, rng = picture(HEIGHT, WIDTH, 4), np.random.default_rng(0)
    for n in range(1, 7):
        noisy = np.clip(clean + rng.normal(0, 0.03, clean.shape), 0, 1).astype(np.float32)
        write_picture(tmp_path / f"p.{n:04d}.png", Frame(n, noisy, DISPLAY), WriterSettings(bits=16))
    look, source = random_look(3), tmp_path / "p.####.png"

    def changes(name: str, settings: RenderSettings) -> float:
        files = render(source, look, tmp_path / f"{name}.####.png", settings).files
        return float(np.std([read_picture(file)[0] for file in files], axis=0).mean())

    settings = RenderSettings(precision="f32")
    plain = changes("plain", settings)
    without = changes("removed", replace(settings, grain="remove"))
    kept = changes("kept", replace(settings, grain="keep"))
    plate = changes("plate", replace(settings, strength=0.0))
    assert without < 0.55 * plain
    assert without < kept < plain
    assert kept == pytest.approx(plate, rel=0.5)
    found = shot_statistics(look, open_plate(source), (WIDTH, HEIGHT), without_grain=True)
    assert 0.015 < found.facts["grain"] < 0.03


def test_the_command_takes_keys_and_lists_of_looks(plate: Path, tmp_path: Path) -> None:
    random_look(3).save(tmp_path / "a.look")
    random_look(4).save(tmp_path / "b.look")
    (tmp_path / "looks.toml").write_text('1002 = "a.look"\n1004 = "b.look"\n')
    common = ["--frames", "1001-1005", "--progress", "none"]
    one = scumble("render", plate, "--look", tmp_path / "looks.toml", "-o", tmp_path / "one.####.png", *common)
    looks = ["--look", f"{tmp_path / 'a.look'}@1002", "--look", f"{tmp_path / 'b.look'}@1004"]
    two = scumble("render", plate, *looks, "-o", tmp_path / "two.####.png", *common)
    assert (one.returncode, two.returncode) == (0, 0), one.stderr + two.stderr
    for n in range(1001, 1006):
        assert (tmp_path / f"one.{n}.png").read_bytes() == (tmp_path / f"two.{n}.png").read_bytes()
    said = scumble(
        "render", plate, *looks, "-o", tmp_path / "x.####.png", "--strength", "1001:0,1003:1", "--on", "2", "--dry-run"
    )
    assert "1001:0,1003:1" in said.stdout
    assert "every 2 frames, held" in said.stdout
    for words, sentence in (
        (["--look", "auvers@first"], "auvers@1001"),
        (["--look", "auvers", "--look", "mackerel@1003"], "auvers@1001"),
        (["--look", tmp_path / "nobody.toml"], "1001 = "),
        (["--look", "auvers", "--strength", "1001:2"], "from 0 to 1"),
    ):
        done = scumble("render", plate, *words, "-o", tmp_path / "y.####.png")
        assert done.returncode == 2
        assert sentence in done.stderr


def test_held_frames_begin_anew_behind_a_hole_and_at_a_cut(tmp_path: Path) -> None:
    for n, shown in zip((1, 2, 4, 5, 6, 7, 8), moving(7), strict=True):
        write_picture(tmp_path / f"p.{n:04d}.png", Frame(n, shown, DISPLAY), WriterSettings())
    (tmp_path / "cuts.txt").write_text("7\n")
    source, look = tmp_path / "p.####.png", random_look(3)
    numbers = (1, 2, 4, 5, 6, 7, 8)
    settings = RenderSettings(precision="f32", frames=numbers, cuts=str(tmp_path / "cuts.txt"))
    every = render(source, look, tmp_path / "e.####.png", settings).files
    # statistics that are shared leave the cuts where they are
    stats = tmp_path / "one.json"
    render(source, look, tmp_path / "s.png", replace(settings, frames=(1,), cuts="none", stats=stats))
    shared = render(source, look, tmp_path / "t.####.png", replace(settings, stats=stats)).files
    for name, extra, painted in (("a", {}, every), ("b", {"stats": stats}, shared)):
        held = render(source, look, tmp_path / f"{name}.####.png", replace(settings, on=2, **extra)).files
        for file, key in zip(held, (1, 1, 4, 4, 6, 7, 7), strict=True):
            np.testing.assert_array_equal(read_picture(file)[0], read_picture(painted[numbers.index(key)])[0])
    warped = render(source, look, tmp_path / "w.####.png", replace(settings, on=2, on_warp="flow")).files
    for place, key in ((0, 1), (2, 4), (4, 6), (5, 7)):
        np.testing.assert_array_equal(read_picture(warped[place])[0], read_picture(every[numbers.index(key)])[0])


def test_kept_grain_is_each_frames_own_after_the_stabiliser(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for n in range(1, 6):
        noisy = (0.5 + rng.normal(0, 0.02, (HEIGHT, WIDTH, 3))).astype(np.float32)
        exr_with(tmp_path / f"p.{n:04d}.exr", noisy, {"forward.u": 0, "forward.v": 0, "backward.u": 0, "backward.v": 0})
    settings = RenderSettings(precision="f32", grain="keep")
    look = random_look(3)
    deviations = [
        float(
            np.std(
                [
                    read_picture(f)[0]
                    for f in render(tmp_path / "p.####.exr", look, tmp_path / f"{i}.####.exr", s).files
                ],
                axis=0,
            ).mean()
        )
        for i, s in enumerate((settings, replace(settings, strength=0.0), replace(settings, stabilize="vectors")))
    ]
    assert deviations[2] > 0.9 * deviations[1]  # the plate's, which five frames' mean would halve
    assert deviations[2] < deviations[0]  # the painting is steadier all the same


def test_settings_without_effect_are_refused_before_any_work(plate: Path, tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="--on 2"):
        RenderSettings(on_warp="flow")
    with pytest.raises(BadSettings, match="--stabilize vectors"):
        RenderSettings(vectors="forward")
    for n, shown in enumerate(moving(3), start=1):
        exr_with(tmp_path / f"a.{n:04d}.exr", shown, CONVENTIONS["arnold"][0])
    forward = tmp_path / "a.####.exr"
    with pytest.raises(BadSettings, match="--on-warp flow"):
        job_of(forward, random_look(1), tmp_path / "o.####.png", RenderSettings(on=2, on_warp="vectors"))
    job = job_of(forward, random_look(1), tmp_path / "o.####.png", RenderSettings(stabilize="vectors"))
    assert any("later frames only" in line for line in job.notes())
    assert "Vector" not in str(job)
    # a folder is a sequence as well
    assert "forward.u" in str(
        job_of(plate.parent, random_look(1), tmp_path / "o.####.png", RenderSettings(stabilize="vectors"))
    )
