"""A shot's whole way: the promises about pixels, as a user of the function would meet them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from helpers.pictures import picture, random_look

from scumble.core import colour
from scumble.core.errors import BadOutput, BadPlate, BadSettings
from scumble.core.frames import Frame, Metadata, Pixels
from scumble.look.shipped import find_look, identity_look, shipped_looks
from scumble.media.movie_writer import MovieWriter
from scumble.media.open import open_plate
from scumble.media.picture_reader import read_picture
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings
from scumble.rendering.job import job_of
from scumble.rendering.options import RenderSettings
from scumble.rendering.run import render


def write_sequence(pattern: Path, frames: dict[int, Pixels], space: str = colour.DISPLAY, bits: int = 8) -> Path:
    for number, pixels in frames.items():
        path = Path(str(pattern) % number)
        write_picture(path, Frame(number, pixels, space), WriterSettings(bits=bits))
    return pattern


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """Eight PNG frames 1001-1008 of 61x46 pixels in motion."""
    wide = picture(46, 90, 2)
    return write_sequence(tmp_path / "plate.%04d.png", {1001 + i: wide[:, i : i + 61] for i in range(8)})


def read_all(output: Path) -> dict[int, Pixels]:
    opened = open_plate(output)
    return {f.number: f.pixels for f in opened.read(opened.numbers)}


def test_any_subset_of_frames_equals_the_whole_shot(plate: Path, tmp_path: Path) -> None:
    look = random_look(1)
    render(plate, look, tmp_path / "whole.####.png")
    whole = read_all(tmp_path / "whole.####.png")
    assert list(whole) == list(range(1001, 1009))
    for name, numbers in (("half", (1001, 1002, 1003, 1004)), ("one", (1007,)), ("odd", (1002, 1005, 1008))):
        render(plate, look, tmp_path / f"{name}.####.png", RenderSettings(frames=numbers))
        part = read_all(tmp_path / f"{name}.####.png")
        assert tuple(part) == numbers
        for number in numbers:
            assert np.array_equal(part[number], whole[number]), number


def test_the_same_render_gives_the_same_bytes(plate: Path, tmp_path: Path) -> None:
    for name in "ab":
        render(plate, random_look(1), tmp_path / f"{name}.####.exr", RenderSettings(frames=(1003,)))
    assert (tmp_path / "a.1003.exr").read_bytes() == (tmp_path / "b.1003.exr").read_bytes()


@pytest.mark.parametrize("lines", [None, 23])
def test_identity_look_returns_the_plate(plate: Path, tmp_path: Path, lines: int | None) -> None:
    render(plate, identity_look(), tmp_path / "out.####.png", RenderSettings(lines=lines))
    sources = read_all(plate)
    for number, pixels in read_all(tmp_path / "out.####.png").items():
        if lines is None:
            assert np.array_equal(pixels, sources[number])
        else:  # painted at half size and brought back with the plate's detail
            assert np.abs(pixels - sources[number]).mean() < 0.01


def test_identity_look_returns_a_linear_plate(tmp_path: Path) -> None:
    """Through working space, bake, engine and back; a lamp at 12.0 stays a lamp; NaN, Inf and negatives pass."""
    pixels = colour.srgb_to_linear(picture(40, 52, 3))
    pixels[5:9, 5:9] = 12.0
    pixels[20, 20], pixels[21, 21], pixels[22, 22] = np.nan, np.inf, -0.25
    write_sequence(tmp_path / "plate.%04d.exr", {1: pixels, 2: pixels}, colour.LINEAR, 32)
    render(tmp_path / "plate.%04d.exr", identity_look(), tmp_path / "out.%04d.exr")
    out, _ = read_picture(tmp_path / "out.0001.exr")
    good = np.isfinite(pixels)
    np.testing.assert_allclose(out[good], pixels[good], rtol=2e-4, atol=2e-5)
    assert np.isnan(out[20, 20]).all()
    assert np.isinf(out[21, 21]).all()


def test_a_flat_plate_with_grain_stays_flat_and_a_bright_frame_stays_in_range(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = {i: (0.45 + rng.normal(0, 1 / 255, (64, 64, 3))).astype(np.float32) for i in range(1, 31)}
    frames[13] = np.full((64, 64, 3), 0.95, np.float32)  # not among the frames that are sampled
    write_sequence(
        tmp_path / "flat.%04d.exr", {n: colour.srgb_to_linear(f) for n, f in frames.items()}, colour.LINEAR, 32
    )
    settings = RenderSettings(frames=(2, 13))
    render(tmp_path / "flat.%04d.exr", random_look(2), tmp_path / "out.%04d.exr", settings)
    out = {n: colour.linear_to_srgb(p) for n, p in read_all(tmp_path / "out.%04d.exr").items()}
    inner = out[2][24:-24, 24:-24]
    assert float(inner.std(axis=(0, 1)).max()) < 0.08
    assert float(np.abs(out[13]).max()) < 4.0


@pytest.mark.parametrize("name", shipped_looks())
def test_shipped_looks_do_not_paint_contrast_into_grain(tmp_path: Path, name: str) -> None:
    """Without the pooled reference photograph grain of 1/255 comes out at a deviation of 0.8."""
    rng = np.random.default_rng(0)
    frames = {i: (0.45 + rng.normal(0, 1 / 255, (128, 128, 3))).astype(np.float32) for i in (1, 2)}
    frames[3] = np.full((128, 128, 3), 0.95, np.float32)
    write_sequence(tmp_path / "flat.%04d.png", frames, bits=16)
    render(tmp_path / "flat.%04d.png", find_look(name), tmp_path / "out.%04d.exr")
    out = {n: colour.linear_to_srgb(p) for n, p in read_all(tmp_path / "out.%04d.exr").items()}
    assert float(out[1][32:-32, 32:-32].std(axis=(0, 1)).max()) < 0.15
    assert float(np.abs(out[3]).max()) < 1.5


def test_a_still_plate_gives_identical_frames(tmp_path: Path) -> None:
    write_sequence(tmp_path / "still.%04d.png", dict.fromkeys(range(1, 5), picture(40, 56, 4)))
    render(tmp_path / "still.%04d.png", random_look(3), tmp_path / "out.%04d.png")
    first, *rest = read_all(tmp_path / "out.%04d.png").values()
    assert all(np.array_equal(first, other) for other in rest)


def test_strength_mixes_with_the_plate(plate: Path, tmp_path: Path) -> None:
    outs = {}
    for strength in (0.0, 0.5, 1.0):
        out = tmp_path / f"s{strength}" / "out.####.exr"
        render(plate, random_look(1), out, RenderSettings(frames=(1001,), strength=strength))
        outs[strength] = colour.linear_to_srgb(read_picture(out.parent / "out.1001.exr")[0])
    source = read_all(plate)[1001]
    np.testing.assert_allclose(outs[0.0], source, atol=1e-3)
    np.testing.assert_allclose(outs[0.5], (outs[0.0] + outs[1.0]) / 2, atol=4e-3)
    assert np.abs(outs[1.0] - outs[0.0]).mean() > 0.02


def test_stroke_and_lines_choose_the_networks_size(plate: Path, tmp_path: Path) -> None:
    def size(**more: object) -> tuple[int, int]:
        settings = RenderSettings(**more)  # type: ignore[arg-type]
        return job_of(plate, random_look(), tmp_path / "o.####.png", settings).plan.network_size

    assert size() == (61, 46)
    assert size(stroke=2.0) == (round(61 / 2), 23)
    assert size(lines=30) == (round(61 * 30 / 46), 30)
    assert size(lines=0) == (61, 46)


def movie(path: Path, count: int = 10, sound: bool = True, rate: Fraction = Fraction(24000, 1001)) -> Path:
    """A small H.264 movie, with a tone as PCM-coded AAC."""
    silent = path.with_name(f"silent{path.suffix}")
    writer = MovieWriter(silent, WriterSettings(frame_rate=rate, size=(64, 48)))
    wide = picture(48, 96, 5)
    for i in range(count):
        writer.write(Frame(i + 1, wide[:, 2 * i : 2 * i + 64], colour.DISPLAY))
    writer.close()
    if not sound:
        return silent.rename(path)
    with av.open(str(silent)) as source, av.open(str(path), "w") as output:
        video = output.add_stream_from_template(source.streams.video[0])
        audio = output.add_stream("aac", rate=48000, layout="mono")
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = video
                output.mux(packet)
        samples = round(48000 * count / rate)
        tone = (0.3 * np.sin(np.arange(samples) * 0.06)).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        frame.sample_rate = 48000
        output.mux(audio.encode(frame))
        output.mux(audio.encode(None))
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_movie_keeps_its_rate_length_and_sound(tmp_path: Path, suffix: str) -> None:
    source = movie(tmp_path / f"in{suffix}")
    seen: list[int] = []
    render(source, identity_look(), tmp_path / f"out{suffix}", tell=lambda e: seen.append(e.number))
    one, two = open_plate(source), open_plate(tmp_path / f"out{suffix}")
    assert seen == list(range(1, 11))
    assert (one.frame_rate, one.size, len(one.numbers)) == (two.frame_rate, two.size, len(two.numbers))
    with av.open(str(source)) as a, av.open(str(tmp_path / f"out{suffix}")) as b:
        assert b.streams.video[0].codec_context.colorspace == 1  # tagged Rec. 709
        before, after = ([bytes(p) for p in c.demux(audio=0) if p.size] for c in (a, b))
    assert before == after  # copied, not coded again
    for x, y in zip(one.read(one.numbers), two.read(two.numbers), strict=True):
        assert np.abs(x.pixels - y.pixels).mean() < 0.02
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted({source.name, f"out{suffix}", f"silent{suffix}"})


def test_part_of_a_movie_takes_its_part_of_the_sound(tmp_path: Path) -> None:
    source = movie(tmp_path / "in.mp4", 48)
    render(source, identity_look(), tmp_path / "out.mp4", RenderSettings(frames=tuple(range(25, 49))))
    with av.open(str(tmp_path / "out.mp4")) as container:
        audio = container.streams.audio[0]
        seconds = float(audio.duration * audio.time_base)
    assert seconds == pytest.approx(24 * 1001 / 24000, abs=0.05)


def test_frames_of_a_movie_are_found_by_number(tmp_path: Path) -> None:
    opened = open_plate(movie(tmp_path / "in.mp4", 30, sound=False), first_frame=1001)
    everything = {f.number: f.pixels for f in opened.read(opened.numbers)}
    assert list(everything) == list(range(1001, 1031))
    for numbers in ((1030,), (1003, 1004, 1029), (1001, 1017)):
        for frame in opened.read(numbers):
            assert np.array_equal(frame.pixels, everything[frame.number])


def test_a_sequence_becomes_a_movie(plate: Path, tmp_path: Path) -> None:
    render(plate, identity_look(), tmp_path / "out.mov", RenderSettings(frame_rate=Fraction(25)))
    out = open_plate(tmp_path / "out.mov")
    assert (out.frame_rate, len(out.numbers)) == (Fraction(25), 8)
    assert out.size == (62, 46)  # 4:2:0 needs even sides


def test_a_still(tmp_path: Path) -> None:
    write_picture(tmp_path / "in.png", Frame(1, picture(30, 41), colour.DISPLAY), WriterSettings())
    render(tmp_path / "in.png", identity_look(), tmp_path / "out.png")
    assert np.array_equal(read_picture(tmp_path / "out.png")[0], read_picture(tmp_path / "in.png")[0])


def test_a_folder_in_and_out(plate: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    folder = tmp_path / "in"
    folder.mkdir()
    for file in tmp_path.glob("plate.*.png"):
        file.rename(folder / file.name)
    render(folder, identity_look(), tmp_path / "out", RenderSettings(frames=(1002,)))
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["plate.1002.png"]


def test_what_is_in_the_way_or_missing_is_named(plate: Path, tmp_path: Path) -> None:
    (tmp_path / "out.1003.png").write_bytes(b"mine")
    with pytest.raises(BadOutput, match=r"out\.1003\.png.*--overwrite"):
        render(plate, identity_look(), tmp_path / "out.####.png")
    assert (tmp_path / "out.1003.png").read_bytes() == b"mine"
    with pytest.raises(BadOutput, match="the plate itself"):
        job_of(plate, identity_look(), plate, RenderSettings(overwrite=True)).output.check()
    with pytest.raises(BadPlate, match="frame 2000"):
        job_of(plate, identity_look(), tmp_path / "o.####.png", RenderSettings(frames=(1001, 2000)))
    (tmp_path / "plate.1004.png").unlink()
    with pytest.raises(BadPlate, match="frame 1004 is missing"):
        job_of(plate, identity_look(), tmp_path / "o.####.png", RenderSettings())
    with pytest.raises(BadOutput, match=r"o\.####\.png"):
        job_of(plate, identity_look(), tmp_path / "o.png", RenderSettings(frames=(1001, 1002)))
    with pytest.raises(BadSettings, match="from 0 to 1"):
        RenderSettings(strength=1.5)


def test_a_movie_is_finished_or_not_there(plate: Path, tmp_path: Path) -> None:
    (tmp_path / "plate.1006.png").write_bytes(b"broken")
    with pytest.raises(BadPlate, match=r"plate\.1006\.png"):
        render(plate, identity_look(), tmp_path / "out.mp4", RenderSettings(frames=tuple(range(1001, 1009))))
    assert not [p for p in tmp_path.iterdir() if "out" in p.name]


def test_every_frame_of_an_open_gop_movie_is_found(tmp_path: Path) -> None:
    """x265's default and common in mp4: frames that lead a key frame need the one before it."""
    path = tmp_path / "open.mp4"
    with av.open(str(path), "w") as container:
        options = {"x264-params": "open-gop=1:keyint=12:min-keyint=12:bframes=3:b-adapt=0:scenecut=0"}
        stream = container.add_stream("libx264", rate=24, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        wide = (picture(48, 200, 6) * 255).astype(np.uint8)
        for i in range(80):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(wide[:, i : i + 64]))))
        container.mux(stream.encode(None))
    opened = open_plate(path)
    everything = {f.number: f.pixels for f in opened.read(opened.numbers)}
    assert len(everything) == 80
    for number in opened.numbers:
        (frame,) = opened.read((number,))
        assert np.array_equal(frame.pixels, everything[number]), number


