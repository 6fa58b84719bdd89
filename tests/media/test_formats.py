"""Every format, depth and codec in and out, read back by an outside client; writes the table in docs/formats.md.

`SCUMBLE_WRITE_DOCS=1 pytest tests/media/test_formats.py` writes the table anew.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, get_args

import av
import numpy as np
import OpenImageIO as oiio
import pytest
from helpers.command import scumble
from helpers.exr import tool
from helpers.pictures import scene

from scumble.core.colour import DISPLAY, LINEAR, linear_to_srgb, srgb_to_linear
from scumble.core.frames import Frame, Metadata
from scumble.core.pixels import resized
from scumble.look.shipped import identity_look
from scumble.media.codecs import CODECS, CONTAINERS
from scumble.media.h273 import CAMERA_CURVES, CURVES, PRIMARIES
from scumble.media.movie_pixels import NEAREST
from scumble.media.movie_writer import MovieWriter
from scumble.media.open import open_plate
from scumble.media.picture_reader import read_picture
from scumble.media.picture_writer import write_picture
from scumble.media.plate import STILLS as STILL_SUFFIXES
from scumble.media.plate import WRITTEN_MOVIES, WriterSettings
from scumble.media.timecode import later
from scumble.media.tracks import takers_of
from scumble.media.yuv import LUMA, YCGCO
from scumble.rendering.job import job_of
from scumble.rendering.options import RenderSettings
from scumble.rendering.run import render

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
BEGIN, END = "<!-- table: tests/media/test_formats.py -->\n", "<!-- end of table -->\n"
WIDTH, HEIGHT = 256, 144
RATE = Fraction(24000, 1001)


class Still(NamedTuple):
    """A row: suffix, bits, what OpenImageIO calls the depth, the most that a code may be off, what is kept."""

    suffix: str
    bits: int
    depth: str
    off: float
    kept: str


STILLS = [
    Still("exr", 16, "half", 0, "alpha, all layers, parts, windows and attributes, timecode, rate, reel"),
    Still("exr", 32, "float", 0, "as above"),
    Still("dpx", 10, "10 bits", 0, "timecode, rate, reel"),
    Still("dpx", 12, "12 bits", 0, "as above"),
    Still("dpx", 16, "16 bits", 0, "as above"),
    Still("tif", 8, "8 bits", 0, "alpha, camera attributes"),
    Still("tif", 16, "16 bits", 0, "as above"),
    Still("tif", 32, "float", 0, "as above; linear"),
    Still("png", 8, "8 bits", 0, "alpha, camera attributes"),
    Still("png", 16, "16 bits", 0, "as above"),
    Still("jpg", 8, "8 bits", 12, "camera attributes; lossy"),
    Still("webp", 8, "8 bits", 12, "alpha; lossy, no attributes: no resuming"),
]
PROBED = {
    "h264": ("h264", "High", "yuv420p"),
    "h264-10": ("h264", "High 10", "yuv420p10le"),
    "hevc": ("hevc", "Main", "yuv420p"),
    "hevc-10": ("hevc", "Main 10", "yuv420p10le"),
    "prores-proxy": ("prores", "Proxy", "yuv422p10le"),
    "prores-lt": ("prores", "LT", "yuv422p10le"),
    "prores": ("prores", "Standard", "yuv422p10le"),
    "prores-hq": ("prores", "HQ", "yuv422p10le"),
    "prores-4444": ("prores", "4444", "yuva444p12le"),
    "prores-4444xq": ("prores", "XQ", "yuva444p12le"),
    "dnxhr-lb": ("dnxhd", "DNXHR LB", "yuv422p"),
    "dnxhr-sq": ("dnxhd", "DNXHR SQ", "yuv422p"),
    "dnxhr-hq": ("dnxhd", "DNXHR HQ", "yuv422p"),
    "dnxhr-hqx": ("dnxhd", "DNXHR HQX", "yuv422p10le"),
    "dnxhr-444": ("dnxhd", "DNXHR 444", "yuv444p10le"),
    "ffv1": ("ffv1", "", "bgr0"),
    "ffv1-10": ("ffv1", "", "gbrp10le"),
    "ffv1-16": ("ffv1", "", "gbrp16le"),
}


def test_every_codec_and_container_is_known_here_and_to_the_api() -> None:
    """A new line in `CODECS` needs one in PROBED; a new container one in `WRITTEN_MOVIES` and in the API's formats."""
    assert set(PROBED) == set(CODECS), "say in PROBED what ffprobe calls the new codec"
    assert set(CONTAINERS) == WRITTEN_MOVIES
    assert all(set(codec.suffixes) <= set(CONTAINERS) for codec in CODECS.values())
    pytest.importorskip("pydantic")
    from scumble.studio.requests import Render

    asked = {f".{word}" for word in get_args(Render.model_fields["format"].annotation) if word}
    assert asked == (WRITTEN_MOVIES | STILL_SUFFIXES) - {".m4v", ".jpeg", ".tiff"}  # other names of the same


