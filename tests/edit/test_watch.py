"""A watched folder: what is whole is painted once, what fails is tried again when it changes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("opentimelineio")

from helpers.numbered import numbered_movie

from scumble.core.errors import BadInput
from scumble.edit.watch import Watch


class Painted:
    """Paints nothing, but says what it was asked for."""

    def __init__(self) -> None:
        self.documents: list[str] = []
        self.refuses = False

    def __call__(self, document: Path, folder: Path) -> None:
        self.documents.append(f"{document.name} -> {folder.name}")
        if self.refuses:
            raise BadInput("the look is not there")


@pytest.fixture
def there(tmp_path: Path) -> tuple[Path, Painted, list[str], Watch]:
    (tmp_path / "in").mkdir()
    painted, said = Painted(), []
    return tmp_path / "in", painted, said, Watch(tmp_path / "in", tmp_path / "out", 10, painted)


def test_a_file_is_painted_when_it_has_been_still(there: tuple[Path, Painted, list[str], Watch]) -> None:
    folder, painted, said, watch = there
    (folder / "a.edl").write_text("one")
    (folder / "note.txt").write_text("no edit")
    assert watch.look(0, said.append) == 0
    assert watch.look(9, said.append) == 0
    (folder / "a.edl").write_text("one and two")  # still being written
    assert watch.look(11, said.append) == 0
    assert watch.look(20, said.append) == 0
    assert watch.look(21, said.append) == 1
    assert watch.look(60, said.append) == 0
    assert (painted.documents, said) == (["a.edl -> a.edl"], ["a.edl: done"])
    # another process goes on from there
    again = Watch(folder, folder.parent / "out", 10, painted)
    again.look(0, said.append)
    assert again.look(20, said.append) == 0


def test_what_fails_is_said_once_and_tried_again_when_it_changes(there: tuple[Path, Painted, list[str], Watch]) -> None:
    folder, painted, said, watch = there
    painted.refuses = True
    (folder / "a.edl").write_text("one")
    for now in (0, 10, 20, 30):
        watch.look(now, said.append)
    assert said == ["a.edl: the look is not there; it is tried again when it changes, and every 10 minutes"]
    painted.refuses = False
    (folder / "a.edl").write_text("another")
    for now in (40, 50, 60):
        watch.look(now, said.append)
    assert said[1:] == ["a.edl: done"]
    assert len(painted.documents) == 2


def test_what_fails_without_a_change_is_tried_again_later(there: tuple[Path, Painted, list[str], Watch]) -> None:
    """The farm or the share was away; what is still so is not said again."""
    folder, painted, said, watch = there
    painted.refuses = True
    (folder / "a.edl").write_text("one")
    for now in (0, 10, 605, 615, 1200, 1230):
        watch.look(now, said.append)
    assert (len(painted.documents), len(said)) == (3, 1)
    painted.refuses = False
    watch.look(1850, said.append)
    assert said[1:] == ["a.edl: done"]
    assert watch.look(2500, said.append) == 0


def test_the_wait_begins_when_the_work_has_failed(
    there: tuple[Path, Painted, list[str], Watch], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, painted, said, watch = there
    painted.refuses = True
    (folder / "a.edl").write_text("one")
    clock = iter((0.0, 3600.0, 3600.0, 7200.0))  # an hour of painting, then the failure
    monkeypatch.setattr("scumble.edit.watch.time.monotonic", lambda: next(clock))
    for now in (0, 10, 3620, 4200, 4220):
        watch.look(now, said.append)
    assert len(painted.documents) == 2


def test_a_movie_that_does_not_open_to_its_last_frame_waits(there: tuple[Path, Painted, list[str], Watch]) -> None:
    folder, painted, said, watch = there
    numbered_movie(folder / "whole.mov", 12)
    data = (folder / "whole.mov").read_bytes()
    (folder / "half.mov").write_bytes(data[: len(data) // 2])
    for now in (0, 10):
        watch.look(now, said.append)
    assert painted.documents == ["whole.mov -> whole.mov"]
    assert said[0].startswith("half.mov: ")
    (folder / "half.mov").write_bytes(data)
    for now in (20, 30):
        watch.look(now, said.append)
    assert painted.documents[1:] == ["half.mov -> half.mov"]


def test_the_command_watches_until_it_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    words = (
        "edit",
        "--watch",
        "in",
        "-o",
        "out",
        "--look",
        "identity",
        "--settle",
        "0",
        "--progress",
        "none",
        "--no-reports",
    )
    command = [sys.executable, "-P", "-m", "scumble.cli", *words]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as running:
        numbered_movie(tmp_path / "show.mov", 12)
        os.replace(tmp_path / "show.mov", tmp_path / "in" / "show.mov")
        end = time.monotonic() + 120
        while not (tmp_path / "out" / "watch.json").exists() and time.monotonic() < end:
            time.sleep(0.2)
        running.send_signal(signal.SIGINT)
        said = running.communicate(timeout=30)[1]
    assert (tmp_path / "out" / "show.mov" / "timeline.otio").is_file(), said
    assert "show.mov: done" in said
    assert "Traceback" not in said
