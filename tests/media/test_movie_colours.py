"""Tags of movies by ITU-T H.273: what goes in comes out, and the codes stay."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from helpers.command import scumble
from numpy.typing import NDArray

from scumble.core.colour import by_chromaticities, linear_to_srgb, srgb_to_linear
from scumble.core.working_space import from_working, to_working
from scumble.media.h273 import PRIMARIES, OtherPrimaries, Tags, numbers_of, space_of
from scumble.media.hdr import Hdr
from scumble.media.ocio import CONFIG, Colours
from scumble.media.open import open_plate, open_writer
from scumble.rendering.options import RenderSettings
from scumble.rendering.output import output_to

ALL_PRIMARIES = [2, *PRIMARIES]
ALL_CURVES = [1, 2, *range(4, 19)]
ALL_MATRICES = [0, 1, 2, *range(4, 18)]
RANGES = [0, 1, 2]

# luma and the two chromas of twelve squares: greys, colours, below black and above white
SQUARES = (
    (20, 60, 100, 140, 180, 220, 240, 120, 80, 128, 40, 200),
    (128, 100, 150, 120, 128, 130, 128, 170, 90, 128, 128, 118),
    (128, 140, 110, 150, 128, 126, 128, 90, 150, 128, 128, 140),
)

ENCODERS = {"h264": ("libx264", ".mp4", {"crf": "0"}), "ffv1": ("ffv1", ".mkv", {})}


def movie(path: Path, encoder: str, options: dict[str, str], tags: Tags, pixels: str = "yuv420p") -> None:
    """Pictures of 64 x 48 with the squares: two; five for x265, which writes shorter movies by chance."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(encoder, rate=24, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = tags
        for place in range(5 if encoder == "libx265" else 2):
            picture = av.VideoFrame(64, 48, pixels)
            picture.pts, picture.time_base = place, Fraction(1, 24)
            for plane, values in zip(picture.planes, SQUARES, strict=True):
                side = 16 * plane.height // 48, 16 * plane.width // 64
                codes = np.zeros((plane.height, plane.line_size), np.uint8)
                codes[:, : plane.width] = np.kron(np.array(values, np.uint8).reshape(3, 4), np.ones(side, np.uint8))
                plane.update(codes.tobytes())
            picture.color_primaries, picture.color_trc, picture.colorspace, picture.color_range = tags
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def seen(path: Path) -> tuple[Tags, list[NDArray[np.int64]]]:
    """Tags and planes of a movie's first picture."""
    with av.open(str(path)) as container:
        picture = next(container.decode(video=0))
        tags = Tags(*map(int, (picture.color_primaries, picture.color_trc, picture.colorspace, picture.color_range)))
        planes: Iterable[Any] = picture.planes
        codes = [np.frombuffer(p, np.uint8).reshape(p.height, -1)[:, : p.width].astype(np.int64) for p in planes]
    return tags, codes


def passed_through(source: Path, output: Path, **settings: Any) -> None:
    """Read, to the working space and back, and written, as a render does that changes nothing."""
    plate = open_plate(source)
    wanted = RenderSettings(quality=100, overwrite=True, **settings)
    described = output_to(output, plate, plate.numbers, wanted)
    writer = open_writer(output, described.writer_settings(1.0, "", lambda _: ""))
    for frame in plate.read(plate.numbers):
        working = to_working(frame.pixels, frame.colour_space)
        writer.write(replace(frame, pixels=from_working(working.pixels, working)))
    writer.close()


def check(tags: Tags, codec: str, folder: Path) -> None:
    """A movie of these tags comes out with them, its codes within one."""
    encoder, suffix, options = ENCODERS[codec]
    plate, output = folder / f"plate{suffix}", folder / f"out{suffix}"
    movie(plate, encoder, options, tags)
    passed_through(plate, output, codec=codec)
    (before, codes), (after, found) = seen(plate), seen(output)  # an encoder may not take all that it is told
    assert after == before, tags
    if codec == "h264":
        assert max(np.abs(a - b).max() for a, b in zip(codes, found, strict=True)) <= 1, tags
    else:  # as RGB, in which what lies outside 0 to 1 has no codes
        before_rgb, after_rgb = (next(open_plate(p).read([1])).pixels for p in (plate, output))
        assert np.abs(before_rgb.clip(0, 1) - after_rgb).max() * 255 <= 1, tags


