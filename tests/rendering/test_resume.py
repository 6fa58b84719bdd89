"""A render that is stopped, killed or run again goes on from the frames that are there, and ends as if undisturbed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import PyOpenColorIO
import pytest
from helpers.command import scumble
from helpers.pictures import picture, random_look

from scumble.core.colour import DISPLAY, srgb_to_linear
from scumble.core.frames import Frame
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings
from scumble.rendering.options import RenderSettings
from scumble.rendering.run import render

COUNT = 12
COMMAND = [Path(sys.executable).with_name("scumble" + (".exe" if sys.platform == "win32" else ""))]


def plate(folder: Path, count: int = COUNT, suffix: str = "exr", height: int = 48) -> None:
    """Frames 1001 to 1000 + count."""
    for n in range(1001, 1001 + count):
        shown = picture(height, height * 2, n)
        if suffix == "exr":
            linear = srgb_to_linear(shown).astype(np.float16)
            planes: dict[str, Any] = {c: np.ascontiguousarray(linear[:, :, i]) for i, c in enumerate("RGB")}
            OpenEXR.File({}, planes).write(str(folder / f"p.{n}.exr"))
        else:
            write_picture(folder / f"p.{n}.{suffix}", Frame(n, shown, DISPLAY), WriterSettings(bits=16))


def run(folder: Path, look: Path, suffix: str = "exr", *flags: object) -> subprocess.CompletedProcess[str]:
    return scumble("render", folder / f"p.####.{suffix}", "--look", look, "-o", folder / f"o.####.{suffix}", *flags)


def contents(folder: Path, suffix: str = "exr") -> dict[str, bytes]:
    return {f.name: f.read_bytes() for f in sorted(folder.glob(f"o.*.{suffix}"))}


def times(folder: Path) -> dict[str, int]:
    return {f.name: f.stat().st_mtime_ns for f in folder.glob("o.*")}


def renewed(before: dict[str, int], after: dict[str, int]) -> set[int]:
    return {int(name.split(".")[1]) for name in after if before.get(name) != after[name]}


@pytest.fixture
def looks(tmp_path: Path) -> tuple[Path, Path]:
    for n in (1, 2):
        random_look(n).save(tmp_path / f"{n}.look")
    return tmp_path / "1.look", tmp_path / "2.look"


@pytest.mark.parametrize(
    "suffix",
    ["exr", pytest.param("png", marks=pytest.mark.full), pytest.param("tif", marks=pytest.mark.full), "dpx", "jpg"],
)
def test_a_second_run_paints_what_is_missing_not_whole_or_another(
    suffix: str, tmp_path: Path, looks: tuple[Path, Path]
) -> None:
    plate(tmp_path, 6, suffix)
    assert run(tmp_path, looks[0], suffix).returncode == 0
    whole, first = contents(tmp_path, suffix), times(tmp_path)
    assert len(whole) == 6
    done = run(tmp_path, looks[0], suffix)
    assert "0 frames" in done.stderr + done.stdout
    assert "6 were there already, made in the same way" in done.stderr + done.stdout
    assert times(tmp_path) == first
    (tmp_path / f"o.1002.{suffix}").unlink()
    broken = tmp_path / f"o.1004.{suffix}"
    if suffix != "tif":  # what is left of a TIFF does not say who made it: its header stands at the end
        broken.write_bytes(broken.read_bytes()[: broken.stat().st_size * 2 // 3])
    (tmp_path / f"o.1005.{suffix}").write_bytes(b"")
    before = times(tmp_path)
    assert run(tmp_path, looks[0], suffix).returncode == 0
    assert renewed(before, times(tmp_path)) == {1002, 1005} | ({1004} if suffix != "tif" else set())
    assert contents(tmp_path, suffix) == whole
    if suffix in ("tif", "dpx", "jpg"):  # what follows asks for the hash, which is the same in every format
        return
    # another look, other settings: all of it; and back
    for flags in ((looks[1],), (looks[0], suffix, "--strength", "0.5"), (looks[0], suffix, "--keep-color", "1")):
        before = times(tmp_path)
        assert run(tmp_path, *flags[:1], suffix, *flags[2:]).returncode == 0
        assert len(renewed(before, times(tmp_path))) == 6
        assert contents(tmp_path, suffix) != whole
    assert run(tmp_path, looks[0], suffix).returncode == 0
    assert contents(tmp_path, suffix) == whole
    # another plate: what its frames hang on, here by their own pixels alone
    stats = ("--stats", tmp_path / "s.json")
    assert run(tmp_path, looks[0], suffix, *stats).returncode == 0
    before = times(tmp_path)
    write_picture(tmp_path / f"p.1003.{suffix}", Frame(1, picture(48, 96, 99), DISPLAY), WriterSettings(bits=16))
    assert run(tmp_path, looks[0], suffix, *stats).returncode == 0
    assert renewed(before, times(tmp_path)) == {1003}
    # what is steadied hangs on its neighbours too
    assert run(tmp_path, looks[0], suffix, *stats, "--stabilize", "flow", "--window", "1").returncode == 0
    before = times(tmp_path)
    write_picture(tmp_path / f"p.1003.{suffix}", Frame(1, picture(48, 96, 98), DISPLAY), WriterSettings(bits=16))
    assert run(tmp_path, looks[0], suffix, *stats, "--stabilize", "flow", "--window", "1").returncode == 0
    assert renewed(before, times(tmp_path)) == {1002, 1003, 1004}


def test_foreign_files_are_left_alone(tmp_path: Path, looks: tuple[Path, Path]) -> None:
    plate(tmp_path, 3)
    assert run(tmp_path, looks[0]).returncode == 0
    mine = (tmp_path / "p.1003.exr").read_bytes()
    (tmp_path / "o.1003.exr").write_bytes(mine)
    (tmp_path / "o.1001.exr").unlink()
    done = run(tmp_path, looks[0])
    assert done.returncode == 2
    assert "o.1003.exr: is there already, and was not made by Scumble; give --overwrite to replace it" in done.stderr
    assert (tmp_path / "o.1003.exr").read_bytes() == mine
    assert not (tmp_path / "o.1001.exr").exists()
    assert run(tmp_path, looks[0], "exr", "--overwrite").returncode == 0
    assert (tmp_path / "o.1003.exr").read_bytes() != mine
    # a movie has no frames to go on from
    assert scumble("render", tmp_path / "p.####.exr", "--look", looks[0], "-o", tmp_path / "o.mp4").returncode == 0
    done = scumble("render", tmp_path / "p.####.exr", "--look", looks[0], "-o", tmp_path / "o.mp4")
    assert done.returncode == 2
    assert "--overwrite" in done.stderr


def test_missing_frames_are_held_skipped_or_named(tmp_path: Path, looks: tuple[Path, Path]) -> None:
    plate(tmp_path, 6)
    for n in (1001, 1003, 1004):
        (tmp_path / f"p.{n}.exr").unlink()
    done = run(tmp_path, looks[0], "exr", "--frames", "1001-1006")
    assert done.returncode == 2
    done = run(tmp_path, looks[0])
    assert done.returncode == 2
    assert "frame 1003 is missing from 1002-1006 (missing: 1003-1004)" in done.stderr
    assert "--missing hold" in done.stderr
    assert not contents(tmp_path)
    done = run(tmp_path, looks[0], "exr", "--missing", "skip")
    assert done.returncode == 0, done.stderr
    assert [n[2:6] for n in contents(tmp_path)] == ["1002", "1005", "1006"]
    for file in tmp_path.glob("o.*"):
        file.unlink()
    done = run(tmp_path, looks[0], "exr", "--missing", "hold")
    assert done.returncode == 0, done.stderr
    assert "frames 1003-1004 are missing: each repeats the one before it" in done.stdout + done.stderr
    channels = {
        n: OpenEXR.File(str(tmp_path / f"o.{n}.exr"), separate_channels=True).channels()["R"].pixels
        for n in range(1002, 1007)
    }
    assert np.array_equal(channels[1002], channels[1003])
    assert np.array_equal(channels[1002], channels[1004])
    assert not np.array_equal(channels[1002], channels[1005])


def test_held_paintings_begin_anew_behind_a_hole_that_is_held(tmp_path: Path, looks: tuple[Path, Path]) -> None:
    plate(tmp_path, 6)
    (tmp_path / "p.1003.exr").unlink()
    assert run(tmp_path, looks[0], "exr", "--missing", "hold", "--on", "2").returncode == 0
    red = [OpenEXR.File(str(tmp_path / f"o.{n}.exr")).channels()["RGB"].pixels for n in range(1001, 1007)]
    assert np.array_equal(red[0], red[1])
    assert not np.array_equal(red[2], red[3])
    assert np.array_equal(red[3], red[4])


def test_a_source_that_fails_in_the_middle_leaves_what_was_done(tmp_path: Path, looks: tuple[Path, Path]) -> None:
    plate(tmp_path)
    stats = ("--stats", tmp_path / "s.json")
    assert run(tmp_path, looks[0], "exr", *stats).returncode == 0
    whole = contents(tmp_path)
    for file in tmp_path.glob("o.*"):
        file.unlink()
    good = (tmp_path / "p.1008.exr").read_bytes()
    (tmp_path / "p.1008.exr").write_bytes(good[: len(good) // 2])
    done = run(tmp_path, looks[0], "exr", *stats)
    assert done.returncode == 2
    assert "frame 1008" in done.stderr
    assert "p.1008.exr" in done.stderr
    assert len(done.stderr.strip().splitlines()[-1]) < 300
    there = contents(tmp_path)
    assert there == {name: whole[name] for name in there}
    (tmp_path / "p.1008.exr").write_bytes(good)
    assert run(tmp_path, looks[0], "exr", *stats).returncode == 0
    assert contents(tmp_path) == whole


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_permission_lost_in_the_middle(tmp_path: Path, looks: tuple[Path, Path]) -> None:
    plate(tmp_path, 30)
    out = tmp_path / "out"
    out.mkdir()
    command = [*COMMAND, "render", tmp_path / "p.####.exr", "--look", looks[0], "-o", out / "o.####.exr"]
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True)
    while not list(out.glob("o.*")):
        time.sleep(0.01)
    out.chmod(0o500)
    try:
        assert "cannot be written" in process.communicate(timeout=120)[1]
        assert process.returncode == 2
    finally:
        out.chmod(0o700)


def kill_and_run_again(folder: Path, look: Path, kills: int, count: int) -> None:
    """SIGKILL at any moment, each time from where the one before ended; then to the end."""
    rng = random.Random(5)
    command = [*COMMAND, "render", folder / "p.####.exr", "--look", look, "-o", folder / "o.####.exr"]
    killed = 0
    while killed < kills:
        process = subprocess.Popen(
            list(map(str, [*command, "--progress", "none"])), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        there = len(list(folder.glob("o.*.exr")))
        wanted = min(count - 1, there + rng.randrange(0, max(1, 2 * count // kills)))
        while len(list(folder.glob("o.*.exr"))) < wanted and process.poll() is None:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.05) + (rng.uniform(0, 3) if wanted == there else 0))
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed += 1
    assert killed >= kills // 2
    done = run(folder, look)
    assert done.returncode == 0, done.stderr


def killed_and_undisturbed(tmp_path: Path, look: Path, kills: int, count: int, height: int) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    for folder in (a, b):
        folder.mkdir()
        plate(folder, count, height=height)
    assert run(a, look).returncode == 0
    kill_and_run_again(b, look, kills, count)
    assert contents(a) == contents(b)
    assert len(contents(b)) == count
    assert not [f.name for f in b.iterdir() if f.name.startswith(".")]  # nor is anything left half-written


def test_a_killed_render_ends_as_an_undisturbed_one(tmp_path: Path, looks: tuple[Path, Path]) -> None:
    killed_and_undisturbed(tmp_path, looks[0], 3, 16, 96)


@pytest.mark.full
def test_twenty_kills_in_a_hundred_frames(tmp_path: Path, looks: tuple[Path, Path]) -> None:
    killed_and_undisturbed(tmp_path, looks[0], 20, 100, 192)


def test_the_library_says_what_it_kept(tmp_path: Path) -> None:
    plate(tmp_path, 4, "png")
    look = random_look(1)
    first = render(tmp_path / "p.####.png", look, tmp_path / "o.####.png", RenderSettings(frames=(1002, 1003)))
    assert (first.frames, first.kept) == (2, 0)
    second = render(tmp_path / "p.####.png", look, tmp_path / "o.####.png")
    assert (second.frames, second.kept) == (2, 2)
    assert [f.name for f in second.files] == [f"o.{n}.png" for n in range(1001, 1005)]


def test_the_mark_hangs_on_all_that_changes_a_frame(
    tmp_path: Path, looks: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # a movie's frames under other numbers are other frames
    plate(tmp_path, 4, "png")
    movie = tmp_path / "m.mkv"
    assert (
        scumble("render", tmp_path / "p.####.png", "--look", "identity", "-o", movie, "--codec", "ffv1").returncode == 0
    )
    for name, flags in (("o", []), ("s", ["--stabilize", "flow", "--window", "3"])):  # all see the same neighbours
        command = ["render", movie, "--look", looks[0], "-o", tmp_path / f"{name}.####.png", "--cuts", "none", *flags]
        assert scumble(*command, "--first-frame", "1").returncode == 0
        first = {f.name: f.read_bytes() for f in tmp_path.glob(f"{name}.*.png")}
        assert scumble(*command, "--first-frame", "2").returncode == 0
        for n in (1, 2, 3):
            assert (tmp_path / f"{name}.{n + 1:04}.png").read_bytes() == first[f"{name}.{n:04}.png"]
    for n in range(1, 4):
        write_picture(tmp_path / f"t.{n}.png", Frame(n, picture(48, 96, n), DISPLAY), WriterSettings())
    command = ["render", tmp_path / "t.#.png", "--look", looks[0], "-o", tmp_path / "u.#.png", *flags]
    assert scumble(*command, "--first-frame", "1").returncode == 0
    first = {f.name: f.read_bytes() for f in tmp_path.glob("u.*.png")}
    assert scumble(*command, "--first-frame", "2").returncode == 0
    for n in (1, 2, 3):
        assert (tmp_path / f"u.{n + 1}.png").read_bytes() == first[f"u.{n}.png"]
    # so are frames of another configuration's space of the same name
    config = PyOpenColorIO.Config.CreateFromBuiltinConfig("cg-config-v2.2.0_aces-v1.3_ocio-v2.4")
    command = [
        "render",
        tmp_path / "p.####.png",
        "--look",
        looks[0],
        "-o",
        tmp_path / "c.####.png",
        "--in-space",
        "show",
    ]
    for n, gamma in enumerate((2.0, 2.6)):
        space = PyOpenColorIO.ColorSpace(name="show", encoding="sdr-video")
        power = PyOpenColorIO.ExponentTransform([gamma, gamma, gamma, 1.0])
        space.setTransform(power, PyOpenColorIO.COLORSPACE_DIR_TO_REFERENCE)
        config.addColorSpace(space)
        (tmp_path / f"{n}.ocio").write_text(config.serialize())
        monkeypatch.setenv("OCIO", str(tmp_path / f"{n}.ocio"))
        done = scumble(*command)
        assert done.returncode == 0, done.stderr
        assert done.stderr.startswith("4 frames in") or "4 frames in" in done.stdout + done.stderr
