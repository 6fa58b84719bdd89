"""Pictures made of a painting's own patches."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.pictures import picture

pytest.importorskip("torch")

import torch
from torch import Tensor

from scumble.train.match.texture import of_their_patches


@pytest.fixture(autouse=True)
def _threads() -> None:
    torch.set_num_threads(1)


def as_tensor(pixels: object) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.asarray(pixels, np.float32).transpose(2, 0, 1)))[None]


def drawn() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def two_colours() -> Tensor:
    """A painting of stripes: red above, blue below, wider than a patch."""
    pixels = np.zeros((64, 64, 3), np.float32)
    pixels[:32], pixels[32:] = (0.8, 0.1, 0.1), (0.1, 0.2, 0.7)
    return as_tensor(pixels)


def far_from(picture: Tensor, painting: Tensor) -> float:
    """Mean distance of a picture's colours to the most similar colours of a painting."""
    own, there = (x[0].flatten(1).T for x in (picture, painting))
    return float(torch.cdist(own, torch.unique(there, dim=0)).min(1).values.mean())


def test_grain_and_rims_give_way_to_the_paintings_colours() -> None:
    painting = two_colours()
    clean = painting.roll(10, 2)
    rng = np.random.default_rng(1)
    noisy = (clean + as_tensor(rng.normal(0, 0.15, (64, 64, 3)))).clamp(0, 1)
    made = of_their_patches(noisy, [painting], drawn())
    assert made.shape == noisy.shape
    assert far_from(made, painting) < far_from(noisy, painting) / 4
    assert float((made - clean).abs().mean()) < 0.3 * float((noisy - clean).abs().mean())


def test_a_painting_is_already_made_of_its_patches() -> None:
    painting = as_tensor(picture(80, 96, 5))
    made = of_their_patches(painting, [painting], drawn())
    assert float((made - painting).abs().mean()) < 0.01


def test_all_paintings_lend_patches() -> None:
    red, blue = torch.zeros(1, 3, 40, 40), torch.zeros(1, 3, 40, 40)
    red[:, 0], blue[:, 2] = 1, 1
    half = torch.cat([red, blue], 3)
    assert far_from(of_their_patches(half, [red, blue], drawn()), half) < 0.01
    assert float(of_their_patches(half, [red], drawn())[:, 2].max()) < 0.01


def test_the_same_seed_makes_the_same_picture_and_progress_is_told() -> None:
    plate, painting = as_tensor(picture(61, 75, 1)), as_tensor(picture(64, 64, 40))
    heard: list[tuple[int, int]] = []
    first = of_their_patches(plate, [painting], drawn(), lambda done, of: heard.append((done, of)))
    assert torch.equal(first, of_their_patches(plate, [painting], drawn()))
    assert first.shape == plate.shape
    assert heard == [(1, 3), (2, 3), (3, 3)]


def test_a_painting_hardly_larger_than_a_patch() -> None:
    made = of_their_patches(as_tensor(picture(40, 40, 1)), [as_tensor(picture(8, 30, 2))], drawn())
    assert bool(made.isfinite().all())
