"""A network walked node by node: one walk for all engines, training included. What an operation is, its back end says.

`network/shape.py` says which operations there are and in which order; `openvino_engine.Graph` and
`torch_engine.Tensors` are the back ends. `vgg` is the same for the network whose features compare pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from scumble.network.shape import BLUR, PICTURE_BLUR, Node

T = TypeVar("T")  # what a back end computes with: a node of a graph, a tensor


class BackEnd(Protocol[T]):
    """The operations of a painter, on pictures (N, C, H, W); see `scumble.network.shape.Node`."""

    def centred(self, x: T) -> T:
        """Values of a picture as the painter sees them."""
        ...

    def halved(self, x: T, channels: int, blur: Sequence[float]) -> T:
        """Every second row and column after a blur with an even number of taps, edges replicated."""
        ...

    def detail(self, x: T, blurred: T) -> T:
        """How far a picture is from its blurred self, as the painter sees values."""
        ...

    def doubled(self, x: T) -> T:
        """Both sides doubled, bilinear."""
        ...

    def joined(self, parts: Sequence[T]) -> T:
        """Channels side by side."""
        ...

    def part(self, x: T, first: int, channels: int) -> T:
        """Some of the channels."""
        ...

    def added(self, x: T, y: T, relu: bool) -> T: ...

    def painted(self, head: T, picture: T, blurred: Sequence[T]) -> T:
        """The head's strokes on the picture, whose bands of detail it takes away as far as it says.

        Without `blurred` pictures the head is added to the picture.
        """
        ...


def run(nodes: Sequence[Node], picture: T, conv: Callable[[Node, T], T], on: BackEnd[T]) -> T:
    """What the last node gives for a picture as the network sees it: recoloured, simplified.

    `conv` computes a convolution with what follows it.
    """
    results = {"input": picture}
    channels = {"input": 3}
    for node in nodes:
        x, *others = (results[name] for name in node.inputs)
        match node.op:
            case "conv":
                y = conv(node, x)
            case "centre":
                y = on.centred(x)
            case "down":
                y = on.halved(x, channels[node.inputs[0]], BLUR)
            case "shrink":
                y = on.halved(x, channels[node.inputs[0]], PICTURE_BLUR)
            case "energy":
                y = on.halved(on.detail(x, others[0]), node.channels, PICTURE_BLUR)
            case "up":
                y = on.doubled(x)
            case "join":
                y = on.joined([x, *others])
            case "part":
                y = on.part(x, node.first, node.channels)
            case "add":
                y = on.added(x, others[0], node.relu)
            case "paint":
                y = on.painted(x, others[0], others[1:])
        results[node.name], channels[node.name] = y, node.channels
    return results[nodes[-1].name]


def vgg(
    picture: T, names: Sequence[str], conv: Callable[[str, T], T], pool: Callable[[T], T]
) -> Iterator[tuple[str, T]]:
    """VGG's relu outputs by name, one after the other, for a picture as VGG takes it.

    `names` are its convolutions in order, conv{block}_{index}; `conv` computes one with its ReLU, `pool` stands
    between blocks.
    """
    x, block = picture, names[0][4]
    for name in names:
        if name[4] != block:
            x, block = pool(x), name[4]
        x = conv(name, x)
        yield name.replace("conv", "relu"), x