def test_pixel_aspect_and_rotation_are_kept(tmp_path: Path) -> None:
    source = tmp_path / "in.mov"
    writer = MovieWriter(source, WriterSettings(size=(64, 48), metadata=Metadata(pixel_aspect=Fraction(4, 3))))
    for i in range(3):
        writer.write(Frame(i + 1, picture(48, 64, 5), colour.DISPLAY))
    writer.close()
    render(source, identity_look(), tmp_path / "out.mov")
    for path in (source, tmp_path / "out.mov"):
        with av.open(str(path)) as container:
            assert container.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


def test_a_picture_turned_by_its_tag_is_painted_upright(tmp_path: Path) -> None:
    import OpenImageIO as oiio

    spec = oiio.ImageSpec(40, 30, 3, oiio.UINT8)
    spec.attribute("Orientation", 6)
    output = oiio.ImageOutput.create(str(tmp_path / "phone.jpg"))
    output.open(str(tmp_path / "phone.jpg"), spec)
    output.write_image((picture(30, 40) * 255).astype(np.uint8))
    output.close()
    render(tmp_path / "phone.jpg", identity_look(), tmp_path / "out.png")
    assert open_plate(tmp_path / "out.png").size == (30, 40)


@pytest.mark.parametrize("suffix", [".png", ".exr"])
def test_alpha_is_kept_and_its_colours_are_painted_straight(tmp_path: Path, suffix: str) -> None:
    rgb, alpha = picture(40, 40, 7), np.zeros((40, 40, 1), np.float32)
    alpha[:, 10:20], alpha[:, 20:] = 64 / 255, 1
    plate = tmp_path / f"in{suffix}"
    if suffix == ".exr":
        rgb = colour.srgb_to_linear(rgb)
        rgb[:, :10] = 0
    space = colour.LINEAR if suffix == ".exr" else colour.DISPLAY
    write_picture(plate, Frame(1, rgb, space, alpha), WriterSettings(bits=32 if suffix == ".exr" else 8))
    render(plate, identity_look(), tmp_path / f"same{suffix}")
    same, its_alpha = read_picture(tmp_path / f"same{suffix}")
    before, alpha_before = read_picture(plate)
    assert its_alpha is not None
    assert np.array_equal(its_alpha, alpha_before)
    np.testing.assert_allclose(same, before, atol=2e-4)
    render(plate, random_look(1), tmp_path / f"painted{suffix}")
    painted, _ = read_picture(tmp_path / f"painted{suffix}")
    assert np.array_equal(painted[:, :10], before[:, :10])  # where nothing is, nothing is painted
    assert np.abs(painted[:, 10:] - before[:, 10:]).mean() > 0.02


