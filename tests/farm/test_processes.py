"""Renders and edits by several processes: the files are those of one."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from helpers.command import scumble
from helpers.numbered import numbered_movie, numbered_sequence
from helpers.pictures import SAMPLES, picture

from scumble.media.open import open_plate

FAST = ("--lines", "32", "--progress", "none")


@pytest.fixture(scope="module")
def plates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plates")
    numbered_sequence(folder / "sh.####.png", range(1001, 1017))
    numbered_movie(folder / "sh.mov", 16, "01:00:00:00")
    shutil.copy(SAMPLES / "vangogh_auvers.jpg", folder / "style.jpg")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_two_processes_paint_the_files_of_one(plates: Path, tmp_path: Path) -> None:
    # a look made of a picture, stabilised across the borders of the parts, with previews first
    how = ("--style", "style.jpg", "--stabilize", "flow", *FAST)
    for folder, more in (("one", ()), ("two", ("--workers", "2", "--chunk", "6", "--preview-first"))):
        done = scumble("render", "sh.####.png", *how, "-o", tmp_path / folder / "x.####.png", *more, cwd=plates)
        assert done.returncode == 0, done.stderr
    assert len(contents(tmp_path / "one")) == 16
    assert contents(tmp_path / "one") == contents(tmp_path / "two")  # and nothing else is left there


def test_a_movie_by_tasks_is_the_movie_of_one_process(plates: Path, tmp_path: Path) -> None:
    how = ("--look", "auvers", "--compare", "side", "--burn-in", *FAST)
    for folder, more in (("one", ()), ("two", ("--workers", "2", "--chunk", "8"))):
        done = scumble("render", plates / "sh.mov", *how, "-o", tmp_path / folder / "x.mov", *more)
        assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_movie_of_a_layered_exr_by_tasks(tmp_path: Path) -> None:
    """With overscan, a layer that is not the beauty, and a strength that changes."""
    window = {"dataWindow": (np.array([-8, -4], np.int32), np.array([71, 51], np.int32))}
    window |= {"displayWindow": (np.array([0, 0], np.int32), np.array([63, 47], np.int32))}
    for number in range(1, 9):
        planes = {c: picture(56, 80, number)[:, :, i].astype(np.float16) for i, c in enumerate("RGB")}
        planes |= {
            f"diffuse.{c}": picture(56, 80, 50 + number)[:, :, i].astype(np.float16) for i, c in enumerate("RGB")
        }
        OpenEXR.File({**window, "type": OpenEXR.scanlineimage}, planes).write(str(tmp_path / f"p.{number:04d}.exr"))
    how = ("--look", "auvers", "--layer", "diffuse", "--strength", "1:0.2,8:1", *FAST)
    for folder, more in (("one", ()), ("two", ("--workers", "2", "--chunk", "3"))):
        done = scumble("render", tmp_path / "p.####.exr", *how, "-o", tmp_path / folder / "x.v1.mov", *more)
        assert done.returncode == 0, done.stderr
    one, two = (open_plate(tmp_path / folder / "x.v1.mov") for folder in ("one", "two"))
    assert one.numbers == two.numbers
    for a, b in zip(one.read(one.numbers), two.read(two.numbers), strict=True):
        np.testing.assert_array_equal(a.pixels, b.pixels)


def test_what_stops_a_task_is_said_and_what_is_done_stays(plates: Path, tmp_path: Path) -> None:
    for number in range(1001, 1017):
        shutil.copy(plates / f"sh.{number}.png", tmp_path / f"sh.{number}.png")
    whole = (tmp_path / "sh.1012.png").read_bytes()
    (tmp_path / "sh.1012.png").write_bytes(whole[:-200])
    words = ("render", tmp_path / "sh.####.png", "--look", "auvers", *FAST, "-o", tmp_path / "out/x.####.png")
    done = scumble(*words, "--workers", "2", "--chunk", "8")
    assert done.returncode == 2
    assert "sh.1012.png" in done.stderr
    assert "Traceback" not in done.stderr
    (tmp_path / "sh.1012.png").write_bytes(whole)
    done = scumble(*words, "--workers", "2", "--chunk", "8")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").iterdir())) == 16


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--workers", "2", "--ray", "local"), "one of them"),
        (("--ray-gpus", "1"), "--ray ADDRESS"),
        (("--workers", "0"), "from 1"),
        (("--ray", "127.0.0.1:1"), "nothing answers"),
    ],
)
def test_wrong_flags_are_one_sentence(words: tuple[str, ...], sentence: str, plates: Path, tmp_path: Path) -> None:
    if sentence == "nothing answers":
        pytest.importorskip("ray")
    done = scumble("render", plates / "sh.####.png", "--look", "auvers", "-o", tmp_path / "x.####.png", *words)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_an_edit_by_two_processes(plates: Path, tmp_path: Path) -> None:
    pytest.importorskip("opentimelineio")
    (tmp_path / "cut.edl").write_text(
        "001  sh.mov   V  C  01:00:00:02 01:00:00:14 01:00:00:00 01:00:00:12\n* SOURCE FILE: sh.mov\n"
        "002  sh       V  C  00:00:00:01 00:00:00:14 01:00:00:12 01:00:01:01\n"
    )
    for folder, more in (("one", ()), ("two", ("--workers", "2", "--chunk", "4"))):
        done = scumble(
            *("edit", tmp_path / "cut.edl", "--rate", "24", "--media", plates, "--look", "auvers", "--no-reports"),
            *("-o", tmp_path / folder, "--progress", "none", *more),
        )
        assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


@pytest.mark.full
@pytest.mark.skipif(sys.platform == "win32", reason="Windows stops a process without asking it")
def test_asked_to_stop_it_ends_its_processes_and_the_same_command_goes_on(plates: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.####.png"
    words = ["render", str(plates / "sh.####.png"), "--look", "auvers", "--lines", "240", "-o", str(output)]
    words += ["--workers", "2", "--chunk", "4"]
    command = [sys.executable, "-P", "-m", "scumble.cli", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        while not list(tmp_path.glob("x.*.png")):
            time.sleep(0.1)
            assert running.poll() is None
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate()
    assert running.returncode == 128 + signal.SIGTERM
    assert "goes on" in said
    before = {p: p.stat().st_mtime_ns for p in tmp_path.glob("x.*.png")}
    time.sleep(1.5)  # a process that was left alone would write another frame
    assert {p: p.stat().st_mtime_ns for p in tmp_path.glob("x.*.png")} == before
    assert len(before) < 16
    done = scumble(*words)
    assert done.returncode == 0, done.stderr
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert len(list(tmp_path.iterdir())) == 16
