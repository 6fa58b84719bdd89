"""Generators as files: the same names and facts that `scumble.look.look` reads without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from scumble.core.errors import BadLook
from scumble.network.weights_file import SCHEMA
from scumble.train.nn.checkpoint import load as read_tensors
from scumble.train.nn.checkpoint import save as write_tensors
from scumble.train.nn.checkpoint import under
from scumble.train.nn.generator import Generator


def save_generator(path: Path, generator: Generator, facts: Mapping[str, Any]) -> None:
    """Write a generator in float16 with its architecture; `kind` is universal or plain."""
    own = {
        "schema": SCHEMA,
        "kind": "universal" if generator.conditioning == "style" else "plain",
        "architecture": asdict(generator.architecture),
    }
    write_tensors(path, {name: t.half() for name, t in generator.state_dict().items()}, {**facts, **own})


def load_generator_into(generator: Generator, path: Path) -> None:
    """Load weights of the same architecture and kind. Raises BadLook."""
    _load(generator, read_tensors(path)[0], path)


def start_from(generator: Generator, discriminator: nn.Module, path: Path) -> bool:
    """Start training from a universal generator's file, a look's weights, or a checkpoint's averages.

    Whether a checkpoint's discriminator came along.
    """
    tensors, facts = read_tensors(path)
    if facts.get("schema") != SCHEMA:
        raise BadLook(f"{path}: weights of an earlier Scumble, of another network; start from newer ones, or from none")
    trained: dict[str, Tensor] = {}
    if facts.get("kind") in ("checkpoint", "travel"):
        trained, tensors = under(tensors, "discriminator"), under(tensors, "ema")
    if generator.conditioning == "none":
        if facts.get("kind") == "universal":
            raise BadLook(
                f"{path}: a universal generator cannot start G(content); make a look first: scumble look make"
            )
        names = generator.state_dict().keys()
        tensors = {k: t for k, t in tensors.items() if k in names}
    _load(generator, tensors, path)
    if not trained:
        return False
    try:
        discriminator.load_state_dict({name: t.float() for name, t in trained.items()})
    except RuntimeError:
        return False  # of another kind: it begins anew
    return True


def start_discriminator(discriminator: nn.Module, path: Path) -> None:
    """Take a checkpoint's discriminator. Raises BadLook where it has none of this kind."""
    tensors, _ = read_tensors(path)
    try:
        discriminator.load_state_dict({name: t.float() for name, t in under(tensors, "discriminator").items()})
    except RuntimeError as error:
        raise BadLook(f"{path}: holds no discriminator of this kind; name a checkpoint of such a run") from error


def _load(generator: Generator, tensors: Mapping[str, Tensor], path: Path) -> None:
    try:
        generator.load_state_dict({name: t.float() for name, t in tensors.items()})
    except RuntimeError as error:
        raise BadLook(f"{path}: weights of another architecture; use the settings they were trained with") from error
    with torch.no_grad():
        if not all(bool(t.isfinite().all()) for t in generator.state_dict().values()):
            raise BadLook(f"{path}: weights that are not finite; take an earlier checkpoint")
