"""A disk that runs full: what was done stays whole, nothing half-written, one sentence with the frame."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.command import scumble
from helpers.pictures import SAMPLES, picture

from scumble.core import colour
from scumble.core.errors import BadOutput
from scumble.core.files import written_whole
from scumble.core.frames import Frame
from scumble.core.memory import free_memory
from scumble.look.shipped import identity_look
from scumble.media.picture_reader import read_picture
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings
from scumble.rendering.run import render

SMALL_DISK = """
set -e
mount -t tmpfs -o size={size}k tmpfs "$1"
shift
set +e
"$@"
code=$?
ls -A "$DISK" > "$OUT/listing"
cp "$DISK"/* "$OUT/" 2>/dev/null
exit $code
"""


def on_a_small_disk(folder: Path, size: int, *words: str) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Run scumble with `{disk}` in its words a tmpfs of `size` KiB of its own; what was left on it is in the folder given."""
    disk, out = folder / "disk", folder / "left"
    disk.mkdir()
    out.mkdir()
    own = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    tried = subprocess.run([*own, "mount", "-t", "tmpfs", "tmpfs", str(disk)], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    executable = str(Path(sys.executable).with_name("scumble"))
    arguments = [word.replace("{disk}", str(disk)) for word in words]
    done = subprocess.run(
        [*own, "sh", "-c", SMALL_DISK.format(size=size), "sh", str(disk), executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "DISK": str(disk), "OUT": str(out), "OMP_NUM_THREADS": "1"},
    )
    return done, out


ALIKE = [pytest.param(suffix, marks=pytest.mark.full) for suffix in ("jpg", "webp", "tif", "dpx", "mkv")]


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs Linux namespaces")
@pytest.mark.parametrize("suffix", ["png", "exr", "mp4", *ALIKE])
def test_a_full_disk(suffix: str, tmp_path: Path) -> None:
    output = "{disk}/out." + (suffix if suffix in ("mp4", "mkv") else f"####.{suffix}")
    # some pictures fit, not all; a movie of noise would fit only in part
    size = {"exr": 1400, "tif": 1400, "dpx": 1400, "png": 600, "mp4": 8, "mkv": 8}.get(suffix, 60)
    words = ["render", str(SAMPLES / "sintel_walk.mp4"), "--look", "identity", "--lines", "32", "--frames", "1-30"]
    done, left = on_a_small_disk(tmp_path, size, *words, "-o", output, "--progress", "none")
    assert done.returncode == 2, (done.returncode, done.stderr)
    (line,) = done.stderr.strip().splitlines()
    assert "No space left" in line
    assert "make room" in line
    assert ".part" not in (left / "listing").read_text()
    pictures = [p for p in left.iterdir() if p.suffix == f".{suffix}"]
    if suffix in ("mp4", "mkv"):
        assert not pictures
        return
    assert f"frame {len(pictures) + 1} " in line
    for path in pictures:
        assert read_picture(path)[0].shape == (544, 1280, 3)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "exr"])
def test_a_write_that_fails_leaves_the_picture_that_was_there(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"a.{suffix}"
    write_picture(path, Frame(1, picture(20, 30), colour.DISPLAY), WriterSettings())
    before = path.read_bytes()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(BadOutput, match=r"frame 7 cannot be written .*; make room there"):
        write_picture(path, Frame(7, picture(20, 30, 1), colour.DISPLAY), WriterSettings())
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_an_error_inside_leaves_nothing(tmp_path: Path) -> None:
    def write() -> None:
        with written_whole(tmp_path / "a") as part:
            part.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert not list(tmp_path.iterdir())


def test_a_plate_that_breaks_under_way_keeps_what_was_done(tmp_path: Path) -> None:
    for number in range(1, 6):
        frame = Frame(number, picture(40, 40, number), colour.DISPLAY)
        write_picture(tmp_path / f"in.{number:04d}.png", frame, WriterSettings())
    # frames that are sampled for statistics are 1 to 5; the broken one is found then, before anything is written
    (tmp_path / "in.0004.png").write_bytes((tmp_path / "in.0004.png").read_bytes()[:300])
    done = scumble("render", tmp_path / "in.####.png", "--look", "identity", "-o", tmp_path / "out.####.png")
    assert done.returncode == 2
    assert "frame 4" in done.stderr
    assert not list(tmp_path.glob("out*"))
    assert np.isfinite(read_picture(tmp_path / "in.0001.png")[0]).all()
    assert render(tmp_path / "in.0001.png", identity_look(), tmp_path / "one.png").frames == 1


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs Linux namespaces")
@pytest.mark.parametrize("size", [1000, *(pytest.param(size, marks=pytest.mark.full) for size in (40, 3000))])
def test_a_disk_that_fills_while_training(size: int, tmp_path: Path, dataset: Path) -> None:
    pytest.importorskip("torch")
    from helpers.killing import arguments

    words = [*arguments(tmp_path, dataset), "-o", "{disk}/run", "--steps", "400"]
    done, _ = on_a_small_disk(tmp_path, size, *words)
    assert done.returncode == 2, (done.returncode, done.stderr)
    *_, line = done.stderr.strip().splitlines()
    assert "No space left" in line
    assert "make room" in line
    assert "Traceback" not in done.stderr


def test_files_that_a_container_has_cached_are_free_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scumble.core.memory.CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("900000\n")
    (tmp_path / "memory.stat").write_text("anon 100000\nactive_file 300000\ninactive_file 500000\n")
    assert free_memory() == 900_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory() != 900_000
