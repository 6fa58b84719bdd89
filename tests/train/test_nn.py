"""The networks: what the generator may depend on, what its parts do, how it collapses, what D looks at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from helpers.pictures import PAINTER, SMALL, picture  # noqa: E402

from scumble.core.downloads import shipped_vgg  # noqa: E402
from scumble.core.errors import BadLook  # noqa: E402
from scumble.look.look import Look  # noqa: E402
from scumble.look.making import as_style, look_of_pixels  # noqa: E402
from scumble.look.shipped import vgg_slice  # noqa: E402
from scumble.network.openvino_engine import OpenVinoEngine  # noqa: E402
from scumble.network.shape import MOMENT_LIMIT, MOMENTS, RANK, SIZES, Architecture  # noqa: E402
from scumble.network.universal import Universal  # noqa: E402
from scumble.train.nn import checkpoint, generator_file, losses  # noqa: E402
from scumble.train.nn.discriminator import PlainDiscriminator, StyleDiscriminator  # noqa: E402
from scumble.train.nn.fused import Fused  # noqa: E402
from scumble.train.nn.generator import Generator, Moments  # noqa: E402
from scumble.train.nn.perceptual import PerceptualFeatures  # noqa: E402

FORMS = [SMALL, replace(SMALL, form="resnet"), PAINTER]


def shaken(architecture: Architecture = PAINTER, **more: object) -> Generator:
    """A generator away from where training begins."""
    torch.manual_seed(3)
    g = Generator(architecture, **more)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in g.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return g.requires_grad_(False)


def batch(*pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2).copy())


CONTENT = batch(picture(32, 40, 1), picture(32, 40, 2))
STYLES = torch.from_numpy(np.random.default_rng(5).normal(size=(2, MOMENTS)).astype(np.float32))


def test_training_starts_from_the_palette_map() -> None:
    torch.manual_seed(0)
    g = Generator(SIZES["painter"]["standard"]).requires_grad_(False)
    away = g(CONTENT, g.look(STYLES)) - CONTENT
    assert float(away.std()) < 0.6 * float(CONTENT.std())


@pytest.mark.parametrize("architecture", FORMS, ids=["unet", "resnet", "painter"])
def test_the_style_changes_the_painting_and_every_layer_of_it(architecture: Architecture) -> None:
    g = shaken(architecture)
    one, two = (g(CONTENT, g.look(moments.expand(2, -1))) for moments in STYLES)
    assert float((one - two).abs().mean()) > 0.005
    a, b = (g.collapse(moments) for moments in STYLES)
    for name in a:
        same = torch.equal(a[name], b[name])
        has_look_kernels = name.startswith("kernel.") and f"varied.{name[7:]}" in g.state_dict()
        assert same is (name.startswith("kernel.") and not has_look_kernels), name


def test_layers_of_32_channels_have_look_kernels() -> None:
    ranks = {node.name: node.rank for node in SIZES["painter"]["standard"].convolutions()}
    assert {name for name, rank in ranks.items() if rank == 0} == {"in2", "in1", "to0", "in0", "head"}
    assert set(ranks.values()) == {0, RANK}


@pytest.mark.parametrize("architecture", FORMS, ids=["unet", "resnet", "painter"])
def test_a_collapsed_look_paints_what_the_generator_paints_in_its_style(architecture: Architecture) -> None:
    g = shaken(architecture)
    plain = Generator(architecture, "none").requires_grad_(False)
    plain.load_state_dict(g.collapse(STYLES[0]))
    ours, theirs = g(CONTENT, g.look(STYLES[:1].expand(2, -1))), plain(CONTENT, plain.look())
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_statistics_of_views_are_pooled() -> None:
    x = torch.randn(6, 4, 5, 7)  # 2 views of 3 samples, side by side
    gamma, beta = torch.rand(3, 4).repeat_interleave(2, 0), torch.rand(3, 4).repeat_interleave(2, 0)
    found = Fused().normalise(x, gamma, beta, relu=False, views=2)
    for sample in range(3):
        views = x[2 * sample : 2 * sample + 2]
        variance, mean = torch.var_mean(views, dim=(0, 2, 3), correction=0)
        wanted = (views - mean[:, None, None]) / (variance + 1e-5).sqrt()[:, None, None]
        wanted = wanted * gamma[2 * sample][:, None, None] + beta[2 * sample][:, None, None]
        assert torch.allclose(found[2 * sample : 2 * sample + 2], wanted, atol=1e-4)


@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("relu", [False, True])
def test_the_gradients_written_by_hand_are_those_of_the_arithmetic(views: int, relu: bool) -> None:
    torch.manual_seed(1)
    x = torch.randn(4, 3, 6, 5).requires_grad_()
    gamma, beta = torch.randn(4, 3).requires_grad_(), torch.randn(4, 3).requires_grad_()
    towards = torch.randn(4, 3, 6, 5)

    def written() -> tuple[torch.Tensor, ...]:
        v = x.view(4 // views, views, 3, 30)
        variance, mean = torch.var_mean(v, dim=(1, 3), keepdim=True, correction=0)
        y = ((v - mean) * (variance + 1e-5).rsqrt()).view(4, 3, 6, 5) * gamma[:, :, None, None] + beta[:, :, None, None]
        y = y.relu() if relu else y
        return (y, x * gamma[:, :, None, None] + beta[:, :, None, None], *losses.moments(x, 1e-4))

    fused = Fused()
    ours = (fused.normalise(x, gamma, beta, relu, views), fused.affine(x, gamma, beta, False), *fused.moments(x))
    for a, b in zip(ours, written(), strict=True):
        assert torch.allclose(a, b, atol=1e-5)
    for outputs in ((0, 1), (2,), (3,)):  # each with a gradient of its own
        found = []
        for values in (ours, written()):
            total = sum((values[i] * towards.flatten()[: values[i].numel()].view_as(values[i])).sum() for i in outputs)
            found.append(torch.autograd.grad(total, (x, gamma, beta), retain_graph=True, allow_unused=True))
        for a, b in zip(*found, strict=True):
            assert (a is None) is (b is None)
            assert a is None or torch.allclose(a, b, atol=1e-3)


def test_frozen_statistics_make_a_fixed_function_of_pixels() -> None:
    """With statistics given, what happens in one half of the picture cannot reach the other (static half)."""
    g = shaken()
    look = g.look(STYLES[:1])
    halo = PAINTER.receptive_field()
    wide = batch(picture(32, 4 * halo, 1))
    _, used = g.measured(wide, look)
    changed = wide.clone()
    changed[:, :, :, : halo // 2] = 0.9
    a, b = (g.measured(x, look, used)[0] for x in (wide, changed))
    far = halo // 2 + halo
    assert torch.equal(a[..., far:], b[..., far:])
    assert not torch.equal(a[..., :far], b[..., :far])
    free = g.measured(changed, look)[0]
    assert not torch.allclose(a[..., far:], free[..., far:], atol=1e-4)


@pytest.mark.parametrize(
    "architecture",
    [*FORMS, SIZES["painter"]["tiny"], SIZES["textbook"]["draft"], replace(PAINTER, simplified=16, dabbed=16)],
    ids=["unet", "resnet", "painter", "tiny", "draft", "broad dabs"],
)
def test_receptive_field_is_not_understated(architecture: Architecture) -> None:
    """A pixel's gradient with respect to the input vanishes outside the stated receptive field."""
    torch.manual_seed(0)
    g = Generator(architecture, conditioning="none")
    halo = architecture.receptive_field()
    side = 2 * halo + 8 * architecture.stride
    x = torch.rand(1, 3, side, architecture.stride * 2).requires_grad_(True)
    used = {n.name: Moments(torch.zeros(1, n.channels), torch.ones(1, n.channels)) for n in g.convolutions if n.normed}
    for row in (side // 2, side // 2 + 1, side // 2 + architecture.stride - 1):
        y, _ = g.measured(x, g.look(), used)
        (gradient,) = torch.autograd.grad(y[0, :, row, 0].sum(), x)
        reached = gradient.abs().sum((0, 1, 3)).nonzero().flatten()
        assert row - int(reached.min()) <= halo
        assert int(reached.max()) - row <= halo


Collapse = Callable[[np.ndarray], dict[str, np.ndarray]]


@pytest.mark.parametrize("kind", ["trained", "without torch"])
class TestCollapse:
    """What a generator makes of a style's moments, in training and in a render."""

    def collapse(self, kind: str, folder: Path) -> tuple[Generator, Collapse]:
        g = shaken()
        generator_file.save_generator(folder / "u.safetensors", g, {})
        generator_file.load_generator_into(g, folder / "u.safetensors")  # rounded to float16 as the file is
        if kind == "without torch":
            return g, Universal.load(folder / "u.safetensors").collapse
        return g, lambda moments: {k: v.numpy() for k, v in g.collapse(torch.from_numpy(moments)).items()}

    def test_it_is_the_plain_network_that_a_look_holds(self, kind: str, tmp_path: Path) -> None:
        g, collapse = self.collapse(kind, tmp_path)
        plain = Generator(g.architecture, "none").state_dict()
        weights = collapse(STYLES[0].numpy())
        assert {name: a.shape for name, a in weights.items()} == {name: tuple(t.shape) for name, t in plain.items()}

    def test_it_paints_as_the_generator_does_in_that_style(self, kind: str, tmp_path: Path) -> None:
        g, collapse = self.collapse(kind, tmp_path)
        plain = Generator(g.architecture, "none").requires_grad_(False)
        plain.load_state_dict({k: torch.from_numpy(v) for k, v in collapse(STYLES[0].numpy()).items()})
        theirs = g(CONTENT, g.look(STYLES[:1].expand(len(CONTENT), -1)))
        assert torch.allclose(plain(CONTENT, plain.look()), theirs, atol=1e-4)

    def test_a_style_beyond_all_others_is_taken_for_the_farthest(self, kind: str, tmp_path: Path) -> None:
        g, collapse = self.collapse(kind, tmp_path)
        usual, spread = g.usual.numpy(), g.spread.numpy()
        far, farther = (collapse((usual + by * spread).astype(np.float32)) for by in (MOMENT_LIMIT, 3 * MOMENT_LIMIT))
        for name, value in far.items():
            np.testing.assert_allclose(farther[name], value, atol=1e-6, err_msg=name)


def test_the_look_without_torch_collapses_to_the_same_weights(tmp_path: Path) -> None:
    both = TestCollapse()
    theirs = both.collapse("without torch", tmp_path)[1](STYLES[0].numpy())
    for name, value in both.collapse("trained", tmp_path)[1](STYLES[0].numpy()).items():
        np.testing.assert_allclose(theirs[name], value, atol=2e-5, err_msg=name)


def test_moments_without_torch_are_those_of_training() -> None:
    pixels = as_style(picture(90, 120, 9), 96)
    ours = OpenVinoEngine().moments(vgg_slice(), pixels)
    layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_1"]
    found = PerceptualFeatures.load(shipped_vgg())(batch(pixels), layers)
    theirs = losses.stacked_moments([Fused().moments(found[k]) for k in layers])
    np.testing.assert_allclose(ours, theirs[0].numpy(), rtol=2e-3, atol=2e-3)
    for a, b in losses.split_moments(theirs):
        assert a.shape == b.shape


def test_a_look_without_weights_is_made_again_of_its_moments(tmp_path: Path) -> None:
    generator_file.save_generator(tmp_path / "u.safetensors", shaken(), {})
    universal = Universal.load(tmp_path / "u.safetensors")
    look = look_of_pixels([picture(64, 64, 9)], [1.0], "own", [], universal)
    (tmp_path / "slim.look").write_bytes(look.to_bytes(weights=False))
    assert Look.load(tmp_path / "slim.look", lambda: universal).hash == look.hash
    with pytest.raises(BadLook, match=r"slim\.look: holds a style without weights"):
        Look.load(tmp_path / "slim.look")
    generator_file.save_generator(tmp_path / "v.safetensors", Generator(PAINTER), {})
    with pytest.raises(BadLook, match="give its name"):
        Look.load(tmp_path / "slim.look", lambda: Universal.load(tmp_path / "v.safetensors"))


def test_training_starts_from_looks_generators_and_checkpoints(tmp_path: Path) -> None:
    from helpers.pictures import random_look

    look = random_look(4)
    look.save(tmp_path / "a.look")
    g, discriminator = Generator(SMALL, conditioning="none"), StyleDiscriminator()
    assert generator_file.start_from(g, discriminator, tmp_path / "a.look") is False
    assert np.array_equal(g.collapse()["kernel.stem"].detach().numpy(), look.weights["kernel.stem"])
    generator_file.save_generator(tmp_path / "u.safetensors", Generator(SMALL), {})
    with pytest.raises(BadLook, match="make a look first"):
        generator_file.start_from(g, discriminator, tmp_path / "u.safetensors")
    trained, judged = shaken(), StyleDiscriminator()
    tensors = checkpoint.prefixed("ema", trained.state_dict()) | checkpoint.prefixed(
        "discriminator", judged.state_dict()
    )
    checkpoint.save(tmp_path / "travel.safetensors", tensors, {"kind": "travel", "schema": 7})
    fresh = Generator(PAINTER)
    assert generator_file.start_from(fresh, discriminator, tmp_path / "travel.safetensors") is True
    assert torch.equal(fresh.kernel["head"], trained.kernel["head"])
    assert torch.equal(discriminator.code[0].weight, judged.code[0].weight)
    assert generator_file.start_from(fresh, PlainDiscriminator(), tmp_path / "travel.safetensors") is False
    other = StyleDiscriminator()
    generator_file.start_discriminator(other, tmp_path / "travel.safetensors")
    assert torch.equal(other.code[0].weight, judged.code[0].weight)
    with pytest.raises(BadLook, match="no discriminator of this kind"):
        generator_file.start_discriminator(PlainDiscriminator(), tmp_path / "travel.safetensors")
    checkpoint.save(tmp_path / "old.safetensors", tensors, {"kind": "travel", "schema": 4})
    with pytest.raises(BadLook, match="of an earlier Scumble"):
        generator_file.start_from(fresh, discriminator, tmp_path / "old.safetensors")


def test_the_discriminator_judges_patches_by_the_style_they_are_said_to_be_of() -> None:
    torch.manual_seed(0)
    d = StyleDiscriminator().requires_grad_(False).eval()
    crops = torch.rand(2, 3, 64, 64)
    logits = d(crops, STYLES)
    assert logits.shape == (2, 8 * 8 + 4 * 4)  # a logit a patch, of the picture and of its half
    assert not torch.allclose(logits, d(crops, STYLES.flip(0)), atol=1e-4)
    changed = crops.clone()
    changed[..., :4, :4] = 1 - changed[..., :4, :4]
    far = (d(changed, STYLES) - logits)[:, :64].abs().amax(0).view(8, 8)
    assert float(far[:2, :2].max()) > 1e-5
    assert float(far[-3:, -3:].max()) < 1e-6  # a patch sees its own surroundings only


def test_plain_discriminator_gives_a_map_of_logits() -> None:
    assert PlainDiscriminator(width=8, depth=2)(torch.rand(2, 3, 32, 32)).shape == (2, 1, 8, 8)


def test_perceptual_features_follow_the_file(vgg: Path) -> None:
    features = PerceptualFeatures.load(vgg, "relu3_1")
    found = features(torch.rand(1, 3, 32, 48), ["relu1_1", "relu2_1", "relu3_1"])
    assert [tuple(f.shape[2:]) for f in found.values()] == [(32, 48), (16, 24), (8, 12)]
    with pytest.raises(BadLook, match="not a features file"):
        PerceptualFeatures.load(Path(__file__))
