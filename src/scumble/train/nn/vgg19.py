"""Torchvision's VGG-19 file as the arrays that all features files hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from scumble.network.shape import VGG_MEAN

TORCHVISION_MEAN = np.array([0.485, 0.456, 0.406])

TORCHVISION_DEVIATION = np.array([0.229, 0.224, 0.225])


def arrays(path: Path) -> dict[str, NDArray[np.float16]]:
    """Convolutions of `vgg19-dcbb9e9d.pth`, its input normalisation folded into the first one.

    After that the network takes RGB in [0, 255] minus `VGG_MEAN`, as every features file does.
    """
    state = torch.load(path, map_location="cpu", weights_only=True)
    weights: dict[str, NDArray[np.float16]] = {}
    index = 0
    for block, count in ((1, 2), (2, 2), (3, 4), (4, 4), (5, 1)):
        for i in range(count):
            kernel, bias = (state[f"features.{index}.{part}"].double().numpy() for part in ("weight", "bias"))
            if index == 0:
                kernel = kernel / (255 * TORCHVISION_DEVIATION)[None, :, None, None]
                shift = (np.array(VGG_MEAN) - 255 * TORCHVISION_MEAN)[None, :, None, None]
                bias = bias + (kernel * shift).sum((1, 2, 3))
            weights[f"conv{block}_{i + 1}.weight"] = kernel.astype(np.float16)
            weights[f"conv{block}_{i + 1}.bias"] = bias.astype(np.float16)
            index += 2
        index += 1  # the pooling layer
    return weights
