"""Painting with torch: CUDA, ROCm, MPS or CPU; also the resampling that training shares with rendering."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from scumble.core.threads import threads
from scumble.network.baked import BakedLook
from scumble.network.engine import Painter, Precision
from scumble.network.run import run
from scumble.network.shape import CENTRE, CONTRAST, Architecture, Node
from scumble.network.simplified import SMOOTH, blur_and_spread, reach

Pixels = NDArray[np.float32]


def replicate(x: Tensor, reach: int = 1) -> Tensor:
    """Edge replication on each side: zero padding draws lines along borders."""
    return F.pad(x, (reach,) * 4, mode="replicate")


def halved(x: Tensor, blur: Sequence[float]) -> Tensor:
    """Halve both sides after a blur with an even number of taps.

    On a CPU a dense convolution with a diagonal kernel beats pooling and, for many channels, depthwise convolution
    several times over in training (no fast backward for those); elsewhere it is depthwise.
    """
    channels = x.shape[1]
    taps = torch.tensor(blur, dtype=torch.float32, device=x.device)
    kernel = (torch.outer(taps, taps) / taps.sum() ** 2).to(x.dtype)
    padded = replicate(x, len(blur) // 2 - 1)
    if x.device.type != "cpu":
        return F.conv2d(padded, kernel.expand(channels, 1, -1, -1), stride=2, groups=channels)
    dense = torch.zeros((channels, channels, len(blur), len(blur)), dtype=x.dtype)
    dense[range(channels), range(channels)] = kernel
    return F.conv2d(padded, dense, stride=2)


def _blurred(x: Tensor, taps: NDArray[np.float32]) -> Tensor:
    """Rows, then columns, of each channel; as much smaller as the taps reach."""
    n, channels, height, width = x.shape
    kernel = torch.from_numpy(taps).to(x)
    rows = F.conv2d(x.reshape(n * channels, 1, height, width), kernel.view(1, 1, 1, -1))
    return F.conv2d(rows, kernel.view(1, 1, -1, 1)).view(n, channels, height - len(taps) + 1, width - len(taps) + 1)


def simplified(x: Tensor, radius: int) -> Tensor:
    """Pictures (N, 3, H, W) in patches of colour, see `scumble.network.simplified`; radius 0 changes nothing."""
    if not radius:
        return x
    blur, spread = blur_and_spread(radius)
    wide = replicate(x, reach(radius))
    right = wide[:, :, 1:-1, 2:] - wide[:, :, 1:-1, :-2]
    below = wide[:, :, 2:, 1:-1] - wide[:, :, :-2, 1:-1]
    steep = (right.square() + below.square()).mean(1, keepdim=True) / 4
    patches, steep = torch.split(_blurred(torch.cat([wide[:, :, 1:-1, 1:-1], steep], 1), blur), [3, 1], 1)
    weight = (SMOOTH / (steep + SMOOTH)).square().square()
    sums, weights = torch.split(_blurred(torch.cat([weight * patches, weight], 1), spread), [3, 1], 1)
    return sums / weights


class Tensors:
    """See `scumble.network.run.BackEnd`: layers are in `dtype`, the picture itself is in float32."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype

    def centred(self, x: Tensor) -> Tensor:
        return ((x - CENTRE) * CONTRAST).to(self.dtype)

    def halved(self, x: Tensor, channels: int, blur: Sequence[float]) -> Tensor:
        return halved(x, blur)

    def detail(self, x: Tensor, blurred: Tensor) -> Tensor:
        return (CONTRAST * (x - blurred)).abs().to(self.dtype)

    def doubled(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)

    def joined(self, parts: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(parts), 1)

    def part(self, x: Tensor, first: int, channels: int) -> Tensor:
        return x[:, first : first + channels]

    def added(self, x: Tensor, y: Tensor, relu: bool) -> Tensor:
        return F.relu(x + y) if relu else x + y

    def painted(self, head: Tensor, picture: Tensor, blurred: Sequence[Tensor]) -> Tensor:
        head = head.float()
        if not blurred:
            return picture + head
        once, twice = blurred
        strokes, middle, fine = torch.split(head, 3, 1)
        detail = middle.clamp(0, 1) * (once - twice)
        return picture + strokes - detail - fine.clamp(0, 1) * (picture - once)


def paint(
    architecture: Architecture, picture: Tensor, conv: Callable[[Node, Tensor], Tensor], dtype: torch.dtype
) -> Tensor:
    """The painting (N, 3, H, W) of a recoloured picture, in float32, patches and dabs included."""

    def of_layer(node: Node, x: Tensor) -> Tensor:
        return conv(node, x.to(dtype, memory_format=torch.channels_last))

    patches = simplified(picture.float(), architecture.simplified)
    return simplified(run(architecture.nodes(), patches, of_layer, Tensors(dtype)), architecture.dabbed)


class TorchEngine:
    """See `scumble.network.engine.Engine`; picks CUDA, then MPS, then the CPU."""

    def __init__(self) -> None:
        if threads():
            torch.set_num_threads(threads())
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

        kernel, bias = put(baked.kernel), put(baked.bias)
        matrix, offset = (torch.from_numpy(a).to(self.device) for a in (baked.matrix, baked.offset))

        def conv(node: Node, x: Tensor) -> Tensor:
            y = F.conv2d(replicate(x), kernel[node.name], bias[node.name])
            return F.relu(y) if node.relu else y

        @torch.inference_mode()
        def painted(window: Pixels) -> Pixels:
            x = torch.from_numpy(np.ascontiguousarray(window)).to(self.device)
            p = (x @ matrix.T + offset).permute(2, 0, 1)[None]
            result: Pixels = paint(baked.architecture, p, conv, dtype)[0].permute(1, 2, 0).cpu().numpy()
            return result

        return painted


def engine() -> TorchEngine:
    """Called by `scumble.network.engine.open_engine`."""
    return TorchEngine()
