"""Pictures of a movie as RGB: exact to the code where planes allow it, upright as the display matrix says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy.typing import NDArray

from scumble.media import yuv
from scumble.media.codecs import EXACT

Pixels = NDArray[np.float32]

SD_LINES = 576  # up to here a movie without tags is taken for Rec. 601, above for Rec. 709

MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}  # by their numbers in ITU-T H.273


@dataclass(frozen=True)
class Orientation:
    """How coded pictures become upright ones: rows and columns exchanged first, then mirrored."""

    is_transposed: bool = False
    is_mirrored_across: bool = False
    is_mirrored_down: bool = False

    @classmethod
    def of(cls, picture: av.VideoFrame) -> Orientation:
        """What the display matrix of a picture says; upright without one."""
        side_data: Any = picture.side_data
        for data in side_data:
            if data.type.name == "DISPLAYMATRIX":
                a, b, _, c, d = (int(v) for v in np.frombuffer(bytes(data), "<i4")[:5])
                if abs(b) + abs(c) > abs(a) + abs(d):
                    return cls(True, c < 0, b < 0)
                return cls(False, a < 0, d < 0)
        return cls()

    @property
    def is_mirrored(self) -> bool:
        """Whether the picture is mirrored, however it is turned."""
        return (self.is_transposed + self.is_mirrored_across + self.is_mirrored_down) % 2 == 1

    @property
    def rotation(self) -> int:
        """Degrees counter-clockwise by which a picture that is not mirrored is turned."""
        if self.is_mirrored:
            return 0
        if self.is_transposed:
            return 90 if self.is_mirrored_down else 270
        return 180 if self.is_mirrored_across else 0

    def upright(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Coded pixels (H, W, ...) as they are displayed."""
        turned = np.swapaxes(pixels, 0, 1) if self.is_transposed else pixels
        return turned[:: -1 if self.is_mirrored_down else 1, :: -1 if self.is_mirrored_across else 1]


def rgb_of(picture: av.VideoFrame, bits: int, has_alpha: bool, reformatter: VideoReformatter) -> tuple[Any, Any]:
    """RGB (H, W, 3) and alpha (H, W, 1) or None of a picture, as it is coded."""
    name, matrix, full = picture.format.name, _matrix(picture), int(picture.color_range) == int(ColorRange.JPEG)
    if name.startswith("gray"):
        grey = _grey(picture, bits, full or int(picture.color_range) == 0, reformatter)
        return np.repeat(grey[:, :, None], 3, axis=2), None
    if has_alpha and name in ("rgba", "bgra", "argb", "abgr", "pal8"):  # 8 bits, packed: codes as they are
        codes = (picture if name == "rgba" else reformatter.reformat(picture, format="rgba")).to_ndarray()
        values = codes.astype(np.float32) / np.float32(255)
        return values[:, :, :3], values[:, :, 3:]
    if name == "ya8":
        plane: Any = picture.planes[0]
        pairs = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : 2 * plane.width]
        values = pairs.reshape(plane.height, plane.width, 2).astype(np.float32) / np.float32(255)
        return np.repeat(values[:, :, :1], 3, axis=2), values[:, :, 1:]
    if (bits > 8 or has_alpha) and not yuv.known(name):
        picture = _planar(picture, bits, has_alpha, reformatter)
    if (bits > 8 or has_alpha) and yuv.known(picture.format.name):
        return yuv.rgb_of(picture, matrix, full)
    rgb = reformatter.reformat(
        picture, format="rgb24", src_colorspace=matrix, dst_colorspace=Colorspace.ITU709, interpolation=EXACT
    )
    return rgb.to_ndarray().astype(np.float32) / np.float32(255), None


def _grey(picture: av.VideoFrame, bits: int, full: bool, reformatter: VideoReformatter) -> Pixels:
    """The one plane of a grey picture, 0 is black and 1 white; FFmpeg converts it as if it had the full range."""
    name = picture.format.name
    if bits > 8 and not name.endswith("le"):
        picture = reformatter.reformat(picture, format=name.removesuffix("be") + "le")
    plane: Any = picture.planes[0]
    kind = np.dtype("u1" if bits == 8 else "<u2")
    codes = np.frombuffer(plane, kind).reshape(-1, plane.line_size // kind.itemsize)[: plane.height, : plane.width]
    black, scale, _ = yuv.levels(bits, full)
    return np.asarray((codes.astype(np.float32) - black) / scale, np.float32)


def _planar(picture: av.VideoFrame, bits: int, has_alpha: bool, reformatter: VideoReformatter) -> av.VideoFrame:
    """The nearest format of planes that says the same; a packed one such as p010le, or 8-bit alpha."""
    components = picture.format.components
    a = "a" if has_alpha else ""
    if picture.format.is_rgb:
        target = f"gbr{a}p{'16le' if bits > 8 else '' if not a else '10le'}"
    else:
        across, down = (
            max(getattr(c, side) for c in components) // max(1, min(getattr(c, side) for c in components))
            for side in ("width", "height")
        )
        sampling = "420" if down > 1 else "422" if across > 1 else "444"
        target = f"yuv{a}{sampling}p{max(10, bits)}le"
    if not yuv.known(target):
        return picture
    return reformatter.reformat(picture, format=target, interpolation=EXACT)


def _matrix(picture: av.VideoFrame) -> Colorspace:
    """The YUV matrix: the frame's own tag, else by size as players do."""
    known = MATRICES.get(int(picture.colorspace))
    return known or (Colorspace.ITU709 if picture.height > SD_LINES else Colorspace.ITU601)
