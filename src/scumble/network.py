"""The shape of a look's network: which convolution follows which, written down once.

One list of nodes drives the trainer (torch), the renderer (OpenVINO, torch) and the folding of
statistics, so that they cannot drift apart. No arithmetic happens here.

Shape of the network: full-resolution stem, anti-aliased blur-downs to 1/8, residual blocks there and
at 1/4, bilinear ups, each joined by the skip of its scale. The decoder narrows its channels before
each `up`, not after it: the resampling and its convolution then run on a quarter of the pixels, and
one convolution after the join draws the detail.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Op = Literal["conv", "down", "up", "add", "skip"]

BLUR = (1.0, 3.0, 3.0, 1.0)  # binomial: a triple zero at Nyquist [Zhang 1904.11486]
EPSILON = 1e-5  # added to every variance before its root
# layers of VGG whose moments say what a style is like: name, channels in and out
SIGHT = (
    ("relu1_1", 3, 64),
    ("relu1_2", 64, 64),
    ("relu2_1", 64, 128),
    ("relu2_2", 128, 128),
    ("relu3_1", 128, 256),
)
SIGHT_HIDDEN, SIGHT_CODE = 256, 128
SIGHT_LIMIT = 3.0  # deviations from the usual beyond which a style looks no stranger


@dataclass(frozen=True)
class Node:
    """One operation. `inputs` are names of earlier nodes; `"input"` is the recoloured picture."""

    op: Op
    name: str
    inputs: tuple[str, ...]
    channels: int
    level: int  # log2 of the stride: 0 is full resolution
    fan_in: int = 0  # input channels of a convolution
    normed: bool = True  # a convolution followed by normalisation and affine terms
    relu: bool = True
    injected: bool = False  # affine terms take the style encoder's statistics of this level


@dataclass(frozen=True)
class Architecture:
    """Width and depth of a network. Values are what a look file records."""

    widths: tuple[int, ...] = (16, 32, 48, 80)  # channels at 1/1, 1/2, 1/4, 1/8
    blocks: tuple[int, ...] = (0, 0, 2, 4)  # residual blocks at each of these scales
    skips: bool = True  # U-Net; False is the ResNet without skips

    @property
    def stride(self) -> int:
        """Total stride in pixels; windows of a frame must start on its multiples."""
        return 1 << (len(self.widths) - 1)

    def nodes(self) -> tuple[Node, ...]:
        """The generator's nodes in order of execution; the last gives three channels."""
        plan: list[Node] = []

        def add(node: Node) -> str:
            plan.append(node)
            return node.name

        def conv(name: str, source: str, fan_in: int, channels: int, level: int, **more: bool) -> str:
            return add(Node("conv", name, (source,), channels, level, fan_in, **more))

        def residual(x: str, name: str, width: int, level: int) -> str:
            h = conv(f"{name}a", x, width, width, level, injected=True)
            h = conv(f"{name}b", h, width, width, level, injected=True, relu=False)
            return add(Node("add", name, (x, h), width, level))

        x = conv("stem", "input", 3, self.widths[0], 0)
        passed = [x]
        for level, (narrow, wide) in enumerate(pairwise(self.widths), start=1):
            x = add(Node("down", f"down{level}", (x,), narrow, level))
            x = conv(f"encode{level}", x, narrow, wide, level)
            passed.append(x)
        for level in range(len(self.widths) - 1, -1, -1):
            width = self.widths[level]
            if level < len(self.widths) - 1:
                x = conv(f"narrow{level}", x, self.widths[level + 1], width, level + 1, injected=False)
                x = add(Node("up", f"up{level}", (x,), width, level))
                if self.skips:
                    x = add(Node("skip", f"skip{level}", (x, passed[level]), width, level))
                if not self.blocks[level]:
                    x = conv(f"decode{level}", x, width, width, level, injected=True)
            for i in range(self.blocks[level]):
                x = residual(x, f"block{level}_{i}", width, level)
        conv("head", x, self.widths[0], 3, 0, normed=False, relu=False)
        return tuple(plan)

    def encoder_nodes(self) -> tuple[Node, ...]:
        """The style encoder's nodes; the moments of each `style{level}` are the injected statistics."""
        plan = [Node("conv", "style0", ("input",), self.widths[0], 0, 3, normed=False)]
        for level, (narrow, wide) in enumerate(pairwise(self.widths), start=1):
            plan += [
                Node("down", f"sdown{level}", (plan[-1].name,), narrow, level),
                Node("conv", f"swide{level}", (f"sdown{level}",), wide, level, narrow, normed=False),
                Node("conv", f"style{level}", (f"swide{level}",), wide, level, wide, normed=False),
            ]
        return tuple(plan)

    def receptive_field(self) -> int:
        """Pixels to each side that one output pixel depends on, rounded up to the stride grid.

        Follows every node: a 3x3 convolution reaches one cell of its level, a blur-down one finer
        cell beyond its own, a bilinear up one coarser cell.
        """
        reach = {"input": 0}
        for node in self.nodes():
            cell = 1 << node.level
            own = {"conv": cell, "down": cell, "up": 2 * cell, "add": 0, "skip": 0}[node.op]
            reach[node.name] = max(reach[i] for i in node.inputs) + own
        return -(-reach["head"] // self.stride) * self.stride


SIZES: dict[str, Architecture] = {
    "tiny": Architecture(widths=(8, 16, 16, 16), blocks=(0, 0, 0, 1)),  # for tests
    "draft": Architecture(widths=(16, 16, 32, 48), blocks=(0, 0, 1, 3)),
    "standard": Architecture(),
    "fine": Architecture(widths=(16, 32, 64, 128), blocks=(0, 0, 2, 5)),
}
