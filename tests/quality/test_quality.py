"""The figures mean what they say: known answers, independent formulas, and the ways that they must order pictures."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.command import scumble
from helpers.pictures import SAMPLES, picture, random_look
from hypothesis import given
from hypothesis import strategies as st

from scumble.look.shipped import identity_look
from scumble.look.statistics import frame_statistics
from scumble.network.openvino_engine import OpenVinoEngine
from scumble.network.shape import SIZES
from scumble.network.vgg import LAYERS, Features
from scumble.quality import metrics
from scumble.quality.evaluate import FIGURES, LookSubject, MakerSubject, NamedPicture, evaluate, gather, open_subject


@pytest.fixture(scope="module")
def features(vgg: Path) -> Features:
    return Features(vgg)


def test_features_are_those_that_training_sees(vgg: Path, features: Features) -> None:
    torch = pytest.importorskip("torch")
    from scumble.train.nn.perceptual import PerceptualFeatures

    shown = picture(50, 66, 3)
    wanted = PerceptualFeatures.load(vgg)(torch.from_numpy(shown).permute(2, 0, 1)[None], LAYERS)
    found = features(shown)
    for layer in LAYERS:
        np.testing.assert_allclose(found[layer], wanted[layer][0].numpy(), rtol=1e-3, atol=1e-3)


def test_style_and_content_distances_are_the_trainers(vgg: Path, features: Features) -> None:
    torch = pytest.importorskip("torch")
    from scumble.train.nn import losses
    from scumble.train.nn.perceptual import PerceptualFeatures

    a, b = picture(48, 64, 1), picture(48, 64, 2)
    net = PerceptualFeatures.load(vgg)
    f_a, f_b = (net(torch.from_numpy(p).permute(2, 0, 1)[None], LAYERS) for p in (a, b))
    content = losses.content(losses.instance_normalised(f_a["relu4_1"]), losses.instance_normalised(f_b["relu4_1"]))
    moments = {k: (losses.moments(f_a[k]), losses.moments(f_b[k])) for k in LAYERS}
    style = np.mean(
        [
            float(losses.moment_difference(x, y) / (y[0].square().mean() + y[1].square().mean()))
            for x, y in moments.values()
        ]
    )
    assert metrics.content_distance(features(a), features(b)) == pytest.approx(float(content), rel=2e-3)
    assert metrics.style_distance(features(a), features(b)) == pytest.approx(style, rel=2e-3)


def test_equal_pictures_have_no_distance(features: Features) -> None:
    maps = features(picture(48, 64))
    for distance in (
        metrics.style_distance,
        metrics.gram_distance,
        metrics.content_distance,
        metrics.lpips_like,
    ):
        assert distance(maps, maps) == 0
    assert metrics.ssim(picture(48, 64), picture(48, 64)) == pytest.approx(1)


def test_gram_is_the_written_formula(features: Features) -> None:
    a, b = features(picture(40, 48, 1)), features(picture(40, 48, 2))
    found = []
    for layer in LAYERS:
        c, h, w = a[layer].shape
        g_a, g_b = (np.einsum("chw,dhw->cd", m, m, dtype=np.float64) / (c * h * w) for m in (a[layer], b[layer]))
        found.append(((g_a - g_b) ** 2).sum() / (g_b**2).sum())
    assert metrics.gram_distance(a, b) == pytest.approx(np.mean(found), rel=1e-6)


def test_ssim_is_the_published_formula() -> None:
    """One window after another, written out [Wang 2004]."""
    a, b = picture(24, 26, 1), picture(24, 26, 1) * 0.8 + 0.05 * picture(24, 26, 5)
    x, y = metrics.luma(a).astype(np.float64), metrics.luma(b).astype(np.float64)
    taps = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(taps, taps) / taps.sum() ** 2
    scores = []
    for i in range(24 - 10):
        for j in range(26 - 10):
            p, q = x[i : i + 11, j : j + 11], y[i : i + 11, j : j + 11]
            m_p, m_q = (window * p).sum(), (window * q).sum()
            v_p, v_q = (window * (p - m_p) ** 2).sum(), (window * (q - m_q) ** 2).sum()
            v_pq = (window * (p - m_p) * (q - m_q)).sum()
            scores.append((2 * m_p * m_q + 1e-4) * (2 * v_pq + 9e-4) / ((m_p**2 + m_q**2 + 1e-4) * (v_p + v_q + 9e-4)))
    assert metrics.ssim(a, b) == pytest.approx(np.mean(scores), abs=1e-4)


def test_figures_order_pictures_as_eyes_do(features: Features) -> None:
    plate = picture(64, 96, 4)
    little, much = (np.asarray(cv2.GaussianBlur(plate, (0, 0), s), np.float32) for s in (1.0, 4.0))
    assert metrics.sharpness(plate) > metrics.sharpness(little) > metrics.sharpness(much)
    assert metrics.ssim(little, plate) > metrics.ssim(much, plate)
    of_plate = features(plate)
    assert 0 < metrics.lpips_like(features(little), of_plate) < metrics.lpips_like(features(much), of_plate)


@given(shift=st.sampled_from([0.5, 1.0, 2.0, 3.0, 1.25]), seed=st.integers(0, 50))
def test_moving_is_exact(shift: float, seed: int) -> None:
    """A band-limited picture moved is the same function sampled elsewhere."""
    rng = np.random.default_rng(seed)
    period, phase = rng.uniform(6, 30), rng.uniform(0, 6)
    x = np.arange(160, dtype=np.float32)
    wave = lambda at: np.repeat(0.5 + 0.3 * np.sin(at / period * 2 * np.pi + phase)[None, :, None], 3, axis=2)  # noqa: E731
    there = metrics.moved(np.broadcast_to(wave(x), (80, 160, 3)).astype(np.float32), shift)
    away = np.abs(there - wave(x + np.float32(shift)))[:, 32:-36].max()
    assert away < (1e-5 if shift == int(shift) else 4e-3)


def test_pan_error_is_nothing_for_pixelwise_functions_and_large_for_aliasing_ones() -> None:
    shown = picture(120, 140, 2)

    def decimating(pixels: np.ndarray) -> np.ndarray:
        return np.repeat(np.repeat(pixels[::4, ::4], 4, axis=0), 4, axis=1)[: pixels.shape[0], : pixels.shape[1]]

    for shift in (0.5, 1.0, 3.0):
        assert metrics.pan_error(lambda x: x * 0.5 + 0.2, shown, shift) < (0.02 if shift == 0.5 else 1e-3)
        assert metrics.pan_error(decimating, shown, shift) > 2
    assert metrics.pan_error(decimating, shown, 4.0) < 1e-3  # its own stride
    blurred = metrics.pan_error(lambda x: np.asarray(cv2.GaussianBlur(x, (0, 0), 2.0), np.float32), shown, 1.0)
    assert blurred < 1e-3


def test_static_half_sees_statistics_that_follow_the_picture() -> None:
    shown = picture(64, 160, 2)
    others = (picture(64, 160, 3), picture(64, 160, 8) * 0.3)
    assert metrics.static_half(lambda x: x * 2, shown, others, 20) == 0
    assert metrics.static_half(lambda x: (x - x.mean()) / x.std(), shown, others, 20) > 5


def test_an_identity_look_evaluates_as_the_plate(features: Features) -> None:
    contents = [NamedPicture("a", picture(130, 150, 1)), NamedPicture("b", picture(140, 130, 2))]
    styles = [NamedPicture("s", picture(128, 128, 3))]
    done = evaluate(LookSubject(identity_look()), contents, styles, features)
    assert len(done.pairs) == 2
    assert set(done.mean) == set(FIGURES)
    mean = done.mean
    assert mean["content"] == pytest.approx(0, abs=1e-6)
    assert mean["ssim"] == mean["sharpness"] == pytest.approx(1, abs=1e-4)
    assert mean["static_half"] == 0
    assert max(mean[f"pan_{s}"] for s in ("1", "2", "3")) < 1e-3
    assert mean["pan_0.5"] < 0.02  # of 255: what the interpolation leaves
    assert mean["style"] > 0.01


def test_statistics_are_frozen_inside_a_fixed_function(features: Features) -> None:
    """A look's own function passes the static half; the same look with statistics measured anew does not."""
    look = random_look(4, SIZES["painter"]["tiny"])
    shown = NamedPicture("a", picture(160, 260, 1))
    done = evaluate(LookSubject(look), [shown], [NamedPicture("s", picture(128, 128, 3))], features)
    assert done.pairs[0]["static_half"] == 0

    def unfrozen(pixels: np.ndarray) -> np.ndarray:
        return LookSubject(look).fixed(pixels, shown)(pixels)

    others = (picture(160, 260, 9), picture(160, 260, 5) * 0.2)
    assert metrics.static_half(unfrozen, shown.pixels, others, 100) > 0.5
    assert frame_statistics(look, [shown.pixels], 1).mean