@pytest.mark.parametrize("codec", ["h264", pytest.param("ffv1", marks=pytest.mark.full)])
def test_all_primaries_and_curves_come_back(codec: str, tmp_path: Path) -> None:
    for primaries, curve in itertools.product(ALL_PRIMARIES, ALL_CURVES):
        check(Tags(primaries, curve, 1, 1), codec, tmp_path)


@pytest.mark.parametrize("codec", ["h264", pytest.param("ffv1", marks=pytest.mark.full)])
def test_all_matrices_and_ranges_come_back(codec: str, tmp_path: Path) -> None:
    for matrix, levels in itertools.product(ALL_MATRICES, RANGES):
        for primaries, curve in ((1, 1), (9, 16)):
            check(Tags(primaries, curve, matrix, levels), codec, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("codec", list(ENCODERS))
def test_every_combination_comes_back(codec: str, tmp_path: Path) -> None:
    for tags in itertools.product(ALL_PRIMARIES, ALL_CURVES, ALL_MATRICES, RANGES):
        check(Tags(*tags), codec, tmp_path)


@pytest.mark.parametrize(
    ("numbers", "name"),
    [
        ((1, 4), "Gamma 2.2 Encoded Rec.709"),
        ((9, 8), "Linear Rec.2020"),
        ((12, 8), "Linear P3-D65"),
        ((12, 13), "sRGB Encoded P3-D65"),
        ((9, 14), "Rec.1886 Rec.2020 - Display"),
        ((11, 17), "P3-DCI - Display"),
    ],
)
def test_spaces_are_those_of_opencolorio(numbers: tuple[int, int], name: str) -> None:
    space, known = space_of(*numbers), Colours(CONFIG).space(name)
    assert space is not None
    codes = np.random.default_rng(0).uniform(0.1, 0.9, (50, 3)).astype(np.float32)
    light, right = space.to_reference(codes), known.to_reference(codes)
    if numbers == (11, 17):  # that configuration leaves the 48 of 52.37 cd/m2 to the projector
        right = linear_to_srgb(srgb_to_linear(right) * np.float32(52.37 / 48))
    inside = (right > 0.02).all(axis=1)  # it cuts off what lies outside some gamuts
    assert inside.sum() > 10
    np.testing.assert_allclose(light[inside], right[inside], atol=2e-3)


def test_hdr_of_other_primaries_has_the_curve_with_these_primaries() -> None:
    """P3-D65 with PQ is a space of OpenColorIO too; made as those are that it lacks."""
    known, base = Colours(CONFIG).space("ST2084-P3-D65 - Display"), Colours(CONFIG).space("Rec.2100-PQ - Display")
    rec_2020, p3 = (by_chromaticities(PRIMARIES[n][1]) for n in (9, 12))
    codes = np.random.default_rng(0).uniform(0.2, 0.7, (50, 3)).astype(np.float32)
    made = OtherPrimaries(base, rec_2020, p3)
    np.testing.assert_allclose(made.to_reference(codes), known.to_reference(codes), rtol=2e-3, atol=1e-3)
    np.testing.assert_allclose(made.from_reference(made.to_reference(codes)), codes, atol=1e-4)


def test_ntsc_has_its_own_primaries() -> None:
    """Linear light of SMPTE 170M in Rec. 709 [Poynton, Color FAQ: SMPTE RP 145 primaries to Rec. 709]."""
    space = space_of(6, 8)
    assert space is not None
    np.testing.assert_allclose(
        space.to_reference(np.eye(3, dtype=np.float32)),
        np.float32([[0.9395, 0.0178, -0.0016], [0.0502, 0.9658, -0.0044], [0.0103, 0.0164, 1.0060]]),
        atol=1e-4,
    )


@pytest.mark.parametrize("curve", [9, 10, 17, 5])
def test_curves_invert(curve: int) -> None:
    space = space_of(1, curve)
    assert space is not None
    codes = np.repeat(np.linspace(-0.1, 1.2, 66, dtype=np.float32)[:, None], 3, axis=1)
    np.testing.assert_allclose(space.from_reference(space.to_reference(codes)), codes, atol=1e-5)


def test_numbers_without_a_space_are_none() -> None:
    assert space_of(3, 1) is space_of(1, 3) is space_of(1, 200) is None
    assert numbers_of(Colours(CONFIG).space("ACEScct")) is None


HDR = Hdr((34000, 16000, 13250, 34500, 7500, 3000, 15635, 16450, 10000000, 50), (1000, 400))


@pytest.mark.parametrize(("codec", "suffix"), [("hevc-10", ".mp4"), ("hevc-10", ".mkv"), ("h264-10", ".mov")])
def test_hdr10_metadata_goes_along(codec: str, suffix: str, tmp_path: Path) -> None:
    """P3-D65 display of 1,000 cd/m2, MaxCLL and MaxFALL, as x265's documentation has them."""
    plate, output = tmp_path / "plate.mp4", tmp_path / f"out{suffix}"
    movie(
        plate, "libx265", {"x265-params": f"log-level=error:{HDR.options('libx265')['x265-params']}"}, Tags(9, 16, 9, 1)
    )
    assert open_plate(plate).hdr == HDR
    passed_through(plate, output, codec=codec)
    assert open_plate(output).hdr == HDR
    passed_through(plate, tmp_path / "sdr.mp4", codec=codec, out_space="sRGB")
    assert open_plate(tmp_path / "sdr.mp4").hdr is None


def test_a_codec_that_does_not_take_hdr10_metadata_is_said(tmp_path: Path) -> None:
    plate = tmp_path / "plate.mp4"
    movie(
        plate, "libx265", {"x265-params": f"log-level=error:{HDR.options('libx265')['x265-params']}"}, Tags(9, 16, 9, 1)
    )
    done = scumble(
        "render", str(plate), "--look", "identity", "-o", str(tmp_path / "out.mov"), "--codec", "prores", "--dry-run"
    )
    assert "prores does not take them; hevc-10 does" in done.stdout


@pytest.mark.parametrize(
    ("curve", "light"),
    [(4, 0.5**2.2), (5, 0.5**2.8), (9, 10**-1.0), (10, 10**-1.25), (17, 52.37 / 48 * 0.5**2.6)],
)
def test_a_code_in_the_middle_has_the_light_of_its_curve(curve: int, light: float) -> None:
    """By the formulas of ITU-T H.273, table 3."""
    space = space_of(1, curve)
    assert space is not None
    found = srgb_to_linear(space.to_reference(np.full((1, 3), 0.5, np.float32)))
    np.testing.assert_allclose(found, light, rtol=1e-4)


def test_another_space_has_its_own_matrix_and_the_range_of_the_plate(tmp_path: Path) -> None:
    plate, output = tmp_path / "plate.mp4", tmp_path / "out.mp4"
    movie(plate, "libx264", {"crf": "0"}, Tags(9, 14, 9, 2))
    passed_through(plate, output, codec="h264", out_space="sRGB")
    assert seen(output)[0] == Tags(1, 1, 1, 2)
    before, after = (next(open_plate(p).read([1])) for p in (plate, output))
    right = before.colour_space.to_reference(before.pixels)
    inside = (right > 0.02).all(axis=2) & (right < 0.98).all(axis=2)
    assert inside.sum() > 300
    # in the middle of squares: chroma is shared with the neighbours at their edges
    middle = np.zeros_like(inside)
    middle[4::16, 4::16] = middle[8::16, 8::16] = True
    assert np.abs(after.pixels - right)[inside & middle].max() * 255 <= 2.5
