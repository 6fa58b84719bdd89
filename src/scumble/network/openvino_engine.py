"""Painting on the CPU: builds a look's network as an OpenVINO graph and runs it.

Besides painting it measures a shot's statistics layer by layer and the moments of style pictures, so that
looks are made and baked without torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scumble.core.silent_openvino import op, ov
from scumble.core.threads import threads
from scumble.network.baked import BakedLook, NetworkWeights
from scumble.network.engine import Painter, Precision
from scumble.network.run import run, vgg
from scumble.network.shape import (
    CENTRE,
    CONTRAST,
    EPSILON,
    MOMENT_EPSILON,
    SEEN,
    VGG_LAYERS,
    VGG_MEAN,
    Node,
)
from scumble.network.simplified import Simplifier
from scumble.network.weights_file import Array

Pixels = NDArray[np.float32]

PLACES = (2, 3)  # rows and columns of (N, C, H, W)


class OpenVinoEngine:
    """See `scumble.network.engine.Engine`."""

    def __init__(self) -> None:
        self.core = ov.Core()

    def painter(self, baked: BakedLook, precision: Precision) -> Painter:
        """Compiled once per window shape, on first use. Recolouring, patches and dabs are in f32 in any precision."""
        requests: dict[tuple[int, ...], Any] = {}
        recoloured = Simplifier(baked.architecture.simplified, baked.matrix, baked.offset)
        dabbed = Simplifier(baked.architecture.dabbed)

        def paint(window: Pixels) -> Pixels:
            if window.shape not in requests:
                model = paint_model(baked, (1, *window.shape))
                requests[window.shape] = self.compile(model, precision).create_infer_request()
            request = requests[window.shape]
            request.infer([recoloured(window)[None]], share_inputs=True)
            painted = request.get_output_tensor(0).data[0]
            return dabbed(painted) if baked.architecture.dabbed else painted.copy()

        return paint

    def compile(self, model: ov.Model, precision: Precision) -> Any:
        """Compile for the CPU with the precision chosen openly: OpenVINO's own default is bf16 where it can."""
        kind = "f32"
        if precision == "fast" and "BF16" in self.core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            kind = "bf16"
        hints: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": kind}
        if threads():
            hints["INFERENCE_NUM_THREADS"] = threads()
        return self.core.compile_model(model, "CPU", hints)

    def measure(
        self,
        look: NetworkWeights,
        crops: Pixels,
        share: NDArray[np.float32],
        matrix: NDArray[np.float64],
        offset: NDArray[np.float64],
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Pooled mean and variance of every normalised layer, by node name.

        `crops` (N, H, W, 3) in the working space, `share` (N,) their weights, summing to 1; each layer
        sees the layers before it normalised by the pooled statistics. Always in f32.
        """
        model, names = measure_model(look, crops.shape, share)
        recoloured = Simplifier(look.architecture.simplified, matrix.astype(np.float32), offset.astype(np.float32))
        results = self.compile(model, "f32")(np.stack([recoloured(crop) for crop in crops]))
        values = [np.asarray(results[i]).reshape(-1) for i in range(2 * len(names))]
        return dict(zip(names, values[0::2], strict=True)), dict(zip(names, values[1::2], strict=True))

    def moments(self, vgg_weights: dict[str, Array], picture: Pixels) -> Array:
        """What VGG says of a style picture (H, W, 3) in [0, 1]: `network.MOMENTS` numbers, in f32."""
        results = self.compile(moments_model(vgg_weights, picture.shape), "f32")(np.ascontiguousarray(picture)[None])
        return np.concatenate([np.asarray(results[i]).reshape(-1) for i in range(2 * len(SEEN))])


def engine() -> OpenVinoEngine:
    """Called by `scumble.network.engine.open_engine`."""
    return OpenVinoEngine()


def paint_model(baked: BakedLook, shape: Sequence[int]) -> ov.Model:
    """The baked look's network as a graph (1, H, W, 3) to (1, H, W, 3), for pictures as it sees them."""
    picture = op.parameter(list(shape), np.float32)

    def conv(node: Node, x: Any) -> Any:
        y = _convolution(x, baked.kernel[node.name]) + _per_channel(baked.bias[node.name])
        return op.relu(y) if node.relu else y

    painting = run(baked.architecture.nodes(), _to_channels(picture), conv, Graph())
    return ov.Model([_to_rows(painting)], [picture], "paint")


def measure_model(look: NetworkWeights, shape: Sequence[int], share: NDArray[np.float32]) -> tuple[ov.Model, list[str]]:
    """A graph that normalises by pooled statistics and gives them: outputs mean, variance of each named node."""
    pictures = op.parameter(list(shape), np.float32)
    weight = op.constant(share.astype(np.float32).reshape(-1, 1, 1, 1))
    outputs: list[Any] = []
    names: list[str] = []

    def pooled(x: Any) -> Any:
        return op.reduce_sum(op.reduce_mean(x, np.array(PLACES), True) * weight, np.array([0]), True)

    def conv(node: Node, x: Any) -> Any:
        y = _convolution(x, look.weights[f"kernel.{node.name}"])
        scale = _per_channel(look.weights[f"gamma.{node.name}"])
        if node.normed:
            mean = pooled(y)
            y = y - mean
            variance = pooled(y * y)
            outputs.extend((mean, variance))
            names.append(node.name)
            scale = scale / op.sqrt(variance + _number(EPSILON))
        y = y * scale + _per_channel(look.weights[f"beta.{node.name}"])
        return op.relu(y) if node.relu else y

    nodes = look.architecture.nodes()
    last = max(i for i, node in enumerate(nodes) if node.op == "conv" and node.normed)
    run(nodes[: last + 1], _to_channels(pictures), conv, Graph())
    return ov.Model(outputs, [pictures], "measure"), names


def moments_model(vgg_weights: dict[str, Array], shape: Sequence[int]) -> ov.Model:
    """VGG's slice: outputs mean and standard deviation of each layer of `network.SEEN`."""
    picture = op.parameter([1, *shape], np.float32)
    layers = [(name, vgg_weights[f"{name}.weight"], vgg_weights[f"{name}.bias"]) for name, _, _ in VGG_LAYERS]
    seen = vgg_maps(_to_channels(picture), layers)
    outputs: list[Any] = []
    for name, _ in SEEN:
        mean = op.reduce_mean(seen[name], np.array(PLACES), True)
        away = seen[name] - mean
        variance = op.reduce_mean(away * away, np.array(PLACES), True)
        outputs += [mean, op.sqrt(variance + _number(MOMENT_EPSILON))]
    return ov.Model(outputs, [picture], "moments")


def vgg_maps(picture: Any, layers: Sequence[tuple[str, Array, Array]]) -> dict[str, Any]:
    """VGG's relu outputs (N, C, h, w) by name, for a picture (N, 3, H, W) in [0, 1].

    `layers` are names (conv{block}_{index}), kernels and biases in order.
    """
    weights = {name: (kernel, bias) for name, kernel, bias in layers}

    def conv(name: str, x: Any) -> Any:
        kernel, bias = weights[name]
        x = op.convolution(x, op.constant(np.ascontiguousarray(kernel)), [1, 1], [1, 1], [1, 1], [1, 1])
        return op.relu(x + _per_channel(bias))

    def pool(x: Any) -> Any:
        return op.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)

    mean = op.constant(np.asarray(VGG_MEAN, np.float32).reshape(1, 3, 1, 1))
    return dict(vgg(picture * _number(255) - mean, list(weights), conv, pool))