def test_an_exr_is_read_in_its_display_window_and_its_own_layer(tmp_path: Path) -> None:
    import OpenImageIO as oiio

    spec = oiio.ImageSpec(20, 10, 5, oiio.HALF)
    spec.x, spec.y, spec.full_width, spec.full_height = 8, 6, 64, 48
    spec.channelnames = ("Crypto00.A", "B", "G", "R", "albedo.R")
    pixels = np.broadcast_to(np.float32([0.9, 0.3, 0.2, 0.1, 0.7]), (10, 20, 5))
    output = oiio.ImageOutput.create(str(tmp_path / "cg.exr"))
    output.open(str(tmp_path / "cg.exr"), spec)
    output.write_image(np.ascontiguousarray(pixels))
    output.close()
    assert open_plate(tmp_path / "cg.exr").size == (64, 48)
    rgb, alpha = read_picture(tmp_path / "cg.exr")
    assert alpha is None
    assert rgb.shape == (48, 64, 3)
    np.testing.assert_allclose(rgb[10, 20], [0.1, 0.2, 0.3], atol=1e-3)
    assert not rgb[:6].any()


def test_ten_bit_dpx_keeps_its_codes(tmp_path: Path) -> None:
    codes = np.arange(1024, dtype=np.float32).reshape(16, 64)
    pixels = np.repeat(codes[:, :, None], 3, axis=2) / np.float32(1023)
    write_picture(tmp_path / "ramp.dpx", Frame(1, pixels, colour.DISPLAY), WriterSettings(bits=10))
    assert open_plate(tmp_path / "ramp.dpx").bits == 10
    back, _ = read_picture(tmp_path / "ramp.dpx")
    assert np.array_equal(np.round(back * 1023), np.round(pixels * 1023))


