"""Working space there and back; the gain map keeps highlights and their order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scumble.core.colour import DISPLAY, LINEAR, linear_to_srgb, srgb_to_linear
from scumble.core.pixels import joint_upsample, resized
from scumble.core.working_space import from_working, to_working

values = st.floats(-2, 64, width=32)


@given(values)
def test_the_srgb_curve_inverts(v: float) -> None:
    x = np.float32([v])
    np.testing.assert_allclose(srgb_to_linear(linear_to_srgb(x)), x, rtol=1e-5, atol=1e-6)


@given(st.lists(st.tuples(values, values, values), min_size=1, max_size=20))
def test_linear_plates_round_trip(colours: list[tuple[float, float, float]]) -> None:
    plate = np.float32(colours)[None]
    working = to_working(plate, LINEAR)
    assert float(working.pixels.min()) >= 0
    assert float(working.pixels.max()) <= 1.0001
    np.testing.assert_allclose(from_working(working.pixels, working), plate, rtol=3e-4, atol=1e-5)


def test_compression_is_smooth_and_keeps_order() -> None:
    ramp = np.linspace(0, 20, 4001, dtype=np.float32)
    working = to_working(np.repeat(ramp[None, :, None], 3, axis=2), LINEAR).pixels[0, :, 0]
    steps = np.diff(working)
    assert (steps >= -np.finfo(np.float32).eps).all()  # the last bit is the processor's
    knee = np.searchsorted(ramp, 0.8)
    assert abs(steps[knee] - steps[knee - 2]) < 0.05 * steps[knee]


def test_a_lamp_that_is_painted_darker_stays_a_lamp() -> None:
    plate = np.full((4, 4, 3), 0.2, np.float32)
    plate[1, 1] = 12.0
    working = to_working(plate, LINEAR)
    back = from_working(working.pixels * 0.9, working)
    assert back[1, 1, 0] > 8
    assert abs(back[0, 0, 0] - float(srgb_to_linear(linear_to_srgb(np.float32([0.2])) * 0.9)[0])) < 1e-5


def test_display_plates_are_in_the_working_space_already() -> None:
    plate = np.random.default_rng(0).random((3, 4, 3)).astype(np.float32)
    assert np.array_equal(from_working(to_working(plate, DISPLAY).pixels, to_working(plate, DISPLAY)), plate)


def test_joint_upsampling_brings_back_the_plates_edges() -> None:
    _, x = np.mgrid[0:120, 0:160].astype(np.float32)
    plate = np.repeat(((x > 63) * 0.6 + 0.2)[:, :, None], 3, axis=2).astype(np.float32)
    proxy = resized(plate, (40, 30))
    painted = (1 - proxy) * np.float32([1, 0.8, 0.6])  # the painting inverts the plate
    wanted = (1 - plate) * np.float32([1, 0.8, 0.6])
    joint = joint_upsample(painted.astype(np.float32), proxy, plate)
    plain = resized(painted.astype(np.float32), (160, 120))
    edge = (slice(None), slice(58, 70))
    assert np.abs(joint - wanted)[edge].mean() < 0.4 * np.abs(plain - wanted)[edge].mean()
