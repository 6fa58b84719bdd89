"""Every loss against its written formula, computed independently with plain loops or NumPy in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from scumble.core.colour import LUMA  # noqa: E402
from scumble.network.shape import SEEN  # noqa: E402
from scumble.train.nn import losses  # noqa: E402


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def test_content_is_the_mean_squared_difference_over_c_h_w() -> None:
    a, b = draw(2, 3, 4, 5, seed=1), draw(2, 3, 4, 5, seed=2)
    total = 0.0
    for n in range(2):
        for c in range(3):
            for y in range(4):
                for x in range(5):
                    total += (float(a[n, c, y, x]) - float(b[n, c, y, x])) ** 2 / (3 * 4 * 5)
    assert float(losses.content(a, b)) == pytest.approx(total / 2, rel=1e-12)


def test_gram_is_divided_by_c_h_w() -> None:
    f = draw(1, 3, 2, 4)
    g = losses.gram(f)[0]
    for i in range(3):
        for j in range(3):
            own = sum(float(f[0, i, y, x]) * float(f[0, j, y, x]) for y in range(2) for x in range(4))
            assert float(g[i, j]) == pytest.approx(own / (3 * 2 * 4), rel=1e-12)


def test_style_is_the_weighted_sum_of_gram_differences_over_c_squared() -> None:
    weights = {"one": 0.3, "two": 2.0}
    of = {"one": draw(2, 3, 4, 4, seed=1), "two": draw(2, 5, 2, 2, seed=2)}
    style = {"one": draw(1, 3, 6, 6, seed=3), "two": draw(1, 5, 3, 3, seed=4)}
    expected = 0.0
    for name, weight in weights.items():
        s = style[name].numpy()[0].reshape(style[name].shape[1], -1)
        g_s = s @ s.T / s.size
        for n in range(2):
            f = of[name].numpy()[n].reshape(of[name].shape[1], -1)
            expected += weight * ((f @ f.T / f.size - g_s) ** 2).sum() / len(g_s) ** 2 / 2
    found = losses.style(of, {k: losses.gram(v) for k, v in style.items()}, weights)
    assert float(found) == pytest.approx(expected, rel=1e-12)


def test_nearest_is_the_cosine_distance_to_the_most_similar_place() -> None:
    own, there = draw(2, 5, 3, 4, seed=3), draw(2, 5, 2, 6, seed=4)
    total = 0.0
    for n in range(2):
        a, b = (x[n].reshape(5, -1).numpy().T - there[n].reshape(5, -1).numpy().mean(1) for x in (own, there))
        for place in a:
            similar = [place @ other / np.linalg.norm(place) / np.linalg.norm(other) for other in b]
            total += (1 - max(similar)) / (2 * 12)
    assert float(losses.nearest(own, there)) == pytest.approx(total, rel=1e-9)
    assert float(losses.nearest(there, there)) == pytest.approx(0, abs=1e-12)


def edge(side: int = 64) -> torch.Tensor:
    """Dark on the left, bright on the right."""
    picture = torch.full((1, 3, side, side), 0.2, dtype=torch.float64)
    picture[..., side // 2 :] = 0.7
    return picture


def test_halo_is_the_square_beyond_the_range_beside_an_edge() -> None:
    """By its formula: cells of two pixels, the plate's range within four cells, a strong edge counts in full."""
    plate, painting = edge(), edge() + 0.1 * draw(1, 3, 64, 64, seed=5)
    own, there = (x.numpy()[0].reshape(3, 32, 2, 32, 2).mean(axis=(2, 4)) for x in (painting, plate))
    luma = np.tensordot(np.array(LUMA), there, 1)
    total = 0.0
    for y in range(32):
        for x in range(32):
            around = np.s_[max(0, y - 4) : y + 5, max(0, x - 4) : x + 5]
            strong = min(1.0, max(0.0, (luma[around].max() - luma[around].min()) / 0.25 - 1))
            for channel in range(3):
                seen = there[channel][around]
                bright = max(0.0, own[channel, y, x] - seen.max() - 0.02)
                dark = max(0.0, seen.min() - 0.02 - own[channel, y, x])
                total += strong * (bright**2 + 0.3 * dark**2) / 3
    assert total > 0
    assert float(losses.halo(painting, plate)) == pytest.approx(total / 32**2, rel=1e-9)


