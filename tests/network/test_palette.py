"""The recolouring carries a plate's mean and covariance to the style's, within its caps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scumble.network.palette import GREY, LARGEST, LEAST_GREY, Colouring, Palette, recolouring


@given(seed=st.integers(0, 10_000))
def test_it_is_the_optimal_map(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = Palette.measure(rng.normal(0.5, 0.1, (400, 3)) @ (np.eye(3) + rng.uniform(-0.2, 0.2, (3, 3))))
    b = Palette.measure(rng.normal(0.4, 0.12, (400, 3)) @ (np.eye(3) + rng.uniform(-0.2, 0.2, (3, 3))))
    t, offset = recolouring(a, b)
    values = np.linalg.svd(t, compute_uv=False)
    assert values.max() <= LARGEST + 1e-9
    np.testing.assert_allclose(t, t.T, atol=1e-9)  # a gradient of a convex function: symmetric
    np.testing.assert_allclose(t @ a.mean + offset, b.mean, atol=1e-9)
    if GREY @ t @ GREY > LEAST_GREY + 1e-6 and values.max() < LARGEST - 1e-6:
        np.testing.assert_allclose(t @ a.covariance @ t.T, b.covariance, atol=2e-4)


def test_grain_of_a_flat_plate_is_not_blown_up() -> None:
    flat = Palette.measure(0.5 + np.random.default_rng(0).normal(0, 1 / 255, (500, 3)))
    t, _ = recolouring(flat, Palette(np.full(3, 0.5), np.eye(3) * 0.1))
    assert np.linalg.svd(t, compute_uv=False).max() <= LARGEST + 1e-9


def test_pooling_is_the_palette_of_all_pixels() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.random((100, 3)), rng.random((300, 3)) * 0.5
    pooled = Palette.pool([Palette.measure(x), Palette.measure(y)], [1, 3])
    whole = Palette.measure(np.concatenate([x, y]))
    np.testing.assert_allclose(pooled.mean, whole.mean)
    np.testing.assert_allclose(pooled.covariance, whole.covariance, atol=1e-12)


@pytest.mark.parametrize("keep", [0.0, 0.5, 1.0])
def test_keep_color_moves_towards_the_identity(keep: float) -> None:
    a, b = Palette(np.full(3, 0.3), np.eye(3) * 0.02), Palette(np.full(3, 0.6), np.eye(3) * 0.05)
    full, _ = recolouring(a, b)
    t, _ = recolouring(a, b, Colouring(keep))
    np.testing.assert_allclose(t, (1 - keep) * full + keep * np.eye(3))


def test_a_grey_style_takes_all_colour_and_a_flat_one_leaves_contrast() -> None:
    plate = Palette(np.full(3, 0.4), np.diag([0.05, 0.04, 0.06]))
    grey, _ = recolouring(plate, Palette(np.full(3, 0.5), 0.05 * np.outer(GREY, GREY)))
    red_to_green = np.array([1.0, -1.0, 0.0])
    assert np.linalg.norm(grey @ red_to_green) < 0.05 * np.linalg.norm(red_to_green)
    flat, _ = recolouring(plate, Palette(np.full(3, 0.5), np.zeros((3, 3))))
    assert GREY @ flat @ GREY > 0.25
