"""Colour spaces: by name and by tag, against closed-form curves, and through a whole render."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import OpenEXR
import OpenImageIO as oiio
import PyOpenColorIO
import pytest
from av.video.reformatter import ColorPrimaries, Colorspace, ColorTrc
from helpers.command import scumble
from helpers.pictures import random_look, scene
from hypothesis import given, settings
from hypothesis import strategies as st

from scumble.core.colour import DISPLAY, LINEAR, by_chromaticities, converted, srgb_to_linear
from scumble.core.errors import BadPlate, BadSettings
from scumble.core.frames import Frame
from scumble.core.pixels import resized
from scumble.core.working_space import from_working, to_working
from scumble.look.shipped import identity_look
from scumble.media.movie_writer import MovieWriter
from scumble.media.ocio import CONFIG, Colours
from scumble.media.open import open_plate
from scumble.media.picture_reader import read_picture
from scumble.media.picture_writer import write_picture
from scumble.media.plate import PlateOptions, WriterSettings
from scumble.rendering.options import RenderSettings
from scumble.rendering.run import render

AP1 = (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767)
LOGC3 = "ARRI LogC3 (EI800)"


def spot(*values: float) -> Any:
    return np.array(values, np.float32).reshape(1, 1, 3)


def logc3(x: float) -> float:
    """ARRI's LogC3 at EI 800 [ALEXA Log C Curve, usage in VFX, 2017]."""
    return 0.247190 * np.log10(5.555556 * x + 0.052272) + 0.385537


def test_curves_are_those_of_the_papers() -> None:
    colours = Colours()
    for grey in (0.01, 0.18, 1.0, 12.0):
        linear = Colours().space(LOGC3).to_reference(spot(*[logc3(grey)] * 3))
        np.testing.assert_allclose(linear, grey, rtol=2e-3)  # the paper rounds its constants
    # ACEScct of mid grey [S-2016-001]
    np.testing.assert_allclose(colours.space("ACEScct").from_reference(spot(0.18, 0.18, 0.18)), 0.41359, atol=2e-5)
    # 203 nits are diffuse white [BT.2408], a code of 0.58 in PQ [ST 2084]
    np.testing.assert_allclose(colours.space("Rec.2100-PQ - Display").from_reference(spot(1, 1, 1)), 0.5807, atol=1e-4)
    assert colours.space("lin_rec709_scene") is LINEAR
    assert colours.space("sRGB Encoded Rec.709 (sRGB)") is DISPLAY
    assert colours.space("lin_ap1_scene") == colours.space("ACEScg")


@given(st.lists(st.floats(-0.0078125, 200, width=32), min_size=3, max_size=3))
@settings(max_examples=60)
def test_matrices_are_those_of_the_primaries(values: list[float]) -> None:
    """OpenColorIO's ACEScg against the matrix of its primaries, which nobody wrote down."""
    own, config = by_chromaticities(AP1), Colours().space("ACEScg")
    tolerance = 1e-4 * max(1.0, *map(abs, values))
    np.testing.assert_allclose(own.to_reference(spot(*values)), config.to_reference(spot(*values)), atol=tolerance)
    np.testing.assert_allclose(own.from_reference(own.to_reference(spot(*values))), spot(*values), atol=tolerance)


@pytest.mark.parametrize("name", ["ACEScg", "lin_rec709", LOGC3, "ACEScct", "Rec.2100-PQ - Display", "Linear Rec.2020"])
@given(data=st.data())
@settings(max_examples=30)
def test_every_space_comes_back_from_the_working_space(name: str, data: st.DataObject) -> None:
    space = Colours().space(name)
    most = 200.0 if space.is_linear else 0.875
    values = data.draw(
        st.lists(st.floats(-0.0078125 if space.is_linear else 0.125, most, width=32), min_size=3, max_size=3)
    )
    plate = spot(*values)
    working = to_working(plate, space)
    back = from_working(working.pixels, working)
    if space.is_linear:
        np.testing.assert_array_equal(back, plate)
    else:
        np.testing.assert_allclose(back, plate, atol=2e-4)


