"""VGG features in torch: what the losses of training compare, from a file.

The file holds `conv{block}_{index}.weight|bias` (OIHW) for RGB in [0, 255] minus `VGG_MEAN`
(`scumble weights fetch` writes it, from VGG-16 or VGG-19). ReLU after each convolution, 2x2 max
pooling between blocks [Simonyan and Zisserman 1409.1556].
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor, nn

from scumble.core.errors import BadLook
from scumble.network.run import vgg
from scumble.network.shape import VGG_MEAN


class PerceptualFeatures(nn.Module):
    """Fixed VGG; call it with pictures (N, 3, H, W) in [0, 1], get the asked relu layers by name.

    Values outside [0, 1] are allowed. Features have the dtype of the weights.
    """

    mean: Tensor

    def __init__(self, weights: dict[str, Tensor], deepest: str = "relu4_1") -> None:
        super().__init__()
        self.order = sorted({name.rpartition(".")[0] for name in weights})
        last = deepest.replace("relu", "conv")
        if last not in self.order:
            raise BadLook(f"the perceptual weights end before {last}; fetch them again: scumble weights fetch")
        self.order = self.order[: self.order.index(last) + 1]
        for name in self.order:
            for part in ("weight", "bias"):
                if f"{name}.{part}" not in weights:
                    raise BadLook(f"the perceptual weights lack {name}.{part}; fetch them again: scumble weights fetch")
                self.register_buffer(f"{name}_{part}", weights[f"{name}.{part}"], persistent=False)
        self.register_buffer("mean", torch.tensor(VGG_MEAN).view(1, 3, 1, 1) / 255, persistent=False)

    @classmethod
    def load(cls, path: Path, deepest: str = "relu4_1", dtype: torch.dtype = torch.float32) -> PerceptualFeatures:
        """Read the slice of a features file up to `deepest`. Raises BadLook when it is not one."""
        try:
            with safe_open(path, framework="pt") as f:
                weights = {key: f.get_tensor(key).to(dtype) for key in f.keys()}  # noqa: SIM118 - not a mapping
        except Exception as error:  # safetensors raises its own kinds for each way to be broken
            raise BadLook(f"{path}: not a features file ({error}); run: scumble weights fetch") from error
        return cls(
            {k: w.contiguous(memory_format=torch.channels_last) if w.dim() == 4 else w for k, w in weights.items()},
            deepest,
        )

    @property
    def widths(self) -> tuple[tuple[str, int], ...]:
        """Channels of the first relu layer of each block, by name."""
        firsts = [name for name in self.order if name.endswith("_1")]
        return tuple((name.replace("conv", "relu"), getattr(self, f"{name}_weight").shape[0]) for name in firsts)

    @property
    def dtype(self) -> torch.dtype:
        """Of weights and features."""
        return next(self.buffers()).dtype

    def forward(self, pictures: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        x = ((pictures - self.mean) * 255).to(self.dtype).contiguous(memory_format=torch.channels_last)
        wanted, maps = set(layers), {}
        for name, features in vgg(x, self.order, self._convolved, _pooled):
            if name in wanted:
                maps[name] = features
                if len(maps) == len(wanted):
                    return maps
        raise KeyError(f"no such layer among {layers}; this network has {self.order}")

    def _convolved(self, name: str, x: Tensor) -> Tensor:
        return F.relu(F.conv2d(x, getattr(self, f"{name}_weight"), getattr(self, f"{name}_bias"), padding=1))


def _pooled(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 2)