@pytest.mark.parametrize("name", [name for name, codec in CODECS.items() if codec.has_crf])
def test_quality_reaches_the_encoder(name: str, tmp_path: Path) -> None:
    sizes = []
    for quality in (10, 90):
        settings = WriterSettings(size=(WIDTH, HEIGHT), codec=name, quality=quality)
        writer = MovieWriter(tmp_path / f"{quality}.mkv", settings)
        for n in range(4):
            writer.write(Frame(n + 1, scene(n, HEIGHT, WIDTH).clip(0, 1), DISPLAY))
        writer.close()
        sizes.append((tmp_path / f"{quality}.mkv").stat().st_size)
    assert sizes[0] < 0.7 * sizes[1]


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_movie_of_few_frames_is_written(suffix: str, count: int, tmp_path: Path) -> None:
    """Ten times: x265 writes decoding times of one or two frames by chance."""
    for _ in range(10):
        writer = MovieWriter(tmp_path / f"short{suffix}", WriterSettings(size=(64, 48), codec="hevc-10"))
        for n in range(count):
            writer.write(Frame(n + 1, np.full((48, 64, 3), 0.2 * n, np.float32), DISPLAY))
        writer.close()
        with av.open(str(tmp_path / f"short{suffix}")) as movie:
            found = [float(f.pts * f.time_base) for f in movie.decode(video=0)]
        assert found == pytest.approx([n / 24 for n in range(count)], abs=1e-3)  # Matroska counts milliseconds


def shown(n: int) -> Any:
    """Smooth pictures in strong colours: codecs are judged by their codes, not by what they throw away."""
    return resized(scene(n, HEIGHT, WIDTH)[::24, ::24], (WIDTH, HEIGHT)).clip(0, 1)


SOUND = ("aac", "ac3", "eac3", "mp3", "mp2", "opus", "flac", "alac", "pcm_s16le", "pcm_s24le")  # encoders

