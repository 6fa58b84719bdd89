"""Pictures of a movie as RGB: exact to the code where planes allow it, upright as the display matrix says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from scumble.media import yuv
from scumble.media.codecs import EXACT
from scumble.media.h273 import FULL, Tags

Pixels = NDArray[np.float32]

SD_LINES = 576  # up to here a movie without tags is taken for Rec. 601, above for Rec. 709

# Matrices that are read and written as another one, which is near: the codes come back, and are painted nearly
# as what they are [ITU-T H.273, table 4].
NEAREST = {
    10: (9, "BT.2020 with constant luminance"),
    11: (9, "SMPTE ST 2085"),
    13: (9, "of constant luminance, from the primaries"),
    14: (9, "ICtCp"),
    15: (9, "IPT-PQ-C2"),
    16: (yuv.YCGCO, "YCgCo-Re"),
    17: (yuv.YCGCO, "YCgCo-Ro"),
}

DERIVED = 12  # from the primaries


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


def tags_of(picture: av.VideoFrame) -> Tags:
    """What a picture says of its colours. Grey without a range has the full one."""
    tags = Tags(*map(int, (picture.color_primaries, picture.color_trc, picture.colorspace, picture.color_range)))
    is_full = picture.format.name.startswith(("gray", "ya", "yuvj")) and not tags.range
    return tags._replace(range=FULL) if is_full else tags


def is_rgb(picture: av.VideoFrame) -> bool:
    """Whether matrix and range say nothing of a picture."""
    return bool(picture.format.is_rgb or picture.format.has_palette)


def same_matrix(tags: Tags, lines: int, new_lines: int) -> Tags:
    """The tags for a picture of `new_lines`, so that players take the matrix that they take for `lines`."""
    matrix = matrix_of(tags, lines)
    return tags if matrix_of(tags, new_lines) == matrix else tags._replace(matrix=matrix)


def matrix_of(tags: Tags, lines: int) -> int:
    """The number of the matrix with which YUV of so many lines is read and written: the tag's, else as players do."""
    if tags.matrix == DERIVED:
        return {4: 4, 5: 5, 6: 6, 7: 6, 9: 9}.get(tags.primaries, 1)
    matrix = NEAREST[tags.matrix][0] if tags.matrix in NEAREST else tags.matrix
    return matrix if matrix in (*yuv.LUMA, yuv.YCGCO) else 1 if lines > SD_LINES else 6


def rgb_of(picture: av.VideoFrame, bits: int, has_alpha: bool, reformatter: VideoReformatter) -> tuple[Any, Any]:
    """RGB (H, W, 3) and alpha (H, W, 1) or None of a picture, as it is coded."""
    name, tags = picture.format.name, tags_of(picture)
    if name.startswith("gray"):
        grey = _grey(picture, bits, tags.range == FULL, reformatter)
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
    if not yuv.known(name) and (bits > 8 or has_alpha or not is_rgb(picture)):
        picture = _planar(picture, bits, has_alpha, reformatter)
    if yuv.known(picture.format.name):
        return yuv.rgb_of(picture, matrix_of(tags, picture.height), tags.range == FULL)
    rgb = reformatter.reformat(picture, format="rgb24", interpolation=EXACT)
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
        target = f"gbr{a}p{'16le' if bits > 8 else '10le' if a else ''}"
    else:
        across, down = (
            max(getattr(c, side) for c in components) // max(1, min(getattr(c, side) for c in components))
            for side in ("width", "height")
        )
        sampling = "420" if down > 1 else "422" if across > 1 else "444"
        target = f"yuv{a}{sampling}p" + ("" if bits <= 8 else f"{bits}le")
    if not yuv.known(target):
        return picture
    return reformatter.reformat(picture, format=target, interpolation=EXACT)