@pytest.mark.parametrize("space", ["ACEScg", "lin_rec709", LOGC3])
def test_grey_and_lamps_through_the_identity(space: str, tmp_path: Path) -> None:
    linear = np.geomspace(0.0005, 200, 96 * 64).reshape(64, 96, 1).astype(np.float32).repeat(3, axis=2)
    linear[0, 0] = 0.18
    chosen = Colours().space(space)
    coded = chosen.from_reference(linear).astype(np.float16)
    OpenEXR.File({}, {c: np.ascontiguousarray(coded[:, :, i]) for i, c in enumerate("RGB")}).write(
        str(tmp_path / "p.exr")
    )
    render(tmp_path / "p.exr", identity_look(), tmp_path / "o.exr", RenderSettings(in_space=space))
    written = OpenEXR.File(str(tmp_path / "o.exr"), separate_channels=True).channels()
    back = np.stack([written[c].pixels for c in "RGB"], axis=2)
    if chosen.is_linear:
        np.testing.assert_array_equal(back, coded)
    else:
        assert np.abs(back.astype(np.float32) - coded.astype(np.float32)).max() <= 2**-11


def test_a_painted_lamp_stays_a_lamp_and_highlights_keep_their_order(tmp_path: Path) -> None:
    # a flat look: what a pixel becomes hangs on its value alone
    linear = np.full((64, 96, 3), 0.2, np.float32)
    linear[20:44, 30:60] = 12.0
    acescg = Colours().space("ACEScg").from_reference(linear)
    OpenEXR.File(
        {"chromaticities": AP1}, {c: np.ascontiguousarray(acescg[:, :, i]) for i, c in enumerate("RGB")}
    ).write(str(tmp_path / "p.exr"))
    render(tmp_path / "p.exr", random_look(3), tmp_path / "o.exr")
    lamp = read_picture(tmp_path / "o.exr")[0][28:36, 40:50]
    assert lamp.max(axis=2).min() > 4
    ramp = np.linspace(0.9, 40, 200, dtype=np.float32)[None, :, None].repeat(3, axis=2)
    working = to_working(ramp, LINEAR)
    painted = from_working(working.pixels * np.float32([0.9, 0.7, 0.5]), working)
    assert (np.diff(painted, axis=1) > 0).all()


def write_exr(path: Path, linear: Any, space: str) -> None:
    coded = Colours().space(space).from_reference(linear)
    header: dict[str, Any] = {"chromaticities": AP1} if space == "ACEScg" else {}
    OpenEXR.File(header, {c: np.ascontiguousarray(coded[:, :, i]) for i, c in enumerate("RGB")}).write(str(path))


def test_one_shot_in_three_formats_is_painted_the_same(tmp_path: Path) -> None:
    # without the finest detail, which no ProRes keeps at this size
    shots = [resized(scene(n, 96, 160)[::12, ::12], (160, 96)).clip(0.02, 0.75) for n in range(3)]
    writer = MovieWriter(tmp_path / "p.mov", WriterSettings(size=(160, 96), bits=10, codec="prores-4444"))
    for n, shown in enumerate(shots, start=1):
        write_picture(tmp_path / f"p.{n:04d}.png", Frame(n, shown, DISPLAY), WriterSettings(bits=16))
        write_exr(tmp_path / f"p.{n:04d}.exr", srgb_to_linear(shown), "ACEScg")
        writer.write(Frame(n, shown, DISPLAY))
    writer.close()
    look, out = random_look(4), {}
    for name in ("p.####.png", "p.####.exr", "p.mov"):
        common = RenderSettings(
            cuts="none", precision="f32", out_space="lin_rec709", stats=tmp_path / f"{name[-3:]}.json"
        )
        done = render(tmp_path / name, look, tmp_path / f"o_{name[-3:]}.####.exr", common)
        out[name[-3:]] = np.stack([converted(read_picture(f)[0], LINEAR, DISPLAY) for f in done.files])
    for other, most in (("exr", 1e-3), ("mov", 3 / 1023)):
        difference = np.abs(out[other] - out["png"])
        assert np.sqrt(np.square(difference).mean()) < most, other


