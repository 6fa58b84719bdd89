"""Checkpoints as safetensors: `resume` (exact), `travel` (small), `best` (the weights a look is made from)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialised
from torch import Tensor, nn, optim

from scumble.core.errors import BadInput, BadLook
from scumble.core.files import written_whole


def save(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors and JSON facts; the file appears whole or not at all."""
    own = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    data = serialised(own, metadata={"facts": json.dumps(facts, sort_keys=True)})
    with written_whole(path) as part:
        part.write_bytes(data)  # Python's own write says when the disk is full; the library's has errors of its own


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and facts of a checkpoint. Raises BadLook when the file is not one."""
    try:
        with safe_open(path, framework="pt") as f:
            facts: dict[str, Any] = json.loads((f.metadata() or {})["facts"])
            if not isinstance(facts, dict):
                raise TypeError("its facts are not a table")
            return {key: f.get_tensor(key) for key in f.keys()}, facts  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise BadLook(f"{path}: not a checkpoint of Scumble ({error}); name one from a run's folder") from error


def under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names start with `prefix/`, without it."""
    start = f"{prefix}/"
    return {name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)}


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of `under`."""
    return {f"{prefix}/{name}": t for name, t in tensors.items()}


def half(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Floating tensors as float16."""
    return {name: t.half() if t.is_floating_point() else t for name, t in tensors.items()}


def adam_tensors(module: nn.Module, optimiser: optim.Adam) -> dict[str, Tensor]:
    """Adam's moments and step by parameter name."""
    tensors: dict[str, Tensor] = {}
    for name, parameter in module.named_parameters():
        for key, value in optimiser.state.get(parameter, {}).items():
            tensors[f"{key}/{name}"] = torch.as_tensor(value)
    return tensors


def load_adam(module: nn.Module, optimiser: optim.Adam, tensors: Mapping[str, Tensor]) -> None:
    """The inverse of `adam_tensors`."""
    for name, parameter in module.named_parameters():
        state = {
            key: tensors[f"{key}/{name}"].clone().to(parameter.device if key != "step" else "cpu")
            for key in ("step", "exp_avg", "exp_avg_sq")
            if f"{key}/{name}" in tensors
        }
        if state:
            optimiser.state[parameter] = state


def not_in_order(path: Path, error: Exception) -> BadInput:
    """The refusal of a checkpoint whose facts do not say where its run stood."""
    return BadInput(f"{path}: its facts are not those of a checkpoint ({error}); take an earlier one")
