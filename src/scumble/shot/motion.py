"""How a plate moves: motion vectors of its render, else optical flow; warps along them, and where they can be trusted.

A flow (H, W, 2) of frame n to frame m gives, for every pixel of n, how many pixels to the right and
down its content stands in m. Optical flow is DIS [Kroeger 1603.03590].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from scumble.core.colour import LUMA
from scumble.core.errors import BadPlate, BadSettings
from scumble.core.frames import NO_MARGIN, Margin
from scumble.media.picture_reader import channel_names, read_channels

Pixels = NDArray[np.float32]

Flow = NDArray[np.float32]

Mask = NDArray[np.bool_]

FLOW_LINES = 480  # lines at most; finer flow costs much and adds little

DIRECTIONS = ("forward", "backward")


def warp(pixels: Pixels, flow: Flow, smooth: bool = True) -> Pixels:
    """Frame m (H, W) or (H, W, C) brought onto frame n by the flow of n to m; cubic, or bilinear without `smooth`."""
    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    how = cv2.INTER_CUBIC if smooth else cv2.INTER_LINEAR
    moved = cv2.remap(pixels, x + flow[:, :, 0], y + flow[:, :, 1], how, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)


def inside(flow: Flow) -> Mask:
    """Where a flow points into the picture."""
    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    to_x, to_y = x + flow[:, :, 0], y + flow[:, :, 1]
    return np.asarray((to_x >= 0) & (to_y >= 0) & (to_x <= width - 1) & (to_y <= height - 1))


def speed(flow: Flow) -> Pixels:
    """Pixels a flow moves by, squared (H, W)."""
    # NumPy's sum over an axis of length two takes ten times as long
    return np.square(flow[:, :, 0]) + np.square(flow[:, :, 1])


def consistent(there: Flow, back: Flow) -> Mask:
    """Where going there and coming back ends near the start; elsewhere the spot is occluded [Ruder 1604.08610]."""
    return np.asarray(consistency(there, back) <= 1) & inside(there)


def consistency(there: Flow, back: Flow) -> Pixels:
    """Distance (H, W) between the start and the end of going there and back, relative to the tolerance."""
    returned = warp(back, there, smooth=False)
    return np.asarray(speed(there + returned) / (0.01 * (speed(there) + speed(returned)) + 0.5), np.float32)


def grey(picture: Pixels) -> NDArray[np.uint8]:
    """The input of optical flow: a picture (H, W, 3) in a display space as 8-bit luma, at most `FLOW_LINES` high."""
    height, width = picture.shape[:2]
    factor = min(1.0, FLOW_LINES / height)
    luma = np.ascontiguousarray(picture @ np.asarray(LUMA, np.float32))
    size = (max(16, round(width * factor)), max(16, round(height * factor)))
    small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    return np.asarray(np.nan_to_num(small).clip(0, 1) * 255 + 0.5, np.uint8)


def optical_flow(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> Flow:
    """Flow of a to b, both as `grey` gives them, at their size."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(a, b, None)  # type: ignore[call-overload]
    return np.asarray(flow, np.float32)


def resized_flow(flow: Flow, size: tuple[int, int]) -> Flow:
    """The flow at another (width, height), in pixels of that size."""
    height, width = flow.shape[:2]
    if (width, height) == size:
        return flow
    larger = np.asarray(cv2.resize(flow, size, interpolation=cv2.INTER_LINEAR), np.float32)
    return larger * np.array([size[0] / width, size[1] / height], np.float32)


class Motion(Protocol):
    """Knows how the plate moves between two frames that it was shown."""

    def see(self, number: int, picture: Pixels) -> None:
        """A frame's picture (H, W, 3) in a display space; frames come in order."""
        ...

    def forget(self, number: int) -> None:
        """Frames up to this one are not asked for any more."""
        ...

    def flow(self, n: int, m: int) -> Flow | None:
        """Flow of frame n to frame m, at the size at which it is known; None if it is not known."""
        ...


class OpticalFlow:
    """Motion out of the pictures themselves."""

    def __init__(self) -> None:
        self.pictures: dict[int, NDArray[np.uint8]] = {}
        self.flows: dict[tuple[int, int], Flow] = {}

    def see(self, number: int, picture: Pixels) -> None:
        """See `Motion`."""
        self.pictures[number] = grey(picture)

    def forget(self, number: int) -> None:
        """See `Motion`."""
        self.pictures = {n: p for n, p in self.pictures.items() if n > number}
        self.flows = {pair: f for pair, f in self.flows.items() if min(pair) > number}

    def flow(self, n: int, m: int) -> Flow:
        """See `Motion`."""
        if (n, m) not in self.flows:
            self.flows[n, m] = optical_flow(self.pictures[n], self.pictures[m])
        return self.flows[n, m]


class Convention(NamedTuple):
    """How a renderer writes motion: channels of x and y, and the signs that turn them into pixels right and down."""

    x: str
    y: str
    sign_x: float
    sign_y: float


@dataclass(frozen=True)
class Vectors:
    """Where motion to the next and to the previous frame stands in the channels of a plate."""

    forward: Convention | None
    backward: Convention | None

    def __str__(self) -> str:
        parts = [
            f"{name} {c.x} {c.y} ({'right' if c.sign_x > 0 else 'left'}, {'down' if c.sign_y > 0 else 'up'})"
            for name, c in (("forward", self.forward), ("backward", self.backward))
            if c is not None
        ]
        return ", ".join(parts)