@pytest.mark.parametrize("name", ["hero@2x.png", "C#_cover.png"])
def test_marks_inside_a_stills_name_are_not_frame_numbers(tmp_path: Path, name: str) -> None:
    write_picture(tmp_path / "in.png", Frame(1, picture(30, 41), colour.DISPLAY), WriterSettings())
    render(tmp_path / "in.png", identity_look(), tmp_path / name)
    assert (tmp_path / name).is_file()


def test_the_plate_is_never_overwritten_however_it_is_spelled(
    plate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    one, again = RenderSettings(frames=(1002,), overwrite=True), RenderSettings(overwrite=True)
    for source, output, settings in (
        (plate, tmp_path / "plate.####.png", again),
        (plate, Path("plate.%04d.png"), again),
        (plate, tmp_path / "plate.1002.png", one),
        (tmp_path, tmp_path, again),
    ):
        with pytest.raises(BadOutput, match="the plate itself"):
            job_of(source, identity_look(), output, settings).output.check()


def test_sound_keeps_its_place_when_the_picture_starts_late(tmp_path: Path) -> None:
    """Picture from 0.5 s on: whole and part start their sound where the picture starts."""
    source, late = movie(tmp_path / "in.mkv", 48), tmp_path / "late.mkv"
    with av.open(str(source)) as a, av.open(str(late), "w") as b:
        streams = [b.add_stream_from_template(s) for s in a.streams]
        for packet in a.demux():
            if packet.size and packet.pts is not None:
                stream = streams[packet.stream.index]
                if stream.type == "video":
                    packet.pts += round(Fraction(1, 2) / packet.time_base)
                    packet.dts = None if packet.dts is None else packet.dts + round(Fraction(1, 2) / packet.time_base)
                packet.stream = stream
                b.mux(packet)

    def sound(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(p) for p in container.demux(audio=0) if p.size]

    render(late, identity_look(), tmp_path / "whole.mkv")
    render(late, identity_look(), tmp_path / "part.mkv", RenderSettings(frames=tuple(range(1, 48))))
    everything, whole, part = sound(late), sound(tmp_path / "whole.mkv"), sound(tmp_path / "part.mkv")
    assert 20 <= len(everything) - len(whole) <= 26  # half a second of 1024 samples at 48 kHz
    assert whole[: len(part)] == part


def test_the_output_names_look_and_version(plate: Path, tmp_path: Path) -> None:
    render(plate, identity_look(), tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert "look identity" in container.metadata["comment"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows tells no peak memory of a child")
@pytest.mark.parametrize(("few", "many"), [(60, 300), pytest.param(500, 5000, marks=pytest.mark.full)])
@pytest.mark.parametrize(
    "options", [[], pytest.param(["--stabilize", "flow", "--grain", "keep"], marks=pytest.mark.full)]
)
def test_memory_does_not_grow_with_the_shot(few: int, many: int, options: list[str], tmp_path: Path) -> None:
    """A looped movie, its shots found anew: the peak is that of a short one."""

    def peak(count: int) -> int:
        clip = tmp_path / f"{count}.mp4"
        writer = MovieWriter(clip, WriterSettings(size=(160, 96)))
        for i in range(count):
            writer.write(Frame(i + 1, picture(96, 160, i // 100 % 4), colour.DISPLAY))
        writer.close()
        command = [Path(sys.executable).with_name("scumble"), "render", clip, "--look", "identity", *options]
        command += ["-o", tmp_path / f"out{count}.mp4", "--progress", "none"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with subprocess.Popen([str(word) for word in command], env=environment) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    # 240 more frames of plate and painting in float32 would be 88 MB
    assert peak(many) < peak(few) + 40e6


def test_a_part_with_and_without_the_hole_equals_the_whole(tmp_path: Path) -> None:
    for n in (*range(1, 9), *range(10, 13)):
        write_picture(tmp_path / f"p.{n:02}.png", Frame(n, picture(48, 64, n), colour.DISPLAY), WriterSettings())
    hold = RenderSettings(missing="hold")
    whole = render(tmp_path / "p.##.png", random_look(3), tmp_path / "a.##.png", hold)
    for name, frames in (("b", (2, 3)), ("c", (8, 9, 10))):
        part = render(tmp_path / "p.##.png", random_look(3), tmp_path / f"{name}.##.png", replace(hold, frames=frames))
        for n, file in zip(frames, part.files, strict=True):
            np.testing.assert_array_equal(read_picture(file)[0], read_picture(whole.files[n - 1])[0])
    strict = RenderSettings(frames=(2, 3))  # what is missing elsewhere does not change the statistics
    plain = render(tmp_path / "p.##.png", random_look(3), tmp_path / "d.##.png", strict)
    np.testing.assert_array_equal(read_picture(plain.files[0])[0], read_picture(whole.files[1])[0])
