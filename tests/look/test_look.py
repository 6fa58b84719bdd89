"""Looks as files and as things to mix."""

from __future__ import annotations

import json
import struct
import tracemalloc
import zlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from helpers.pictures import SAMPLES, SMALL, random_look, random_statistics
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load, save, save_file

from scumble.core.errors import BadInput, BadLook
from scumble.look.bake import bake
from scumble.look.look import Look
from scumble.look.making import make_look
from scumble.look.mixing import mix, mix_looks
from scumble.look.painted_frame import PaintedFrame
from scumble.look.shipped import find_look, identity_look, load_universal
from scumble.look.statistics import frame_statistics, reference_picture
from scumble.network import tiling
from scumble.network.openvino_engine import OpenVinoEngine
from scumble.network.palette import Colouring
from scumble.network.shape import MOMENTS, Architecture


@given(seed=st.integers(0, 1000), form=st.sampled_from(["unet", "resnet", "painter"]), blocks=st.integers(0, 3))
def test_a_look_file_round_trips(tmp_path_factory: pytest.TempPathFactory, seed: int, form: str, blocks: int) -> None:
    architecture = Architecture(form, (8, 9, 10, 11), (0, 0, blocks, 1), blocks, 2 * blocks)  # type: ignore[arg-type]
    look = random_look(seed, architecture)
    moments = np.random.default_rng(seed).normal(size=MOMENTS).astype(np.float32)
    look = replace(look, moments=moments, reference=random_statistics(look, seed), facts={**look.facts, "note": "é"})
    path = tmp_path_factory.mktemp("look") / "a.look"
    look.save(path)
    again = Look.load(path)
    assert again.to_bytes() == look.to_bytes() == path.read_bytes()
    assert again.architecture == architecture
    assert again.facts == look.facts
    assert again.moments is not None
    assert again.reference is not None
    for name, array in look.weights.items():
        assert np.array_equal(again.weights[name], array), name
    assert np.array_equal(again.moments, moments)


def test_a_look_is_safetensors_with_json_facts(tmp_path: Path) -> None:
    random_look().save(tmp_path / "a.look")
    with safe_open(tmp_path / "a.look", framework="np") as f:
        facts = json.loads(f.metadata()["facts"])
    assert facts["schema"] == 7
    assert facts["architecture"] == {
        "form": SMALL.form,
        "widths": list(SMALL.widths),
        "blocks": list(SMALL.blocks),
        "simplified": 0,
        "dabbed": 0,
    }


def test_hash_names_the_content(tmp_path: Path) -> None:
    assert random_look(1).hash == random_look(1).hash != random_look(2).hash


