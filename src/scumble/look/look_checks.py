"""What is checked when a look is opened: facts, statistics, palettes, painted frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scumble.core.errors import BadInput, BadLook
from scumble.look.painted_frame import MOST_KEYS, MOST_PIXELS_TOGETHER, PaintedFrame
from scumble.network.palette import Palette
from scumble.network.universal import Universal
from scumble.network.weights_file import Array, Arrays

if TYPE_CHECKING:
    from scumble.look.look import Look

MOST_COLOUR = 1000.0  # pictures are 0 to 1, scene-linear highlights some hundreds

MOST_STATISTIC = 1e6  # of a feature's mean and variance: far above what the network's normed layers give


def made_again(
    path: Path, facts: Mapping[str, Any], moments: Array, universal: Callable[[], Universal] | None
) -> Arrays:
    """The weights of a look whose file holds its moments alone, as they would have been saved."""
    known = universal() if universal is not None else None
    if known is None or known.hash != facts.get("ancestor"):
        raise BadLook(
            f"{path}: holds a style without weights, for the universal generator {facts.get('ancestor', 'none')};"
            " such looks come with Scumble: give its name, or make it of its picture again: scumble look make"
        )
    return {k: v.astype(np.float16).astype(np.float32) for k, v in known.collapse(moments).items()}


def painted_frames_of(path: Path, arrays: Arrays) -> tuple[PaintedFrame, ...]:
    """The key frames that a file holds, in order. Raises BadLook."""
    names = [key.split(".", 2)[1] for key in arrays if key.startswith("key.") and key.endswith(".painted")]
    try:
        if len(names) > MOST_KEYS:
            raise BadInput(f"{len(names)} key frames are more than a look has")
        keys = [
            PaintedFrame.read(int(name), {part: arrays[f"key.{name}.{part}"] for part in ("painted", "plate")})
            for name in names
        ]
        if sum(key.pixels for key in keys) > MOST_PIXELS_TOGETHER:
            raise BadInput(
                f"{len(keys)} key frames of {sum(key.pixels for key in keys)} pixels are more than a look has"
            )
    except (BadInput, KeyError, ValueError) as error:
        raise BadLook(f"{path}: its key frames are not in order ({error}); match it again") from error
    return tuple(sorted(keys, key=lambda key: key.number))


def check_statistics(path: Path, look: Look) -> None:
    """Palettes and reference statistics have the shapes that the network asks for."""
    wanted: list[tuple[str, Array | NDArray[np.float64], tuple[int, ...]]] = []
    palettes = {"palette": look.palette}
    for name, statistics in (("reference", look.reference), ("shot", look.shot)):
        if statistics is None:
            continue
        palettes[f"{name}.palette"] = statistics.palette
        for node in look.architecture.convolutions():
            if node.name in statistics.mean:
                wanted += [
                    (f"{name}.{node.name}.mean", statistics.mean[node.name], (node.channels,)),
                    (f"{name}.{node.name}.variance", statistics.variance[node.name], (node.channels,)),
                ]
    for name, palette in palettes.items():
        wanted += [(f"{name}.mean", palette.mean, (3,)), (f"{name}.covariance", palette.covariance, (3, 3))]
    for key, array, shape in wanted:
        if array.shape != shape:
            raise BadLook(f"{path}: {key} should have shape {shape} and has {array.shape}; make the look again")

    for name, palette in palettes.items():
        _check_palette(path, name, palette)
    for key, array, _ in wanted:
        least = 0.0 if key.endswith(".variance") else -MOST_STATISTIC
        if array.min() < least or array.max() > MOST_STATISTIC:
            raise BadLook(f"{path}: {key} has values that no picture gives; make the look again")


def _check_palette(path: Path, name: str, palette: Palette) -> None:
    """Colours within the range of pictures, and a covariance that is one."""
    covariance = palette.covariance
    size = np.abs(covariance).max()
    if np.abs(palette.mean).max() > MOST_COLOUR or size > MOST_COLOUR**2:
        raise BadLook(f"{path}: {name} has colours that no picture has; make the look again")
    slack = 1e-3 * size  # float16 and float32 round
    if np.abs(covariance - covariance.T).max() > slack or np.linalg.eigvalsh(covariance).min() < -slack:
        raise BadLook(f"{path}: {name}.covariance is not a covariance; make the look again")


def check_facts(path: Path, facts: Mapping[str, Any]) -> None:
    """The facts that a render relies on are of their kind."""
    kinds: dict[str, tuple[type, ...]] = {
        "name": (str,),
        "ancestor": (str,),
        "made": (str,),
        "sources": (list,),
        "keep_color": (int, float),
    }
    for key, kind in kinds.items():
        if key in facts and not isinstance(facts[key], kind):
            raise BadLook(f"{path}: its fact {key!r} is {facts[key]!r:.60}, not a {kind[-1].__name__}; make it again")
    if not 0 <= facts.get("keep_color", 0.0) <= 1:
        raise BadLook(f"{path}: its fact 'keep_color' is {facts['keep_color']}, not from 0 to 1; make it again")
    if not all(isinstance(source, dict) for source in facts.get("sources", [])):
        raise BadLook(f"{path}: its fact 'sources' is not a list of tables; make it again")


def palette_arrays(prefix: str, colours: Palette) -> dict[str, NDArray[Any]]:
    arrays = {"mean": colours.mean, "covariance": colours.covariance}
    return {f"{prefix}.{part}": array.astype(np.float32) for part, array in arrays.items()}


def palette_of(arrays: Arrays, prefix: str) -> Palette:
    mean, covariance = arrays[f"{prefix}.mean"], arrays[f"{prefix}.covariance"]
    return Palette(mean.astype(np.float64), covariance.astype(np.float64))


def as_stored(colours: Palette) -> Palette:
    """The palette that a file gives back."""
    return palette_of(palette_arrays("palette", colours), "palette")