def find_vectors(names: Sequence[str], layer: str = "", direction: str = "", up: bool | None = None) -> Vectors:
    """Motion channels among a plate's, by the names that Blender, Nuke and Arnold give them.

    `layer` names another one, whose first two channels (X and Y, u and v or R and G) are the motion in
    `direction` (forward unless said otherwise), y `up` or down (up unless said otherwise). Raises BadSettings.
    """
    by_layer: dict[str, dict[str, str]] = {}
    for name in names:
        prefix, _, channel = name.rpartition(".")
        by_layer.setdefault(prefix, {})[channel.lower()] = name
    if layer:
        if layer not in by_layer:
            known = ", ".join(sorted(k for k in by_layer if k)) or "none"
            raise BadSettings(f"vector layer {layer!r} is not in the plate; its layers: {known}")
        if not direction and up is None and (blender := _blender(by_layer[layer])) is not None:
            return blender
        direction = direction or (layer.rpartition(".")[2].lower() if layer.lower().endswith("backward") else "")
        pair = _pair(by_layer[layer])
        if pair is None:
            raise BadSettings(f"vector layer {layer!r} has no channels X and Y, u and v or R and G")
        own = Convention(*pair, 1.0, -1.0 if up is None or up else 1.0)
        return Vectors(own, None) if direction != "backward" else Vectors(None, own)
    for prefix, channels in by_layer.items():
        blender = _blender(channels)
        if prefix.rpartition(".")[2].lower() == "vector" and blender is not None:
            return blender
    conventions: dict[str, Convention | None] = dict.fromkeys(DIRECTIONS)
    for prefix, channels in by_layer.items():
        pair, last = _pair(channels), prefix.rpartition(".")[2].lower()
        if pair is None:
            continue
        if last in DIRECTIONS:  # Nuke: pixels to the next and to the previous frame, y up
            conventions[last] = Convention(*pair, 1.0, -1.0)
        elif last in ("motionvector", "motion_vector", "motion", "motionvectors") and not conventions["forward"]:
            conventions["forward"] = Convention(*pair, 1.0, -1.0)  # Arnold, raw: pixels to the next frame, y up
    if not any(conventions.values()):
        raise BadSettings(
            "no motion vectors in the plate (Blender: *.Vector.XYZW, Nuke: forward.uv and backward.uv, Arnold:"
            " motionvector.RG); name their layer with --vectors, or take --stabilize flow"
        )
    return Vectors(conventions["forward"], conventions["backward"])


def _blender(channels: Mapping[str, str]) -> Vectors | None:
    """Blender's four channels: X, Y lead to the previous frame, Z, W come from the next; y up."""
    if not {"x", "y", "z", "w"} <= channels.keys():
        return None
    return Vectors(
        Convention(channels["z"], channels["w"], -1.0, 1.0), Convention(channels["x"], channels["y"], 1.0, -1.0)
    )


def _pair(channels: Mapping[str, str]) -> tuple[str, str] | None:
    for x, y in (("u", "v"), ("x", "y"), ("r", "g")):
        if x in channels and y in channels:
            return channels[x], channels[y]
    return None


class RenderedVectors:
    """Motion vectors of a renderer; motion over several frames is composed from steps of one frame."""

    def __init__(self, files: Mapping[int, Path], vectors: Vectors, margin: Margin = NO_MARGIN) -> None:
        self.files, self.vectors, self.margin = files, vectors, margin
        self.steps: dict[tuple[int, Literal[1, -1]], Flow] = {}

    def see(self, number: int, picture: Pixels) -> None:
        """See `Motion`."""
        size = (picture.shape[1], picture.shape[0])
        known = [(step, c) for step, c in ((1, self.vectors.forward), (-1, self.vectors.backward)) if c is not None]
        names = [name for _, convention in known for name in (convention.x, convention.y)]
        read = np.nan_to_num(read_channels(self.files[number], names, self.margin))
        for place, (step, convention) in enumerate(known):
            flow = read[:, :, 2 * place : 2 * place + 2] * np.array([convention.sign_x, convention.sign_y], np.float32)
            self.steps[number, 1 if step > 0 else -1] = resized_flow(np.ascontiguousarray(flow, np.float32), size)

    def forget(self, number: int) -> None:
        """See `Motion`."""
        self.steps = {key: f for key, f in self.steps.items() if key[0] > number}

    def flow(self, n: int, m: int) -> Flow | None:
        """See `Motion`."""
        step: Literal[1, -1] = 1 if m > n else -1
        way: Flow | None = None
        for place in range(n, m, step):
            one = self.steps.get((place, step))
            if one is None:
                return None
            way = one if way is None else way + warp(one, way, smooth=False)
        return way


def vectors_of(path: Path, words: str = "") -> Vectors:
    """`find_vectors` in a picture; `words` are LAYER[:forward|backward][:up|down]. Raises BadPlate, BadSettings."""
    layer, *more = words.split(":")
    direction = next((word for word in more if word in DIRECTIONS), "")
    axis = next((word for word in more if word in ("up", "down")), "")
    if len(more) != bool(direction) + bool(axis) or (more and not layer):
        raise BadSettings(f"vectors {words!r}: write LAYER[:forward|backward][:up|down]")
    try:
        return find_vectors(channel_names(path), layer, direction, axis == "up" if axis else None)
    except BadSettings as error:
        raise BadPlate(f"{path}: {error}") from error
