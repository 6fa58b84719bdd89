"""Painting on the CPU: builds a look's network as an OpenVINO graph and runs it.

Besides painting it measures a shot's statistics layer by layer and encodes style pictures, so that
looks are made and baked without torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scumble.bands import DETAILS, GREY, BandMatch, taps
from scumble.engine import Painter, Precision
from scumble.look import Array, BakedLook, Look, StyleStatistics, Universal
from scumble.network import BLUR, EPSILON, SIGHT, Node
from scumble.silent_openvino import op, ov

Pixels = NDArray[np.float32]
PLACES = (2, 3)  # rows and columns of (N, C, H, W)
VGG_MEAN = (123.68, 116.779, 103.939)  # ImageNet's mean colour, RGB in [0, 255]


class OpenVinoEngine:
    """See `scumble.engine.Engine`."""

    name = "openvino"

    def __init__(self) -> None:
        self.core = ov.Core()

    def painter(self, baked: BakedLook, precision: Precision) -> Painter:
        """Compiled once per window shape, on first use."""
        compiled: dict[tuple[int, ...], list[Any]] = {}

        def stages(shape: tuple[int, ...]) -> list[Any]:
            models = [(paint_model(baked, shape), precision)]
            if baked.bands is not None:  # in f32 always: differences of blurs are small
                models.append((finish_model(baked.bands, shape), "f32"))
            return [self.compile(model, kind).create_infer_request() for model, kind in models]

        def paint(window: Pixels) -> Pixels:
            shape = (1, *window.shape)
            if shape not in compiled:
                compiled[shape] = stages(shape)
            data = np.ascontiguousarray(window)[None]
            for request in compiled[shape]:
                request.infer([data], share_inputs=True)
                data = request.get_output_tensor(0).data
            painted: Pixels = data[0].copy()
            return painted

        return paint

    def compile(self, model: ov.Model, precision: Precision) -> Any:
        """Compile for the CPU with the precision chosen openly: OpenVINO's own default is bf16 where it can."""
        kind = "f32"
        if precision == "fast" and "BF16" in self.core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            kind = "bf16"
        hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": kind}
        return self.core.compile_model(model, "CPU", hints)

    def measure(
        self,
        look: Look,
        crops: Pixels,
        share: NDArray[np.float32],
        matrix: NDArray[np.float64],
        offset: NDArray[np.float64],
    ) -> tuple[dict[str, Array], dict[str, Array], Pixels | None]:
        """Pooled mean and variance of every normalised layer, by node name, and the crops painted for looks with bands.

        `crops` (N, H, W, 3) in the working space, `share` (N,) their weights, summing to 1; each layer
        sees the layers before it normalised by the pooled statistics. Always in f32.
        """
        model, names = measure_model(look, crops.shape, share, matrix, offset)
        results = self.compile(model, "f32")(crops)
        values = [np.asarray(results[i]).reshape(-1) for i in range(2 * len(names))]
        painted = np.array(results[2 * len(names)]) if look.bands is not None else None
        return dict(zip(names, values[0::2], strict=True)), dict(zip(names, values[1::2], strict=True)), painted

    def encode(self, universal: Universal, picture: Pixels) -> StyleStatistics:
        """What the style encoder says of a picture (H, W, 3) in [0, 1], sides multiples of the stride."""
        results = self.compile(encoder_model(universal, picture.shape), "f32")(picture[None])
        values = [np.asarray(results[i]).reshape(-1) for i in range(len(results))]
        moments = list(zip(values[0::2], values[1::2], strict=True))
        n = len(universal.architecture.widths)
        return universal.style_statistics(values[0 : 2 * n : 2], values[1 : 2 * n : 2], moments[n:])


def engine() -> OpenVinoEngine:
    """Called by `scumble.engine.open_engine`."""
    return OpenVinoEngine()


def paint_model(baked: BakedLook, shape: Sequence[int]) -> ov.Model:
    """The baked look as a graph (1, H, W, 3) to (1, H, W, 3)."""
    picture = op.parameter(list(shape), np.float32)
    p = _recoloured(picture, baked.matrix, baked.offset)

    def conv(node: Node, x: Any) -> Any:
        y = _convolution(x, baked.kernel[node.name]) + _per_channel(baked.bias[node.name])
        return op.relu(y) if node.relu else y

    strokes = _run(baked.architecture.nodes(), p, conv, baked.gate)
    return ov.Model([_to_rows(p + strokes)], [picture], "paint")