def test_tags_of_movies_are_believed(tmp_path: Path) -> None:
    linear = np.full((64, 64, 3), 1.0, np.float32)
    linear[:, 32:] = 4.0
    pq = Colours().space("Rec.2100-PQ - Display")
    settings = WriterSettings(size=(64, 64), bits=10, out_space=pq, codec="hevc-10", frame_rate=Fraction(24))
    writer = MovieWriter(tmp_path / "p.mp4", settings)
    for n in range(3):
        writer.write(Frame(n, linear, LINEAR))
    writer.close()
    plate = open_plate(tmp_path / "p.mp4")
    assert (plate.colour_space.name, str(plate.colour_origin), plate.bits) == ("Rec.2100-PQ - Display", "its tags", 10)
    (frame,) = plate.read(plate.numbers[:1])
    shown = plate.colour_space.to_reference(frame.pixels)
    np.testing.assert_allclose(shown[20:40, 5:25], 1.0, rtol=0.02)
    np.testing.assert_allclose(shown[20:40, 40:60], 4.0, rtol=0.02)
    render(tmp_path / "p.mp4", identity_look(), tmp_path / "o.mp4", RenderSettings())
    with av.open(str(tmp_path / "o.mp4")) as container:
        stream = container.streams.video[0]
        picture = next(container.decode(stream))
        assert picture.format.name == "yuv420p10le"
        assert int(picture.color_primaries) == int(ColorPrimaries.BT2020)
        assert int(picture.color_trc) == int(ColorTrc.SMPTE2084)
        assert int(picture.colorspace) in (int(Colorspace.BT2020), 9)


def test_stills_without_tags_are_taken_by_their_kind(tmp_path: Path) -> None:
    pixels = scene(0, 40, 64)
    write_picture(tmp_path / "a.png", Frame(1, pixels, DISPLAY), WriterSettings(bits=16))
    write_picture(tmp_path / "a.tif", Frame(1, pixels, LINEAR), WriterSettings(bits=32))
    write_picture(tmp_path / "a.dpx", Frame(1, pixels, DISPLAY), WriterSettings(bits=10))
    OpenEXR.File({}, {c: np.zeros((40, 64), np.float16) for c in "RGB"}).write(str(tmp_path / "a.exr"))
    found = {s: open_plate(tmp_path / f"a.{s}") for s in ("png", "tif", "dpx", "exr")}
    assert {s: str(p.colour_space) for s, p in found.items()} == {
        "png": "sRGB",
        "tif": "lin_rec709",
        "dpx": "sRGB",
        "exr": "lin_rec709",
    }
    assert {s for s, p in found.items() if p.colour_origin.is_assumed} == {
        "tif",
        "dpx",
        "exr",
    }  # a PNG says that it is sRGB
    spec = oiio.ImageSpec(64, 40, 3, oiio.UINT16)
    spec.attribute("oiio:BitsPerSample", 10)
    spec.attribute("dpx:Transfer", "Printing density")
    output = oiio.ImageOutput.create(str(tmp_path / "log.dpx"))
    output.open(str(tmp_path / "log.dpx"), spec)
    output.write_image(np.full((40, 64, 3), 445 << 6, np.uint16))
    output.close()
    log = open_plate(tmp_path / "log.dpx")
    assert str(log.colour_space) == "ADX10"
    done = scumble("render", tmp_path / "log.dpx", "--look", "identity", "-o", tmp_path / "o.dpx", "--progress", "none")
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(read_picture(tmp_path / "o.dpx")[0], 445 / 1023, atol=1.01 / 1023)
    assert str(open_plate(tmp_path / "o.dpx").colour_space) == "ADX10"


