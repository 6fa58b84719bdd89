"""Painting with torch: CUDA, ROCm, MPS or CPU; also the resampling that training shares with rendering."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from scumble.bands import DETAILS, GREY, BandMatch, taps
from scumble.engine import Painter, Precision
from scumble.look import BakedLook
from scumble.network import BLUR

Pixels = NDArray[np.float32]


def replicate(x: Tensor) -> Tensor:
    """One pixel of edge replication on each side: zero padding draws lines along borders.

    By concatenation, which compilers fuse; the backward of `F.pad` fails in them where channels lie last.
    """
    x = torch.cat([x[:, :, :1], x, x[:, :, -1:]], dim=2)
    return torch.cat([x[..., :1], x, x[..., -1:]], dim=3)


def blur_down(x: Tensor) -> Tensor:
    """Halve both sides after a [1 3 3 1] binomial blur.

    On a CPU a dense convolution with a diagonal kernel beats pooling and depthwise convolution
    several times over in training (no fast backward for those); elsewhere it is depthwise.
    """
    channels = x.shape[1]
    taps = torch.tensor(BLUR, dtype=x.dtype, device=x.device)
    kernel = torch.outer(taps, taps) / taps.sum() ** 2
    if x.device.type != "cpu":
        return F.conv2d(replicate(x), kernel.expand(channels, 1, 4, 4), stride=2, groups=channels)
    dense = torch.zeros((channels, channels, 4, 4), dtype=x.dtype)
    dense[range(channels), range(channels)] = kernel
    return F.conv2d(replicate(x), dense, stride=2)


def up(x: Tensor) -> Tensor:
    """Double both sides, bilinear between pixel centres."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def blurs(x: Tensor) -> Tensor:
    """A picture (1, 3, H, W) and its blurs (1, 3 (DETAILS + 1), H, W), whatever part of a frame it is."""
    found = [x]
    for level in range(DETAILS):
        reach = 2 << level
        kernel = torch.from_numpy(taps(level)[:: 1 << level].copy()).to(x).expand(3, 1, 1, -1)
        across = F.pad(found[-1], (reach, reach, 0, 0), mode="replicate")
        across = F.conv2d(across, kernel, groups=3, dilation=(1, 1 << level))
        down = F.pad(across, (0, 0, reach, reach), mode="replicate")
        found.append(F.conv2d(down, kernel.transpose(2, 3), groups=3, dilation=(1 << level, 1)))
    return torch.cat(found, dim=1)


def finishing(match: BandMatch, device: torch.device) -> Callable[[Tensor], Tensor]:
    """A painting (1, 3, H, W) with its bands matched."""

    def at_places(array: Pixels) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array))[:, :, None, None].to(device)

    matrix, offset = at_places(match.matrix), torch.from_numpy(match.offset).to(device)
    if match.curves is not None:
        details = at_places(match.curves.details)
        bends = [
            tuple(torch.from_numpy(a)[:, None, None].to(device) for a in pair)
            for pair in zip(match.curves.knots.T.copy(), match.curves.bends.T.copy(), strict=True)
        ]

    def finish(painting: Tensor) -> Tensor:
        of_blurs = blurs(painting)
        found = F.conv2d(of_blurs, matrix, offset)
        if match.curves is None:
            return found
        values = F.conv2d(of_blurs, details)
        bent = torch.zeros_like(values)
        for knot, bend in bends:
            bent = torch.addcmul(bent, values.clamp(-knot, knot), bend)
        return found + float(GREY[0]) * bent.sum(1, keepdim=True)

    return finish


class TorchEngine:
    """See `scumble.engine.Engine`; picks CUDA, then MPS, then the CPU."""

    name = "torch"

    def __init__(self) -> None:
        mps = torch.backends.mps.is_available()
        self.device = torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")

    def painter(self, baked: BakedLook, precision: Precision) -> Painter:
        """f32 without TF32, or bf16 (f16 on MPS)."""
        dtype = torch.float32
        if precision == "fast":
            dtype = torch.float16 if self.device.type == "mps" else torch.bfloat16
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False

        def put(arrays: dict[str, Pixels]) -> dict[str, Tensor]:
            return {k: torch.from_numpy(v).to(self.device, dtype) for k, v in arrays.items()}

        kernel, bias, gate = put(baked.kernel), put(baked.bias), put(baked.gate)
        matrix, offset = (torch.from_numpy(a).to(self.device) for a in (baked.matrix, baked.offset))
        nodes = baked.architecture.nodes()
        if baked.bands is not None:
            finish = finishing(baked.bands, self.device)

        @torch.inference_mode()
        def paint(window: Pixels) -> Pixels:
            x = torch.from_numpy(np.ascontiguousarray(window)).to(self.device)
            p = (x @ matrix.T + offset).permute(2, 0, 1)[None]
            found = {"input": p.to(dtype)}
            for node in nodes:
                y = found[node.inputs[0]]
                if node.op == "conv":
                    y = F.conv2d(replicate(y), kernel[node.name], bias[node.name])
                    y = F.relu(y) if node.relu else y
                elif node.op == "down":
                    y = blur_down(y)
                elif node.op == "up":
                    y = up(y)
                elif node.op == "add":
                    y = y + found[node.inputs[1]]
                else:
                    y = torch.addcmul(y, found[node.inputs[1]], gate[node.name].view(1, -1, 1, 1))
                found[node.name] = y
            painted = p + found[nodes[-1].name].float()
            if baked.bands is not None:
                painted = finish(painted)
            result: Pixels = painted[0].permute(1, 2, 0).cpu().numpy()
            return result

        return paint


def engine() -> TorchEngine:
    """Called by `scumble.engine.open_engine`."""
    return TorchEngine()
