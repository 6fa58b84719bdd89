"""Exposure and black points: as light as the plate in the style's hues; black stays black, white stays white."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.pictures import picture, random_look
from hypothesis import given
from hypothesis import strategies as st

from scumble.core.colour import DISPLAY, LUMA
from scumble.core.errors import BadInput, BadSettings
from scumble.core.frames import Frame
from scumble.look.shipped import identity_look
from scumble.media.open import open_plate
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings
from scumble.network.palette import Colouring, Palette, exposed, recolouring
from scumble.rendering.options import RenderSettings
from scumble.rendering.run import render
from scumble.shot.black_points import BLACKEST, REACH, WHITEST, keep_black_and_white, points

HEIGHT, WIDTH = 64, 96


def letterboxed(path: Path, lift: float = 0.0) -> Any:
    """A picture between bars of the darkest and of the lightest code."""
    pixels = 0.3 + 0.4 * picture(HEIGHT, WIDTH, 2)
    pixels[:8], pixels[-8:] = lift, 1.0
    write_picture(path, Frame(1, pixels.astype(np.float32), DISPLAY), WriterSettings())
    return of(path)


def of(path: Path) -> Any:
    plate = open_plate(path)
    return next(plate.read(plate.numbers[:1])).pixels


@pytest.mark.parametrize("lift", [0.0, 0.08])
def test_black_and_white_points_are_held(lift: float, tmp_path: Path) -> None:
    plate = letterboxed(tmp_path / "p.png", lift)
    look = random_look(1)
    free = of(render(tmp_path / "p.png", look, tmp_path / "a.png").files[0])
    done = of(render(tmp_path / "p.png", look, tmp_path / "b.png", RenderSettings(hold_blacks=True)).files[0])
    assert np.abs(free[:6] - plate[:6]).max() > 0.05
    np.testing.assert_array_equal(done[:8], plate[:8])
    np.testing.assert_array_equal(done[-8:], plate[-8:])
    np.testing.assert_allclose(done[12:-12], free[12:-12], atol=1 / 255)  # between, paint


@given(st.floats(0, 0.2), st.floats(0.8, 1), st.floats(0, 1, width=32))
def test_paint_comes_in_softly_and_only_between_the_points(black: float, white: float, level: float) -> None:
    plate = np.full((1, 1, 3), level, np.float32)
    painted = np.full((1, 1, 3), 0.5, np.float32)
    found = keep_black_and_white(painted, plate, black, white).item(0)
    if level < black - 1e-6 or level > white + 1e-6:
        assert found == plate.item(0)
    assert min(level, 0.5) - 1e-6 <= found <= max(level, 0.5) + 1e-6
    if black + REACH <= level <= white - REACH:
        assert found == pytest.approx(0.5, abs=1e-6)
    # a saturated colour is neither black nor white
    red = np.array([[[1.0, 0.0, 0.0]]], np.float32)
    np.testing.assert_allclose(keep_black_and_white(painted, red, black, white), painted)


def test_points_are_the_darkest_and_lightest_that_are_not_rare() -> None:
    pixels = np.full((100, 100, 3), 0.5, np.float32)
    assert points(pixels) == (BLACKEST, WHITEST)  # nothing is black or white
    pixels[:2] = 0.05
    pixels[-2:] = 0.97
    pixels[50, 50] = 0.0  # a dead pixel
    assert points(pixels) == pytest.approx((0.05, 0.97))


def test_statistics_on_file_hold_points_or_say_so(tmp_path: Path) -> None:
    letterboxed(tmp_path / "p.png")
    look = random_look(1)
    settings = RenderSettings(stats=tmp_path / "s.json", hold_blacks=True)
    first = render(tmp_path / "p.png", look, tmp_path / "a.png", settings).files[0].read_bytes()
    assert render(tmp_path / "p.png", look, tmp_path / "b.png", settings).files[0].read_bytes() == first
    text = (tmp_path / "s.json").read_text()
    start, end = text.index('"points"'), text.index("]", text.index('"points"'))
    (tmp_path / "s.json").write_text(text[:start] + '"none": [0, 1' + text[end:])
    with pytest.raises(BadInput, match="without black points"):
        render(tmp_path / "p.png", look, tmp_path / "c.png", settings)
    render(tmp_path / "p.png", look, tmp_path / "c.png", replace(settings, hold_blacks=False))
    (tmp_path / "s.json").write_text(text[:start] + '"points": [0.9, 0.1' + text[end:])
    with pytest.raises(BadInput, match="points"):
        render(tmp_path / "p.png", look, tmp_path / "d.png", settings)


@given(st.floats(0.05, 0.9), st.floats(0.05, 0.9), st.floats(0, 1))
def test_exposure_is_a_gain_on_the_styles_palette(plate_luma: float, style_luma: float, amount: float) -> None:
    style = Palette(np.array([1.2, 0.9, 1.0]) * style_luma / (np.array(LUMA) @ [1.2, 0.9, 1.0]), np.eye(3) * 0.02)
    plate = Palette(np.full(3, plate_luma), np.eye(3) * 0.03)
    found = exposed(style, plate, amount)
    gain = found.mean[0] / style.mean[0]
    np.testing.assert_allclose(found.mean, gain * style.mean)  # hues stay
    np.testing.assert_allclose(found.covariance, gain**2 * style.covariance)
    np.testing.assert_allclose(np.log(gain), amount * np.log(np.clip(plate_luma / style_luma, 1 / 8, 8)), atol=1e-9)
    matrix, offset = recolouring(plate, style, Colouring(keep_exposure=amount))
    np.testing.assert_allclose(matrix @ plate.mean + offset, found.mean, atol=1e-9)


def test_a_dark_plate_stays_dark(tmp_path: Path) -> None:
    dark = (0.25 * picture(HEIGHT, WIDTH, 2)).astype(np.float32)
    write_picture(tmp_path / "p.png", Frame(1, dark, DISPLAY), WriterSettings())
    look = replace(
        identity_look(), palette=Palette(np.array([0.7, 0.6, 0.5]), np.eye(3) * 0.02), facts={"name": "bright"}
    )
    luma = []
    for amount in (0.0, 0.5, 1.0):
        settings = RenderSettings(keep_exposure=amount)
        luma.append((of(render(tmp_path / "p.png", look, tmp_path / f"{amount}.png", settings).files[0]) @ LUMA).mean())
    own = (dark @ np.asarray(LUMA)).mean()
    assert luma[0] > luma[1] > luma[2]
    assert abs(luma[2] - own) < 0.3 * abs(luma[0] - own)
    with pytest.raises(BadSettings, match="keep-exposure"):
        RenderSettings(keep_exposure=1.5)
