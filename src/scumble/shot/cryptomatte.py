"""Mattes from Cryptomatte layers, by the names of objects."""

from __future__ import annotations

import fnmatch
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import mmh3
import numpy as np
from numpy.typing import NDArray

from scumble.core.errors import BadPlate, BadSettings
from scumble.core.frames import NO_MARGIN, Margin, Pixels
from scumble.media.picture_reader import channel_names, read_attributes, read_channels
from scumble.media.plate import Plate
from scumble.shot.matte import unit_range


@dataclass(frozen=True)
class CryptoMatte:
    """Objects of the plate's Cryptomatte by name; `*` stands for anything [Friedman and Jones, Cryptomatte 1.2]."""

    plate: Plate
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"Cryptomatte of {', '.join(self.names)}"

    def of(self, number: int, margin: Margin = NO_MARGIN) -> Pixels:
        """See `Matte.of`."""
        path = self.plate.channels[number]
        total: Any = 0
        for layer, wanted in objects_of(path, self.names).items():
            channels = _ranks(path, layer)
            read = read_channels(path, channels, margin)
            for i in range(0, len(channels), 2):
                numbers = np.ascontiguousarray(read[:, :, i]).view(np.uint32)
                total = total + np.where(np.isin(numbers, wanted), read[:, :, i + 1], np.float32(0))
        return unit_range(np.asarray(total, np.float32)[:, :, None])

    def files_of(self, number: int) -> list[Path]:
        """See `Matte.files_of`."""
        return []


def objects_of(path: Path, names: Sequence[str]) -> Mapping[str, NDArray[np.uint32]]:
    """Numbers of named objects by Cryptomatte layer. Raises BadSettings for a name that no manifest has."""
    ids: dict[str, list[int]] = {}
    known: list[str] = []
    left = set(names)
    for layer, manifest in _manifests(path):
        for name, number in manifest.items():
            hits = [pattern for pattern in names if name == pattern or fnmatch.fnmatchcase(name, pattern)]
            if hits:
                ids.setdefault(layer, []).append(number)
                left -= set(hits)
        known += list(manifest)
        if not manifest and any(set("*?[") & set(name) for name in names):
            raise BadSettings(f"{path}: its Cryptomatte {layer} has no manifest: give names in full, without *")
        if not manifest:  # a file without a manifest is searched for the hash of the name
            ids.setdefault(layer, []).extend(_hash(name) for name in names)
            left.clear()
    if not ids or left:
        missing = sorted(left or names)[0]
        has = f"it has {', '.join(sorted(known)[:12])}" if known else "it has no Cryptomatte"
        raise BadSettings(f"{path}: no object {missing!r} in its Cryptomatte; {has}")
    return {layer: np.array(numbers, np.uint32) for layer, numbers in ids.items()}


def _manifests(path: Path) -> Iterator[tuple[str, dict[str, int]]]:
    """Layer and numbers by name, of every Cryptomatte in a picture's header."""
    attributes = read_attributes(path)
    for key, value in attributes.items():
        parts = key.split("/")
        if len(parts) != 3 or parts[0] != "cryptomatte" or parts[2] != "name":
            continue
        head = f"cryptomatte/{parts[1]}"
        text = str(attributes.get(f"{head}/manifest", ""))
        named = str(attributes.get(f"{head}/manif_file", ""))
        try:
            if not text and named:
                text = _beside(path, named, str(value)).read_text("utf-8")
            yield str(value), _parsed(text)
        except (OSError, ValueError, AttributeError, RecursionError) as error:
            # without the error's words: they repeat what stands in a file
            raise BadPlate(f"{path}: the manifest of its Cryptomatte {value} is damaged; write it again") from error


def _beside(path: Path, named: str, layer: str) -> Path:
    """The manifest that a header names, in the picture's own folder [Cryptomatte 1.2]. Raises BadPlate.

    Nowhere else: a header could name any file of the machine.
    """
    file = path.parent / named
    is_plain = not set(named) & set("/\\\0:") and named not in (".", "..")
    if is_plain and file.resolve().parent == path.parent.resolve() and file.is_file():
        return file
    raise BadPlate(f"{path}: the manifest of its Cryptomatte {layer}, {named!r}, is not beside it; put it there")


@lru_cache(maxsize=8)  # the frames of a shot mostly have one
def _parsed(manifest: str) -> dict[str, int]:
    """Numbers of objects by name."""
    names = json.loads(manifest) if manifest else {}
    return {str(name): int(str(number), 16) & 0xFFFFFFFF for name, number in names.items()}


def _hash(name: str) -> int:
    """The number of an object: MurmurHash3 with an exponent that makes it a plain float."""
    number = int(mmh3.hash(name, signed=False))
    return number ^ 1 << 23 if number >> 23 & 255 in (0, 255) else number


def _ranks(path: Path, layer: str) -> list[str]:
    """Channels of a Cryptomatte layer, number and coverage in turn."""
    ranks: list[str] = []
    by_lower = {name.lower(): name for name in channel_names(path)}

    def channel(rank: int, *names: str) -> str:
        asked = (f"{layer}{rank:02}.{name}".lower() for name in names)
        return next((by_lower[name] for name in asked if name in by_lower), "")

    for rank in itertools.count():
        red, green = channel(rank, "r", "red"), channel(rank, "g", "green")
        if not red or not green:
            break
        blue, alpha = channel(rank, "b", "blue"), channel(rank, "a", "alpha")
        ranks += [red, green, blue, alpha] if blue and alpha else [red, green]
    if not ranks:
        raise BadPlate(f"{path}: Cryptomatte {layer} has no channels {layer}00.R and .G; take another copy of it")
    return ranks
