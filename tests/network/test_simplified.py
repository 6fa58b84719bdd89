"""What the painter does to a plate first: patches of colour instead of texture, edges where they were."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from helpers.pictures import PAINTER, picture, random_look, random_statistics

from scumble.look.bake import bake
from scumble.network.openvino_engine import OpenVinoEngine
from scumble.network.simplified import SMOOTH, Simplifier, blur_and_spread, reach

RADIUS = 4


def by_formula(pixels: np.ndarray, y: int, x: int) -> np.ndarray:
    """One pixel of a picture, far from its borders: patches around it, each a mean around its own middle."""
    at = pixels.astype(np.float64)
    right = (np.roll(at, -1, 1) - np.roll(at, 1, 1)) / 2
    below = (np.roll(at, -1, 0) - np.roll(at, 1, 0)) / 2
    steep = (right**2 + below**2).mean(2)
    blur, spread = (np.outer(taps, taps).astype(np.float64) for taps in blur_and_spread(RADIUS))
    small = RADIUS // 2
    total, colour = 0.0, np.zeros(3)
    for down in range(-RADIUS, RADIUS + 1):
        for across in range(-RADIUS, RADIUS + 1):
            top, left = y + down - small, x + across - small
            window = np.s_[top : top + 2 * small + 1, left : left + 2 * small + 1]
            share = spread[down + RADIUS, across + RADIUS] * ((blur * steep[window]).sum() + SMOOTH) ** -4
            colour += share * (blur[:, :, None] * at[window]).sum((0, 1))
            total += share
    return colour / total


def test_a_pixel_is_the_mean_of_the_smoothest_patches_around_it() -> None:
    pixels = picture(32, 40, 3)
    found = Simplifier(RADIUS)(pixels)
    for y, x in ((8, 9), (16, 20), (23, 31)):
        np.testing.assert_allclose(found[y, x], by_formula(pixels, y, x), atol=1e-5)


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_torch_and_opencv_agree_up_to_the_borders() -> None:
    import torch

    from scumble.network.torch_engine import simplified

    pixels = picture(19, 33, 5)
    x = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None]
    theirs = simplified(x, RADIUS)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(Simplifier(RADIUS)(pixels), theirs, atol=1e-5)


def test_texture_goes_and_edges_stay() -> None:
    random = np.random.default_rng(0)
    plate = np.full((64, 64, 3), 0.2, np.float32)
    plate[:, 32:] = 0.7
    textured = plate + random.normal(0, 0.05, plate.shape).astype(np.float32)
    found = Simplifier(RADIUS)(textured)
    flat = np.s_[8:-8, 8:24]
    assert found[flat].std() < 0.3 * textured[flat].std()
    across = Simplifier(RADIUS)(plate)[32, :, 0]
    assert abs(across[30] - 0.2) < 0.02  # a blur as wide would have 0.33 there
    assert abs(across[33] - 0.7) < 0.02
    assert across.min() > 0.2 - 1e-5  # no rim on either side
    assert across.max() < 0.7 + 1e-5


@pytest.mark.parametrize("radius", [0, 1, 2, RADIUS])
@pytest.mark.parametrize("cut", [1, 3, 8, 13])
def test_windows_and_strips_are_simplified_to_the_same_bits(
    radius: int, cut: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(radius)
    pixels = picture(64, 93, 7) + random.normal(0, 0.03, (64, 93, 3)).astype(np.float32)
    matrix = np.eye(3, dtype=np.float32) + random.normal(0, 0.1, (3, 3)).astype(np.float32)
    offset = random.normal(0, 0.1, 3).astype(np.float32)
    whole = Simplifier(radius, matrix, offset)(pixels)
    monkeypatch.setattr("scumble.network.simplified.STRIP", 900)
    window = Simplifier(radius, matrix, offset)(pixels[cut:-cut, cut:-cut])
    far = reach(radius)
    inner = tuple(slice(far, side - far) for side in window.shape[:2])
    assert np.array_equal(window[inner], whole[cut:-cut, cut:-cut][inner])


def test_radius_nought_recolours_alone_and_no_recolouring_keeps_every_bit() -> None:
    pixels = picture(20, 30, 9)
    matrix, offset = np.diag([0.5, 1, 2]).astype(np.float32), np.array([0, 0.25, 1], np.float32)
    np.testing.assert_allclose(Simplifier(0, matrix, offset)(pixels), pixels @ matrix.T + offset, atol=1e-6)
    for identity in Simplifier(0), Simplifier(0, np.eye(3, dtype=np.float32), np.zeros(3, np.float32)):
        assert np.array_equal(identity(pixels), pixels)


def test_patches_are_exact_in_the_fast_precision() -> None:
    """A look whose strokes are nothing gives the patches themselves: no step of half precision shows in a slow ramp."""
    look = random_look(4, PAINTER)
    weights = {k: np.zeros_like(v) if ".head" in k else v for k, v in look.weights.items()}
    baked = bake(replace(look, weights=weights), random_statistics(look, 4))
    baked = replace(baked, matrix=np.eye(3, dtype=np.float32), offset=np.zeros(3, np.float32))
    ramp = np.broadcast_to(np.linspace(0.6, 0.7, 256, dtype=np.float32)[None, :, None], (64, 256, 3))
    painted = OpenVinoEngine().painter(baked, "fast")(np.ascontiguousarray(ramp))
    inner = np.s_[:, 16:-16]
    np.testing.assert_allclose(painted[inner], ramp[inner], atol=1e-4)  # bf16 has steps of 0.004 there
