"""Mattes that find people: a woman in snow, frame by frame the same whoever asks; nobody where nobody is."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.command import scumble
from helpers.pictures import SAMPLES, picture, random_look

from scumble.core import downloads
from scumble.core.colour import DISPLAY
from scumble.core.errors import BadLook, BadSettings
from scumble.core.frames import Frame, Margin
from scumble.core.pixels import resized
from scumble.media.open import open_plate
from scumble.media.picture_reader import read_picture
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings
from scumble.media.sequence import StillsPlate
from scumble.rendering.options import RenderSettings
from scumble.rendering.run import render
from scumble.shot.open_matte import parse_matte
from scumble.shot.people import PersonMatte, person_model, refined

SIZE = (640, 272)


@pytest.fixture
def found(person_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCUMBLE_CACHE", str(person_models))
    person_model.cache_clear()


@pytest.fixture(scope="session")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight frames of her as a sequence, at half the size."""
    folder = tmp_path_factory.mktemp("walk")
    for frame in open_plate(SAMPLES / "sintel_walk.mp4").read(range(20, 28)):
        small = np.clip(resized(frame.pixels, SIZE), 0, 1)
        write_picture(folder / f"walk.{frame.number:04}.png", Frame(frame.number, small, DISPLAY), WriterSettings())
    return folder / "walk.####.png"


@pytest.mark.usefixtures("found")
def test_she_is_found_and_the_snow_is_not(walk: Path) -> None:
    mask = PersonMatte(open_plate(walk)).of(24)
    assert mask.shape == (272, 640, 1)
    assert mask.dtype == np.float32
    assert mask[180:260, 195:230].min() > 0.98  # her coat
    assert mask[95:110, 210:240].min() > 0.9  # her hood
    assert mask[:, 300:].max() < 0.02  # rocks and sky
    assert mask[:60].max() < 0.5
    assert 0.06 < mask.mean() < 0.14
    wider = PersonMatte(open_plate(walk)).of(24, Margin(2, 3, 4, 5))
    np.testing.assert_array_equal(wider[3:-5, 2:-4], mask)


@pytest.mark.usefixtures("found")
@pytest.mark.full
def test_a_frames_matte_does_not_hang_on_who_was_asked_before(walk: Path) -> None:
    matte = PersonMatte(open_plate(walk))
    whole = {n: matte.of(n) for n in range(20, 28)}
    for order in ((26, 21), (23,)):
        again = PersonMatte(open_plate(walk))
        for n in order:
            np.testing.assert_array_equal(again.of(n), whole[n])
    # a frame that is held says nothing new
    plate = open_plate(walk)
    assert isinstance(plate, StillsPlate)
    holding = StillsPlate(plate.path, "sequence", {n: f for n, f in plate.files.items() if n != 25}).repeating([25])
    alone = PersonMatte(StillsPlate(plate.path, "sequence", {n: f for n, f in plate.files.items() if n != 25}))
    np.testing.assert_array_equal(PersonMatte(holding).of(23), alone.of(23))
    # neighbours are averaged in, and the files that a frame hangs on are all named
    assert [p.name[5:9] for p in matte.files_of(27)] == [f"{n:04}" for n in range(21, 28)]


@pytest.mark.usefixtures("found")
def test_nobody_is_nobody(tmp_path: Path) -> None:
    write_picture(tmp_path / "p.png", Frame(1, picture(180, 320, 5), DISPLAY), WriterSettings())
    plate = open_plate(tmp_path / "p.png")
    assert parse_matte("auto:person", plate).of(plate.numbers[0]).max() == 0
    with pytest.raises(BadSettings, match="give person"):
        parse_matte("auto:dog", plate)


@pytest.mark.full
@pytest.mark.usefixtures("found")
def test_only_the_background_is_painted(walk: Path, person_models: Path, tmp_path: Path) -> None:
    settings = RenderSettings(matte="auto:person", invert_matte=True, frames=(22, 23))
    done = render(walk, random_look(1), tmp_path / "a.####.png", settings)
    plate, painted = (read_picture(p)[0] for p in (open_plate(walk).files_of([22])[0], done.files[0]))
    np.testing.assert_array_equal(painted[190:250, 200:225], plate[190:250, 200:225])
    assert np.abs(painted[:, 400:] - plate[:, 400:]).mean() > 0.02
    # as files, which an artist may correct; given back they are the same but for their 16 bits
    wrote = scumble("matte", walk, "--frames", "22-23", "-o", "m.####.png", cwd=tmp_path, cache=person_models)
    assert wrote.returncode == 0, wrote.stderr
    given = RenderSettings(matte=str(tmp_path / "m.####.png"), invert_matte=True, frames=(22, 23))
    by_files = render(walk, random_look(1), tmp_path / "b.####.png", given)
    for a, b in zip(done.files, by_files.files, strict=True):
        np.testing.assert_allclose(read_picture(a)[0], read_picture(b)[0], atol=1.01 / 255)
    refused = scumble("matte", walk, "-o", "m.####.png", cwd=tmp_path)
    assert refused.returncode == 2
    assert "is there already" in refused.stderr


def test_edges_come_from_the_plate() -> None:
    colours = np.full((80, 120, 3), 0.2, np.float32)
    colours[:, 50:] = [0.5, 0.3, 0.2]
    blurred: Any = np.clip((np.arange(60, dtype=np.float32)[None, :].repeat(40, 0) - 23) / 4, 0, 1)  # half the size
    fitted = refined(blurred, colours)
    assert fitted.shape == (80, 120)
    assert fitted[:, :48].max() < 0.1
    assert fitted[:, 52:].min() > 0.85


def test_another_wheel_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as wheel:
        wheel.writestr("README", "nothing")
    with pytest.raises(BadLook, match=r"not the wheel of mediapipe"):
        downloads.fetch_person(tmp_path / "other.whl", tmp_path)
    with zipfile.ZipFile(tmp_path / "changed.whl", "w") as wheel:
        for name in downloads.PERSON:
            wheel.writestr(name, "changed")
    with pytest.raises(BadLook, match="is not the one of"):
        downloads.fetch_person(tmp_path / "changed.whl", tmp_path)
    assert not list(tmp_path.glob("*.tflite"))