# what becomes of what a plate brings, and the test that shows it
CARRIED = [
    ("sound, subtitles, their language, title and flags", "copied from movie to movie", "what_tracks_say_goes_along"),
    ("chapters", "cut to the frames that are rendered", "chapters_of_a_range_count_from_its_first_frame"),
    ("sound that the output does not take", "refused before any work, with the container that takes it",
     "sound_that_a_container_does_not_take_is_refused_before_work"),
    ("sound without a decoder, or that no output takes", "left out with a note", "sound_without_a_decoder_is_left_out_with_a_note"),
    ("sound whose stamps repeat or fall back", "put right", "sound_whose_stamps_repeat_is_put_right"),
    ("times of frames, a held last frame", "kept from movie to movie", "a_last_frame_that_is_held_keeps_its_length"),
    ("frames of one stamp", "all kept, with a note", "frames_of_one_stamp_are_all_kept"),
    ("an open GOP without its beginning", "left out with a note", "a_movie_cut_within_an_open_gop_gives_what_can_be_decoded"),
    ("timecode", "counts on at the file's own rate", "timecode_counts_at_the_rate_of_the_file"),
    ("a timecode that is none", "left out with a note", "a_timecode_that_is_none_is_said"),
    ("primaries, curve, matrix, range", "as they were", "all_primaries_and_curves_come_back"),
    ("mastering display, MaxCLL, MaxFALL", "into H.264 and HEVC, else a note", "hdr10_metadata_goes_along"),
    ("alpha of VP8, VP9, PNG, ProRes, FFV1", "kept where the output has alpha", "alpha_of_webm_is_read"),
    ("a display matrix, mirrored too", "upright, with a note", "a_mirrored_movie_is_shown_as_players_show_it"),
    ("an ICC profile", "read, and kept by pictures", "pictures_take_the_profile_along"),
    ("cICP, gAMA, cHRM of a PNG", "read, and kept by a PNG", "gamma_and_primaries_go_back_with_the_codes"),
    ("frames of a WebP, PNG or GIF that moves", "all, with their times", "all_frames_come_in_at_their_rate"),
    ("pages of a TIFF", "all, where they have one size", "pages_of_one_size_are_frames"),
    ("both eyes of a stereo EXR", "painted with one set of statistics", "both_eyes_are_painted_with_one_set_of_statistics"),
    ("an EXR of Y, RY and BY", "becomes RGB", "luminance_and_chroma_are_read_as_colours"),
    ("a frame of another size, layer, channels or space", "refused by number before work",
     "a_frame_unlike_the_others_is_refused_before_work"),
]  # fmt: skip


def sound_rows() -> list[str]:
    """Which containers take which sound, found as a render finds it: by writing headers."""
    rows = ["| sound | into |", "|---|---|"]
    for name in SOUND:
        track = io.BytesIO()
        with av.open(track, "w", format="matroska") as container:
            stream: Any = container.add_stream(name, rate=48000, layout="stereo")
            silence = av.AudioFrame(stream.format.name, "stereo", stream.frame_size or 1024)
            silence.sample_rate = 48000
            for plane in silence.planes:
                plane.update(bytes(plane.buffer_size))
            container.mux([*stream.encode(silence), *stream.encode(None)])
        track.seek(0)
        with av.open(track) as container:
            rows.append(f"| {name} | {' '.join(takers_of(container.streams.audio[0]))} |")
    return rows


def colour_rows() -> list[str]:
    """Every number of H.273 that has a space or a matrix here."""
    others = {8: "linear", 16: "PQ", 18: "HLG", **{number: name for number, (name, _) in CURVES.items()}}
    curves = dict.fromkeys(sorted(CAMERA_CURVES), "as sRGB codes") | others
    near = {number: f"{name}, as {near}" for number, (near, name) in NEAREST.items()}
    matrices = {**dict.fromkeys((*LUMA, YCGCO, 12), "exact"), **near}
    rows = ["| number | primaries | curve | matrix |", "|---|---|---|---|"]
    for number in sorted(PRIMARIES.keys() | curves.keys() | matrices.keys()):
        name = PRIMARIES[number][0] if number in PRIMARIES else ""
        rows.append(f"| {number} | {name} | {curves.get(number, '')} | {matrices.get(number, '')} |")
    return rows


def test_what_the_page_says_is_carried_has_a_test() -> None:
    tests = "\n".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert [name for _, _, name in CARRIED if f"def test_{name}(" not in tests] == []


