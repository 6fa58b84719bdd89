"""The universal generator: from the moments of a painting to the weights of a look."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scumble.core.errors import BadLook
from scumble.network.shape import MOMENT_LIMIT, MOMENTS, Architecture
from scumble.network.weights_file import Array, Arrays, architecture_of, check_schema, check_weights, read_arrays


@dataclass(frozen=True)
class Universal:
    """The universal generator without torch: predicts a look's weights from the moments of its style.

    `arrays`: `kernel.NODE` shared by all looks; for layers with look kernels `varied.NODE` (R, I, 3, 3) and
    `direction.NODE` (O, R); `terms.0|2|4.weight|bias`, which predict every look's terms; `usual` and `spread`, by
    which moments are standardised.
    """

    architecture: Architecture
    arrays: Arrays
    hash: str
    facts: dict[str, Any]

    @classmethod
    def load(cls, path: Path) -> Universal:
        """Read weights written by `scumble train`: best, or the averaged ones of a checkpoint. Raises BadLook."""
        arrays, facts = read_arrays(path)
        if facts.get("kind") in ("checkpoint", "travel") and facts.get("conditioning") == "style":
            arrays = {k.removeprefix("ema/"): a for k, a in arrays.items() if k.startswith("ema/")}
            facts = {**facts, "kind": "universal"}
        if facts.get("kind") != "universal":
            kind = facts.get("kind", "another file")
            raise BadLook(
                f"{path}: not a universal generator but {kind}; give best.safetensors of a run of scumble train"
            )
        check_schema(path, facts)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        universal = cls(architecture_of(path, facts), arrays, digest, facts)
        try:  # every array is there and fits: moments of zero go through
            check_weights(path, universal.architecture, universal.collapse(np.zeros(MOMENTS, np.float32)))
        except (KeyError, ValueError, IndexError) as error:
            raise BadLook(f"{path}: an array of the universal generator is missing or misshapen ({error})") from error
        return universal

    def collapse(self, moments: Array) -> Arrays:
        """The weights of the look of a style with these moments (`network.MOMENTS`,): a plain network."""
        terms = self._terms(moments)
        weights: dict[str, NDArray[Any]] = {}
        at = 0
        for node in self.architecture.convolutions():
            gamma, beta, shares = np.split(
                terms[at : at + 2 * node.channels + node.rank], [node.channels, 2 * node.channels]
            )
            at += 2 * node.channels + node.rank
            kernel = self.arrays[f"kernel.{node.name}"]
            if node.rank:
                own = self.arrays[f"direction.{node.name}"] * shares  # (O, R)
                kernel = kernel + np.tensordot(own, self.arrays[f"varied.{node.name}"], 1)
            weights[f"kernel.{node.name}"] = kernel
            weights[f"gamma.{node.name}"] = 1 + gamma
            weights[f"beta.{node.name}"] = beta
        if at != len(terms):
            raise ValueError(f"{len(terms)} terms where the network has {at}")
        return {k: np.asarray(v, np.float32) for k, v in weights.items()}

    def _terms(self, moments: Array) -> Array:
        """Gain - 1, shift and weights of look kernels of every convolution, one after the other."""
        x = (moments - self.arrays["usual"]) / self.arrays["spread"]
        x = x.clip(-MOMENT_LIMIT, MOMENT_LIMIT)
        for layer in (0, 2):
            x = gelu(self.arrays[f"terms.{layer}.weight"] @ x + self.arrays[f"terms.{layer}.bias"])
        terms: Array = self.arrays["terms.4.weight"] @ x + self.arrays["terms.4.bias"]
        return terms


def gelu(x: NDArray[Any]) -> NDArray[Any]:
    """x times the normal distribution function, as torch has it [Hendrycks 1606.08415]."""
    y: NDArray[Any] = x * 0.5 * (1 + np.vectorize(math.erf, otypes=[np.float64])(x / math.sqrt(2)))
    return y


def blend(arrays: Sequence[Array], share: Sequence[float]) -> Array:
    """Between arrays of one shape; `share` sums to 1."""
    total: Array = sum((np.float32(w) * a for w, a in zip(share, arrays, strict=True)), np.float32(0) * arrays[0])
    return total
