"""Twenty kills of an edit: the end is that of the undisturbed one, and what was done is not done again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("opentimelineio")

from helpers.command import scumble
from helpers.numbered import numbered_sequence

KILLS = 20


def words(folder: Path, output: Path) -> list[str]:
    more = ["--rate", "24", "-c", str(folder / "looks.toml"), "--progress", "none", "--no-reports"]
    return ["edit", str(folder / "cut.edl"), "-o", str(output), *more]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.full
def test_kills_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    for reel in ("A001", "B002", "C003"):
        numbered_sequence(tmp_path / reel / f"{reel}.####.png", range(0, 48))
    (tmp_path / "looks.toml").write_text('[default]\nlook = "auvers"\nlines = 64\n')
    lines = [
        f"{n:03d}  {reel}  V  C  00:00:00:{4 * n:02d} 00:00:01:{4 * n:02d} 01:00:0{n}:00 01:00:0{n + 1}:00\n"
        for n, reel in enumerate(("A001", "B002", "C003", "A001"), start=1)
    ]
    (tmp_path / "cut.edl").write_text("".join(lines))
    done = scumble(*words(tmp_path, tmp_path / "whole"))
    assert done.returncode == 0, done.stderr
    whole = contents(tmp_path / "whole")
    assert len(whole) == 4 * 24 + 3
    rng, output = random.Random(7), tmp_path / "killed"
    finished: dict[Path, int] = {}
    for _ in range(KILLS):
        command = [sys.executable, "-P", "-m", "scumble.cli", *words(tmp_path, output)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as running:
            time.sleep(rng.uniform(1.0, 6.0))
            running.send_signal(signal.SIGKILL)
        # frames that are there stay untouched, whatever comes after
        now = {p: p.stat().st_mtime_ns for p in output.rglob("*.png") if ".part" not in p.name}
        assert {p: t for p, t in now.items() if p in finished} == finished
        finished = now
    done = scumble(*words(tmp_path, output))
    assert done.returncode == 0, done.stderr
    assert {p: p.stat().st_mtime_ns for p in finished} == finished
    assert contents(output) == whole
