"""Measured statistics as files: JSON that can be read, given to other shots of a sequence, and used again.

One entry a shot; those of further looks of the same render stand under `others`. What was measured once for a plate
and a look is kept in the user's cache, so that no shot is measured twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scumble.core.cache import cached, keep
from scumble.core.errors import BadInput
from scumble.core.files import written_whole
from scumble.core.version import __version__
from scumble.look.look import Look
from scumble.network.baked import ShotStatistics
from scumble.network.palette import Palette
from scumble.shot.cuts import Shot

SCHEMA = 1


@dataclass(frozen=True)
class Measured:
    """A shot and what was measured of it."""

    shot: Shot
    statistics: ShotStatistics


def save(
    path: Path, measured: Sequence[tuple[Look, Sequence[Measured]]], made_with: Mapping[str, Any], plate: str
) -> None:
    """Write statistics of looks' layers over shots of a plate, named by a digest.

    `made_with` is what they depend on beside look and plate.
    """
    entries = [
        {
            "look": look.hash,
            "look_name": look.name,
            "made_with": dict(made_with),
            "shots": [{**asdict(m.shot), **_values(m.statistics)} for m in shots],
        }
        for look, shots in measured
    ]
    document = {
        "schema": SCHEMA,
        "kind": "statistics",
        "made_by": f"scumble {__version__}",
        "plate": plate,
        **entries[0],
    }
    if entries[1:]:
        document["others"] = entries[1:]
    with written_whole(path) as part:
        part.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


def load(path: Path, look: Look, made_with: Mapping[str, Any]) -> tuple[list[Measured], str]:
    """The inverse of `save`: shots and the digest of their plate.

    Raises BadInput for another file, another look or other settings.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
        if not isinstance(document, dict) or document.get("kind") != "statistics":
            raise ValueError("it says nothing of statistics")
        others = document.get("others", [])
        if not isinstance(others, list) or not all(isinstance(other, dict) for other in others):
            raise ValueError("its other looks are none")
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{path}: not a file of statistics ({error}); let a render write one with --stats") from error
    if document.get("schema") != SCHEMA:
        raise BadInput(f"{path}: statistics of schema {document.get('schema')!r:.20}; update Scumble, or measure again")
    document = {**document, **next((other for other in others if other.get("look") == look.hash), {})}
    if document.get("look") != look.hash:
        raise BadInput(
            f"{path}: measured with the look {document.get('look_name')!r:.60}, this is {look.name!r} ({look.hash});"
            " measure again into another file"
        )
    if document.get("made_with") != json.loads(json.dumps(dict(made_with))):
        then = document.get("made_with")
        known = then if isinstance(then, dict) else {}
        differs = next((k for k, v in made_with.items() if known.get(k) != v), "settings")
        was = known.get(differs)
        raise BadInput(
            f"{path}: measured with {differs} {was!r:.60}, this render has {made_with.get(differs)!r:.60};"
            " measure again into another file"
        )
    try:
        shots = [_measured(entry, look) for entry in document["shots"]]
        if not shots:
            raise ValueError("it holds no shot")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise BadInput(f"{path}: damaged statistics ({error}); measure again") from error
    return shots, str(document.get("plate", ""))


def _values(statistics: ShotStatistics) -> dict[str, Any]:
    return {
        "facts": statistics.facts,
        "palette": _colours(statistics.palette),
        "layers": {
            name: {"mean": statistics.mean[name].tolist(), "variance": statistics.variance[name].tolist()}
            for name in statistics.mean
        },
    }


def _colours(of: Palette) -> dict[str, Any]:
    return {"mean": of.mean.tolist(), "covariance": of.covariance.tolist()}


def _measured(entry: Mapping[str, Any], look: Look) -> Measured:
    shot = Shot(int(entry["first"]), int(entry["last"]), int(entry["dissolve"]), entry["begins"])
    if shot.last < shot.first or shot.dissolve < 0:
        raise ValueError(f"a shot from {shot.first} to {shot.last} with a dissolve of {shot.dissolve}")
    facts = dict(entry["facts"])
    if not 0 <= float(facts.get("grain", 0.0)) < 1:
        raise ValueError(f"grain of {facts['grain']}")
    if "points" in facts:
        facts["points"] = _array(facts["points"], (2,), np.float64).tolist()
        if not 0 <= facts["points"][0] < facts["points"][1] <= 1:
            raise ValueError(f"points of {facts['points']}")
    palette = Palette(
        _array(entry["palette"]["mean"], (3,), np.float64), _array(entry["palette"]["covariance"], (3, 3), np.float64)
    )
    mean, variance = {}, {}
    for node in look.architecture.convolutions():
        if node.normed:
            layer = entry["layers"][node.name]
            mean[node.name] = _array(layer["mean"], (node.channels,), np.float32)
            variance[node.name] = _array(layer["variance"], (node.channels,), np.float32)
            if (variance[node.name] < 0).any():
                raise ValueError(f"layer {node.name} has a negative variance")
    return Measured(shot, ShotStatistics(palette, mean, variance, facts))


def _array(values: Any, shape: tuple[int, ...], kind: Any) -> Any:
    array = np.asarray(values, kind)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"{shape} finite numbers were expected")
    return array


def cached_statistics(key: object, look: Look) -> ShotStatistics | None:
    """Statistics that were measured before."""
    entry = cached("statistics", [SCHEMA, key])
    with suppress(KeyError, TypeError, ValueError, OverflowError):
        if entry is not None:
            return _measured(entry, look).statistics
    return None


def keep_statistics(key: object, shot: Shot, statistics: ShotStatistics) -> None:
    """For `cached_statistics`."""
    keep("statistics", [SCHEMA, key], {**asdict(shot), **_values(statistics)})
