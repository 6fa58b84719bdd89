"""A look and the statistics of a shot, folded into one network of fixed numbers."""

from __future__ import annotations

import numpy as np

from scumble.look.look import Look
from scumble.network.baked import BakedLook, ShotStatistics
from scumble.network.palette import OWN_COLOURS, Colouring
from scumble.network.shape import EPSILON
from scumble.network.weights_file import Arrays


def bake(look: Look, statistics: ShotStatistics, colouring: Colouring = OWN_COLOURS) -> BakedLook:
    """Fold affine terms and shot statistics into the convolutions.

    W' = W gamma / sigma, b' = beta - mu gamma / sigma; sigma is 1 and mu 0 where a layer is not normalised.
    """
    matrix, offset = look.recolouring(statistics.palette, colouring)
    kernel: Arrays = {}
    bias: Arrays = {}
    for node in look.architecture.convolutions():
        scale, shift = look.weights[f"gamma.{node.name}"], look.weights[f"beta.{node.name}"]
        if node.normed:
            scale = scale / np.sqrt(statistics.variance[node.name] + EPSILON)
            shift = shift - statistics.mean[node.name] * scale
        kernel[node.name] = np.ascontiguousarray(
            look.weights[f"kernel.{node.name}"] * scale[:, None, None, None], np.float32
        )
        bias[node.name] = np.ascontiguousarray(shift, np.float32)
    return BakedLook(look.architecture, kernel, bias, matrix.astype(np.float32), offset.astype(np.float32), statistics)
