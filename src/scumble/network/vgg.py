"""VGG features in the render engine, without torch: by them evaluation and suggestions compare pictures.

The features file is that of `scumble weights fetch`; the arithmetic is `scumble.train.nn.perceptual`'s.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from scumble.core.errors import BadLook
from scumble.core.silent_openvino import op, ov
from scumble.network.openvino_engine import OpenVinoEngine, vgg_maps

Pixels = NDArray[np.float32]

Maps = dict[str, NDArray[np.float32]]

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")

KEPT = 2  # compiled sizes; each takes some 150 MB, and pictures of a folder come in many


class Features:
    """Call it with a picture (H, W, 3), cut to [0, 1]; get the `LAYERS`, each (C, h, w)."""

    def __init__(self, path: Path) -> None:
        try:
            with safe_open(path, framework="np") as f:
                arrays = {k: np.asarray(f.get_tensor(k), np.float32) for k in f.keys()}  # noqa: SIM118
                facts = json.loads((f.metadata() or {}).get("facts", "{}"))
            net = "VGG-19" if "conv3_4.weight" in arrays else "VGG-16"
            self.name = f"{net} ({facts.get('source', path.name)})"
            order = sorted({k.rpartition(".")[0] for k in arrays})
            order = order[: order.index(LAYERS[-1].replace("relu", "conv")) + 1]
            self._layers = [(name, arrays[f"{name}.weight"], arrays[f"{name}.bias"]) for name in order]
        except (OSError, SafetensorError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadLook(f"{path}: not a features file ({error}); run: scumble weights fetch") from error
        self._engine = OpenVinoEngine()
        self._compiled: dict[tuple[int, ...], Any] = {}

    def __call__(self, picture: Pixels) -> Maps:
        """Features in f32."""
        shape = (1, *picture.shape)
        if shape not in self._compiled:
            if len(self._compiled) == KEPT:
                del self._compiled[next(iter(self._compiled))]
            self._compiled[shape] = self._engine.compile(self._model(shape), "f32")
        maps = self._compiled[shape](np.ascontiguousarray(picture.clip(0, 1))[None])
        return {name: np.asarray(maps[i])[0] for i, name in enumerate(LAYERS)}

    def _model(self, shape: tuple[int, ...]) -> ov.Model:
        picture = op.parameter(list(shape), np.float32)
        x = op.transpose(picture, np.array([0, 3, 1, 2]))
        maps = vgg_maps(x, self._layers)
        return ov.Model([maps[name] for name in LAYERS], [picture], "features")