def table() -> str:
    lines = ["| picture | depth | error of a code through the identity | kept |", "|---|---|---|---|"]
    for row in STILLS:
        off = "none" if not row.off else f"at most {row.off:g} of 255"
        lines.append(f"| {row.suffix} | {row.depth} | {off} | {row.kept} |")
    lines += ["", "| `--codec` | in | FFmpeg's name, profile, pixels | bits | alpha |", "|---|---|---|---|---|"]
    for name, codec in CODECS.items():
        encoder, profile, _ = PROBED[name]
        said = " ".join(filter(None, (encoder, profile, codec.pixels)))
        lines.append(
            f"| {name} | {' '.join(codec.suffixes)} | {said} | {codec.bits} | {'yes' if codec.with_alpha else ''} |"
        )
    lines += ["", "| what a plate brings | what becomes of it |", "|---|---|"]
    lines += [f"| {what} | {becomes} |" for what, becomes, _ in CARRIED]
    lines += ["", *sound_rows(), "", *colour_rows()]
    return "\n".join(lines) + "\n"


def test_the_page_says_what_is_tested_here() -> None:
    page = PAGE.read_text("utf-8")
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    if os.environ.get("SCUMBLE_WRITE_DOCS"):
        PAGE.write_text(head + BEGIN + table() + END + tail, "utf-8")
    lines = (head + BEGIN + table() + END + tail).splitlines()
    assert [line for line in PAGE.read_text("utf-8").splitlines() if line not in lines] == []  # short, to be read
    assert PAGE.read_text("utf-8").splitlines() == lines


@pytest.mark.parametrize("row", STILLS, ids=lambda row: f"{row.suffix}-{row.bits}")
def test_pictures(row: Still, tmp_path: Path) -> None:
    linear = row.suffix == "exr" or row.bits == 32
    pixels = srgb_to_linear(shown(1)) if linear else shown(1)
    alpha = np.linspace(0.25, 1, WIDTH, dtype=np.float32)[None, :, None].repeat(HEIGHT, axis=0)
    takes_alpha = "alpha" in row.kept or (row.bits in (16, 32) and row.suffix in ("tif", "png", "exr"))
    source = Frame(
        7, pixels, LINEAR if linear else DISPLAY, alpha if takes_alpha else None,
        Metadata("01:02:03:04", RATE, "A001C002", attributes={"Make": ("string", "ARRI")}),
    )  # fmt: skip
    write_picture(tmp_path / f"p.1007.{row.suffix}", source, WriterSettings(bits=row.bits))
    plate = open_plate(tmp_path / f"p.####.{row.suffix}")
    assert plate.bits == row.bits
    done = render(tmp_path / f"p.####.{row.suffix}", identity_look(), tmp_path / f"o.####.{row.suffix}")
    assert done.files[0].name == f"o.1007.{row.suffix}"
    before, after = (read_picture(tmp_path / f"{name}.1007.{row.suffix}") for name in "po")
    assert np.abs(before[0] - after[0]).max() <= row.off / 255
    if takes_alpha:
        np.testing.assert_array_equal(before[1], after[1])
    metadata = open_plate(tmp_path / f"o.####.{row.suffix}").metadata(1007)
    if "timecode" in row.kept or (row.kept == "as above" and row.suffix in ("exr", "dpx")):
        assert metadata.timecode == "01:02:03:04"
        assert metadata.frame_rate == pytest.approx(RATE, rel=1e-6)
        assert metadata.reel == "A001C002"
    if row.suffix not in ("dpx", "webp"):
        assert metadata.attributes.get("Make") == ("string", "ARRI")
    # an outside client
    said = subprocess.run(
        [tool("oiiotool"), "--info", "-v", done.files[0]], check=True, capture_output=True, text=True
    ).stdout
    assert f"{WIDTH} x  {HEIGHT}" in said
    wanted = {"half": "half", "float": "float", "8 bits": "uint8", "16 bits": "uint16"}.get(row.depth)
    assert (f"{row.depth.split()[0]}" if wanted is None else wanted) in said
    if row.suffix != "webp":
        assert "Scumble " in said
        assert "look identity" in said
    if not row.off:
        subprocess.run(
            [tool("idiff"), tmp_path / f"p.1007.{row.suffix}", done.files[0]], check=True, capture_output=True
        )


