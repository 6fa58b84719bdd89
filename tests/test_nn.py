"""The networks: what the generator may depend on, what its switches do, how it collapses, what D looks at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from conftest import SMALL, picture  # noqa: E402

from scumble.baking import look_of_pixels  # noqa: E402
from scumble.engine.openvino_engine import OpenVinoEngine  # noqa: E402
from scumble.errors import BadLook  # noqa: E402
from scumble.look import Look, StyleStatistics, Universal  # noqa: E402
from scumble.network import SIZES, Architecture  # noqa: E402
from scumble.nn import files  # noqa: E402
from scumble.nn.discriminator import PlainDiscriminator, StyleDiscriminator  # noqa: E402
from scumble.nn.generator import Generator, Moments, pooled_moments  # noqa: E402
from scumble.nn.perceptual import PerceptualFeatures  # noqa: E402


def shaken(architecture: Architecture = SMALL, **more: object) -> Generator:
    """A generator whose silent layers speak, so that nothing hides behind zeros."""
    torch.manual_seed(3)
    g = Generator(architecture, **more)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in g.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return g.requires_grad_(False)


def batch(*pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2).copy())


STYLE = batch(picture(48, 64, 9))
CONTENT = batch(picture(32, 40, 1), picture(32, 40, 2))


def test_training_starts_from_the_palette_map() -> None:
    torch.manual_seed(0)
    g = Generator(SIZES["standard"]).requires_grad_(False)
    strokes, _ = g(CONTENT, g.collapse(g.encode(STYLE)))
    assert float(strokes.std()) < 0.3 * float(CONTENT.std())


def test_the_style_picture_changes_the_painting() -> None:
    g = shaken()
    one, _ = g(CONTENT, g.collapse(g.encode(STYLE)))
    two, _ = g(CONTENT, g.collapse(g.encode(1 - STYLE.roll(9, 3) ** 2)))
    assert float((one - two).abs().mean()) > 0.01


def test_skips_are_switchable_and_gated_by_the_style() -> None:
    u_net, resnet = SMALL, replace(SMALL, skips=False)
    assert any(n.op == "skip" for n in u_net.nodes())
    assert not any(n.op == "skip" for n in resnet.nodes())
    g = shaken()
    plain = g.collapse(g.encode(STYLE))
    other = g.collapse(g.encode(1 - STYLE))
    assert any(not torch.equal(plain.gate[k], other.gate[k]) for k in plain.gate)
    shut = replace(plain, gate={k: torch.zeros_like(v) for k, v in plain.gate.items()})
    assert not torch.allclose(g(CONTENT, plain)[0], g(CONTENT, shut)[0], atol=1e-3)
    assert shaken(resnet)(CONTENT, shaken(resnet).collapse(shaken(resnet).encode(STYLE)))[0].shape == CONTENT.shape


def test_mixture_kernels_blend_the_experts() -> None:
    g = shaken()
    plain = g.collapse(g.encode(STYLE))
    experts = g.kernel["block2_0a"]
    low, high = experts.amin(0), experts.amax(0)
    assert bool(((plain.kernel["block2_0a"] >= low - 1e-6) & (plain.kernel["block2_0a"] <= high + 1e-6)).all())
    g.temperature = 1e-3  # cold: one expert alone
    cold = g.collapse(g.encode(STYLE)).kernel["block2_0a"]
    assert min(float((cold - e).abs().max()) for e in experts) < 1e-5


def test_injection_starts_as_adain() -> None:
    torch.manual_seed(0)
    g = Generator(SMALL).requires_grad_(False)
    style = g.encode(STYLE)
    plain = g.collapse(style)
    node = next(n for n in g.nodes if n.injected)
    assert torch.allclose(plain.gamma[node.name], style.deviation[node.level])
    assert torch.allclose(plain.beta[node.name], style.mean[node.level])


def test_statistics_of_views_are_pooled() -> None:
    x = torch.randn(6, 4, 5, 7)  # 3 views of 2 samples
    weights = (0.5, 0.25, 0.25)
    pooled = pooled_moments(x, weights)
    for sample in range(2):
        views = [x[v * 2 + sample] for v in range(3)]
        mean = sum(w * v.mean((1, 2)) for w, v in zip(weights, views, strict=True))
        square = sum(w * v.square().mean((1, 2)) for w, v in zip(weights, views, strict=True))
        assert torch.allclose(pooled.mean[sample], mean, atol=1e-5)
        assert torch.allclose(pooled.variance[sample], square - mean**2, atol=1e-5)


def test_frozen_statistics_make_a_fixed_function_of_pixels() -> None:
    """With statistics given, what happens in one half of the picture cannot reach the other (static half)."""
    g = shaken()
    plain = g.collapse(g.encode(STYLE))
    halo = SMALL.receptive_field()
    wide = batch(picture(32, 4 * halo, 1))
    _, used = g(wide, plain)
    changed = wide.clone()
    changed[:, :, :, : halo // 2] = 0.9
    a, b = (g(x, plain, used)[0] for x in (wide, changed))
    far = halo // 2 + halo
    assert torch.equal(a[..., far:], b[..., far:])
    assert not torch.equal(a[..., :far], b[..., :far])
    free = g(changed, plain)[0]
    assert not torch.allclose(a[..., far:], free[..., far:], atol=1e-4)


@pytest.mark.parametrize("architecture", [SMALL, SIZES["tiny"], SIZES["draft"], replace(SMALL, skips=False)])
def test_receptive_field_is_not_understated(architecture: Architecture) -> None:
    """A pixel's gradient with respect to the input vanishes outside the stated receptive field."""
    torch.manual_seed(0)
    g = Generator(architecture, conditioning="none", head_gain=1.0)
    halo = architecture.receptive_field()
    side = 2 * halo + 8 * architecture.stride
    x = torch.rand(1, 3, side, architecture.stride * 2).double().requires_grad_(True)
    g = g.double()
    used = [
        Moments(torch.zeros(1, n.channels).double(), torch.ones(1, n.channels).double())
        for n in g.nodes
        if n.op == "conv" and n.normed
    ]
    for row in (side // 2, side // 2 + 1, side // 2 + architecture.stride - 1):
        y, _ = g(x, g.collapse(), used)
        (gradient,) = torch.autograd.grad(y[0, :, row, 0].sum(), x)
        reached = gradient.abs().sum((0, 1, 3)).nonzero().flatten()
        assert row - int(reached.min()) <= halo
        assert int(reached.max()) - row <= halo


@pytest.mark.parametrize("sight", [False, True])
def test_the_look_without_torch_collapses_to_the_same_weights(tmp_path: Path, sight: bool) -> None:
    g = shaken(sight=sight)
    g.temperature = 1.7
    files.save_generator(tmp_path / "u.safetensors", g, {})
    files.load_generator_into(g, tmp_path / "u.safetensors")  # rounded to float16 as the file is
    universal = Universal.load(tmp_path / "u.safetensors")
    style = g.encode(STYLE)
    seen = OpenVinoEngine().encode(universal, STYLE[0].permute(1, 2, 0).numpy())
    np.testing.assert_allclose(seen.code, style.code.numpy(), atol=2e-3)
    ours = g.collapse(style)
    numbers = StyleStatistics(
        style.code.numpy(), tuple(m.numpy() for m in style.mean), tuple(d.numpy() for d in style.deviation)
    )
    theirs = universal.collapse(numbers)
    for part in ("kernel", "gamma", "beta", "gate"):
        for name, value in getattr(ours, part).items():
            np.testing.assert_allclose(theirs[f"{part}.{name}"], value.numpy(), atol=2e-5, err_msg=f"{part}.{name}")


def test_a_sight_adds_nothing_to_older_weights_at_first(tmp_path: Path) -> None:
    old = shaken()
    files.save_generator(tmp_path / "old.safetensors", old, {})
    files.load_generator_into(old, tmp_path / "old.safetensors")
    torch.manual_seed(1)
    new = Generator(SMALL, sight=True)
    files.start_from(new, tmp_path / "old.safetensors")
    a, b = old.collapse(old.encode(STYLE)), new.collapse(new.encode(STYLE))
    for part in ("kernel", "gamma", "beta", "gate"):
        for name, value in getattr(a, part).items():
            assert torch.allclose(getattr(b, part)[name], value, atol=1e-6), name


@pytest.mark.parametrize("sight", [False, True])
def test_training_starts_from_a_mixture_as_warm_as_it_was_saved(sight: bool, tmp_path: Path) -> None:
    old = shaken(sight=sight)
    old.temperature = 2.5
    files.save_generator(tmp_path / "old.safetensors", old, {})
    files.load_generator_into(old, tmp_path / "old.safetensors")
    new = Generator(SMALL, sight=sight)
    files.start_from(new, tmp_path / "old.safetensors")
    a, b = old.collapse(old.encode(STYLE)), new.collapse(new.encode(STYLE))
    assert (old.temperature, new.temperature) == (2.5, 1.0)
    for name, value in a.kernel.items():
        assert torch.allclose(b.kernel[name], value, atol=1e-6), name


def test_a_temperature_that_is_none_is_refused(tmp_path: Path) -> None:
    g = shaken()
    g.temperature = 0.0
    files.save_generator(tmp_path / "old.safetensors", g, {})
    for load in (files.start_from, files.load_generator_into):
        with pytest.raises(BadLook, match=r"old\.safetensors: its fact 'temperature' is 0"):
            load(Generator(SMALL), tmp_path / "old.safetensors")


def test_what_the_sight_sees_changes_every_layer() -> None:
    g = shaken(sight=True)
    style = g.encode(STYLE)
    other = style._replace(code=torch.cat([style.code[: g.code], style.code[g.code :].roll(1)]))
    a, b = g.collapse(style), g.collapse(other)
    for part in ("kernel", "gamma", "beta", "gate"):
        for name, value in getattr(a, part).items():
            if part != "beta" or name != "head":  # the head's bias is its own
                assert not torch.allclose(getattr(b, part)[name], value, atol=1e-4), (part, name)


def test_a_look_without_weights_is_made_again_of_its_style(tmp_path: Path) -> None:
    files.save_generator(tmp_path / "u.safetensors", shaken(sight=True), {})
    universal = Universal.load(tmp_path / "u.safetensors")
    look = look_of_pixels([picture(64, 64, 9)], [1.0], "own", [], universal)
    (tmp_path / "slim.look").write_bytes(look.to_bytes(weights=False))
    assert Look.load(tmp_path / "slim.look", lambda: universal).hash == look.hash
    with pytest.raises(BadLook, match=r"slim\.look: holds a style without weights"):
        Look.load(tmp_path / "slim.look")
    files.save_generator(tmp_path / "v.safetensors", shaken(), {})
    with pytest.raises(BadLook, match="give its name"):
        Look.load(tmp_path / "slim.look", lambda: Universal.load(tmp_path / "v.safetensors"))


def test_plain_generator_starts_from_a_look(tmp_path: Path) -> None:
    from conftest import random_look

    look = random_look(4)
    look.save(tmp_path / "a.look")
    g = Generator(SMALL, conditioning="none")
    files.start_from(g, tmp_path / "a.look")
    assert np.array_equal(g.collapse().kernel["stem"].detach().numpy(), look.weights["kernel.stem"])
    files.save_generator(tmp_path / "u.safetensors", Generator(SMALL), {})
    with pytest.raises(BadLook, match="make a look first"):
        files.start_from(g, tmp_path / "u.safetensors")


def test_discriminator_judges_patches_against_the_reference() -> None:
    torch.manual_seed(0)
    d = StyleDiscriminator(width=8, depth=2).requires_grad_(False)
    crops, reference = torch.rand(3, 3, 32, 32), torch.rand(5, 3, 32, 32)
    scores = d(crops, reference)
    assert scores.shape == (3, 2, 8, 8)  # colour and luma, one logit a patch
    assert not torch.allclose(scores, d(crops, reference * 0.3), atol=1e-4)
    grey = crops.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    recoloured = grey.clone()
    assert not torch.allclose(d(recoloured, reference)[:, 0], scores[:, 0], atol=1e-4)
    shifted = crops.clone()
    shifted[..., :4, :4] = 1 - shifted[..., :4, :4]
    far = (d(shifted, reference) - scores).abs().amax((0, 1))
    assert float(far[:3, :3].max()) > 1e-4
    assert float(far[-3:, -3:].max()) < 1e-6  # a patch sees its own surroundings only


def test_luma_head_does_not_see_colour() -> None:
    torch.manual_seed(0)
    d = StyleDiscriminator(width=8, depth=2).requires_grad_(False)
    crops, reference = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    from scumble.nn.discriminator import luma

    grey = luma(crops).expand(-1, 3, -1, -1)
    assert torch.allclose(d(grey, reference)[:, 1], d(crops, reference)[:, 1], atol=1e-5)


def test_plain_discriminator_gives_a_map_of_logits() -> None:
    assert PlainDiscriminator(width=8, depth=2)(torch.rand(2, 3, 32, 32)).shape == (2, 1, 8, 8)


def test_perceptual_features_follow_the_file(vgg: Path) -> None:
    features = PerceptualFeatures.load(vgg, "relu3_1")
    found = features(torch.rand(1, 3, 32, 48), ["relu1_1", "relu2_1", "relu3_1"])
    assert [tuple(f.shape[2:]) for f in found.values()] == [(32, 48), (16, 24), (8, 12)]
    with pytest.raises(BadLook, match="not a features file"):
        PerceptualFeatures.load(Path(__file__))