def broken(tmp_path: Path, change: str) -> Path:
    path = tmp_path / "a.look"
    random_look().save(path)
    with safe_open(path, framework="np") as f:
        arrays = {k: f.get_tensor(k) for k in f.keys()}  # noqa: SIM118
        facts = json.loads(f.metadata()["facts"])
    if change == "newer schema":
        facts["schema"] = 99
    elif change == "older schema":
        facts["schema"] = 6
    elif change == "should have shape":
        arrays["kernel.stem"] = arrays["kernel.stem"][:, :, :2]
    elif change == "not finite":
        arrays["beta.head"] = np.array([np.nan, 0, 0], np.float16)
    elif change == "not a look":
        facts["kind"] = "universal"
    elif change == "do not describe a network":
        facts["architecture"]["widths"] = [float("inf")] * 4
    elif change == "is no network":
        facts["architecture"]["dabbed"] = -1
    elif change == "half characters":
        facts["sources"] = [{"picture": "a\ud800"}]
    elif change == "too deep":
        facts["x"] = json.loads("[" * 400 + "]" * 400)
    elif change == "colours that no picture has":
        arrays["palette.mean"] = np.full(3, 3e38, np.float32)
    elif change == "not a covariance":
        arrays["palette.covariance"] = -np.eye(3, dtype=np.float32)
    save_file(arrays, path, metadata={"facts": json.dumps(facts)})
    return path


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("newer schema", "newer than this Scumble reads"),
        (
            "older schema",
            "made by an earlier Scumble .* make it again of its picture: scumble look make PICTURE -o LOOK",
        ),
        ("should have shape", "should have shape"),
        ("not finite", "not finite"),
        ("not a look", "not a look"),
        ("do not describe a network", "do not describe a network"),
        ("is no network", "patches of 0 and -1 pixels is no network of ours"),
        ("half characters", "halves of characters"),
        ("too deep", "too deep"),
        ("colours that no picture has", "palette has colours that no picture has"),
        ("not a covariance", "palette.covariance is not a covariance"),
    ],
)
def test_a_bad_look_is_named_with_what_is_wrong(tmp_path: Path, change: str, sentence: str) -> None:
    path = broken(tmp_path, change)
    with pytest.raises(BadLook, match=sentence) as error:
        Look.load(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("kind", ["F8_E4M3", "F4"])
def test_a_number_format_that_numpy_does_not_have_is_refused(kind: str, tmp_path: Path) -> None:
    header = {"x": {"dtype": kind, "shape": [16], "data_offsets": [0, 16 if kind == "F8_E4M3" else 8]}}
    text = json.dumps(header).encode()
    (tmp_path / "a.look").write_bytes(len(text).to_bytes(8, "little") + text + bytes(header["x"]["data_offsets"][1]))
    with pytest.raises(BadLook, match="number format that no look has"):
        Look.load(tmp_path / "a.look")


@pytest.mark.parametrize("data", [b"", b"not a look", bytes(range(256)) * 9])
def test_other_bytes_are_not_a_look(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.look").write_bytes(data)
    with pytest.raises(BadLook, match=r"a\.look"):
        Look.load(tmp_path / "a.look")
    with pytest.raises(BadLook, match="no such file"):
        Look.load(tmp_path / "b.look")


def test_fine_tuned_looks_mix_by_their_weights() -> None:
    a, b = random_look(1), random_look(2)
    mixed = mix([a, b], [3, 1])
    for name in a.weights:
        np.testing.assert_allclose(mixed.weights[name], 0.75 * a.weights[name] + 0.25 * b.weights[name], rtol=1e-3)
    np.testing.assert_allclose(mixed.palette.mean, 0.75 * a.palette.mean + 0.25 * b.palette.mean)


def test_looks_of_different_ancestors_are_refused() -> None:
    stranger = replace(random_look(2), facts={"name": "stranger", "ancestor": "else"})
    with pytest.raises(BadLook, match="same universal generator"):
        mix([random_look(1), stranger], [1, 1])
    with pytest.raises(BadInput, match="not all 0"):
        mix([random_look(1)], [0])


def test_looks_mix_with_those_of_the_generator_that_theirs_was_trained_on_from() -> None:
    older = random_look(1)
    newer = replace(random_look(2), facts={"name": "newer", "ancestor": "later", "descends_from": ["test"]})
    mixed = mix([newer, older], [1, 3])
    np.testing.assert_allclose(
        mixed.weights["kernel.head"],
        0.25 * newer.weights["kernel.head"] + 0.75 * older.weights["kernel.head"],
        rtol=1e-3,
    )
    assert mixed.facts["ancestor"] == "test"
    assert "descends_from" not in mixed.facts
    among = mix([newer, newer], [1, 1])
    assert (among.facts["ancestor"], among.facts["descends_from"]) == ("later", ["test"])


def test_baking_folds_normalisation_into_convolutions() -> None:
    look = random_look(5)
    statistics = random_statistics(look, 5)
    baked = bake(look, statistics)
    x = np.random.default_rng(0).normal(size=(SMALL.widths[1], 3, 3)).astype(np.float32)
    name = "block1_0a"
    y = np.einsum("oihw,ihw->o", look.weights[f"kernel.{name}"], x)
    scaled = (y - statistics.mean[name]) / np.sqrt(statistics.variance[name] + 1e-5)
    expected = scaled * look.weights[f"gamma.{name}"] + look.weights[f"beta.{name}"]
    folded = np.einsum("oihw,ihw->o", baked.kernel[name], x) + baked.bias[name]
    np.testing.assert_allclose(folded, expected, atol=1e-4)


def test_keep_color_one_leaves_colours_alone() -> None:
    look = random_look(6)
    baked = bake(look, random_statistics(look), Colouring(keep_color=1.0))
    assert np.array_equal(baked.matrix, np.eye(3, dtype=np.float32))
    assert not baked.offset.any()


def test_identity_look_is_small() -> None:
    assert len(identity_look().to_bytes()) < 100_000


@pytest.mark.parametrize("names", [("terrace", "souvenir"), pytest.param(("auvers", "lilies"), marks=pytest.mark.full)])
def test_ten_steps_between_two_shipped_looks_have_no_jump(names: tuple[str, str]) -> None:
    """No step changes the picture more than twice as much as the usual one: by code, and by weights."""
    universal, plate = load_universal(), np.ascontiguousarray(reference_picture()[100:260, 60:300])
    ends = [find_look(name) for name in names]
    painted = []
    for share in np.linspace(0, 1, 11):
        look = mix(ends, [1 - share, share], universal)
        baked = bake(look, frame_statistics(look, [plate], 1))
        painter = OpenVinoEngine().painter(baked, "f32")
        painted.append(tiling.paint(plate, painter, baked.architecture.stride, baked.halo))
    steps = [float(np.sqrt(np.mean((a - b) ** 2))) for a, b in pairwise(painted)]
    assert max(steps) < 2 * np.median(steps), steps
    assert min(steps) > 0.2 * np.median(steps), steps


def test_looks_of_pictures_mix_by_their_moments() -> None:
    """Between the looks of two pictures is the look that the generator makes of the style between theirs."""
    pictures = [SAMPLES / name for name in ("vangogh_auvers.jpg", "hiroshige_mackerel.jpg")]
    ends = [make_look([(path, 1.0)]) for path in pictures]
    mixed = mix_looks(ends, [1, 3])
    assert mixed.moments is not None
    assert ends[0].moments is not None
    assert ends[1].moments is not None
    np.testing.assert_allclose(mixed.moments, 0.25 * ends[0].moments + 0.75 * ends[1].moments, rtol=1e-5, atol=1e-6)
    for name, own in load_universal().collapse(mixed.moments).items():
        np.testing.assert_array_equal(mixed.weights[name], own.astype(np.float16))  # as the file holds them


def test_a_look_is_after_saving_what_it_was_before(tmp_path: Path) -> None:
    """To the last bit: farms paint with the file, one machine with what it has just made."""
    made = make_look([(SAMPLES / "vangogh_auvers.jpg", 1.0)])
    made.save(tmp_path / "a.look")
    read = Look.load(tmp_path / "a.look")
    assert read.hash == made.hash
    assert all(np.array_equal(read.weights[name], own) for name, own in made.weights.items())
    assert read.reference is not None
    assert made.reference is not None
    for ours, theirs in ((made.palette, read.palette), (made.reference.palette, read.reference.palette)):
        np.testing.assert_array_equal(ours.mean, theirs.mean)
        np.testing.assert_array_equal(ours.covariance, theirs.covariance)
    for name, mean in made.reference.mean.items():
        np.testing.assert_array_equal(mean, read.reference.mean[name])


def test_a_shipped_look_that_holds_its_moments_alone_is_the_look_of_its_generator() -> None:
    look = find_look("terrace")
    assert look.moments is not None
    assert len(look.to_bytes(weights=False)) < 30_000 < len(look.to_bytes())
    for name, own in load_universal().collapse(look.moments).items():
        np.testing.assert_allclose(look.weights[name], own, rtol=1e-3, atol=1e-3)


def packed(width: int, height: int, start: bytes = b"\x89PNG\r\n\x1a\n") -> bytes:
    """A PNG of 16 bits with alpha, all of it transparent black."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    pack = zlib.compressobj(9)
    rows = b"".join([pack.compress(bytes(1 + width * 8)) for _ in range(height)] + [pack.flush()])
    header = struct.pack(">IIBBBBB", width, height, 16, 6, 0, 0, 0)
    return start + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("pictures", "says"),
    [
        ([(8192, 8192)], "more than any network is shown"),
        ([(5500, 6000)] * 5, "are more than a look has"),
        ([(64, 36)], ""),
    ],
)
def test_key_frames_are_not_unpacked_to_open_a_look(pictures: list[tuple[int, int]], says: str, tmp_path: Path) -> None:
    raw = identity_look().to_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    facts = json.loads(raw[8 : 8 + size])["__metadata__"]["facts"]
    arrays = dict(load(raw))
    for place, (width, height) in enumerate(pictures):
        arrays[f"key.{1001 + place}.painted"] = np.frombuffer(packed(width, height), np.uint8)
        arrays[f"key.{1001 + place}.plate"] = np.zeros((18, 32, 3), np.float16)
    (tmp_path / "keyed.look").write_bytes(save(arrays, {"facts": facts}))
    tracemalloc.start()
    try:
        if says:
            with pytest.raises(BadLook, match=says):
                Look.load(tmp_path / "keyed.look")
        else:
            look = Look.load(tmp_path / "keyed.look")
            assert look.painted_frames[0].painted.shape == (36, 64, 3)
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


def test_a_key_frame_that_is_no_png_is_refused(tmp_path: Path) -> None:
    arrays = {"painted": np.frombuffer(packed(8, 8, b"\x89PNX\r\n\x1a\n"), np.uint8), "plate": np.zeros((18, 32, 3))}
    with pytest.raises(BadInput, match="is no picture"):
        PaintedFrame.read(1001, arrays)