def finish_model(match: BandMatch, shape: Sequence[int]) -> ov.Model:
    """A painting (1, H, W, 3) with its bands matched, as a graph."""
    picture = op.parameter(list(shape), np.float32)
    blurs = [_to_channels(picture)]
    for level in range(DETAILS):
        x = blurs[-1]
        for axis in (3, 2):
            reach, hole, sides = np.zeros(4, int), [1, 1], [1, 1]
            reach[axis], hole[axis - 2], sides[axis - 2] = 2 << level, 1 << level, 5
            kernel = np.broadcast_to(taps(level)[:: 1 << level].reshape(sides), (3, 1, 1, *sides))
            weights = op.constant(np.ascontiguousarray(kernel, np.float32))
            padded = op.pad(x, reach, reach, "edge")
            x = op.group_convolution(padded, weights, [1, 1], [0, 0], [0, 0], hole)
        blurs.append(x)
    of_blurs = op.concat(blurs, 1)
    z = _at_places(of_blurs, match.matrix) + _per_channel(match.offset)
    if match.curves is not None:
        values, bent = _at_places(of_blurs, match.curves.details), None
        for knots, bends in zip(match.curves.knots.T, match.curves.bends.T, strict=True):
            clipped = op.minimum(op.maximum(values, _per_channel(-knots)), _per_channel(knots))
            part = clipped * _per_channel(bends)
            bent = part if bent is None else bent + part
        z = z + _at_places(bent, np.tile(GREY[:, None], DETAILS).astype(np.float32))
    return ov.Model([_to_rows(z)], [picture], "finish")


def _at_places(x: Any, matrix: NDArray[np.float32]) -> Any:
    """A matrix (O, I) times the channels of every place."""
    weights = op.constant(np.ascontiguousarray(matrix[:, :, None, None]))
    return op.convolution(x, weights, [1, 1], [0, 0], [0, 0], [1, 1])


def measure_model(
    look: Look, shape: Sequence[int], share: NDArray[np.float32], matrix: NDArray[Any], offset: NDArray[Any]
) -> tuple[ov.Model, list[str]]:
    """A graph that normalises by pooled statistics and gives them: outputs mean, variance of each named node.

    For a look with bands one output more, the paintings before they are matched.
    """
    pictures = op.parameter(list(shape), np.float32)
    p = _recoloured(pictures, matrix.astype(np.float32), offset.astype(np.float32))
    weight = op.constant(share.astype(np.float32).reshape(-1, 1, 1, 1))
    found: list[Any] = []
    names: list[str] = []

    def pooled(x: Any) -> Any:
        return op.reduce_sum(op.reduce_mean(x, np.array(PLACES), True) * weight, np.array([0]), True)

    def conv(node: Node, x: Any) -> Any:
        y = _convolution(x, look.weights[f"kernel.{node.name}"])
        if node.normed:
            mean = pooled(y)
            away = y - mean
            variance = pooled(away * away)
            found.extend((mean, variance))
            names.append(node.name)
            scale = _per_channel(look.weights[f"gamma.{node.name}"]) / op.sqrt(variance + _number(EPSILON))
            y = away * scale
        y = y + _per_channel(look.weights[f"beta.{node.name}"])
        return op.relu(y) if node.relu else y

    gates = {k.removeprefix("gate."): v for k, v in look.weights.items() if k.startswith("gate.")}
    if look.bands is None:
        _run(look.architecture.nodes()[:-1], p, conv, gates)  # the head has no statistics
    else:
        found.append(_to_rows(p + _run(look.architecture.nodes(), p, conv, gates)))
    return ov.Model(found, [pictures], "measure"), names


