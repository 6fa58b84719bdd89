"""Weights in safetensors: what every file of ours must hold, and the sentences where it does not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from scumble.core.errors import BadLook
from scumble.network.shape import Architecture, Form

SCHEMA = 7  # of the painter's network; those before it were of other networks

OLDEST_SCHEMA = NEWEST_SCHEMA = SCHEMA

MOST_DEPTH = 16  # of tables and lists in one another; a look's own facts have four

Array = NDArray[np.float32]

Arrays = dict[str, Array]


def read_arrays(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """Arrays, as float32 but for packed pictures, and facts of a safetensors file of ours. Raises BadLook."""
    try:
        if not path.is_file():
            raise BadLook(f"{path}: {'a folder' if path.is_dir() else 'no such file'}; name a look or weights file")
        with safe_open(path, framework="np") as f:
            metadata = f.metadata() or {}
            facts = json.loads(metadata.get("facts", "{}"))
            arrays = {}
            for key in f.keys():  # noqa: SIM118 - not a mapping
                array = f.get_tensor(key)
                arrays[key] = array if key.startswith("key.") and array.dtype == np.uint8 else array.astype(np.float32)
    except AttributeError as error:  # a number format that NumPy does not have, such as F8_E4M3
        raise BadLook(f"{path}: its weights are in a number format that no look has; make it again") from error
    except (OSError, SafetensorError, ValueError, TypeError, RecursionError) as error:
        raise BadLook(f"{path}: not a look or weights file ({error}); take another copy of it") from error
    if not isinstance(facts, dict):
        raise BadLook(f"{path}: its facts are not a table; make the file again")
    if not _can_be_told(facts):
        raise BadLook(f"{path}: its facts hold halves of characters, or lists too deep to be told; make the file again")
    if not all(np.isfinite(a).all() for a in arrays.values()):
        raise BadLook(f"{path}: weights that are not finite; make or train the look again")
    return arrays, facts


def _can_be_told(value: Any, depth: int = 0) -> bool:
    """Whether facts can be written as JSON in UTF-8 again: half a pair of surrogates, or too many levels, cannot."""
    if depth > MOST_DEPTH:
        return False
    if isinstance(value, str):
        return not any("\ud800" <= letter <= "\udfff" for letter in value)
    if isinstance(value, Mapping):
        return all(_can_be_told(part, depth + 1) for pair in value.items() for part in pair)
    return not isinstance(value, list) or all(_can_be_told(part, depth + 1) for part in value)


def architecture_of(path: Path, facts: Mapping[str, Any]) -> Architecture:
    """The architecture that a file's facts describe. Raises BadLook."""
    try:
        a = facts["architecture"]
        form, widths, blocks = a["form"], tuple(map(int, a["widths"])), tuple(map(int, a["blocks"]))
        radii = int(a.get("simplified", 0)), int(a.get("dabbed", 0))
    except (KeyError, TypeError, ValueError, OverflowError) as error:  # infinity is JSON to Python
        raise BadLook(f"{path}: its facts do not describe a network; make the file again") from error
    deep = len(widths) == 4 if form == "painter" else 2 <= len(widths) <= 6
    sound = form in get_args(Form) and deep and len(widths) == len(blocks) and all(1 <= w <= 1024 for w in widths)
    if not sound or not all(0 <= b <= 64 for b in (*blocks, *radii)):
        raise BadLook(
            f"{path}: a {form!r:.20} of widths {widths}, blocks {blocks} and patches of {radii[0]} and {radii[1]}"
            " pixels is no network of ours; make the file again"
        )
    return Architecture(form, widths, blocks, *radii)


def check_schema(path: Path, facts: Mapping[str, Any]) -> None:
    schema = facts.get("schema")
    if not isinstance(schema, int) or schema < 1:
        raise BadLook(f"{path}: no schema number in its facts; make the file again")
    if schema < OLDEST_SCHEMA:
        raise BadLook(
            f"{path}: made by an earlier Scumble (schema {schema}) for another network;"
            " make it again of its picture: scumble look make PICTURE -o LOOK; or train or match it again"
        )
    if schema > NEWEST_SCHEMA:
        raise BadLook(f"{path}: schema {schema} is newer than this Scumble reads ({NEWEST_SCHEMA}); update Scumble")


def check_weights(path: Path, architecture: Architecture, weights: Arrays) -> None:
    """Every array that the architecture asks for is there in its shape. Raises BadLook."""
    for node in architecture.convolutions():
        wanted: dict[str, tuple[int, ...]] = {
            "kernel": (node.channels, node.fan_in, 3, 3),
            "gamma": (node.channels,),
            "beta": (node.channels,),
        }
        for part, shape in wanted.items():
            key = f"{part}.{node.name}"
            if key not in weights or weights[key].shape != shape:
                has = weights[key].shape if key in weights else "nothing"
                raise BadLook(f"{path}: {key} should have shape {shape} and has {has}; make the look again")
