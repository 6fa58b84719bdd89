"""Bands: what they are, that they move with the picture, and that a match does what it says and no more."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from conftest import picture, random_bands, random_look, random_statistics
from hypothesis import given
from hypothesis import strategies as st

from scumble import statistics_file, tiling
from scumble.baking import frame_statistics, reference_picture, reference_statistics
from scumble.bands import DETAILS, LEAST_GAIN, MOST_GAIN, REACH, BandMatch, Bands, band_match, sizes_of, smoothed
from scumble.engine.openvino_engine import OpenVinoEngine, finish_model
from scumble.errors import BadLook
from scumble.look import Look, bake, mix
from scumble.palette import Colouring
from scumble.shots import Shot

SEEDS = st.integers(0, 10_000)
SIDES = st.integers(9, 70)


def blurs(pixels: np.ndarray) -> np.ndarray:
    """The picture and its blurs, (H, W, 3 (DETAILS + 1)), from a definition of their own: sums of moved pictures."""
    found = [pixels.astype(np.float64)]
    for level in range(DETAILS):
        x, hole = found[-1], 1 << level
        for axis in (0, 1):
            places = np.arange(x.shape[axis])
            x = sum(
                weight / 16 * np.take(x, np.clip(places + step * hole, 0, len(places) - 1), axis)
                for weight, step in zip((1, 4, 6, 4, 1), range(-2, 3), strict=True)
            )
        found.append(x)
    return np.concatenate(found, axis=2)


def matched(pixels: np.ndarray, match: BandMatch) -> np.ndarray:
    x = blurs(pixels)
    found = x @ match.matrix.T.astype(np.float64) + match.offset
    if match.curves is not None:
        values = x @ match.curves.details.T.astype(np.float64)
        for knots, bends in zip(match.curves.knots.T, match.curves.bends.T, strict=True):
            found += (bends * np.clip(values, -knots, knots)).sum(2, keepdims=True) / 3**0.5
    return found


def match_of(pixels: np.ndarray, wanted: Bands) -> BandMatch:
    """What the render of a still would measure: covariances first, then sizes."""
    own = Bands.measure(pixels, sizes=False)
    return band_match(replace(own, sizes=sizes_of([pixels], [1.0], band_match(own, wanted))), wanted)


@given(seed=SEEDS, height=SIDES, width=SIDES)
def test_a_filter_and_the_graph_blur_as_the_definition_does(seed: int, height: int, width: int) -> None:
    pixels = picture(height, width, seed)
    wanted = blurs(pixels)
    x = pixels
    for level in range(DETAILS):
        x = smoothed(x, level)
        np.testing.assert_allclose(x, wanted[..., 3 * level + 3 : 3 * level + 6], atol=1e-6)
    match = match_of(pixels, Bands.measure(picture(40, 50, seed + 1)))
    assert match.curves is not None
    graph = OpenVinoEngine().compile(finish_model(match, (1, height, width, 3)), "f32")
    np.testing.assert_allclose(graph(pixels[None])[0][0], matched(pixels, match), atol=1e-5)


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
@given(seed=SEEDS, height=SIDES, width=SIDES)
def test_training_measures_and_matches_as_rendering_does(seed: int, height: int, width: int) -> None:
    import torch

    from scumble.engine import torch_engine
    from scumble.nn import bands

    pixels, style = picture(height, width, seed), Bands.measure(picture(40, 50, seed + 1))
    x = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None]
    of_blurs = bands.blurs(x)
    np.testing.assert_allclose(of_blurs[0].permute(1, 2, 0), blurs(pixels), atol=1e-6)
    np.testing.assert_allclose(torch_engine.blurs(x), of_blurs, atol=1e-6)
    (own,) = bands.measured(of_blurs)
    known = Bands.measure(pixels)
    np.testing.assert_allclose(own.covariance, known.covariance, atol=1e-6)
    painted, match = bands.matched(x, style)
    wanted = match_of(pixels, style)
    np.testing.assert_allclose(painted[0].permute(1, 2, 0), matched(pixels, wanted), atol=2e-3)
    rendered = torch_engine.finishing(wanted, torch.device("cpu"))(x)
    np.testing.assert_allclose(rendered[0].permute(1, 2, 0), matched(pixels, wanted), atol=1e-5)
    assert match.of(1).details is not None


def test_views_are_pooled_by_their_weights() -> None:
    torch = pytest.importorskip("torch")
    from scumble.nn import bands

    views = [picture(24, 24, i) for i in range(4)]  # two samples, two views of each
    x = torch.from_numpy(np.stack(views).transpose(0, 3, 1, 2).copy())
    found = bands.measured(bands.blurs(x), (0.75, 0.25))
    for i in range(2):
        wanted = Bands.pool([Bands.measure(views[i]), Bands.measure(views[i + 2])], [3, 1])
        np.testing.assert_allclose(found[i].covariance, wanted.covariance, atol=1e-6)
        np.testing.assert_allclose(found[i].mean, wanted.mean, atol=1e-6)


@given(seed=SEEDS, dy=st.integers(-5, 5), dx=st.integers(-5, 5))
def test_a_moved_picture_is_matched_as_the_match_moved(seed: int, dy: int, dx: int) -> None:
    pixels = picture(100, 110, seed)
    match = match_of(pixels, Bands.measure(picture(40, 50, seed + 1)))
    one = matched(np.roll(pixels, (dy, dx), (0, 1)), match)
    two = np.roll(matched(pixels, match), (dy, dx), (0, 1))
    inner = slice(REACH + 6, -REACH - 6)
    np.testing.assert_allclose(one[inner, inner], two[inner, inner], atol=1e-6)


@given(seed=SEEDS)
def test_a_painting_gets_the_bands_of_its_style(seed: int) -> None:
    """Where no gain is at its limit: the style is the picture itself, in other colours and a little more contrast."""
    pixels = picture(80, 90, seed)
    own = Bands.measure(pixels, sizes=False)
    turn = np.array([[1.1, 0.1, 0], [0.1, 0.9, 0.1], [0, 0.1, 1.2]])
    wanted = own.recoloured(turn, np.array([0.2, 0.5, 0.4]))
    found = Bands.measure(matched(pixels, band_match(own, wanted)).astype(np.float32))
    np.testing.assert_allclose(found.mean, wanted.mean, atol=1e-3)
    np.testing.assert_allclose(found.covariance, wanted.covariance, rtol=0.05, atol=2e-4)


def test_grain_of_a_flat_picture_is_not_blown_up() -> None:
    rng = np.random.default_rng(0)
    flat = (0.5 + rng.normal(0, 1 / 255, (96, 96, 3))).astype(np.float32)
    loud = Bands.measure(rng.random((96, 96, 3)).astype(np.float32))
    assert match_of(flat, loud).curves is not None
    for match in (band_match(Bands.measure(flat, sizes=False), loud), match_of(flat, loud)):
        painted = matched(flat, match)
        assert (painted.std((0, 1)) < 1.05 * MOST_GAIN * flat.std((0, 1))).all()


@given(seed=SEEDS)
def test_curves_give_details_the_sizes_of_the_style(seed: int) -> None:
    """Where no slope is at its limit: the style is the picture itself, its details bent a little."""
    pixels = picture(80, 90, seed)
    own = Bands.measure(pixels, sizes=False)
    linear = band_match(own, own)
    sizes = sizes_of([pixels], [1.0], linear)
    wanted = replace(own, sizes=sizes**0.9 * sizes[..., -1:] ** 0.1)
    curves = band_match(replace(own, sizes=sizes), wanted).curves
    assert curves is not None
    values = np.abs(blurs(pixels) @ curves.details.T.astype(np.float64))
    slopes = np.diff(wanted.sizes, prepend=0) / np.diff(sizes, prepend=0)  # type: ignore[arg-type]
    assert (slopes > LEAST_GAIN).all()
    assert (slopes < MOST_GAIN).all()
    bent = slopes[:, -1] * values
    for knots, bends in zip(curves.knots.T, curves.bends.T, strict=True):
        bent += bends * np.minimum(values, knots)
    found = np.quantile(bent[::3, ::3].reshape(-1, DETAILS), (0.4, 0.7, 0.9), axis=0).T
    np.testing.assert_allclose(found, wanted.sizes[:, :3], rtol=0.1, atol=1e-3)  # type: ignore[index]


def test_sizes_weigh_pictures_by_their_share() -> None:
    even, loud = picture(60, 60, 1), 4 * picture(60, 60, 1)
    linear = BandMatch(np.tile(np.eye(3, dtype=np.float32), (1, DETAILS + 1)) * 0, np.zeros(3, np.float32))
    linear.matrix[:, :3] = np.eye(3)  # of the whole picture: every band once
    alone, most, both = (
        sizes_of(p, w, linear) for p, w in (([even], [1.0]), ([even, loud], [1.0, 1e-9]), ([even, loud], [0.5, 0.5]))
    )
    np.testing.assert_allclose(most, alone, rtol=1e-6)
    assert (both >= alone).all()
    assert (both <= 4 * alone + 1e-9).all()
    assert (both[..., -1] > 1.05 * alone[..., -1]).all()


@given(seed=SEEDS)
def test_looks_keep_their_bands(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    look = random_look(seed)
    look = replace(look, reference=reference_statistics(look))
    path = tmp_path_factory.mktemp("looks") / "a.look"
    look.save(path)
    again = Look.load(path)
    assert again.hash == look.hash
    assert again.bands is not None
    assert look.bands is not None
    np.testing.assert_array_equal(again.bands.covariance, look.bands.covariance)
    np.testing.assert_array_equal(again.bands.sizes, look.bands.sizes)
    assert again.bands.bending == look.bands.bending
    assert again.reference is not None
    assert again.reference.bands is not None
    assert again.reference.bands.sizes is not None
    linear = replace(look, bands=replace(look.bands, sizes=None))  # as looks were before there were curves
    linear = replace(linear, reference=reference_statistics(linear))
    assert linear.reference is not None
    linear.save(path)
    assert Look.load(path).schema == look.schema - 1
    assert bake(linear, linear.reference).bands is not None
    assert bake(linear, linear.reference).bands.curves is None  # type: ignore[union-attr]


def test_a_look_whose_bands_are_misshapen_or_half_there_is_refused(tmp_path: Path) -> None:
    look = random_look(1)
    assert look.bands is not None
    short = replace(look, bands=Bands(look.bands.mean, look.bands.covariance[1:]))
    short.save(tmp_path / "short.look")
    with pytest.raises(BadLook, match=r"bands\.covariance should have shape"):
        Look.load(tmp_path / "short.look")
    half = replace(look, reference=random_statistics(look))
    assert half.reference is not None
    half = replace(half, reference=replace(half.reference, bands=None))
    half.save(tmp_path / "half.look")
    with pytest.raises(BadLook, match="has none"):
        Look.load(tmp_path / "half.look")
    assert half.reference is not None
    of_paintings = replace(random_bands(np.random.default_rng(0), look.palette.mean), sizes=None)
    straight = replace(half, reference=replace(half.reference, bands=of_paintings))
    straight.save(tmp_path / "straight.look")
    with pytest.raises(BadLook, match=r"bands\.sizes whose reference has none"):
        Look.load(tmp_path / "straight.look")
    steep = replace(look, bands=replace(look.bands, bending=1.5))
    steep.save(tmp_path / "steep.look")
    with pytest.raises(BadLook, match=r"bands\.bending should be a number"):
        Look.load(tmp_path / "steep.look")
    few = replace(look, bands=replace(look.bands, sizes=look.bands.sizes[1:]))  # type: ignore[index]
    few.save(tmp_path / "few.look")
    with pytest.raises(BadLook, match=r"bands\.sizes should have shape"):
        Look.load(tmp_path / "few.look")


def test_statistics_files_keep_the_bands(tmp_path: Path) -> None:
    look = random_look(2)
    measured = statistics_file.Measured(Shot(1, 5), random_statistics(look))
    statistics_file.save(tmp_path / "s.json", look, [measured], {})
    (again,) = statistics_file.load(tmp_path / "s.json", look, {})
    assert again.statistics.bands is not None
    assert measured.statistics.bands is not None
    np.testing.assert_array_equal(again.statistics.bands.covariance, measured.statistics.bands.covariance)
    np.testing.assert_array_equal(again.statistics.bands.sizes, measured.statistics.bands.sizes)


def test_looks_mix_their_bands() -> None:
    one, two = (random_look(i) for i in (1, 2))
    assert one.bands is not None
    assert two.bands is not None
    assert one.bands.bending == two.bands.bending == 0.75
    both = mix([one, two], [3, 1])
    assert both.bands is not None
    np.testing.assert_allclose(both.bands.covariance, 0.75 * one.bands.covariance + 0.25 * two.bands.covariance)
    np.testing.assert_allclose(both.bands.sizes, 0.75 * one.bands.sizes + 0.25 * two.bands.sizes)  # type: ignore
    assert mix([one, replace(two, bands=None)], [1, 1]).bands is None
    straight = replace(two, bands=replace(two.bands, sizes=None))
    assert mix([straight, straight], [1, 1]).bands.sizes is None  # type: ignore[union-attr]
    half = mix([one, straight], [1, 1]).bands
    assert half is not None
    assert half.bending == 0.375  # curves of half the strength
    np.testing.assert_allclose(half.sizes, one.bands.sizes)  # type: ignore[arg-type]
    own = random_statistics(one).bands
    assert own is not None
    bent, halfway = (band_match(own, replace(one.bands, bending=b)).curves for b in (1.0, 1e-6))
    assert bent is not None
    assert halfway is not None
    assert np.abs(bent.bends).max() > 0.1
    assert np.abs(halfway.bends).max() < 1e-4


@pytest.mark.parametrize("keep", [0.0, 1.0])
def test_a_painting_is_as_bright_and_coloured_as_it_is_asked_to_be(keep: float) -> None:
    """Mean colours are the style's, and with --keep-color 1 the plate's; the random network's own are neither."""
    look = random_look(4)
    assert look.bands is not None
    plate, colouring = reference_picture(), Colouring(keep_color=keep)
    statistics = frame_statistics(look, [plate], 1, colouring)
    wanted = statistics.palette.mean if keep else look.bands.mean

    def error(look: Look) -> float:
        baked = bake(look, statistics, colouring)
        painter = OpenVinoEngine().painter(baked, "f32")
        painted = tiling.paint(plate, painter, baked.architecture.stride, baked.halo)
        return float(np.abs(painted.mean((0, 1)) - wanted).max())

    assert error(look) < 0.8 * error(replace(look, bands=None))


def test_the_plain_look_has_a_smaller_halo() -> None:
    look = random_look(5)
    with_bands, without = (bake(each, random_statistics(each)) for each in (look, replace(look, bands=None)))
    assert without.bands is None
    assert with_bands.halo - without.halo >= REACH
