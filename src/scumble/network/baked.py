"""The statistics of a shot, and a look folded with them: what an engine runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from scumble.network.palette import Palette
from scumble.network.shape import Architecture
from scumble.network.weights_file import Array, Arrays


@dataclass(frozen=True)
class ShotStatistics:
    """Colours and layer statistics of a shot: what turns a look into a fixed function."""

    palette: Palette
    mean: Arrays
    variance: Arrays
    facts: dict[str, Any] = field(default_factory=dict)


class NetworkWeights(Protocol):
    """What an engine measures with: a look, before any shot is known."""

    @property
    def architecture(self) -> Architecture: ...

    @property
    def weights(self) -> Mapping[str, Array]: ...


@dataclass(frozen=True)
class BakedLook:
    """Look and shot folded: convolutions with biases, and the recolouring p = T x + offset.

    A pure function of pixels with receptive field `halo`; `statistics` are what was folded in.
    """

    architecture: Architecture
    kernel: Arrays
    bias: Arrays
    matrix: Array
    offset: Array
    statistics: ShotStatistics

    @property
    def halo(self) -> int:
        """Pixels to each side that one output pixel depends on; a multiple of the total stride."""
        return self.architecture.receptive_field()