def encoder_model(universal: Universal, shape: Sequence[int]) -> ov.Model:
    """The style encoder: outputs mean and variance of each level's features, then of the sight's layers."""
    picture = op.parameter([1, *shape], np.float32)
    x = (_to_channels(picture) - _number(0.5)) * _number(4)
    found: list[Any] = []

    def measure(x: Any) -> None:
        mean = op.reduce_mean(x, np.array(PLACES), True)
        away = x - mean
        found.extend([mean, op.reduce_mean(away * away, np.array(PLACES), True)])

    for node in universal.architecture.encoder_nodes():
        if node.op == "down":
            x = _blur_down(x, node.channels)
            continue
        name = f"encoder.convs.{node.name}"
        bias = _per_channel(universal.arrays[f"{name}.bias"])
        x = op.relu(_convolution(x, universal.arrays[f"{name}.weight"]) + bias)
        if node.name.startswith("style"):
            measure(x)
    if universal.sees:
        layers = [layer.replace("relu", "conv") for layer, _, _ in SIGHT]
        kernels = [universal.arrays[f"sight.features.{layer}_weight"] for layer in layers]
        biases = [universal.arrays[f"sight.features.{layer}_bias"] for layer in layers]
        for _, x in vgg(_to_channels(picture), zip(layers, kernels, biases, strict=True)):
            measure(x)
    return ov.Model(found, [picture], "encode")


def vgg(picture: Any, layers: Iterable[tuple[str, Array, Array]]) -> list[tuple[str, Any]]:
    """VGG's relu outputs (N, C, h, w) for a picture (N, 3, H, W) in [0, 1], by name.

    `layers` are names (conv{block}_{index}), kernels and biases in order.
    """
    mean = op.constant(np.asarray(VGG_MEAN, np.float32).reshape(1, 3, 1, 1))
    x = picture * _number(255) - mean
    found = []
    block = "1"
    for name, kernel, bias in layers:
        if name[4] != block:
            block = name[4]
            x = op.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)
        x = op.convolution(x, op.constant(np.ascontiguousarray(kernel)), [1, 1], [1, 1], [1, 1], [1, 1])
        x = op.relu(x + _per_channel(bias))
        found.append((name.replace("conv", "relu"), x))
    return found


def _run(nodes: Sequence[Node], p: Any, conv: Callable[[Node, Any], Any], gates: dict[str, Array]) -> Any:
    """Build the nodes one by one; the last one's output."""
    found = {"input": p}
    for node in nodes:
        x = found[node.inputs[0]]
        if node.op == "conv":
            x = conv(node, x)
        elif node.op == "down":
            x = _blur_down(x, node.channels)
        elif node.op == "up":
            x = _up(x)
        elif node.op == "add":
            x = x + found[node.inputs[1]]
        else:
            x = x + found[node.inputs[1]] * _per_channel(gates[node.name])
        found[node.name] = x
    return found[nodes[-1].name]


def _to_channels(x: Any) -> Any:
    return op.transpose(x, np.array([0, 3, 1, 2]))


def _to_rows(x: Any) -> Any:
    return op.transpose(x, np.array([0, 2, 3, 1]))


def _recoloured(picture: Any, matrix: NDArray[np.float32], offset: NDArray[np.float32]) -> Any:
    weights = op.constant(np.ascontiguousarray(matrix[:, :, None, None], np.float32))
    x = _to_channels(picture)
    if np.array_equal(matrix, np.eye(3)) and not offset.any():
        return x  # not even rounded
    return op.convolution(x, weights, [1, 1], [0, 0], [0, 0], [1, 1]) + _per_channel(offset)


def _replicate(x: Any) -> Any:
    around = np.array([0, 0, 1, 1])
    return op.pad(x, around, around, "edge")


def _convolution(x: Any, kernel: Array) -> Any:
    weights = op.constant(np.ascontiguousarray(kernel, np.float32))
    return op.convolution(_replicate(x), weights, [1, 1], [0, 0], [0, 0], [1, 1])


def _blur_down(x: Any, channels: int) -> Any:
    taps = np.asarray(BLUR, np.float32)
    kernel = np.broadcast_to(np.outer(taps, taps) / taps.sum() ** 2, (channels, 1, 1, 4, 4))
    weights = op.constant(np.ascontiguousarray(kernel, np.float32))
    return op.group_convolution(_replicate(x), weights, [2, 2], [0, 0], [0, 0], [1, 1])


def _up(x: Any) -> Any:
    twice = op.constant(np.array([2, 2], np.float32))
    return op.interpolate(x, twice, "linear_onnx", "scales", axes=np.array(PLACES))


def _number(value: float) -> Any:
    return op.constant(np.array(value, np.float32))  # a bare scalar would be taken for an integer


def _per_channel(values: Array) -> Any:
    return op.constant(np.ascontiguousarray(values, np.float32).reshape(1, -1, 1, 1))