@pytest.mark.parametrize("bits", [10, 16])
def test_a_dpx_that_says_linear_comes_back_as_it_was(bits: int, tmp_path: Path) -> None:
    spec = oiio.ImageSpec(64, 40, 3, oiio.UINT16)
    spec.attribute("oiio:BitsPerSample", bits)
    spec.attribute("dpx:Transfer", "Linear")
    output = oiio.ImageOutput.create(str(tmp_path / "p.dpx"))
    output.open(str(tmp_path / "p.dpx"), spec)
    output.write_image((scene(2, 40, 64) * 65535).astype(np.uint16))
    output.close()
    assert str(open_plate(tmp_path / "p.dpx").colour_space) == ("lin_rec709" if bits == 16 else "sRGB")
    render(tmp_path / "p.dpx", identity_look(), tmp_path / "o.dpx")
    np.testing.assert_array_equal(read_picture(tmp_path / "o.dpx")[0], read_picture(tmp_path / "p.dpx")[0])


def test_another_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = PyOpenColorIO.Config.CreateFromBuiltinConfig("cg-config-v2.2.0_aces-v1.3_ocio-v2.4")
    own = PyOpenColorIO.ColorSpace(name="show_log", family="camera", encoding="log")
    own.setTransform(
        PyOpenColorIO.LogCameraTransform(linSideBreak=[0.0078125] * 3, base=2.0, logSideSlope=[0.0570776] * 3,
                                         logSideOffset=[0.5547945] * 3),
        PyOpenColorIO.COLORSPACE_DIR_FROM_REFERENCE,
    )  # fmt: skip
    config.addColorSpace(own)
    (tmp_path / "show.ocio").write_text(config.serialize())
    space = Colours(str(tmp_path / "show.ocio")).space("show_log")
    assert space.kind == "scene"
    np.testing.assert_allclose(
        space.from_reference(space.to_reference(spot(0.3, 0.5, 0.7))), spot(0.3, 0.5, 0.7), atol=1e-4
    )
    monkeypatch.setenv("OCIO", str(tmp_path / "show.ocio"))
    assert Colours().space("show_log") == space
    assert Colours(CONFIG).name == CONFIG
    monkeypatch.delenv("OCIO")
    with pytest.raises(BadSettings, match=r"'ACEScgg' is not in .*did you mean ACEScg"):
        Colours().space("ACEScgg")
    with pytest.raises(BadSettings, match="is data, not colour"):
        Colours().space("Raw")
    (tmp_path / "bad.ocio").write_text("nothing of the sort")
    with pytest.raises(BadSettings, match="not an OpenColorIO configuration"):
        Colours(str(tmp_path / "bad.ocio")).space("ACEScg")
    with pytest.raises(BadPlate, match="span no colours"):
        by_chromaticities((0.3, 0.3) * 4)


half = st.floats(-0.0078125, 200, width=16) | st.sampled_from([float("nan"), float("inf"), float("-inf"), 0.18])


