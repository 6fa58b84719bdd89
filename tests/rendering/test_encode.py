"""Depth of pictures, frames encoded as a movie, and shots that are only measured."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import OpenEXR
import pytest
from helpers.command import scumble
from helpers.numbered import numbered_movie, numbered_sequence, numbers_in
from helpers.pictures import picture
from helpers.plates import exr_with

from scumble.media.open import open_plate

LOOK = ("--look", "auvers", "--lines", "32", "--progress", "none")


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("movie") / "sh.mov"
    numbered_movie(path, 8, "01:00:00:00", Fraction(24000, 1001))
    return path


@pytest.mark.parametrize(
    ("suffix", "bits", "kind"),
    [
        ("exr", 32, "float"),
        ("exr", 16, "half"),
        ("png", 16, "uint16"),
        ("png", 8, "uint8"),
        ("tif", 32, "float"),
        ("dpx", 12, "uint12"),
    ],
)
def test_pictures_have_the_bits_that_are_asked_for(
    suffix: str, bits: int, kind: str, movie: Path, tmp_path: Path
) -> None:
    import OpenImageIO as oiio

    output = tmp_path / f"x.####.{suffix}"
    done = scumble("render", movie, *LOOK, "--frames", "3", "--bits", str(bits), "-o", output)
    assert done.returncode == 0, done.stderr
    spec = oiio.ImageInput.open(str(tmp_path / f"x.0003.{suffix}")).spec()
    if kind == "uint12":
        assert spec.get_int_attribute("oiio:BitsPerSample") == 12
    else:
        assert str(spec.format) == kind


def test_an_exr_changes_the_type_of_its_colours_alone(tmp_path: Path) -> None:
    exr_with(tmp_path / "p.0001.exr", picture(32, 48, 1).astype(np.float32), {"depth.Z": 1.0})
    for bits, kind in ((32, np.float32), (16, np.float16)):
        done = scumble(
            "render", tmp_path / "p.####.exr", *LOOK, "--bits", str(bits), "-o", tmp_path / f"b{bits}.####.exr"
        )
        assert done.returncode == 0, done.stderr
        channels = OpenEXR.File(str(tmp_path / f"b{bits}.0001.exr"), separate_channels=True).channels()
        assert {channels[c].pixels.dtype for c in "RGB"} == {np.dtype(kind)}
        before = OpenEXR.File(str(tmp_path / "p.0001.exr"), separate_channels=True).channels()["depth.Z"].pixels
        np.testing.assert_array_equal(channels["depth.Z"].pixels, before)
        assert channels["depth.Z"].pixels.dtype == before.dtype


@pytest.mark.parametrize(
    ("name", "bits"), [("x.####.png", "32"), ("x.####.jpg", "16"), ("x.mov", "16"), ("x.####.exr", "8")]
)
def test_bits_that_a_format_lacks_are_refused(name: str, bits: str, movie: Path, tmp_path: Path) -> None:
    done = scumble("render", movie, *LOOK, "--bits", bits, "-o", tmp_path / name)
    assert done.returncode == 2
    assert f"--bits {bits}" in done.stderr
    assert not list(tmp_path.iterdir())


def with_sound(path: Path) -> Path:
    """A movie of 24 frames with a tone."""
    numbered_movie(path.with_name("silent.mov"), 24, "10:00:00:00")
    with av.open(str(path.with_name("silent.mov"))) as silent, av.open(str(path), "w") as container:
        video = container.add_stream_from_template(silent.streams.video[0])
        video.metadata["timecode"] = "10:00:00:00"
        sound = container.add_stream("aac", rate=48000, layout="mono")
        for packet in silent.demux(silent.streams.video[0]):
            if packet.dts is not None:
                packet.stream = video
                container.mux(packet)
        tone = np.sin(np.arange(48000) / 48000 * 2 * np.pi * 440).astype(np.float32)
        for i in range(0, 48000, 1024):
            piece = av.AudioFrame.from_ndarray(tone[None, i : i + 1024], format="fltp", layout="mono")
            piece.rate, piece.pts = 48000, i
            container.mux(sound.encode(piece))
        container.mux(sound.encode())
    return path


def test_frames_become_the_movie_that_a_render_writes(tmp_path: Path) -> None:
    plate = with_sound(tmp_path / "sh.mov")
    part = ("--frames", "5-20")
    assert scumble("render", plate, *LOOK, *part, "-o", tmp_path / "whole.mov").returncode == 0
    frames = tmp_path / "f.####.exr"
    more = ("--bits", "32", "--out-space", "sRGB", "--precision", "fast")
    assert scumble("render", plate, *LOOK, *part, *more, "-o", frames).returncode == 0
    done = scumble("encode", frames, "--plate", plate, *part, "-o", tmp_path / "encoded.mov")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "encoded.mov").read_bytes() == (tmp_path / "whole.mov").read_bytes()
    with av.open(str(tmp_path / "encoded.mov")) as container:
        assert len(container.streams.audio) == 1
    assert open_plate(tmp_path / "encoded.mov").metadata(1).timecode == "10:00:00:04"
    done = scumble("encode", frames, "--plate", plate, "--frames", "5-21", "-o", tmp_path / "more.mov")
    assert done.returncode == 2
    assert "frame 21 is not there" in done.stderr
    assert not (tmp_path / "more.mov").exists()


def test_pictures_of_any_origin_become_a_movie(tmp_path: Path) -> None:
    numbered_sequence(tmp_path / "comp.####.png", range(1001, 1013))
    done = scumble(
        "encode", tmp_path / "comp.####.png", "--frame-rate", "25", "--codec", "prores-hq", "-o", tmp_path / "c.mov"
    )
    assert done.returncode == 0, done.stderr
    assert numbers_in(tmp_path / "c.mov") == list(range(1001, 1013))
    assert open_plate(tmp_path / "c.mov").frame_rate == 25
    for words, sentence in (
        (("-o", tmp_path / "c.mov"), "--overwrite"),
        (("-o", tmp_path / "c.####.png"), "not a movie"),
        (("--plate", tmp_path / "gone.mov", "-o", tmp_path / "d.mov"), "gone.mov"),
    ):
        done = scumble("encode", tmp_path / "comp.####.png", *words)
        assert done.returncode == 2
        assert sentence in done.stderr


def test_measuring_paints_nothing(movie: Path, tmp_path: Path) -> None:
    stats = tmp_path / "s.json"
    words = ("render", movie, *LOOK, "--measure-only", "-o", tmp_path / "x.####.png")
    done = scumble(*words)
    assert done.returncode == 2
    assert "--stats" in done.stderr
    done = scumble(*words, "--stats", stats)
    assert done.returncode == 0, done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["s.json"]
    before = stats.read_bytes()
    assert json.loads(before)["shots"][0]["last"] == 8
    assert scumble(*words, "--stats", stats).returncode == 0  # it is there, and fits
    assert stats.read_bytes() == before
    other = [word if word != "auvers" else "goulphar" for word in map(str, words)]
    done = scumble(*other, "--stats", stats)
    assert done.returncode == 2
    assert "measured with" in done.stderr


def test_farms_are_told_of_progress_and_refusals(movie: Path, tmp_path: Path) -> None:
    done = scumble(
        "render", movie, "--look", "auvers", "--lines", "32", "--progress", "openjd", "-o", tmp_path / "x.####.png"
    )
    assert done.returncode == 0, done.stderr
    assert "openjd_progress: 100.00" in done.stdout
    assert all(line.startswith(("openjd_progress: ", "openjd_status: ")) for line in done.stdout.splitlines())
    done = scumble(
        "render", tmp_path / "gone.mov", "--look", "auvers", "--progress", "openjd", "-o", tmp_path / "y.mov"
    )
    assert done.returncode == 2
    assert done.stdout.startswith("openjd_fail: ")
    assert "gone.mov" in done.stdout
