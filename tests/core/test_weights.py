"""Perceptual weights: verified by hash, named when they are not there; fetched for real in the full run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from scumble.cli.apps import app
from scumble.core import downloads
from scumble.core.errors import BadLook
from scumble.network.shape import VGG_LAYERS
from scumble.network.weights_file import read_arrays


def test_what_was_fetched_goes_before_what_is_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCUMBLE_CACHE", str(tmp_path))
    assert downloads.vgg_path() == downloads.shipped_vgg()
    (tmp_path / downloads.VGG).write_bytes(b"")
    assert downloads.vgg_path() == tmp_path / downloads.VGG


def test_the_shipped_slice_is_what_the_wheel_of_its_source_holds() -> None:
    arrays, facts = read_arrays(downloads.shipped_vgg())
    assert facts["licence"] == "MIT"
    assert downloads.SOURCES[facts["sha256"]] == facts["source"] == downloads.WHEEL_MEMBER
    for name, fan_in, channels in VGG_LAYERS:
        assert arrays[f"{name}.weight"].shape == (channels, fan_in, 3, 3)
        assert arrays[f"{name}.bias"].shape == (channels,)


def test_another_file_is_refused_by_its_hash(tmp_path: Path) -> None:
    (tmp_path / "vgg.pth").write_bytes(b"something else")
    with pytest.raises(BadLook, match="SHA-256"):
        downloads.fetch(tmp_path / "vgg.pth", tmp_path)
    assert not (tmp_path / downloads.VGG).exists()


def test_vgg19s_normalisation_is_folded_into_its_first_layer(tmp_path: Path) -> None:
    """The converted file, fed as ours are, answers as torchvision's network does to its own input."""
    torch = pytest.importorskip("torch")
    from torch.nn import functional

    rng = torch.Generator().manual_seed(0)
    state, fan_in, index = {}, 3, 0
    for count in (2, 2, 4, 4, 1):
        for _ in range(count):
            state[f"features.{index}.weight"] = torch.randn(4, fan_in, 3, 3, generator=rng) * 0.3
            state[f"features.{index}.bias"] = torch.randn(4, generator=rng) * 0.1
            fan_in, index = 4, index + 2
        index += 1
    torch.save(state, tmp_path / "vgg19.pth")
    from scumble.network.shape import VGG_MEAN
    from scumble.train.nn import vgg19

    arrays = vgg19.arrays(tmp_path / "vgg19.pth")
    picture = torch.rand(1, 3, 8, 8, generator=rng)
    mean, deviation = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    theirs = functional.conv2d((picture - mean) / deviation, state["features.0.weight"], state["features.0.bias"])
    fed = picture * 255 - torch.tensor(VGG_MEAN).view(1, 3, 1, 1)
    kernel, bias = (torch.from_numpy(arrays[f"conv1_1.{p}"].astype(np.float32)) for p in ("weight", "bias"))
    assert torch.allclose(functional.conv2d(fed, kernel, bias), theirs, atol=0.02)


@pytest.mark.full
def test_weights_are_fetched_and_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("h5py")
    monkeypatch.setenv("SCUMBLE_CACHE", str(tmp_path))
    done = CliRunner().invoke(app, ["weights", "fetch"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert downloads.vgg_path().stat().st_size > 10_000_000
    fetched, shipped = (read_arrays(path)[0] for path in (downloads.vgg_path(), downloads.shipped_vgg()))
    for name, array in shipped.items():
        np.testing.assert_array_equal(fetched[name], array)
