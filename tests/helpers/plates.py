"""Plates that move by a known motion, and EXR files with further channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenImageIO as oiio

from helpers.pictures import scene
from scumble.core.colour import srgb_to_linear
from scumble.core.frames import Pixels

HEIGHT, WIDTH = 96, 160
PAN = (3.0, -1.0)  # pixels right and down that content moves a frame


def moving(count: int) -> list[Pixels]:
    """A scene whose content moves by `PAN` a frame."""
    wide = scene(4, HEIGHT + 40, 4 * WIDTH)
    return [
        np.ascontiguousarray(wide[10 + i : 10 + i + HEIGHT, 200 - 3 * i : 200 - 3 * i + WIDTH]) for i in range(count)
    ]


def exr_with(path: Path, picture: Pixels, channels: dict[str, float | Pixels], views: tuple[str, ...] = ()) -> None:
    """A float EXR with RGB and further channels, each one value or a plane; `views` names its eyes."""
    planes = [srgb_to_linear(picture), *(np.broadcast_to(v, (*picture.shape[:2], 1)) for v in channels.values())]
    pixels = np.concatenate(planes, axis=2).astype(np.float32)
    spec = oiio.ImageSpec(picture.shape[1], picture.shape[0], pixels.shape[2], oiio.FLOAT)
    spec.channelnames = ("R", "G", "B", *channels)
    if views:
        spec.attribute("multiView", oiio.TypeDesc(f"string[{len(views)}]"), views)
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), spec)
    assert output.write_image(np.ascontiguousarray(pixels))
    output.close()


X, Y = PAN
CONVENTIONS = {
    "blender": (
        {"ViewLayer.Vector.X": -X, "ViewLayer.Vector.Y": Y, "ViewLayer.Vector.Z": -X, "ViewLayer.Vector.W": Y},
        "",
        "",
        None,
    ),
    "nuke": ({"forward.u": X, "forward.v": -Y, "backward.u": -X, "backward.v": Y}, "", "", None),
    "arnold": ({"motionvector.R": X, "motionvector.G": -Y}, "", "", None),
    "own, down": ({"flow.X": X, "flow.Y": Y}, "flow", "forward", False),
    "own, backward": ({"prev.u": -X, "prev.v": Y}, "prev", "backward", True),
}