def test_halo_leaves_strokes_alone_and_sees_coloured_rims() -> None:
    plate = edge()
    strokes, coloured, rim, outline = plate.clone(), plate.clone(), plate.clone(), plate.clone()
    strokes[..., :20] += 0.4  # far from the edge
    strokes[..., 34:38] -= 0.3  # beside it, between dark and bright
    coloured[:, 0, :, 34:38] += 0.1  # as light as before
    coloured[:, 1, :, 34:38] -= 0.1 * LUMA[0] / LUMA[1]
    rim[..., 32:36] += 0.15
    outline[..., 28:32] -= 0.15
    found = [float(losses.halo(picture, plate)) for picture in (plate, strokes, coloured, rim, outline)]
    assert found[:2] == [0, 0]
    assert found[2] > 0
    assert found[4] == pytest.approx(0.3 * found[3])
    assert found[3] > 0
    soft = plate * 0.4 + 0.3  # a weak edge may have a rim
    assert float(losses.halo(soft + (rim - plate), soft)) == 0


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_total_variation_squares_differences_of_neighbours(reduction: losses.Reduction) -> None:
    x = draw(2, 3, 4, 5)
    total = 0.0
    for n in range(2):
        for c in range(3):
            for i in range(4):
                for j in range(5):
                    if i + 1 < 4:
                        total += float(x[n, c, i + 1, j] - x[n, c, i, j]) ** 2
                    if j + 1 < 5:
                        total += float(x[n, c, i, j + 1] - x[n, c, i, j]) ** 2
    total /= 2
    if reduction == "mean":
        total /= 4 * 5
    assert float(losses.total_variation(x, reduction)) == pytest.approx(total, rel=1e-12)


def sigmoid(v: float) -> float:
    return 1 / (1 + math.exp(-v))


FORMULAS = {  # (real term, fake term, generator's term) of one logit
    "bce": (
        lambda v: -math.log(sigmoid(v)),
        lambda v: -math.log(1 - sigmoid(v)),
        lambda v: -math.log(sigmoid(v)),
    ),
    "least-squares": (lambda v: (v - 1) ** 2, lambda v: v**2, lambda v: (v - 1) ** 2),
}


@pytest.mark.parametrize("kind", list(FORMULAS))
def test_adversarial_losses_of_both_sides(kind: losses.AdversarialKind) -> None:
    real, fake, wrong = draw(2, 1, 3, 3, seed=1), draw(2, 1, 3, 3, seed=2), draw(4, 1, 2, 2, seed=3)
    of_real, of_fake, of_g = FORMULAS[kind]

    def mean(term, logits):  # type: ignore[no-untyped-def]
        values = [term(float(v)) for v in logits.flatten()]
        return sum(values) / len(values)

    expected = 0.5 * (mean(of_real, real) + (mean(of_fake, fake) + mean(of_fake, wrong)) / 2)
    assert float(losses.adversarial_d([real], [fake, wrong], kind)) == pytest.approx(expected, rel=1e-12)
    assert float(losses.adversarial_g(fake, kind)) == pytest.approx(mean(of_g, fake), rel=1e-12)


def test_bce_takes_extreme_logits() -> None:
    far = torch.tensor([1000.0, -1000.0])
    assert math.isfinite(float(losses.adversarial_d([far], [far], "bce")))


def test_compound_temporal_is_the_mean_over_valid_pixels() -> None:
    a, b = draw(1, 3, 2, 2, seed=1), draw(1, 3, 2, 2, seed=2)
    valid = torch.tensor([[[[1.0, 0.0], [1.0, 1.0]]]], dtype=torch.float64)
    total = sum(
        abs(float(a[0, c, i, j] - b[0, c, i, j]))
        for c in range(3)
        for i in range(2)
        for j in range(2)
        if (i, j) != (0, 1)
    )
    assert float(losses.compound_temporal(a, b, valid)) == pytest.approx(total / 9, rel=1e-12)


def test_instance_normalised_forgets_contrast_and_level() -> None:
    f = draw(2, 3, 6, 6)
    assert torch.allclose(losses.instance_normalised(f * 7 + 3), losses.instance_normalised(f), atol=1e-5)


def test_moment_difference() -> None:
    a, b = draw(1, 2, 3, 3, seed=1), draw(1, 2, 3, 3, seed=2)
    expected = 0.0
    for c in range(2):
        u, v = a[0, c].numpy(), b[0, c].numpy()
        expected += ((u.mean() - v.mean()) ** 2 + (np.sqrt(u.var() + 1e-6) - np.sqrt(v.var() + 1e-6)) ** 2) / 2
    assert float(losses.moment_difference(losses.moments(a), losses.moments(b))) == pytest.approx(expected, rel=1e-10)


def test_weighted_total() -> None:
    terms = {"content": torch.tensor(2.0), "style": torch.tensor(3.0)}
    assert float(losses.weighted_total(terms, {"content": 0.5, "style": 10.0, "unused": 9.0})) == 31.0
    with pytest.raises(KeyError):
        losses.weighted_total(terms, {"content": 1.0})