def test_the_command_writes_page_and_json(tmp_path: Path, vgg: Path) -> None:
    style = SAMPLES / "vangogh_auvers.jpg"
    more = ["--size", "160", "--vgg", vgg, "-o", tmp_path / "r.html"]
    command = ["evaluate", "auvers", "--content", SAMPLES / "hiroshige_mackerel.jpg", "--style", style, *more]
    done = scumble(*command)
    assert done.returncode == 0, done.stderr
    facts = json.loads((tmp_path / "r.json").read_text())
    assert set(facts["mean"]) == set(FIGURES)
    assert facts["pairs"] == 1
    page = (tmp_path / "r.html").read_text()
    assert "data:image/jpeg;base64," in page
    for outside in ("http://", "https://", "<script", "<link", "@import"):
        assert outside not in page
    assert "is there already" in scumble(*command).stderr
    printed = json.loads(scumble(*command, "--overwrite", "--json").stdout)
    assert printed["mean"] == facts["mean"]


@pytest.mark.full
def test_every_kind_of_subject(tmp_path: Path, dataset: Path, features: Features) -> None:
    """A shipped name, a look file, the universal generator, best, resume and travel of a run, the run's folder."""
    pytest.importorskip("torch")
    from helpers.killing import arguments

    assert scumble(*arguments(tmp_path, dataset), "-o", tmp_path / "run", "--set", "schedule.steps=3").returncode == 0
    random_look(1, SIZES["painter"]["tiny"]).save(tmp_path / "own.look")
    run = tmp_path / "run"
    names = ["auvers", str(tmp_path / "own.look"), "universal", str(run)]
    names += [str(run / f"{n}.safetensors") for n in ("best", "resume", "travel")]
    contents = [NamedPicture("a", picture(130, 150, 1))]
    styles = gather([SAMPLES / "vangogh_auvers.jpg"], "style", 160)
    figures = {name: evaluate(open_subject(name), contents, styles, features).mean["style"] for name in names}
    assert isinstance(open_subject("universal"), MakerSubject)
    assert figures[str(run)] == figures[str(run / "best.safetensors")]
    assert figures[str(run / "travel.safetensors")] == pytest.approx(figures[str(run / "resume.safetensors")], rel=0.05)
    assert figures["auvers"] == figures["universal"]  # of the same picture
    best, resume, travel = (figures[str(run / f"{n}.safetensors")] for n in ("best", "resume", "travel"))
    assert travel == best  # the same averages in half precision
    assert len({figures["auvers"], figures[str(tmp_path / "own.look")], best, resume}) == 4


def test_doctor_says_what_is_there_and_what_is_missing(tmp_path: Path) -> None:
    done = scumble("doctor", "--json", cache=tmp_path)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["renders"] is True
    checks = {(c["group"], c["name"]): c for c in facts["checks"]}
    assert "of double" in checks["engines", "openvino"]["found"]
    assert "VGG-16" in checks["files", "perceptual weights"]["found"]
    assert "libx264" in checks["formats", "movies"]["found"]
    assert all(c["remedy"] for c in checks.values() if not c["good"])
    assert "renders work here" in scumble("doctor", cache=tmp_path).stdout


def test_an_engine_that_paints_wrongly_fails_the_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    from scumble.cli import doctor

    monkeypatch.setattr(OpenVinoEngine, "painter", lambda *_: lambda window: window + np.float32(0.1))
    checks = doctor.examine()
    assert not doctor.works(checks)
