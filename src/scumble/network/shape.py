"""The shape of a look's network: which operation follows which, written down once.

One list of nodes drives the trainer (torch), the renderer (OpenVINO, torch) and the folding of
statistics, so that they cannot drift apart. No arithmetic happens here.

Three forms. The `painter` works at 1/4 and 1/8, where strokes are drawn, and joins the plate again at 1/2 and 1/1. It
does not add a picture to the plate's detail: it says how much of each band of that detail is taken away. `unet` and
`resnet` are the textbook's encoder and decoder, whose head is added to the plate.

What stands before and after a network is no operation of it: the plate may first be simplified into patches of colour,
as a painter squints, so that no photographed texture reaches the painting; and the painting may be simplified, so that
marks become dabs (`scumble.network.simplified`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from scumble.network.simplified import reach as reach_of_patches

Op = Literal["centre", "shrink", "energy", "conv", "down", "up", "add", "join", "part", "paint"]

Form = Literal["painter", "unet", "resnet"]

BLUR = (1.0, 3.0, 3.0, 1.0)  # binomial: a triple zero at Nyquist [Zhang 1904.11486]

# for pictures, which are sharper than features: at 0.6 of Nyquist a third of what BLUR lets through
PICTURE_BLUR = (1.0, 5.0, 10.0, 10.0, 5.0, 1.0)

EPSILON = 1e-5  # added to every variance before its root

CENTRE, CONTRAST = 0.5, 4.0  # what the painter sees of a picture in [0, 1]

RANK = 16  # look kernels of a layer

RANKED_FROM = 32  # channels in and out from which a layer has look kernels

HEAD = 9  # strokes, then how much of the middle and of the fine band is taken away, three channels each

# the slice of VGG whose moments say what a style is like: name, channels in and out; those of `SEEN` are measured
VGG_LAYERS = (
    ("conv1_1", 3, 64),
    ("conv1_2", 64, 64),
    ("conv2_1", 64, 128),
    ("conv2_2", 128, 128),
    ("conv3_1", 128, 256),
    ("conv3_2", 256, 256),
    ("conv3_3", 256, 256),
    ("conv4_1", 256, 512),
)

VGG_MEAN = (123.68, 116.779, 103.939)  # ImageNet's mean colour, RGB in [0, 255], which VGG takes out

SEEN = (("relu1_1", 64), ("relu2_1", 128), ("relu3_1", 256), ("relu4_1", 512))

MOMENTS = 2 * sum(channels for _, channels in SEEN)  # per layer its means, then its standard deviations

MOMENT_EPSILON = 1e-4  # added to variances of features before their root

MOMENT_LIMIT = 4.0  # deviations from the usual beyond which a style looks no stranger


@dataclass(frozen=True)
class Node:
    """One operation. `inputs` are names of earlier nodes; `"input"` is the recoloured picture.

    centre: (x - CENTRE) * CONTRAST. shrink, down: halve, after PICTURE_BLUR or BLUR. energy: how much detail the first
    input has beyond the second, its blurred self, halved like shrink. up: double, bilinear. join: channels side by
    side. part: some channels. paint: the head's channels, the picture and its blurred selves make the painting.
    """

    op: Op
    name: str
    inputs: tuple[str, ...]
    channels: int
    level: int  # log2 of the stride; 0 is full resolution
    fan_in: int = 0  # input channels of a convolution
    # whether the convolution's result is normalised by the shot's statistics before its affine terms
    normed: bool = True
    relu: bool = False
    rank: int = 0  # look kernels of a convolution
    first: int = 0  # channel of a part


@dataclass(frozen=True)
class Architecture:
    """Form, width and depth of a network. Values are what a look file records."""

    form: Form = "painter"
    widths: tuple[int, ...] = (16, 32, 64, 128)  # channels at 1/1, 1/2, 1/4, 1/8
    blocks: tuple[int, ...] = (0, 0, 1, 3)  # residual blocks at each of these scales
    simplified: int = 0  # radius in pixels of the patches of colour that the painter sees; 0 leaves the plate as it is
    dabbed: int = 0  # the same for the painting: marks become dabs

    @property
    def stride(self) -> int:
        """Total stride in pixels; windows of a frame must start on its multiples."""
        return 1 << (len(self.widths) - 1)

    def nodes(self) -> tuple[Node, ...]:
        """The generator's nodes in order of execution; the last gives the painting."""
        return _painter(self) if self.form == "painter" else _textbook(self)

    def convolutions(self) -> tuple[Node, ...]:
        """The nodes that have weights."""
        return tuple(node for node in self.nodes() if node.op == "conv")

    def receptive_field(self) -> int:
        """Pixels to each side that one output pixel depends on, rounded up to the stride grid.

        Follows every node: a 3x3 convolution reaches one cell of its level, a halving one cell beyond its
        own, a bilinear up one coarser cell. Patches and dabs reach beyond the network's own field.
        """
        reach = {"input": 0}
        for node in self.nodes():
            cell = 1 << node.level
            before = [reach[name] for name in node.inputs]
            own = {"conv": cell, "down": cell, "shrink": cell, "energy": cell, "up": 2 * cell}.get(node.op, 0)
            reach[node.name] = max(before) + own
        whole = reach[self.nodes()[-1].name] + sum(map(reach_of_patches, (self.simplified, self.dabbed)))
        return -(-whole // self.stride) * self.stride


class _Plan:
    """Nodes in the making."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def add(
        self, op: Op, name: str, inputs: tuple[str, ...], channels: int, level: int, relu: bool = False, first: int = 0
    ) -> str:
        self.nodes.append(Node(op, name, inputs, channels, level, relu=relu, first=first))
        return name

    def conv(
        self, name: str, source: str, fan_in: int, channels: int, level: int, normed: bool = True, relu: bool = True
    ) -> str:
        rank = RANK if min(fan_in, channels) >= RANKED_FROM else 0
        self.nodes.append(Node("conv", name, (source,), channels, level, fan_in, normed, relu, rank))
        return name

    def residual(self, x: str, name: str, width: int, level: int) -> str:
        h = self.conv(f"{name}a", x, width, width, level)
        h = self.conv(f"{name}b", h, width, width, level, relu=False)
        return self.add("add", name, (x, h), width, level)


def _painter(architecture: Architecture) -> tuple[Node, ...]:
    full, half, quarter, eighth = architecture.widths
    plan = _Plan()
    plate = "input"
    # the picture, blurred twice: seen at three sizes, and what its bands of detail are taken from. Both blurred ones
    # are doubled as one: six channels take a processor as long as three
    small = plan.add("shrink", "half", (plate,), 3, 1)
    smaller = plan.add("shrink", "quarter", (small,), 3, 2)
    soft = plan.add("up", "soft", (smaller,), 3, 1)
    both = plan.add("up", "both", (plan.add("join", "both_small", (small, soft), 6, 1),), 6, 0)
    blurred = plan.add("part", "blurred", (both,), 3, 0)
    blurred_more = plan.add("part", "blurred_more", (both,), 3, 0, first=3)
    seen, seen1, seen2 = (
        plan.add("centre", f"seen{level}", (x,), 3, level) for level, x in enumerate((plate, small, smaller))
    )
    energy1 = plan.add("energy", "energy1", (plate, blurred), 3, 1)
    energy2 = plan.add("energy", "energy2", (small, soft), 3, 2)
    brought = plan.add("shrink", "brought", (energy1,), 3, 2)
    x = plan.add("join", "sight2", (seen2, brought, energy2), 9, 2)
    passed = x = plan.conv("in2", x, 9, quarter, 2)
    x = plan.add("down", "down3", (x,), quarter, 3)
    x = plan.conv("to3", x, quarter, eighth, 3)
    for i in range(architecture.blocks[3]):
        x = plan.residual(x, f"block3_{i}", eighth, 3)
    x = plan.conv("to2", x, eighth, quarter, 3)
    x = plan.add("up", "up2", (x,), quarter, 2)
    x = plan.add("add", "skip2", (x, passed), quarter, 2)
    for i in range(architecture.blocks[2]):
        x = plan.residual(x, f"block2_{i}", quarter, 2)
    x = plan.conv("to1", x, quarter, half, 2, relu=False)
    x = plan.add("up", "up1", (x,), half, 1)
    sight = plan.add("join", "sight1", (seen1, energy1), 6, 1)
    sight = plan.conv("in1", sight, 6, half, 1, normed=False, relu=False)
    x = plan.add("add", "skip1", (x, sight), half, 1, relu=True)
    x = plan.conv("draw1", x, half, half, 1)
    x = plan.conv("to0", x, half, full, 1, normed=False, relu=False)
    x = plan.add("up", "up0", (x,), full, 0)
    sight = plan.conv("in0", seen, 3, full, 0, normed=False, relu=False)
    x = plan.add("add", "skip0", (x, sight), full, 0, relu=True)
    head = plan.conv("head", x, full, HEAD, 0, normed=False, relu=False)
    plan.add("paint", "painting", (head, plate, blurred, blurred_more), 3, 0)
    return tuple(plan.nodes)


def _textbook(architecture: Architecture) -> tuple[Node, ...]:
    """Blur-downs to the coarsest scale, residual blocks, bilinear ups; `unet` adds each scale's way down to its way up.

    The way up narrows its channels before each `up`, not after it: the resampling and its convolution then run
    on a quarter of the pixels.
    """
    widths, blocks = architecture.widths, architecture.blocks
    plan = _Plan()
    x = plan.conv("stem", "input", 3, widths[0], 0)
    passed = [x]
    for level, (narrow, wide) in enumerate(pairwise(widths), start=1):
        x = plan.add("down", f"down{level}", (x,), narrow, level)
        x = plan.conv(f"encode{level}", x, narrow, wide, level)
        passed.append(x)
    for level in range(len(widths) - 1, -1, -1):
        width = widths[level]
        if level < len(widths) - 1:
            x = plan.conv(f"narrow{level}", x, widths[level + 1], width, level + 1)
            x = plan.add("up", f"up{level}", (x,), width, level)
            if architecture.form == "unet":
                x = plan.add("add", f"skip{level}", (x, passed[level]), width, level)
            if not blocks[level]:
                x = plan.conv(f"decode{level}", x, width, width, level)
        for i in range(blocks[level]):
            x = plan.residual(x, f"block{level}_{i}", width, level)
    x = plan.conv("head", x, widths[0], 3, 0, normed=False, relu=False)
    plan.add("paint", "painting", (x, "input"), 3, 0)
    return tuple(plan.nodes)


SIZES: dict[str, dict[str, Architecture]] = {
    "painter": {
        "tiny": Architecture("painter", (8, 8, 16, 16), (0, 0, 1, 1), 2, 2),  # for tests
        "standard": Architecture(simplified=2, dabbed=2),
    },
    "textbook": {
        "tiny": Architecture("unet", (8, 16, 16, 16), (0, 0, 0, 1)),  # for tests
        "draft": Architecture("unet", (16, 16, 32, 48), (0, 0, 1, 3)),
        "standard": Architecture("unet", (16, 32, 48, 80), (0, 0, 2, 4)),
    },
}


def architecture_named(form: Form, size: str) -> Architecture:
    """The architecture of a form in one of its `SIZES`. Raises KeyError for a size that the form has not."""
    return replace(SIZES["painter" if form == "painter" else "textbook"][size], form=form)