GRADIENTS = {
    "content": lambda x: losses.content(x, draw(1, 2, 4, 4, seed=9)),
    "normalised content": lambda x: losses.content(losses.instance_normalised(x), draw(1, 2, 4, 4, seed=9)),
    "style": lambda x: losses.style({"f": x}, {"f": losses.gram(draw(1, 2, 4, 4, seed=9))}, {"f": 3.0}),
    "moments": lambda x: losses.moment_difference(losses.moments(x), losses.moments(draw(1, 2, 4, 4, seed=9))),
    "variation": losses.total_variation,
    "bce": lambda x: losses.adversarial_g(x, "bce"),
    "least squares": lambda x: losses.adversarial_g(x, "least-squares"),
    "bce d": lambda x: losses.adversarial_d([x], [x * 0.5], "bce"),
    "relative moments": lambda x: losses.relative_moments(
        losses.moments(x), losses.moments(draw(1, 2, 4, 4, seed=9)), 0.5
    ),
    "temporal": lambda x: losses.compound_temporal(x, draw(1, 2, 4, 4, seed=9), torch.ones(1, 1, 4, 4).double()),
}


@pytest.mark.parametrize("name", list(GRADIENTS))
def test_gradients(name: str) -> None:
    x = draw(1, 2, 4, 4, seed=5).requires_grad_(True)
    assert torch.autograd.gradcheck(GRADIENTS[name], (x,))


def test_a_relative_distance_is_the_root_of_a_share_of_the_goals_size() -> None:
    goal = torch.tensor([[3.0, 4.0]]), torch.tensor([[1.0, 2.0]])
    own = torch.tensor([[3.5, 4.0]]), torch.tensor([[1.0, 1.0]])
    wanted = math.sqrt((0.25 + 1.0) / (0.75 * 30 + 0.25 * 10) + losses.NEAR)
    assert float(losses.relative_moments(own, goal, 10.0)) == pytest.approx(wanted, rel=1e-6)
    at_goal = goal[0].clone().requires_grad_()
    losses.relative_moments((at_goal, goal[1]), goal, 10.0).backward()
    assert at_goal.grad is not None
    assert bool(at_goal.grad.isfinite().all())  # the bare root's is not


def test_half_a_gram_matrix_has_the_size_of_the_whole() -> None:
    f = draw(2, 3, 4, 5)
    whole = losses.gram(f).float()
    assert torch.allclose(losses.upper_half(whole).square().sum(1), whole.square().sum((1, 2)))
    scaled = losses.gram_of_places(f.float()) / losses.GRAM_SCALE
    assert torch.allclose(scaled, whole * 3, rtol=1e-5)  # not divided by the channels


def test_moments_of_layers_stand_side_by_side() -> None:
    layers = [(torch.rand(2, channels), torch.rand(2, channels)) for _, channels in SEEN]
    for given, found in zip(layers, losses.split_moments(losses.stacked_moments(layers)), strict=True):
        assert torch.equal(given[0], found[0])
        assert torch.equal(given[1], found[1])


def test_views_taken_together_are_one_larger_picture() -> None:
    f = draw(6, 3, 4, 5).float()  # two views of three pictures
    whole = f.view(3, 2, 3, 4, 5).transpose(1, 2).reshape(3, 3, 8, 5)
    for found, wanted in zip(losses.pooled_moments(losses.moments(f), 2), losses.moments(whole), strict=True):
        assert torch.allclose(found, wanted, atol=1e-4)
    wanted = losses.upper_half(losses.gram_of_places(whole))
    assert torch.allclose(losses.pooled_grams(losses.gram_of_places(f), 2), wanted, rtol=1e-4, atol=1e-9)


def test_local_moments_are_means_and_deviations_of_windows() -> None:
    a, b = draw(1, 2, 8, 8, seed=1), draw(1, 2, 8, 8, seed=2) + 1
    parts = []
    for f in (a, b):
        windows = f[0].unfold(1, 4, 2).unfold(2, 4, 2).reshape(2, 3, 3, 16).numpy()
        parts.append((windows.mean(3), np.sqrt(windows.var(3) + 1e-4)))
    (mean, deviation), (mean_b, deviation_b) = parts
    difference = ((mean - mean_b) ** 2).mean() + ((deviation - deviation_b) ** 2).mean()
    wanted = math.sqrt(difference / ((mean_b**2).mean() + (deviation_b**2).mean()) + 1e-6)
    assert float(losses.local_moments(a, b, 4)) == pytest.approx(wanted, rel=1e-5)


def test_marks_that_lie_elsewhere_are_no_great_difference_and_none_at_all_is() -> None:
    """What pixels cannot tell: a blur is nearer to dots than dots that lie elsewhere."""
    dots = (draw(1, 1, 64, 64, seed=1) > 1).double()
    elsewhere, blur = (draw(1, 1, 64, 64, seed=2) > 1).double(), torch.full_like(dots, float(dots.mean()))
    assert losses.relative_difference(elsewhere, dots) > losses.relative_difference(blur, dots)
    assert 2 * losses.local_moments(elsewhere, dots, 16) < losses.local_moments(blur, dots, 16)