@given(values=st.lists(st.tuples(half, half, half), min_size=1, max_size=48), space=st.sampled_from(["ACEScg", None]))
@settings(max_examples=12)
def test_the_identity_returns_every_half(
    values: list[tuple[float, float, float]], space: str | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("identity")
    plate = np.resize(np.array(values, np.float16), (48, 64, 3))
    header: dict[str, Any] = {"chromaticities": AP1} if space else {}
    OpenEXR.File(header, {c: np.ascontiguousarray(plate[:, :, i]) for i, c in enumerate("RGB")}).write(
        str(folder / "p.exr")
    )
    for lines in (None, 24):  # at fewer lines than the plate's as well
        done = render(folder / "p.exr", identity_look(), folder / f"{lines}.exr", RenderSettings(lines=lines))
        written = OpenEXR.File(str(done.files[0]), separate_channels=True).channels()
        for i, c in enumerate("RGB"):
            np.testing.assert_array_equal(written[c].pixels, plate[:, :, i])


def test_what_a_format_cannot_say_is_written_in_one_that_it_can(tmp_path: Path) -> None:
    """Log scans and HDR movies become linear EXR; wide movies become sRGB pictures."""
    for name, space, suffix, wanted in (
        ("pq", "Rec.2100-PQ - Display", "exr", "lin_rec709"),
        ("pq", "Rec.2100-PQ - Display", "png", "sRGB"),
        ("p3", "Display P3 - Display", "png", "sRGB"),
    ):
        chosen = Colours().space(space)
        writer = MovieWriter(tmp_path / f"{name}.mov", WriterSettings(size=(64, 64), bits=10, out_space=chosen))
        plain = np.full((64, 64, 3), 0.4, np.float32)
        writer.write(Frame(1, plain, LINEAR if chosen.kind == "scene" else DISPLAY))
        writer.close()
        render(tmp_path / f"{name}.mov", identity_look(), tmp_path / f"{name}.####.{suffix}")
        again = open_plate(tmp_path / f"{name}.####.{suffix}")
        assert str(again.colour_space) == wanted
        (frame,) = again.read(again.numbers)
        same = converted(frame.pixels, again.colour_space, LINEAR if chosen.kind == "scene" else DISPLAY)
        np.testing.assert_allclose(same[20:40, 20:40], 0.4, atol=0.01)


def test_a_configuration_that_names_things_otherwise(tmp_path: Path) -> None:
    config = PyOpenColorIO.Config.CreateFromBuiltinConfig("cg-config-v2.2.0_aces-v1.3_ocio-v2.4")
    for space in list(config.getColorSpaces()):
        if not any(config.getColorSpace(r[1]).getName() == space.getName() for r in config.getRoles()):
            config.removeColorSpace(space.getName())
    for alias in ("ACEScg",):
        space = config.getColorSpace(alias)
        for name in list(space.getAliases()):
            space.removeAlias(name)
        config.addColorSpace(space)
    own = PyOpenColorIO.ColorSpace(name="camera", family="camera")  # says nothing of its encoding
    own.setTransform(
        PyOpenColorIO.LogTransform(2.0, PyOpenColorIO.TRANSFORM_DIR_INVERSE), PyOpenColorIO.COLORSPACE_DIR_TO_REFERENCE
    )
    config.addColorSpace(own)
    (tmp_path / "show.ocio").write_text(config.serialize())
    write_exr(tmp_path / "p.exr", np.full((40, 64, 3), 0.18, np.float32), "ACEScg")
    options = PlateOptions(colours=Colours(str(tmp_path / "show.ocio")))
    assert open_plate(tmp_path / "p.exr", None, options).colour_space.name == "ACEScg"
    assert options.colours.space("camera").kind == "scene"


def test_nan_in_a_display_space_stays_where_it_is(tmp_path: Path) -> None:
    pixels = scene(1, 48, 64)
    pixels[7, 9] = np.nan
    OpenEXR.File({}, {c: np.ascontiguousarray(pixels[:, :, i]) for i, c in enumerate("RGB")}).write(
        str(tmp_path / "p.exr")
    )
    for space in ("sRGB", "Rec.1886 Rec.709 - Display"):
        out = tmp_path / f"{len(space)}.exr"
        render(tmp_path / "p.exr", random_look(1), out, RenderSettings(in_space=space, out_space=space))
        written = OpenEXR.File(str(out), separate_channels=True).channels()["R"].pixels
        assert np.isnan(written).sum() == 1
        assert np.isnan(written[7, 9])


def test_wide_holes_are_filled_from_around() -> None:
    plate = np.full((300, 400, 3), 0.25, np.float32)
    plate[:, 200:] = 0.75
    plate[20:280, 20:380] = np.inf
    filled = to_working(plate, LINEAR).pixels
    assert np.isfinite(filled).all()
    np.testing.assert_allclose(srgb_to_linear(filled[150, 25:30]), 0.25, atol=0.05)
    np.testing.assert_allclose(srgb_to_linear(filled[150, 370:375]), 0.75, atol=0.05)