def probed(path: Path) -> dict[str, Any]:
    """What ffprobe says of a movie's picture."""
    command = [tool("ffprobe"), "-v", "error", "-count_frames", "-select_streams", "v:0", "-show_streams"]
    said = subprocess.run(
        [*command, "-show_entries", "format_tags", "-of", "json", path], check=True, capture_output=True, text=True
    ).stdout
    found = json.loads(said)
    return {**found["streams"][0], "format": found.get("format", {})}


def decoded(path: Path) -> Any:
    """All frames as FFmpeg's own program decodes them, in 16 bits a channel."""
    command = [tool("ffmpeg"), "-v", "error", "-i", path, "-vf", "scale=flags=accurate_rnd+full_chroma_int+bicubic"]
    raw = subprocess.run(
        [*command, "-f", "rawvideo", "-pix_fmt", "gbrpf32le", "-"], check=True, capture_output=True
    ).stdout
    planes = np.frombuffer(raw, "<f4").reshape(-1, 3, HEIGHT, WIDTH)
    return np.stack([planes[:, 2], planes[:, 0], planes[:, 1]], axis=3)


@pytest.mark.parametrize("name", list(CODECS))
def test_movies(name: str, tmp_path: Path) -> None:
    codec = CODECS[name]
    for n in range(1001, 1005):
        write_picture(
            tmp_path / f"p.{n}.png",
            Frame(
                n, shown(n - 1001), DISPLAY, np.full((HEIGHT, WIDTH, 1), 0.5, np.float32) if codec.with_alpha else None
            ),
            WriterSettings(bits=16),
        )
    output = tmp_path / f"o{codec.suffixes[-1]}"
    settings = RenderSettings(codec=name, frame_rate=RATE, quality=95)
    job = job_of(tmp_path / "p.####.png", identity_look(), output, settings)
    assert f"{name}, {codec.bits} bits" in str(job)
    render(tmp_path / "p.####.png", identity_look(), output, settings)
    own = open_plate(output)
    assert (own.size, len(own.numbers), own.frame_rate) == ((WIDTH, HEIGHT), 4, RATE)
    shown_again = np.stack([frame.pixels for frame in own.read(own.numbers)])
    plate = np.stack([shown(n) for n in range(4)])
    assert abs(float((shown_again - plate).mean())) < 0.5 / 255, "a bias"
    assert np.sqrt(np.square(shown_again - plate).mean()) < (0.001 if name.startswith("ffv1") else 4 / 255)
    if codec.with_alpha:
        (frame,) = own.read(own.numbers[:1])
        assert frame.alpha is not None
        np.testing.assert_allclose(frame.alpha, 0.5, atol=1.5 / 1023)
    # outside clients
    said = probed(output)
    encoder, profile, pixels = PROBED[name]
    if codec.with_alpha and encoder == "ffv1":
        pixels = codec.with_alpha
    assert said["codec_name"] == encoder
    assert profile in said.get("profile", "")
    assert said["pix_fmt"] == pixels
    assert (said["width"], said["height"], said["nb_read_frames"]) == (WIDTH, HEIGHT, "4")
    assert Fraction(said["r_frame_rate"]) == RATE
    if encoder != "ffv1":  # RGB has no matrix
        assert (said["color_space"], said["color_primaries"], said["color_transfer"]) == ("bt709",) * 3
    if encoder == "hevc":
        copied = probed_suffix(tmp_path, name)
        assert copied["codec_tag_string"] == "hvc1"
    if codec.bits > 8:
        assert np.sqrt(np.square(decoded(output) - plate).mean()) < (0.002 if encoder == "ffv1" else 4 / 255)


