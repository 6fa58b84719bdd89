"""Generators as files: the same names and facts that `scumble.look` reads without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scumble.errors import BadLook
from scumble.look import temperature_of
from scumble.nn.checkpoint import load as read_tensors
from scumble.nn.checkpoint import save as write_tensors
from scumble.nn.generator import Generator

SCHEMA = 1
SIGHT_SCHEMA, CURVES_SCHEMA = 4, 6  # see `scumble.look`


def save_generator(path: Path, generator: Generator, facts: Mapping[str, Any]) -> None:
    """Write a generator in float16 with its architecture; `kind` is universal or plain."""
    matched = facts.get("settings", {}).get("generator", {}).get("bands", False)
    own = {
        "schema": CURVES_SCHEMA if matched else SCHEMA if generator.sight is None else SIGHT_SCHEMA,
        "kind": "universal" if generator.conditioning == "style" else "plain",
        "architecture": asdict(generator.architecture),
        "experts": generator.experts,
        "temperature": generator.temperature,
    }
    tensors = {name: t.half() for name, t in generator.state_dict().items()}
    write_tensors(path, tensors, {**facts, **own})


def load_generator_into(generator: Generator, path: Path) -> None:
    """Load weights of the same architecture and kind. Raises BadLook."""
    tensors, facts = read_tensors(path)
    _load(generator, tensors, path)
    generator.temperature = temperature_of(path, facts)


def start_from(generator: Generator, path: Path) -> None:
    """Start training from a universal generator's file, or a plain one from a look; of a checkpoint, its averages."""
    tensors, facts = read_tensors(path)
    if facts.get("kind") in ("checkpoint", "travel"):
        tensors = {name.removeprefix("ema/"): t for name, t in tensors.items() if name.startswith("ema/")}
    if generator.conditioning == "none":
        if facts.get("kind") == "universal":
            raise BadLook(
                f"{path}: a universal generator cannot start G(content); make a look first: scumble look make"
            )
        names = generator.state_dict().keys()
        tensors = {k: (t[None] if k.startswith("kernel.") and t.dim() == 4 else t) for k, t in tensors.items()}
        tensors = {k: t for k, t in tensors.items() if k in names}
    elif generator.sight is not None and "sight.usual" not in tensors:
        # what the sight adds is nothing at first
        new = generator.state_dict()
        tensors |= {name: t for name, t in new.items() if name.startswith(("sight.", "adapt."))}
    _load(generator, tensors, path)
    if generator.conditioning == "style":
        _cool(generator, temperature_of(path, facts))


@torch.no_grad()
def _cool(generator: Generator, temperature: float) -> None:
    """Take the temperature of a mixture that was not yet cold into its weights: the schedule begins at its own."""
    for name, logits in generator.mixture.items():
        for parameter in logits.parameters():
            parameter.div_(temperature)
        if generator.sight is not None:
            for parameter in generator.adapt[name].parameters():
                parameter[: math.prod(generator.kernel[name].shape[:2])].div_(temperature)


def _load(generator: Generator, tensors: Mapping[str, Tensor], path: Path) -> None:
    try:
        generator.load_state_dict({name: t.float() for name, t in tensors.items()})
    except RuntimeError as error:
        raise BadLook(f"{path}: weights of another architecture; use the settings they were trained with") from error
    with torch.no_grad():
        if not all(bool(t.isfinite().all()) for t in generator.state_dict().values()):
            raise BadLook(f"{path}: weights that are not finite; take an earlier checkpoint")
