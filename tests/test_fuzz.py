"""The fuzz corpus through every parser: driven by hypothesis here, for ten minutes with `scripts/test --full`."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip("torch")

import fuzz
from helpers.corpus import split_look
from hypothesis import given, settings
from hypothesis import strategies as st

from scumble.core.errors import ScumbleError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seeds")
    fuzz.seeds(folder)
    return folder


def feed(name: str, data: bytes, folder: Path) -> None:
    """Only the errors of the tree may come out."""
    with suppress(ScumbleError):
        fuzz.TARGETS[name][0](data, folder)


@pytest.mark.parametrize("name", list(fuzz.TARGETS))
@settings(max_examples=40)
@given(rng=st.randoms(use_true_random=False))
def test_mutated_files_are_read_or_refused(name: str, rng: random.Random, seeds: Path, tmp_path: Path) -> None:
    start = rng.choice(fuzz.TARGETS[name][1])
    feed(name, fuzz.mutated((seeds / start).read_bytes(), rng, fuzz.WORDS), tmp_path)


@settings(max_examples=100)
@given(text=st.text(max_size=60))
def test_any_words(text: str, tmp_path: Path) -> None:
    feed("words", text.encode("utf-8", "surrogatepass"), tmp_path)


@settings(max_examples=60)
@given(text=st.text(max_size=200), key=st.sampled_from(["losses", "data", "schedule", "run", "generator"]))
def test_any_settings(text: str, key: str, tmp_path: Path) -> None:
    feed("settings", text.encode("utf-8", "surrogatepass"), tmp_path)
    feed("settings", f"[{key}]\nstyle = {json.dumps(text)}\n".encode(), tmp_path)


@settings(max_examples=100)
@given(
    key=st.sampled_from(["schema", "kind", "architecture", "name", "keep_color", "sources", "ancestor", "made", "x"]),
    value=JSON,
)
def test_any_facts_of_a_look(key: str, value: object, seeds: Path, tmp_path: Path) -> None:
    from safetensors.numpy import save

    _, facts, arrays = split_look((seeds / "good.look").read_bytes())
    feed("look", save(arrays, metadata={"facts": json.dumps({**facts, key: value})}), tmp_path)


@pytest.mark.full
def test_ten_minutes() -> None:
    assert fuzz.fuzz(600, list(fuzz.TARGETS), seed=random.SystemRandom().randrange(1 << 30)) == []