def probed_suffix(folder: Path, name: str) -> dict[str, Any]:
    output = folder / "tagged.mov"
    render(folder / "p.####.png", identity_look(), output, RenderSettings(codec=name, frames=(1001,)))
    return probed(output)


def test_timecode_reel_and_rate_travel_between_movies_and_sequences(tmp_path: Path) -> None:
    start = Metadata("00:59:59;28", Fraction(30000, 1001), "A003")
    settings = WriterSettings(
        size=(WIDTH, HEIGHT), bits=10, codec="prores-hq", frame_rate=Fraction(30000, 1001), metadata=start
    )
    writer = MovieWriter(tmp_path / "p.mov", settings)
    for n in range(4):
        writer.write(Frame(n, shown(n), DISPLAY))
    writer.close()
    render(tmp_path / "p.mov", identity_look(), tmp_path / "s.####.exr", RenderSettings(first_frame=1001, cuts="none"))
    sequence = open_plate(tmp_path / "s.####.exr")
    assert sequence.numbers == (1001, 1002, 1003, 1004)
    assert sequence.frame_rate == Fraction(30000, 1001)
    # drop-frame: two numbers are left out at the full minute, but not at every tenth
    assert [sequence.metadata(n).timecode for n in sequence.numbers] == [
        "00:59:59;28", "00:59:59;29", "01:00:00;00", "01:00:00;01",
    ]  # fmt: skip
    assert later("00:00:59;29", 1, Fraction(30000, 1001)) == "00:01:00;02"
    assert later("23:59:59:23", 1, Fraction(24)) == "00:00:00:00"
    assert sequence.metadata(1001).reel == "A003"
    render(tmp_path / "s.####.exr", identity_look(), tmp_path / "o.mov", RenderSettings(frames=(1003, 1004)))
    said = subprocess.run([tool("mediainfo"), tmp_path / "o.mov"], check=True, capture_output=True, text=True).stdout
    assert "01:00:00;00" in said
    assert "29.970" in said
    assert "ProRes" in said
    assert open_plate(tmp_path / "o.mov").metadata(1).timecode == "01:00:00;00"


def test_a_frame_that_is_repeated_has_its_own_timecode(tmp_path: Path) -> None:
    for n in (1, 2, 5):
        code = Metadata(f"01:00:00:{n:02}", Fraction(24))
        write_picture(tmp_path / f"p.{n:04}.exr", Frame(n, shown(n), LINEAR, None, code), WriterSettings(bits=16))
    for suffix in ("exr", "dpx"):
        render(tmp_path / "p.####.exr", identity_look(), tmp_path / f"o.####.{suffix}", RenderSettings(missing="hold"))
        found = open_plate(tmp_path / f"o.####.{suffix}")
        assert [found.metadata(n).timecode for n in found.numbers] == [f"01:00:00:{n:02}" for n in range(1, 6)]


def test_a_varying_rate_is_kept_from_movie_to_movie(tmp_path: Path) -> None:
    times = tuple(Fraction(n, 30) for n in (0, 1, 2, 5, 6, 9, 10))
    settings = WriterSettings(size=(WIDTH, HEIGHT), times=times, time_base=Fraction(1, 30), frame_rate=Fraction(20))
    writer = MovieWriter(tmp_path / "p.mp4", settings)
    for n in range(len(times) - 1):
        writer.write(Frame(n, shown(n), DISPLAY))
    writer.close()
    job = job_of(tmp_path / "p.mp4", identity_look(), tmp_path / "o.mp4", RenderSettings())
    assert "the plate's frame rate varies: the times of its frames are kept" in str(job)
    render(tmp_path / "p.mp4", identity_look(), tmp_path / "o.mp4", RenderSettings())
    for name in ("p", "o"):
        with av.open(str(tmp_path / f"{name}.mp4")) as container:
            found = sorted(float(p.pts * p.time_base) for p in container.demux(video=0) if p.pts is not None)
        np.testing.assert_allclose(found, [float(t) for t in times[:-1]], atol=1e-3)


