"""The public functions: their documentation runs as it stands, and they do what the command line does."""

from __future__ import annotations

import doctest
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.command import scumble
from helpers.pictures import SAMPLES, picture, random_look

import scumble as public
from scumble import open_plate, paint, render
from scumble.core.colour import DISPLAY, LINEAR, srgb_to_linear
from scumble.core.errors import BadSettings
from scumble.core.frames import Frame
from scumble.media.movie_writer import MovieWriter
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings

ROOT = Path(__file__).parent.parent


@pytest.fixture
def shot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    writer = MovieWriter(tmp_path / "shot.mp4", WriterSettings(size=(96, 64), frame_rate=Fraction(24)))
    for i in range(24):
        writer.write(Frame(i + 1, picture(64, 96, i // 12), DISPLAY))
    writer.close()
    shutil.copy(SAMPLES / "vangogh_auvers.jpg", tmp_path / "painting.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_documentation_runs(shot: Path) -> None:
    found = doctest.testfile(str(ROOT / "docs/python.md"), module_relative=False, optionflags=doctest.FAIL_FAST)
    assert found.attempted > 20
    assert not found.failed


def test_it_is_the_command_line(shot: Path) -> None:
    random_look(1).save(Path("my.look"))
    flags = ["--frames", "3-5", "--strength", "1:0,24:1", "--palette", "painting.jpg", "--matte-look", "m.png=auvers"]
    matte = (picture(64, 96, 2)[:, :, :1] > 0.5).astype(np.float32).repeat(3, axis=2)
    write_picture(Path("m.png"), Frame(1, matte, DISPLAY), WriterSettings())
    done = scumble("render", "shot.mp4", "--look", "my.look", *flags, "--feather", "3", "-o", "a.####.png", cwd=shot)
    assert done.returncode == 0, done.stderr
    common = {"frames": "3-5", "strength": "1:0,24:1", "palette": "painting.jpg", "feather": 3.0}
    told = render("shot.mp4", "my.look", "b.####.png", matte_looks={"m.png": "auvers"}, **common)
    assert told.frames == 3
    for n in (3, 4, 5):
        assert Path(f"a.{n:04}.png").read_bytes() == Path(f"b.{n:04}.png").read_bytes()


def test_an_open_plate_keeps_how_it_was_opened(tmp_path: Path) -> None:
    linear = srgb_to_linear(picture(48, 64, 1))
    write_picture(tmp_path / "p.exr", Frame(1, linear, LINEAR), WriterSettings(bits=16))
    look = random_look(1)
    as_acescg = open_plate(tmp_path / "p.exr", in_space="ACEScg")
    render(as_acescg, look, tmp_path / "a.exr")
    render(tmp_path / "p.exr", look, tmp_path / "b.exr", in_space="ACEScg")
    render(tmp_path / "p.exr", look, tmp_path / "c.exr")
    a, b, c = (next(open_plate(tmp_path / f"{n}.exr").read([1])).pixels for n in "abc")
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 0.01
    with pytest.raises(BadSettings, match="open_plate"):
        render(as_acescg, look, tmp_path / "d.exr", in_space="ACEScg")


def test_a_picture_is_painted_as_a_still_is(tmp_path: Path) -> None:
    pixels = picture(48, 64, 1)
    write_picture(tmp_path / "p.tif", Frame(1, pixels, DISPLAY), WriterSettings(bits=16))
    read = next(open_plate(tmp_path / "p.tif").read([1])).pixels
    look = random_look(2)
    render(tmp_path / "p.tif", look, tmp_path / "q.tif", strength=0.5)
    found = next(open_plate(tmp_path / "q.tif").read([1])).pixels
    np.testing.assert_allclose(np.clip(paint(read, look, 0.5), 0, 1), found, atol=1 / 65535)
    with pytest.raises(BadSettings, match=r"\(H, W, 3\)"):
        paint(read[:, :, 0], look)


def test_all_public_names_are_there_and_no_others_are_promised() -> None:
    for name in public.__all__:
        assert getattr(public, name).__name__ == name
        assert name in dir(public)
    with pytest.raises(AttributeError, match="no attribute 'rubbish'"):
        _ = public.rubbish


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"strenght": 0.5}, "did you mean strength"),
        ({"strength": "much"}, "strength"),
        ({"compare": "left"}, "side, wipe, stack"),
        ({"missing": "hoold"}, "error, hold, skip"),
        ({"grain": "yes"}, "keep, remove"),
        ({"aovs": "depth"}, "luma"),
        ({"quality": "good"}, "another kind"),
        ({"frame_rate": "fast"}, "24000/1001"),
    ],
)
def test_a_wrong_setting_is_one_sentence(wrong: dict[str, object], says: str, shot: Path) -> None:
    with pytest.raises(BadSettings, match=says):
        render("shot.mp4", random_look(1), "o.mp4", **wrong)


def test_settings_may_be_given_as_on_the_command_line(shot: Path) -> None:
    done = render("shot.mp4", random_look(1), "o.####.png", frames=2, lines="full", stats="s.json", cuts=Path("none"))
    assert [f.name for f in done.files] == ["o.0002.png"]
    assert Path("s.json").is_file()
    movie = render("shot.mp4", random_look(1), "o.mp4", frames=range(1, 4), frame_rate=12, matte=None)
    assert open_plate(movie.files[0]).frame_rate == 12


def test_a_picture_with_bad_pixels_or_of_bytes(tmp_path: Path) -> None:
    pixels = picture(48, 64, 1)
    pixels[3, 4] = np.nan
    painted = paint(pixels, random_look(1))
    assert np.isnan(painted[3, 4]).all()
    assert np.isfinite(painted).sum() == painted.size - 3
    with pytest.raises(BadSettings, match="not uint8"):
        paint(np.zeros((48, 64, 3), np.uint8), random_look(1))
    with pytest.raises(BadSettings, match="pixels / 255"):
        paint(picture(48, 64, 1) * 255, random_look(1))
    with pytest.raises(BadSettings, match="not NoneType"):
        paint(picture(48, 64, 1), None)  # type: ignore[arg-type]
    with pytest.raises(BadSettings, match="strength 5"):
        paint(picture(48, 64, 1), random_look(1), 5.0)
