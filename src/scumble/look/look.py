"""A look: one style as a plain convolutional network. Loaded and saved; never pickle.

File: safetensors, arrays in float16 (statistics and palettes in float32), and JSON facts with a
`schema` number in the header. Names: `kernel.NODE` (O, I, 3, 3), `gamma.NODE`, `beta.NODE` (C,),
`palette.mean|covariance`, `reference.NODE.mean|variance` with `reference.palette.mean|covariance`; for looks matched
to a shot the same under `shot`, and the key frames `key.NUMBER.painted|plate`; for looks of the universal generator
`moments` (`network.MOMENTS`,), from which it makes the weights again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from scumble.core.errors import BadLook
from scumble.core.files import written_whole
from scumble.look.look_checks import (
    as_stored,
    check_facts,
    check_statistics,
    made_again,
    painted_frames_of,
    palette_arrays,
    palette_of,
)
from scumble.look.painted_frame import PaintedFrame
from scumble.network.baked import ShotStatistics
from scumble.network.palette import OWN_COLOURS, Colouring, Palette, recolouring
from scumble.network.shape import MOMENTS, Architecture
from scumble.network.universal import Universal
from scumble.network.weights_file import (
    SCHEMA,
    Array,
    Arrays,
    architecture_of,
    check_schema,
    check_weights,
    read_arrays,
)

PARTS = ("kernel", "gamma", "beta")


@dataclass(frozen=True)
class Look:
    """One style's network, its palette and what is known of it. `weights` has names such as `kernel.head`."""

    architecture: Architecture
    weights: Arrays
    palette: Palette
    reference: ShotStatistics | None
    moments: Array | None
    """Moments of the style pictures; only looks straight from the universal generator have them."""
    facts: dict[str, Any]
    shot: ShotStatistics | None = None
    """Statistics of the one shot that the look was matched to; it paints with no others."""
    painted_frames: tuple[PaintedFrame, ...] = ()
    """The frames of that shot that an artist painted; renders carry them along."""

    def __post_init__(self) -> None:
        # as the file holds them: a look that was just made paints as the same look read on another machine
        rounded = {name: array.astype(np.float16).astype(np.float32) for name, array in self.weights.items()}
        object.__setattr__(self, "weights", rounded)
        object.__setattr__(self, "palette", as_stored(self.palette))
        for name in ("reference", "shot"):
            own: ShotStatistics | None = getattr(self, name)
            if own is not None:
                object.__setattr__(self, name, replace(own, palette=as_stored(own.palette)))

    @property
    def name(self) -> str:
        return str(self.facts.get("name", "unnamed"))

    @property
    def halo(self) -> int:
        """The receptive field of the baked look."""
        return self.architecture.receptive_field()

    @property
    def keep_color(self) -> float:
        """1 if the look leaves the plate's colours alone, as the identity look does."""
        return float(self.facts.get("keep_color", 0.0))

    def recolouring(
        self, plate: Palette, colouring: Colouring = OWN_COLOURS
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """T (3, 3) and offset (3,) from a plate's colours to the style's, as `colouring` has it."""
        kept = max(colouring.keep_color, self.keep_color)
        return recolouring(plate, self.palette, replace(colouring, keep_color=kept))

    @cached_property  # cached: asked for with every frame, and painted frames take long to pack
    def hash(self) -> str:
        """First 16 digits of the SHA-256 of the saved file."""
        return hashlib.sha256(self.to_bytes()).hexdigest()[:16]

    def to_bytes(self, weights: bool = True) -> bytes:
        """The file's bytes; equal looks give equal bytes.

        Without `weights` it is for a look that its universal generator makes again of its moments.
        """
        arrays: dict[str, NDArray[Any]] = {k: v.astype(np.float16) for k, v in self.weights.items() if weights}
        arrays |= palette_arrays("palette", self.palette)
        for name, statistics in (("reference", self.reference), ("shot", self.shot)):
            if statistics is None:
                continue
            arrays |= palette_arrays(f"{name}.palette", statistics.palette)
            for node in statistics.mean:
                arrays[f"{name}.{node}.mean"] = statistics.mean[node].astype(np.float32)
                arrays[f"{name}.{node}.variance"] = statistics.variance[node].astype(np.float32)
        if self.moments is not None:
            arrays["moments"] = self.moments.astype(np.float32)
        for key in self.painted_frames:
            arrays |= {f"key.{key.number}.{part}": array for part, array in key.arrays().items()}
        facts = {**self.facts, "schema": SCHEMA, "kind": "look", "architecture": asdict(self.architecture)}
        return save(arrays, metadata={"facts": json.dumps(facts, sort_keys=True)})

    def save(self, path: Path | str) -> None:
        """Write the look; the file appears whole or not at all."""
        with written_whole(Path(path)) as part:
            part.write_bytes(self.to_bytes())

    @classmethod
    def load(cls, path: Path | str, universal: Callable[[], Universal] | None = None) -> Look:
        """Read and check a look; `universal` gives weights to one without. Raises BadLook naming file and fault."""
        path = Path(path)
        arrays, facts = read_arrays(path)
        if facts.get("kind") != "look":
            raise BadLook(f"{path}: not a look but {facts.get('kind', 'another file')}; make one: scumble look make")
        check_schema(path, facts)
        architecture = architecture_of(path, facts)
        weights = {k: v for k, v in arrays.items() if k.split(".", 1)[0] in PARTS}
        normed = [node.name for node in architecture.convolutions() if node.normed]

        def statistics(name: str, of: str) -> ShotStatistics | None:
            if f"{name}.palette.mean" not in arrays:
                return None
            return ShotStatistics(
                palette_of(arrays, f"{name}.palette"),
                {n: arrays[f"{name}.{n}.mean"] for n in normed},
                {n: arrays[f"{name}.{n}.variance"] for n in normed},
                {"of": of},
            )

        try:
            palette = palette_of(arrays, "palette")
            reference, shot = statistics("reference", "reference photograph"), statistics("shot", "its own shot")
        except KeyError as error:
            raise BadLook(f"{path}: a look without {error.args[0]!r}; make it again: scumble look make") from error
        moments = arrays.get("moments")
        if moments is not None and moments.shape != (MOMENTS,):
            raise BadLook(f"{path}: moments of shape {moments.shape}, not {(MOMENTS,)}; make the look again")
        if not weights and moments is not None:
            weights = made_again(path, facts, moments, universal)
        check_weights(path, architecture, weights)
        own = {k: v for k, v in facts.items() if k not in ("schema", "kind", "architecture")}
        look = cls(architecture, weights, palette, reference, moments, own, shot, painted_frames_of(path, arrays))
        check_statistics(path, look)
        check_facts(path, own)
        return look


def with_reference(look: Look, reference: ShotStatistics) -> Look:
    """The look with the reference photograph's statistics stored in it."""
    return replace(look, reference=reference)