def test_alpha_is_kept_as_its_file_holds_it(tmp_path: Path) -> None:
    """Associated and unassociated TIFF, straight PNG to premultiplied EXR, and what has no alpha stands over black."""
    straight, alpha = np.full((32, 48, 3), 0.5, np.float32), np.full((32, 48, 1), 0.5, np.float32)
    alpha[:, :8] = 0
    straight[:, :8] = 1
    spec = oiio.ImageSpec(48, 32, 4, oiio.UINT16)
    spec.attribute("oiio:UnassociatedAlpha", 0)
    output = oiio.ImageOutput.create(str(tmp_path / "p.tif"))
    output.open(str(tmp_path / "p.tif"), spec)
    output.write_image(np.concatenate([straight * alpha, alpha], axis=2))
    output.close()
    render(tmp_path / "p.tif", identity_look(), tmp_path / "o.tif")
    subprocess.run([tool("idiff"), "-fail", "0.00004", tmp_path / "p.tif", tmp_path / "o.tif"], check=True)
    write_picture(tmp_path / "p.png", Frame(1, straight, DISPLAY, alpha), WriterSettings(bits=16))
    render(tmp_path / "p.png", identity_look(), tmp_path / "o.exr")
    pixels = oiio.ImageInput.open(str(tmp_path / "o.exr")).read_image(oiio.FLOAT)
    np.testing.assert_allclose(pixels[5, 20], [*(srgb_to_linear(np.float32([0.5])) * 0.5).repeat(3), 0.5], rtol=2e-3)
    np.testing.assert_array_equal(pixels[5, 2], 0)
    done = scumble("render", tmp_path / "p.png", "--look", "identity", "-o", tmp_path / "o.jpg", "--quality", "100")
    assert "what is transparent stands over black" in done.stderr + done.stdout
    shown = read_picture(tmp_path / "o.jpg")[0]
    assert shown[5, 2].max() < 3 / 255
    half = linear_to_srgb(srgb_to_linear(np.float32([0.5])) * 0.5)
    np.testing.assert_allclose(shown[5, 30], half.repeat(3), atol=2 / 255)


@pytest.mark.parametrize("rate", [Fraction(50), Fraction(60000, 1001)])
def test_timecode_above_thirty_frames_counts_pairs(rate: Fraction, tmp_path: Path) -> None:
    settings = WriterSettings(size=(64, 48), frame_rate=rate, metadata=Metadata("01:00:00:45", rate))
    writer = MovieWriter(tmp_path / "p.mov", settings)
    for n in range(6):
        writer.write(Frame(n, shown(n)[:48, :64], DISPLAY))
    writer.close()
    wanted = [later("01:00:00:45", n, rate) for n in range(6)]
    for suffix in ("exr", "dpx"):
        render(tmp_path / "p.mov", identity_look(), tmp_path / f"s.####.{suffix}", RenderSettings(cuts="none"))
        found = open_plate(tmp_path / f"s.####.{suffix}")
        assert [found.metadata(n).timecode for n in found.numbers] == wanted


def test_timecode_and_pixel_aspect_in_matroska(tmp_path: Path) -> None:
    metadata = Metadata("10:00:00:00", Fraction(24), None, Fraction(2))
    for codec, suffix in (("h264", "mkv"), ("prores", "mov"), ("dnxhr-hqx", "mov"), ("ffv1-16", "mkv")):
        path = tmp_path / f"{codec}.{suffix}"
        writer = MovieWriter(path, WriterSettings(size=(WIDTH, HEIGHT), codec=codec, metadata=metadata))
        for n in range(3):
            writer.write(Frame(n, shown(n), DISPLAY))
        writer.close()
        assert open_plate(path).metadata(3).timecode == "10:00:00:02"
        if codec != "ffv1-16":
            assert open_plate(path).pixel_aspect == 2, codec
    job = job_of(tmp_path / "h264.mkv", identity_look(), tmp_path / "o.mkv", RenderSettings(codec="ffv1"))
    assert "pixel aspect 2 is lost: ffv1 in .mkv has no place for it" in str(job)


