"""Plates that lost a render once, and what is right for each.

The inputs are made here or lie in `tests/golden/cases`, one folder for each case.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import cv2
import numpy as np
import OpenImageIO as oiio
import pytest
from av.stream import Disposition
from helpers.command import scumble
from helpers.exr import tool
from helpers.numbered import numbered_movie, numbered_sequence
from numpy.typing import NDArray

from scumble.core.colour import DISPLAY
from scumble.core.errors import BadPlate
from scumble.core.files import part_of, written_whole
from scumble.core.frames import Frame
from scumble.core.memory import free_memory
from scumble.look.shipped import identity_look
from scumble.media.open import open_writer
from scumble.media.plate import Tracks, WriterSettings
from scumble.media.tracks import TrackCopier
from scumble.rendering.job import job_of

CASES = Path(__file__).parents[1] / "golden" / "cases"
CODES = NDArray[np.uint8]


def case(name: str, folder: Path) -> Path:
    """The folder, with a copy of the case's files."""
    (found,) = CASES.glob(f"{name}-*")
    shutil.copytree(found, folder, dirs_exist_ok=True)
    return folder


def rendered(folder: Path, *words: str) -> str:
    """What a render that goes well says."""
    done = scumble("render", *words, "--look", "identity", cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def refused(folder: Path, *words: str) -> str:
    """The one sentence of a command that is refused."""
    done = scumble(*words, cwd=folder)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    (sentence,) = done.stderr.strip().splitlines()
    return sentence


def codes(path: Path) -> CODES:
    """An 8-bit still, height x width x channels."""
    return np.asarray(oiio.ImageBuf(str(path)).get_pixels(oiio.UINT8))


def sequence(folder: Path, name: str, numbers: list[int]) -> None:
    """Stills of 48 x 64, each of its own grey."""
    for place, number in enumerate(numbers):
        oiio.ImageBuf(np.full((48, 64, 3), place % 7 * 40, np.uint8)).write(str(folder / (name % number)))


def stamps(path: Path) -> list[Fraction]:
    """When each frame of a movie is shown, in seconds, in the order of the file's decoder."""
    with av.open(str(path)) as movie:
        return [frame.pts * frame.time_base for frame in movie.decode(video=0)]


def timecode(path: Path) -> str | None:
    """The timecode of a movie, from its tracks or the file; None without one."""
    with av.open(str(path)) as movie:
        tags = [movie.metadata, *(stream.metadata for stream in movie.streams)]
    return next((tag["timecode"] for tag in tags if "timecode" in tag), None)


def sounds(path: Path) -> list[tuple[str, str]]:
    """Codec and language of each sound track."""
    with av.open(str(path)) as movie:
        return [(track.codec_context.name, track.metadata.get("language", "")) for track in movie.streams.audio]


def heard(path: Path) -> list[float]:
    """Seconds at which the packets of a movie's first sound track begin."""
    with av.open(str(path)) as movie:
        return [float(p.pts * p.time_base) for p in movie.demux(audio=0) if p.pts is not None and p.size]


@pytest.mark.parametrize("out", ["out.mov", "out.mp4", "out.mkv"])
def test_sound_without_a_decoder_is_left_out_with_a_note(out: str, tmp_path: Path) -> None:
    case("01", tmp_path)
    said = rendered(tmp_path, "phone.mov", "-o", out)
    assert "sound track 2" in said
    assert len(stamps(tmp_path / out)) == 12
    assert [codec for codec, _ in sounds(tmp_path / out)] == ["aac"]
    assert len(heard(tmp_path / out)) == len(heard(tmp_path / "phone.mov"))


@pytest.mark.parametrize("out", ["out.mov", "out.mp4", "out.mkv"])
def test_sound_whose_stamps_repeat_is_put_right(out: str, tmp_path: Path) -> None:
    case("03", tmp_path)
    rendered(tmp_path, "splice.mkv", "-o", out)
    assert len(stamps(tmp_path / out)) == 48
    found, right = heard(tmp_path / out), heard(tmp_path / "splice.mkv")
    assert len(found) == len(right) >= 93
    assert found[-1] > 1.9
    assert np.abs(np.subtract(found, right)).max() <= 0.03
    assert found == sorted(set(found))


def test_sound_that_falls_back_in_time_goes_on_behind_the_splice(tmp_path: Path) -> None:
    """Two recordings in one file, the second counted from 0 again: each packet lasts 40 ms."""
    case("03", tmp_path)
    with av.open(str(tmp_path / "out.mkv"), "w") as out:
        copier = TrackCopier(tmp_path / "splice.mkv", Tracks(sound=(1,)), (Fraction(0), None), out)
        track = copier.source.streams[1]
        tick = Fraction(1, 1000)
        copier.packets = iter(
            SimpleNamespace(pts=at, dts=at, duration=40, time_base=tick, size=1, stream=track)
            for at in (*range(0, 1000, 40), *range(0, 1000, 40))
        )
        found = [packet.pts for packet in copier.until(None)]
        copier.close()
        out.start_encoding()
    assert found == list(range(0, 2000, 40))


@pytest.mark.parametrize(("name", "codec"), [("opus.mkv", "opus"), ("flac.mkv", "flac")])
def test_sound_that_a_container_does_not_take_is_refused_before_work(name: str, codec: str, tmp_path: Path) -> None:
    case("12", tmp_path)
    said = refused(tmp_path, "render", name, "--look", "identity", "-o", "out.mov")
    assert codec in said
    assert not (tmp_path / "out.mov").exists()
    remedies = re.findall(r"\.(mp4|mkv|mov)\b", said.split("write")[1])
    assert remedies
    for suffix in remedies:
        rendered(tmp_path, name, "-o", f"out.{suffix}")
        assert [found for found, _ in sounds(tmp_path / f"out.{suffix}")] == [codec]


def test_sound_that_no_container_takes_is_left_out_with_a_note(tmp_path: Path) -> None:
    case("12", tmp_path)
    assert "wmav2" in rendered(tmp_path, "wma.mkv", "-o", "out.mkv")
    assert len(stamps(tmp_path / "out.mkv")) == 12


def test_what_tracks_say_goes_along(tmp_path: Path) -> None:
    case("16", tmp_path)
    rendered(tmp_path, "film.mkv", "-o", "out.mkv")
    assert sounds(tmp_path / "out.mkv") == [("aac", "eng"), ("ac3", "fra")]
    with av.open(str(tmp_path / "out.mkv")) as movie:
        main, commentary = movie.streams.audio
        assert [track.metadata["title"] for track in (main, commentary)] == ["Main", "Commentary"]
        assert main.disposition & Disposition.default
        assert commentary.disposition & Disposition.comment
        assert not commentary.disposition & Disposition.default
        assert movie.metadata["title"] == "My shot"
        assert [chapter["metadata"]["title"] for chapter in movie.chapters()] == ["one", "two"]
        assert len(movie.streams.subtitles) == 1
    said = rendered(tmp_path, "film.mkv", "-o", "out.mp4")
    assert "subtitle track 1" in said
    assert sounds(tmp_path / "out.mp4") == [("aac", "eng"), ("ac3", "fra")]
    with av.open(str(tmp_path / "out.mp4")) as movie:
        assert [track.metadata["handler_name"] for track in movie.streams.audio] == ["Main", "Commentary"]


def test_chapters_of_a_range_count_from_its_first_frame(tmp_path: Path) -> None:
    case("16", tmp_path)
    rendered(tmp_path, "film.mkv", "--frames", "3-8", "-o", "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as movie:
        (chapter,) = movie.chapters()
    assert chapter["start"] == 0
    assert float(chapter["end"] * chapter["time_base"]) == pytest.approx(6 / 24, abs=0.002)


def test_a_last_frame_that_is_held_keeps_its_length(tmp_path: Path) -> None:
    case("02", tmp_path)
    rendered(tmp_path, "animatic.mp4", "-o", "out.mp4")
    shown = stamps(tmp_path / "out.mp4")
    assert len(shown) == 24
    assert all(abs(at - Fraction(n, 24)) < Fraction(1, 500) for n, at in enumerate(shown))
    with av.open(str(tmp_path / "out.mp4")) as movie:
        stream = movie.streams.video[0]
        assert stream.duration is not None
        assert float(stream.duration * stream.time_base) == pytest.approx(2.958, abs=0.05)
    assert "24 frames/s" in rendered(tmp_path, "animatic.mp4", "-o", "dry.mp4", "--dry-run")


def test_a_movie_cut_within_an_open_gop_gives_what_can_be_decoded(tmp_path: Path) -> None:
    case("04", tmp_path)
    rendered(tmp_path, "part1.mkv", "-o", "out.mkv")
    assert len(stamps(tmp_path / "out.mkv")) == 20
    assert scumble("shots", "part1.mkv", cwd=tmp_path).returncode == 0


def test_a_palette_movie_has_its_colours(tmp_path: Path) -> None:
    case("05", tmp_path)
    rendered(tmp_path, "palette.mov", "-o", "out.####.png")
    with av.open(str(tmp_path / "palette.mov")) as movie:
        right = [frame.to_ndarray(format="rgb24").mean((0, 1)) for frame in movie.decode(video=0)]
    assert right[0] == pytest.approx([77.1, 59.6, 56.4], abs=0.5)
    for number, mean in enumerate(right, 1):
        assert codes(tmp_path / f"out.{number:04d}.png").mean((0, 1)) == pytest.approx(mean, abs=2)


def test_a_mirrored_movie_is_shown_as_players_show_it(tmp_path: Path) -> None:
    case("06", tmp_path)
    said = rendered(tmp_path, "mirrored.mp4", "-o", "out.####.png")
    assert "180" not in said
    for number in range(1, 5):
        shown = codes(tmp_path / f"out.{number:04d}.png").astype(int)
        height, width = shown.shape[:2]
        top, bottom, left, right = 20, height - 20, 20, width - 20  # the corners have a colour each
        assert np.abs(shown[top, left] - [30, 220, 30]).max() <= 8
        assert np.abs(shown[top, right] - [220, 30, 30]).max() <= 8
        assert np.abs(shown[bottom, left] - [220, 220, 30]).max() <= 8
        assert np.abs(shown[bottom, right] - [30, 30, 220]).max() <= 8


@pytest.mark.parametrize(("name", "tags"), [("srgb", (1, 13)), ("p3_709", (12, 1)), ("gamma28", (1, 5))])
def test_codes_that_stay_keep_their_tags(name: str, tags: tuple[int, int], tmp_path: Path) -> None:
    """Numbers of ITU-T H.273: 1 is BT.709, primaries 12 are SMPTE 432, curve 13 is sRGB's and 5 is gamma 2.8."""
    case("07", tmp_path)
    for suffix in ("mov", "mkv"):
        rendered(tmp_path, f"{name}.mov", "-o", f"out.{suffix}")
        for file in (f"{name}.mov", f"out.{suffix}"):
            with av.open(str(tmp_path / file)) as movie:
                first = next(movie.decode(video=0))
            assert (first.color_primaries, first.color_trc) == tags


def test_codes_that_change_have_the_tags_of_their_space(tmp_path: Path) -> None:
    case("07", tmp_path)
    rendered(tmp_path, "srgb.mov", "--out-space", "Display P3 - Display", "-o", "out.mov")
    with av.open(str(tmp_path / "out.mov")) as movie:
        first = next(movie.decode(video=0))
    assert (first.color_primaries, first.color_trc) == (12, 13)


def test_negative_numbers_are_those_of_printf(tmp_path: Path) -> None:
    sequence(tmp_path, "shot.%04d.png", list(range(-3, 3)))
    for folder, pattern in (("marks", "shot.####.png"), ("printf", "shot.%04d.png")):
        rendered(tmp_path, pattern, "-o", f"{folder}/out.####.png")
        made = sorted(file.name for file in (tmp_path / folder).glob("out.*.png"))
        assert made == sorted([*(f"out.-00{n}.png" for n in (1, 2, 3)), *(f"out.000{n}.png" for n in range(3))])
    said = rendered(tmp_path, "shot.####.png", "-o", "dry.####.png", "--dry-run")
    assert re.search(r"^frames +-3-2 \(6 of 6\)$", said, re.MULTILINE)


def test_negative_numbers_with_the_longer_padding_are_read(tmp_path: Path) -> None:
    sequence(tmp_path, "shot.%05d.png", [-2, -1])  # -0002: four digits behind the sign
    assert (tmp_path / "shot.-0002.png").exists()
    rendered(tmp_path, "shot.####.png", "-o", "out.####.png")
    assert sorted(file.name for file in tmp_path.glob("out.*")) == ["out.-001.png", "out.-002.png"]


def test_timecode_counts_at_the_rate_of_the_file(tmp_path: Path) -> None:
    case("10", tmp_path)
    rendered(tmp_path, "clip.mov", "--frames", "1-3", "-o", "out.####.exr")
    for number in range(1, 4):
        said = subprocess.run(
            [tool("exrheader"), tmp_path / f"out.{number:04d}.exr"], capture_output=True, text=True, check=True
        ).stdout
        assert f"time 01:00:00:0{number - 1}\n" in said
    rendered(tmp_path, "clip.mov", "--frames", "5-9", "-o", "out.mov")
    assert timecode(tmp_path / "out.mov") == "01:00:00:04"
    with av.open(str(tmp_path / "out.mov")) as movie:
        assert movie.streams.video[0].average_rate == Fraction(2997, 125)


def test_a_timecode_for_a_movie_that_has_none(tmp_path: Path) -> None:
    """It counts on from it; one that has its own keeps that; pictures, and what is none, are refused."""
    numbered_movie(tmp_path / "none.mov", 8)
    numbered_movie(tmp_path / "own.mov", 8, "10:00:00:00")
    numbered_sequence(tmp_path / "sh.####.png", range(1, 3))
    how = ("--look", "identity", "--frames", "5-8", "--timecode", "01:00:00:00", "--progress", "none")
    for plate, expected in (("none", "01:00:00:04"), ("own", "10:00:00:04")):
        done = scumble("render", tmp_path / f"{plate}.mov", *how, "-o", tmp_path / f"{plate}_out.mov")
        assert done.returncode == 0, done.stderr
        assert timecode(tmp_path / f"{plate}_out.mov") == expected
    for plate, code in (("sh.####.png", "01:00:00:00"), ("none.mov", "01:00:00:24")):
        done = scumble("render", tmp_path / plate, "--look", "identity", "--timecode", code, "-o", tmp_path / "x.mov")
        assert (done.returncode, "timecode" in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize("suffix", ["exr", "dpx"])
def test_a_timecode_that_is_none_is_said(suffix: str, tmp_path: Path) -> None:
    case("11", tmp_path)
    assert "timecode" in rendered(tmp_path, "clip.mkv", "-o", f"out.####.{suffix}")
    assert len(list(tmp_path.glob(f"out.*.{suffix}"))) == 5


def test_eight_bit_alpha_is_exact(tmp_path: Path) -> None:
    case("17", tmp_path)
    rendered(tmp_path, "rgba.mov", "-o", "out.####.png")
    assert np.array_equal(codes(tmp_path / "out.0001.png"), codes(tmp_path / "rgba_frame.png"))
    rendered(tmp_path, "grey_alpha.mov", "-o", "grey.####.png")
    grey = codes(tmp_path / "grey.0001.png")
    assert np.all(grey[..., -1] == 255)
    assert grey[..., :-1].max() == 255


@pytest.mark.parametrize("encoder", ["libvpx", "libvpx-vp9"])
def test_alpha_of_webm_is_read(encoder: str, tmp_path: Path) -> None:
    """Each frame has an alpha of its own; a range that begins later has its own too."""
    with av.open(str(tmp_path / "plate.webm"), "w") as movie:
        stream: Any = movie.add_stream(encoder, rate=24, options={"auto-alt-ref": "0", "crf": "4", "b": "8M"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuva420p"
        stream.metadata["alpha_mode"] = "1"
        for place in range(8):
            picture = np.full((48, 64, 4), (200, 100, 50, 20 + 30 * place), np.uint8)
            movie.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgba").reformat(format="yuva420p")))
        movie.mux(stream.encode(None))
    rendered(tmp_path, "plate.webm", "-o", "out.####.png")
    rendered(tmp_path, "plate.webm", "-o", "later.####.png", "--frames", "5-7")
    for number in range(1, 9):
        assert np.abs(codes(tmp_path / f"out.{number:04d}.png")[:, :, 3] - (20 + 30 * (number - 1))).max() <= 2
    assert (codes(tmp_path / "later.0006.png") == codes(tmp_path / "out.0006.png")).all()


def test_grey_video_has_the_range_that_it_says(tmp_path: Path) -> None:
    case("18", tmp_path)
    rendered(tmp_path, "grey.mov", "-o", "out.####.png")
    shown = codes(tmp_path / "out.0001.png")
    width = shown.shape[1]
    assert shown[:, : width // 2 - 8].max() <= 2
    assert shown[:, width // 2 + 8 :].min() >= 253
    rendered(tmp_path, "grey.mov", "-o", "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as movie:
        luma = next(movie.decode(video=0)).to_ndarray()[: shown.shape[0]]
        assert movie.streams.video[0].codec_context.color_range == 1  # limited
    assert abs(int(luma[20, 20]) - 16) <= 1
    assert abs(int(luma[20, -20]) - 235) <= 1


def test_a_colon_in_a_name_is_no_protocol(tmp_path: Path) -> None:
    case("20", tmp_path)
    shutil.copy(tmp_path / "clip.mp4", tmp_path / "12:30 clip.mp4")
    rendered(tmp_path, "12:30 clip.mp4", "-o", "out.mp4")
    rendered(tmp_path, "clip.mp4", "-o", "take:2.mp4")
    assert len(stamps(tmp_path / "out.mp4")) == 12
    with (tmp_path / "take:2.mp4").open("rb") as file, av.open(file) as movie:
        assert len(list(movie.decode(video=0))) == 12


def test_one_stray_number_is_a_gap_and_no_range_in_memory(tmp_path: Path) -> None:
    stray = 20240517123000
    sequence(tmp_path, "shot.%04d.png", [1, 2, 3, stray])
    said = refused(tmp_path, "render", "shot.####.png", "--look", "identity", "-o", "out.####.png", "--dry-run")
    assert "--missing" in said
    assert f"1-3,{stray}" in said
    assert "(4 of 4)" in rendered(
        tmp_path, "shot.####.png", "-o", "out.####.png", "--frames", f"1-3,{stray}", "--dry-run"
    )
    skipped = rendered(tmp_path, "shot.####.png", "-o", "out.####.png", "--missing", "skip", "--dry-run")
    assert "(4 of 4)" in skipped
    for frames in ((), ("--frames", "1-5")):
        words = (
            "render",
            "shot.####.png",
            "--look",
            "identity",
            "-o",
            "out.####.png",
            "--missing",
            "hold",
            "--dry-run",
        )
        said = refused(tmp_path, *words, *frames)
        assert "--missing skip" in said
        assert "--missing hold" not in said
    counted = scumble("shots", "shot.####.png", cwd=tmp_path)
    assert counted.returncode == 0
    assert re.search(r"\b4 frames", counted.stdout), counted.stdout


@pytest.mark.parametrize(
    ("name", "out"), [("camera.mxf", "mov"), ("camera.mts", "mov"), ("camera.avi", "mov"), ("screen.webm", "mkv")]
)
def test_containers_are_opened_by_what_they_hold(name: str, out: str, tmp_path: Path) -> None:
    case("22", tmp_path)
    rendered(tmp_path, name, "-o", f"out.{out}")
    shown = stamps(tmp_path / f"out.{out}")
    assert [at - shown[0] for at in shown] == [Fraction(n, 25) for n in range(5)]
    if name == "camera.mts":
        with av.open(str(tmp_path / f"out.{out}")) as movie:
            assert [track.codec_context.name for track in movie.streams.audio] == ["ac3"]


def test_a_folder_with_a_version_in_its_name_is_a_folder(tmp_path: Path) -> None:
    sequence(tmp_path, "a.%04d.png", [1, 2])
    rendered(tmp_path, "a.####.png", "-o", "sh010.v002/")
    assert sorted(file.name for file in (tmp_path / "sh010.v002").glob("*.png")) == ["a.0001.png", "a.0002.png"]


def test_frames_of_one_stamp_are_all_kept(tmp_path: Path) -> None:
    case("24", tmp_path)
    rendered(tmp_path, "lag.mkv", "-o", "out.####.png")
    assert len(list(tmp_path.glob("out.*.png"))) == 10
    rendered(tmp_path, "lag.mkv", "-o", "out.mkv")
    shown = stamps(tmp_path / "out.mkv")
    assert len(shown) == 10
    assert shown == sorted(shown)


def test_a_dpx_holds_its_own_name(tmp_path: Path) -> None:
    sequence(tmp_path, "shot.%04d.png", [1, 2, 3])
    rendered(tmp_path, "shot.####.png", "-o", "out/shot.####.dpx")
    for number in (1, 2, 3):
        header = (tmp_path / "out" / f"shot.{number:04d}.dpx").read_bytes()[:768]
        assert header[36:136].rstrip(b"\0\xff") in (b"", b"shot.%04d.dpx" % number)


def test_brackets_without_end_are_refused(tmp_path: Path) -> None:
    deep = "[" * 20_000 + "]" * 20_000
    (tmp_path / "deep.toml").write_text(f"look = {deep}\n")
    (tmp_path / "looks.toml").write_text(f"1 = {deep}\n")
    sequence(tmp_path, "plate.%d.png", [1])
    assert "deep.toml" in refused(tmp_path, "render", "plate.1.png", "--settings", "deep.toml", "-o", "out.png")
    assert "looks.toml" in refused(tmp_path, "render", "plate.1.png", "--look", "looks.toml", "-o", "out.png")


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_under_the_temporary_name_is_not_written_through(tmp_path: Path) -> None:
    victim, file = tmp_path / "victim.txt", tmp_path / "a.png"
    victim.write_text("precious")
    part_of(file).symlink_to(victim)
    with written_whole(file) as part:
        part.write_bytes(b"picture")
    assert victim.read_text() == "precious"
    assert file.read_bytes() == b"picture"
    assert not file.is_symlink()


def until(ready: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Wait for something that a living process does."""
    began = time.monotonic()
    while not ready():
        assert process.poll() is None
        assert time.monotonic() - began < 120
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_stopped_render_says_so(name: str, tmp_path: Path) -> None:
    sequence(tmp_path, "shot.%04d.png", list(range(1, 1001)))
    command = Path(sys.executable).with_name("scumble")
    process = subprocess.Popen(
        [command, "render", "shot.####.png", "--look", "auvers", "-o", "out.####.png"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: list(tmp_path.glob("out.*")), process)
    stop = getattr(signal, name)
    process.send_signal(stop)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 128 + stop
    assert "scumble: stopped" in said
    assert "Traceback" not in said


def test_a_list_of_other_movies_is_no_movie(tmp_path: Path) -> None:
    case("20", tmp_path)
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile clip.mp4\n")
    assert "list.mp4" in refused(tmp_path, "render", "list.mp4", "--look", "identity", "-o", "out.mp4")


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux alone")
def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    sequence(tmp_path, "plate.%04d.png", [1, 2])
    for number in (1, 2):
        (tmp_path / f"plate.{number:04d}.png").rename(tmp_path / os.fsdecode(b"\xe9t\xe9.%04d.png" % number))
    case("20", tmp_path)
    (tmp_path / "clip.mp4").rename(tmp_path / os.fsdecode(b"\xe9.mp4"))
    pattern, movie = os.fsdecode(b"\xe9t\xe9.####.png"), os.fsdecode(b"\xe9.mp4")
    still = os.fsdecode(b"\xe9t\xe9.0001.png")
    for words in (
        ("render", pattern, "--look", "identity", "-o", "out.####.png"),
        ("render", movie, "--look", "identity", "-o", "out.mp4"),
        ("shots", pattern),
        ("look", "make", still, "-o", "x.look"),
        ("sheet", still, "--looks", "auvers", "-o", "sheet.png"),
        ("qc", pattern, pattern, "-o", "report.html"),
    ):
        assert "UTF-8" in refused(tmp_path, *words)


def test_a_picture_of_one_row_is_not_made_longer(tmp_path: Path) -> None:
    oiio.ImageBuf(np.zeros((1, 65536, 3), np.uint8)).write(str(tmp_path / "row.png"))
    said = rendered(tmp_path, "row.png", "-o", "out.png", "--dry-run")
    assert re.search(r"^network +65536x16,", said, re.MULTILINE)


def odd_frame(folder: Path, odd: str) -> None:
    """A sequence of 5 EXR whose third is odd."""
    for number in range(1, 6):
        spec = oiio.ImageSpec(64, 48, 4, oiio.HALF)
        spec.channelnames = ("R", "G", "B", "Z")
        if number == 3 and odd == "size":
            spec = oiio.ImageSpec(32, 48, 4, oiio.HALF)
            spec.channelnames = ("R", "G", "B", "Z")
        elif number == 3 and odd == "layer":
            spec.channelnames = ("r2", "g2", "b2", "Z")
        elif number == 3 and odd == "channel":
            spec.channelnames = ("R", "G", "B", "mask")
        elif number == 3 and odd == "space":
            spec.attribute(
                "chromaticities", oiio.TypeDesc("float[8]"), (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329)
            )
        output = oiio.ImageOutput.create("x.exr")
        output.open(str(folder / f"shot.{number:04d}.exr"), spec)
        output.write_image(np.full((spec.height, spec.width, 4), 0.2, np.float32))
        output.close()
        if number == 3 and odd == "header":
            (folder / "shot.0003.exr").write_bytes(b"not an EXR" * 20)


@pytest.mark.parametrize("odd", ["size", "layer", "channel", "space", "header"])
def test_a_frame_unlike_the_others_is_refused_before_work(odd: str, tmp_path: Path) -> None:
    odd_frame(tmp_path, odd)
    sentence = refused(tmp_path, "render", "shot.####.exr", "--look", "identity", "-o", "out.####.exr")
    assert "frame 3" in sentence
    assert not list(tmp_path.glob("out*"))
    assert "frame 3" in refused(
        tmp_path, "render", "shot.####.exr", "--look", "identity", "-o", "o.####.exr", "--dry-run"
    )
    rendered(tmp_path, "shot.####.exr", "-o", "out.####.exr", "--frames", "1-2,4-5")


@pytest.mark.parametrize("odd", ["config", "plate"])
def test_statistics_are_measured_again_when_what_they_are_of_has_changed(odd: str, tmp_path: Path) -> None:
    """A show's configuration changes, or a plate comes again with the same size and time: as on another machine."""
    config = (
        "ocio_profile_version: 2\nroles:\n  default: raw\n  aces_interchange: ACES2065-1\n  scene_linear: raw\ncolorspaces:\n"
        "  - !<ColorSpace>\n    name: raw\n    isdata: true\n  - !<ColorSpace>\n    name: ACES2065-1\n    encoding: scene-linear\n"
        "  - !<ColorSpace>\n    name: camera\n    encoding: scene-linear\n"
        "    to_scene_reference: !<MatrixTransform> {matrix: [GAIN, 0, 0, 0, 0, GAIN, 0, 0, 0, 0, GAIN, 0, 0, 0, 0, 1]}\n"
    )

    def arrive(gain: float) -> None:
        (tmp_path / "show.ocio").write_text(config.replace("GAIN", str(gain if odd == "config" else 1.0)))
        for number in (1, 2):
            ramp = np.linspace(0.02, 0.5 * (gain if odd == "plate" else 1.0), 64, dtype=np.float32)
            rows = np.repeat(ramp[None, :, None], 48, axis=0) * np.float32([1, 0.8, 0.6])
            path = tmp_path / f"shot.{number:04d}.dpx"
            oiio.ImageBuf(rows).write(str(path), oiio.UINT16)
            os.utime(path, (1_600_000_000, 1_600_000_000))

    def painted(name: str, cache: str) -> list[CODES]:
        words = (
            "render",
            "shot.####.dpx",
            "--look",
            "auvers",
            "-o",
            f"{name}.####.png",
            "--ocio",
            "show.ocio",
            "--in-space",
            "camera",
        )
        done = scumble(*words, cwd=tmp_path, cache=tmp_path / cache)
        assert done.returncode == 0, done.stderr
        return [codes(path) for path in sorted(tmp_path.glob(f"{name}.*.png"))]

    arrive(1.0)
    first = painted("first", "used")
    arrive(0.3)
    again, fresh = painted("again", "used"), painted("fresh", "new")
    assert all((a == b).all() for a, b in zip(again, fresh, strict=True))
    assert any((a != b).any() for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("size", [(320, 180), (480, 270), pytest.param((960, 540), marks=pytest.mark.full)])
def test_the_same_pictures_are_the_same_movie(size: tuple[int, int], tmp_path: Path) -> None:
    """H.264's rate control once depended on the timing of its threads."""
    width, height = size
    picture = cv2.GaussianBlur(
        np.random.default_rng(1).integers(0, 255, (height + 60, width + 100, 3), dtype=np.uint8), (0, 0), 3
    )
    made = set()
    for place in range(5):
        path = tmp_path / f"{place}.mp4"
        writer = open_writer(path, WriterSettings(size=size))
        for n in range(40):
            pixels = picture[n : n + height, 2 * n : 2 * n + width].astype(np.float32) / np.float32(255)
            writer.write(Frame(n, pixels, DISPLAY))
        writer.close()
        made.add(path.read_bytes())
    assert len(made) == 1


@pytest.mark.parametrize("suffix", ["dpx", "jpg", "png", "tif", "exr"])
@pytest.mark.parametrize("harm", ["zeros", "one byte"])
def test_a_frame_whose_bytes_have_changed_is_painted_again(harm: str, suffix: str, tmp_path: Path) -> None:
    """What a power cut or a stopped copy leaves: the right size, zeros from some byte on."""
    for number in (1, 2):
        noise = np.random.default_rng(number).integers(0, 255, (90, 160, 3), dtype=np.uint8)
        oiio.ImageBuf(noise).write(str(tmp_path / f"shot.{number:04d}.png"))
    words = ("shot.####.png", "-o", f"out.####.{suffix}")
    rendered(tmp_path, *words)
    second = tmp_path / f"out.0002.{suffix}"
    good = second.read_bytes()
    middle = len(good) * 2 // 3
    spoilt = (
        good[:middle] + bytes(len(good) - middle)
        if harm == "zeros"
        else (good[:middle] + bytes([good[middle] ^ 0x55]) + good[middle + 1 :])
    )
    second.write_bytes(spoilt)
    assert "1 were there already" in rendered(tmp_path, *words)
    assert second.read_bytes() == good
    assert "2 were there already" in rendered(tmp_path, *words)


@pytest.mark.parametrize("size", [(16384, 16384), (2000, 1000)])
def test_what_does_not_fit_in_memory_is_refused_before_it_is_read(
    size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """32 KB of PNG may be 268 million pixels; two million are too many for a machine with 100 MB left."""
    width, height = size
    pack = zlib.compressobj(9)
    rows = b"".join([pack.compress(bytes(1 + width // 8)) for _ in range(height)] + [pack.flush()])
    chunks = (b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b"")
    data = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    (tmp_path / "flat.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    assert (free_memory() or 1) > 0
    monkeypatch.setattr("scumble.media.plate.free_memory", lambda: 4_000_000_000 if width > 10_000 else 100_000_000)
    with pytest.raises(BadPlate, match=rf"flat.png: {width}x{height} pixels need .* GB are free; cut it into parts"):
        job_of(tmp_path / "flat.png", identity_look(), tmp_path / "out.png")
    monkeypatch.setattr("scumble.media.plate.free_memory", lambda: None)
    job_of(tmp_path / "flat.png", identity_look(), tmp_path / "out.png")
