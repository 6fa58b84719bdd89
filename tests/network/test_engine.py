"""One contract for both back ends; windows equal the frame; the graph agrees with training's arithmetic."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from helpers.pictures import PAINTER, SMALL, picture, random_look, random_statistics
from hypothesis import given
from hypothesis import strategies as st

from scumble.core.errors import BadSettings
from scumble.look.bake import bake
from scumble.network import tiling
from scumble.network.engine import ENGINES, open_engine
from scumble.network.openvino_engine import OpenVinoEngine
from scumble.network.shape import SIZES, Architecture

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
ARCHITECTURES = st.sampled_from([SMALL, replace(SMALL, form="resnet"), PAINTER])
SHAPES = st.tuples(st.integers(9, 70), st.integers(9, 90))


def painting(name: str, seed: int, shape: tuple[int, int], architecture: Architecture = SMALL) -> np.ndarray:
    look = random_look(seed, architecture)
    baked = bake(look, random_statistics(look, seed))
    painter = open_engine(name).painter(baked, "f32")
    return tiling.paint(picture(*shape, seed), painter, architecture.stride, baked.halo)


@pytest.mark.parametrize("architecture", [SMALL, PAINTER], ids=["unet", "painter"])
@pytest.mark.parametrize("engine", ["openvino", pytest.param("torch", marks=needs_torch)])
class TestEngine:
    """What every engine promises to whoever paints with it."""

    def test_a_window_comes_back_in_its_own_shape(self, engine: str, architecture: Architecture) -> None:
        look = random_look(5, architecture)
        painter = open_engine(engine).painter(bake(look, random_statistics(look, 5)), "f32")
        for shape in ((64, 96), (32, 32)):
            painted = painter(picture(*shape, 5))
            assert painted.shape == (*shape, 3)
            assert painted.dtype == np.float32

    def test_it_is_one_fixed_function(self, engine: str, architecture: Architecture) -> None:
        """The same window again, after another one, gives the same bits: nothing is kept between calls."""
        look = random_look(6, architecture)
        painter = open_engine(engine).painter(bake(look, random_statistics(look, 6)), "f32")
        first = painter(picture(64, 64, 1))
        painter(picture(64, 64, 2))
        assert np.array_equal(painter(picture(64, 64, 1)), first)

    def test_a_window_on_the_grid_is_a_part_of_the_frame(self, engine: str, architecture: Architecture) -> None:
        look = random_look(7, architecture)
        baked = bake(look, random_statistics(look, 7))
        painter = open_engine(engine).painter(baked, "f32")
        pixels = picture(4 * baked.halo, 64, 7)
        top = architecture.stride * (baked.halo // architecture.stride)
        part = painter(np.ascontiguousarray(pixels[top:]))
        np.testing.assert_allclose(part[baked.halo :], painter(pixels)[top + baked.halo :], atol=1e-5)

    def test_the_fast_precision_is_near(self, engine: str, architecture: Architecture) -> None:
        look = random_look(8, architecture)
        baked = bake(look, random_statistics(look, 8))
        exact, fast = (open_engine(engine).painter(baked, p)(picture(64, 64, 8)) for p in ("f32", "fast"))
        assert np.abs(exact - fast).mean() < 0.02


@needs_torch
@given(seed=st.integers(0, 10_000), shape=SHAPES, architecture=ARCHITECTURES)
def test_engines_agree(seed: int, shape: tuple[int, int], architecture: Architecture) -> None:
    one, two = (painting(name, seed, shape, architecture) for name in ("openvino", "torch"))
    assert one.shape == (*shape, 3)
    np.testing.assert_allclose(one, two, atol=1e-3)


@needs_torch
@given(seed=st.integers(0, 10_000), architecture=ARCHITECTURES)
def test_baking_agrees_with_the_generator_that_was_trained(seed: int, architecture: Architecture) -> None:
    """Statistics measured by the graph and folded give what torch gives with its own instance statistics."""
    import torch

    from scumble.train.nn.generator import Generator

    look = random_look(seed, architecture)
    pixels = picture(32, 48, seed)
    statistics = random_statistics(look, seed)
    baked = bake(look, statistics)
    mean, variance = OpenVinoEngine().measure(
        look, pixels[None], np.ones(1, np.float32), baked.matrix.astype(float), baked.offset.astype(float)
    )
    baked = bake(look, replace(statistics, mean=mean, variance=variance))
    ours = open_engine("openvino").painter(baked, "f32")(pixels)
    generator = Generator(architecture, "none").requires_grad_(False)
    generator.load_state_dict({k: torch.from_numpy(v) for k, v in look.weights.items()})
    p = torch.from_numpy(pixels @ baked.matrix.T + baked.offset).permute(2, 0, 1)[None]
    for theirs in (generator(p, generator.look()), generator.measured(p, generator.look())[0]):
        np.testing.assert_allclose(ours, theirs[0].permute(1, 2, 0).numpy(), atol=1e-3)


def test_pooled_statistics_weigh_the_views() -> None:
    look = random_look(1)
    crops = np.stack([picture(16, 16, i) for i in range(3)])
    share = np.array([0.5, 0.3, 0.2], np.float32)
    mean, variance = OpenVinoEngine().measure(look, crops, share, np.eye(3), np.zeros(3))
    kernel = look.weights["kernel.stem"]
    padded = np.pad(crops, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))  # (N, H, W, C, 3, 3)
    response = np.einsum("nhwcij,ocij->nohw", windows, kernel).reshape(3, SMALL.widths[0], -1)
    expected = np.einsum("n,nop->o", share, response) / response.shape[2]
    spread = np.einsum("n,nop->o", share, (response - expected[:, None]) ** 2) / response.shape[2]
    np.testing.assert_allclose(mean["stem"], expected, atol=1e-4)
    np.testing.assert_allclose(variance["stem"], spread, rtol=1e-3)


# in fast precision the sizes that there are: with AMX, widths that are no multiple of 8, as SMALL has, take another
# kernel in windows of another width
@pytest.mark.parametrize("pixels", [1, pytest.param(20_000, marks=pytest.mark.full), 40_000])
@pytest.mark.parametrize(
    ("precision", "architecture"),
    [
        *(pytest.param("f32", a, id=f"{n}-f32") for n, a in (("unet", SMALL), ("painter", PAINTER))),
        *(pytest.param("fast", a, id=f"{f}-{n}-fast") for f, sizes in SIZES.items() for n, a in sizes.items()),
    ],
)
def test_windows_equal_the_frame_to_the_bit(precision: str, pixels: int, architecture: Architecture) -> None:
    look = random_look(3, architecture)
    baked = bake(look, random_statistics(look, 3))
    painter = open_engine("openvino").painter(baked, precision)  # type: ignore[arg-type]
    plate, stride = picture(413, 261, 3), architecture.stride
    seen = []

    def watched(window: np.ndarray) -> np.ndarray:
        seen.append(window.shape)
        return painter(window)

    whole = tiling.paint(plate, painter, stride, baked.halo, window_pixels=1 << 30)
    assert np.array_equal(whole, tiling.paint(plate, watched, stride, baked.halo, window_pixels=pixels))
    assert len(set(seen)) == 1 < len(seen)  # one shape: one graph is compiled


def test_a_short_halo_would_be_noticed() -> None:
    """The test above can fail: with a shorter halo, windows differ."""
    look = random_look(3)
    baked = bake(look, random_statistics(look, 3))
    painter = open_engine("openvino").painter(baked, "f32")
    pixels = picture(203, 61, 3)
    whole = tiling.paint(pixels, painter, SMALL.stride, baked.halo, window_pixels=1 << 30)
    windows = tiling.paint(pixels, painter, SMALL.stride, 8, window_pixels=8 * 64)
    assert not np.array_equal(whole, windows)


@given(
    size=st.tuples(st.integers(1, 600), st.integers(1, 600)), halo=st.integers(0, 20), most=st.integers(1, 1 << 18)
)  # fmt: skip
def test_windows_cover_every_pixel_once_on_the_grid(size: tuple[int, int], halo: int, most: int) -> None:
    stride = 8
    size, halo = (size[0] * stride, size[1] * stride), halo * stride
    both = tiling.tiles(size, halo, stride, most)
    for spans, length in zip(both, size, strict=True):
        assert [x for first, last, _, _ in spans for x in range(first, last)] == list(range(length))
        for first, last, start, end in spans:
            assert start % stride == end % stride == 0
            assert 0 <= start <= max(0, first - halo)
            assert length >= end >= min(length, last + halo)
    window = {(below - above, after - before) for *_, above, below in both[0] for *_, before, after in both[1]}
    assert len(window) == 1
    (rows, columns), least = window.pop(), (4 * halo + stride) ** 2
    if most >= least and max(size) < least**0.5 * 16:
        assert rows * columns <= most


def test_unknown_engine() -> None:
    with pytest.raises(BadSettings, match=", ".join(ENGINES)):
        open_engine("abacus")


def test_the_painter_takes_no_more_detail_away_than_there_is() -> None:
    """Whatever the head says, bands of the plate are kept, taken away, or something between; never sharpened, never turned."""
    look = random_look(2, PAINTER)
    wild = {k: (v * 50 if k in ("kernel.head", "gamma.head") else v) for k, v in look.weights.items()}
    # strokes of nothing: what is left is the plate under its gates
    for part in ("kernel", "gamma", "beta"):
        wild[f"{part}.head"] = wild[f"{part}.head"].copy()
        wild[f"{part}.head"][:3] = 0
    look = replace(look, weights=wild)
    statistics = random_statistics(look, 2)
    baked = replace(bake(look, statistics), matrix=np.eye(3, dtype=np.float32), offset=np.zeros(3, np.float32))
    flat = np.full((64, 64, 3), 0.4, np.float32)
    edge = flat.copy()
    edge[:, 32:] = 0.7
    painter = open_engine("openvino").painter(baked, "f32")
    np.testing.assert_allclose(painter(flat), flat, atol=1e-5)
    painted = painter(edge)
    assert painted.min() > 0.4 - 1e-4
    assert painted.max() < 0.7 + 1e-4
    assert np.abs(painted - edge).max() > 0.01


@needs_torch
def test_torch_takes_the_threads_that_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    monkeypatch.setenv("SCUMBLE_THREADS", "1")
    open_engine("torch")
    assert torch.get_num_threads() == 1
    torch.set_num_threads(before)