def test_text_that_is_not_utf8_goes_along(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    exif = image.Exif()
    exif[0x010F] = b"Caf\xe9"
    image.fromarray((shown(0) * 255).astype(np.uint8)).save(tmp_path / "p.jpg", exif=exif)
    for suffix in ("jpg", "png", "tif", "exr"):
        done = scumble("render", tmp_path / "p.jpg", "--look", "identity", "-o", tmp_path / f"o.{suffix}")
        assert done.returncode == 0, done.stderr
    assert open_plate(tmp_path / "o.png").metadata(1).attributes["Make"] == ("string", "Café")


def test_interlace_is_said(tmp_path: Path) -> None:
    command = [
        tool("ffmpeg"),
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        f"testsrc2=size={WIDTH}x{HEIGHT}:rate=25",
        "-t",
        "0.4",
    ]
    subprocess.run(
        [*command, "-vf", "setfield=tff", "-flags", "+ildct+ilme", "-c:v", "libx264", tmp_path / "i.mp4"], check=True
    )
    done = scumble("render", tmp_path / "i.mp4", "--look", "identity", "-o", tmp_path / "o.mp4", "--dry-run")
    assert "the plate is interlaced" in done.stdout


@pytest.mark.parametrize(
    ("name", "coded"), [("h264", (66, 50)), ("prores", (66, 49)), ("prores-4444", (65, 49)), ("ffv1-16", (65, 49))]
)
def test_odd_sides_are_even_only_where_they_must_be(name: str, coded: tuple[int, int], tmp_path: Path) -> None:
    write_picture(tmp_path / "p.png", Frame(1, shown(0)[:49, :65], DISPLAY), WriterSettings(bits=16))
    output = tmp_path / f"o{CODECS[name].suffixes[-1]}"
    said = str(job_of(tmp_path / "p.png", identity_look(), output, RenderSettings(codec=name)))
    assert (f"the movie is {coded[0]}x{coded[1]}" in said) == (coded != (65, 49))
    render(tmp_path / "p.png", identity_look(), output, RenderSettings(codec=name))
    assert open_plate(output).size == coded


def test_what_a_codec_cannot_do_is_said(tmp_path: Path) -> None:
    write_picture(tmp_path / "p.png", Frame(1, shown(0)[:64, :64], DISPLAY), WriterSettings())
    for output, flags, words in (
        ("o.mov", ["--codec", "dnxhr-hq"], "dnxhr-hq takes pictures from 256x120 on, not 64x64"),
        ("o.mp4", ["--codec", "prores"], "prores does not go into .mp4; write .mov or .mkv"),
        ("o.mp4", ["--codec", "nonsense"], "codec 'nonsense': choose one of h264"),
        ("o.png", ["--codec", "h264"], "--codec is for movies"),
    ):
        done = scumble("render", tmp_path / "p.png", "--look", "identity", "-o", tmp_path / output, *flags)
        assert done.returncode == 2, done.stdout
        assert words in done.stderr
        assert not (tmp_path / output).exists()


def test_a_profile_goes_back_with_its_picture(tmp_path: Path) -> None:
    cms = pytest.importorskip("PIL.ImageCms")
    from PIL import Image

    profile = cms.ImageCmsProfile(cms.createProfile("sRGB")).tobytes()
    Image.fromarray((shown(0) * 255).astype(np.uint8)).save(tmp_path / "p.png", icc_profile=profile)
    render(tmp_path / "p.png", identity_look(), tmp_path / "o.png")
    kept = oiio.ImageInput.open(str(tmp_path / "o.png")).spec().getattribute("ICCProfile")
    assert bytes(kept) == profile