class Graph:
    """See `scumble.network.run.BackEnd`: operations become nodes of an OpenVINO graph."""

    def centred(self, x: Any) -> Any:
        return (x - _number(CENTRE)) * _number(CONTRAST)

    def halved(self, x: Any, channels: int, blur: Sequence[float]) -> Any:
        taps = np.asarray(blur, np.float32)
        kernel = np.broadcast_to(np.outer(taps, taps) / taps.sum() ** 2, (channels, 1, 1, len(taps), len(taps)))
        weights = op.constant(np.ascontiguousarray(kernel, np.float32))
        return op.group_convolution(_replicate(x, len(taps) // 2 - 1), weights, [2, 2], [0, 0], [0, 0], [1, 1])

    def detail(self, x: Any, blurred: Any) -> Any:
        return op.abs(x - blurred) * _number(CONTRAST)

    def doubled(self, x: Any) -> Any:
        twice = op.constant(np.array([2, 2], np.float32))
        return op.interpolate(x, twice, "linear_onnx", "scales", axes=np.array(PLACES))

    def joined(self, parts: Sequence[Any]) -> Any:
        return op.concat(list(parts), 1)

    def part(self, x: Any, first: int, channels: int) -> Any:
        one = np.array([1])
        return op.slice(x, np.array([first]), np.array([first + channels]), one, one)

    def added(self, x: Any, y: Any, relu: bool) -> Any:
        return op.relu(x + y) if relu else x + y

    def painted(self, head: Any, picture: Any, blurred: Sequence[Any]) -> Any:
        if not blurred:
            return picture + head
        once, twice = blurred
        strokes, middle, fine = op.split(head, op.constant(np.int64(1)), 3).outputs()
        y = op.add(picture, strokes)
        for taken, band in ((middle, once - twice), (fine, picture - once)):
            y = y - op.clamp(taken, 0.0, 1.0) * band
        return y


def _to_channels(x: Any) -> Any:
    return op.transpose(x, np.array([0, 3, 1, 2]))


def _to_rows(x: Any) -> Any:
    return op.transpose(x, np.array([0, 2, 3, 1]))


def _replicate(x: Any, reach: int = 1) -> Any:
    around = np.array([0, 0, reach, reach])
    return op.pad(x, around, around, "edge")


def _convolution(x: Any, kernel: Array) -> Any:
    weights = op.constant(np.ascontiguousarray(kernel, np.float32))
    return op.convolution(_replicate(x), weights, [1, 1], [0, 0], [0, 0], [1, 1])


def _number(value: float) -> Any:
    return op.constant(np.array(value, np.float32))  # a bare scalar would be taken for an integer


def _per_channel(values: Array) -> Any:
    return op.constant(np.ascontiguousarray(values, np.float32).reshape(1, -1, 1, 1))
