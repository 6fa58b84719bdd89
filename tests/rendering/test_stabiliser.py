"""The stabiliser: motion is read and found as it is, chunks equal the whole, what cannot be followed stays as painted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.command import scumble
from helpers.pictures import random_look, scene
from helpers.plates import CONVENTIONS, HEIGHT, PAN, WIDTH, X, Y, exr_with, moving

from scumble.core.colour import DISPLAY, LINEAR, srgb_to_linear
from scumble.core.errors import BadSettings
from scumble.core.frames import Frame, Pixels
from scumble.media.picture_reader import read_picture
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings
from scumble.rendering.job import job_of
from scumble.rendering.measure import measure
from scumble.rendering.options import RenderSettings
from scumble.rendering.run import render
from scumble.rendering.schedule import Schedule
from scumble.rendering.stabiliser import Seen, steady
from scumble.shot.motion import (
    Flow,
    OpticalFlow,
    RenderedVectors,
    consistent,
    find_vectors,
    grey,
    inside,
    optical_flow,
    vectors_of,
    warp,
)


@pytest.mark.parametrize("name", CONVENTIONS)
def test_vectors_are_read_as_they_are_meant(name: str, tmp_path: Path) -> None:
    channels, layer, direction, up = CONVENTIONS[name]
    pictures = moving(3)
    files = {n: tmp_path / f"a.{n:04d}.exr" for n in range(3)}
    for n, file in files.items():
        exr_with(file, pictures[n], channels)
    words = ":".join(w for w in (layer, direction, {None: "", True: "up", False: "down"}[up]) if w)
    motion = RenderedVectors(files, vectors_of(files[0], words))
    for n, shown in enumerate(pictures):
        motion.see(n, shown)
    known = {"blender": (1, -1), "nuke": (1, -1), "own, backward": (-1,)}.get(name, (1,))
    for way in (1, -1):
        for distance in (1, 2):
            n, m = (0, distance) if way > 0 else (2, 2 - distance)
            flow = motion.flow(n, m)
            if way not in known:
                assert flow is None
                continue
            assert flow is not None
            assert flow[HEIGHT // 2, WIDTH // 2] == pytest.approx([X * distance * way, Y * distance * way])
            back = warp(pictures[m], flow)
            np.testing.assert_allclose(back[8:-8, 8:-8], pictures[n][8:-8, 8:-8], atol=1e-4)


def test_a_plate_without_vectors_is_told_what_would_do() -> None:
    with pytest.raises(BadSettings, match="Blender: "):
        find_vectors(["R", "G", "B", "A", "Z"])
    with pytest.raises(BadSettings, match="'speed' is not in the plate; its layers: depth"):
        find_vectors(["R", "G", "B", "depth.Z"], "speed")
    with pytest.raises(BadSettings, match="no channels X and Y"):
        find_vectors(["R", "G", "B", "depth.Z"], "depth")


def test_optical_flow_finds_a_pan_and_an_occlusion() -> None:
    one, two = moving(2)
    flow = optical_flow(grey(one), grey(two))
    middle = flow[16:-16, 16:-16].reshape(-1, 2)
    assert np.median(middle, axis=0) == pytest.approx(PAN, abs=0.2)
    back = optical_flow(grey(two), grey(one))
    assert consistent(flow, back)[16:-16, 16:-16].mean() > 0.8
    assert not inside(np.full((4, 6, 2), [10.0, 0.0], np.float32)).any()
    covered = two.copy()
    covered[30:70, 60:100] = scene(3, 40, 160)[:, :40]  # something has come before it
    hidden = consistent(optical_flow(grey(one), grey(covered)), optical_flow(grey(covered), grey(one)))
    assert hidden[40:60, 70:90].mean() < 0.7 < hidden[16:-16, 110:-16].mean()


class Known:
    """Motion that is given."""

    def __init__(self, flow: Flow) -> None:
        self.one = flow

    def see(self, number: int, picture: Pixels) -> None: ...

    def forget(self, number: int) -> None: ...

    def flow(self, n: int, m: int) -> Flow:
        return self.one * np.float32(m - n)


def test_what_flickers_is_averaged_along_the_motion_and_what_changes_is_left() -> None:
    rng = np.random.default_rng(0)
    pictures = moving(5)
    flicker = [rng.normal(0, 0.1, (HEIGHT, WIDTH, 3)).astype(np.float32) for _ in pictures]
    window = {n: Seen(p, p + f) for n, (p, f) in enumerate(zip(pictures, flicker, strict=True))}
    motion = Known(np.full((HEIGHT, WIDTH, 2), PAN, np.float32))
    kept = (slice(12, -12), slice(12, -12))
    still = steady(2, window, motion)
    assert np.std((still - pictures[2])[kept]) < 0.55 * np.std(flicker[2][kept])
    # another picture behind the same motion is no neighbour: nothing of it comes in
    strangers = {n: Seen(1 - s.picture, s.painted + 1) if n != 2 else s for n, s in window.items()}
    assert np.abs(steady(2, strangers, motion) - window[2].painted)[kept].mean() < 0.02
    # nor is what moves too fast
    fast = Known(np.full((HEIGHT, WIDTH, 2), (30.0, 0.0), np.float32))
    np.testing.assert_array_equal(steady(2, window, fast), window[2].painted)


def test_a_shadow_that_moves_leaves_no_outlines() -> None:
    """Vectors say nothing of shadows: the ground stands still under one whose edge was outlined at its other places."""
    ground = 0.5 + 0.4 * scene(4, 120, 200)
    window = {}
    for n in range(5):
        edge = 80 + 6 * n
        plate = ground.copy()
        plate[:, :edge] *= 0.6
        painted = plate.copy()
        painted[:, edge - 1 : edge + 2] = 0  # the stroke
        window[n] = Seen(plate, painted)
    still = steady(2, window, Known(np.zeros((120, 200, 2), np.float32)))
    beside = (slice(8, -8), [column for n in (0, 1, 3, 4) for column in range(78 + 6 * n, 83 + 6 * n)])
    assert np.abs(still - window[2].painted)[beside].mean() < 0.01
    np.testing.assert_allclose(still[8:-8, 92:94], 0, atol=0.01)


@pytest.fixture(params=["flow", "vectors"])
def plate(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, RenderSettings]:
    for n, shown in enumerate(moving(9), start=1001):
        grainy = np.clip(shown + np.random.default_rng(n).normal(0, 0.01, shown.shape), 0, 1).astype(np.float32)
        exr_with(tmp_path / f"plate.{n}.exr", grainy, CONVENTIONS["nuke"][0])
    return tmp_path / "plate.####.exr", RenderSettings(stabilize=request.param)


def test_chunks_equal_the_whole_and_any_frame_alone_its_frame_in_the_shot(
    plate: tuple[Path, RenderSettings], tmp_path: Path
) -> None:
    from dataclasses import replace

    source, settings = plate
    look = random_look(3)
    whole = render(source, look, tmp_path / "whole.####.exr", settings)
    for name, numbers in {
        "a": (1001, 1002, 1003, 1004),
        "b": (1005, 1006, 1007, 1008, 1009),
        "c": (1002, 1007),
    }.items():
        part = render(source, look, tmp_path / f"{name}.####.exr", replace(settings, frames=numbers))
        for file, number in zip(part.files, numbers, strict=True):
            assert file.read_bytes() == whole.files[number - 1001].read_bytes()
    plain = render(source, look, tmp_path / "plain.####.exr", replace(settings, stabilize=None))
    assert plain.files[4].read_bytes() != whole.files[4].read_bytes()


def test_a_window_stays_inside_the_shot_and_off_holes(tmp_path: Path) -> None:

    for n, shown in zip((1, 2, 3, 5, 6, 7), moving(6), strict=True):
        write_picture(tmp_path / f"p.{n:04d}.png", Frame(n, shown, DISPLAY), WriterSettings())
    (tmp_path / "cuts.txt").write_text("6\n")
    settings = RenderSettings(stabilize="flow", frames=(1, 2, 3, 5, 6, 7), cuts=str(tmp_path / "cuts.txt"))
    job = job_of(tmp_path / "p.####.png", random_look(1), tmp_path / "o.####.png", settings)
    near = Schedule(job.plan, measure(job.plan)).neighbours
    assert [near.window_of(n) for n in (2, 5, 6)] == [[1, 2, 3], [5], [6, 7]]


def test_motion_does_not_gather_what_is_past() -> None:
    motion = OpticalFlow()
    for n, shown in enumerate(moving(8)):
        motion.see(n, shown)
        if n >= 2:
            assert motion.flow(n - 1, n) is not None
            motion.forget(n - 2)
            assert len(motion.pictures) <= 3
            assert len(motion.flows) <= 3


def test_the_command_says_what_it_cannot_follow(tmp_path: Path) -> None:
    for n, shown in enumerate(moving(3), start=1):
        write_picture(tmp_path / f"p.{n:04d}.png", Frame(n, shown, DISPLAY), WriterSettings())
        write_picture(tmp_path / f"e.{n:04d}.exr", Frame(n, srgb_to_linear(shown), LINEAR), WriterSettings())
    command = ["--look", "identity", "-o", tmp_path / "o.####.png", "--progress", "none"]
    for source, words in (("p.####.png", "stand in EXR sequences"), ("e.####.exr", "no motion vectors in the plate")):
        done = scumble("render", tmp_path / source, *command, "--stabilise", "vectors")
        assert done.returncode == 2
        assert words in done.stderr
    assert not list(tmp_path.glob("o.*"))
    done = scumble("render", tmp_path / "p.####.png", *command, "--stabilize", "flow", "--dry-run")
    assert "2 frames on each side, along optical flow" in done.stdout
    done = scumble("render", tmp_path / "p.####.png", *command, "--stabilize", "flow")
    assert done.returncode == 0, done.stderr
    assert read_picture(tmp_path / "o.0002.png")[0].shape == (HEIGHT, WIDTH, 3)
