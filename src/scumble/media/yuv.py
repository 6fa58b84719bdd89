"""Planes of more than 8 bits to RGB and back, to the code that the standards ask for.

FFmpeg's own conversion of deep pictures is off by up to four codes of 10 bits, and cuts off what lies
above white; this one rounds once, and super-whites come through.
"""

from __future__ import annotations

import re
from typing import Any

import av
import numpy as np
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

Pixels = NDArray[np.float32]

# red's and blue's part of luma [ITU-R BT.709, BT.601, BT.2020; SMPTE 240M; FCC 73.682]
LUMA = {
    Colorspace.ITU709: (0.2126, 0.0722),
    Colorspace.ITU601: (0.299, 0.114),
    Colorspace.BT2020: (0.2627, 0.0593),
    Colorspace.SMPTE240M: (0.212, 0.087),
    Colorspace.FCC: (0.30, 0.11),
}

_YUV = re.compile(r"yuv(a?)(420|422|444)p(9|10|12|14|16)le")

_RGB = re.compile(r"gbr(a?)p(9|10|12|14|16)?(?:le)?")


def known(name: str) -> bool:
    """Whether pictures of this FFmpeg pixel format are read and written here."""
    return bool(_YUV.fullmatch(name) or _RGB.fullmatch(name))


def rgb_of(picture: av.VideoFrame, matrix: Colorspace, full_range: bool) -> tuple[Pixels, Pixels | None]:
    """RGB (H, W, 3), where 0 is black and 1 is white, and alpha (H, W, 1) or None, of a picture of a known format."""
    name = picture.format.name
    rgb = _RGB.fullmatch(name)
    if rgb:
        bits = int(rgb[2] or 8)
        planes = [_plane(picture, i, bits) / np.float32((1 << bits) - 1) for i in range(4 if rgb[1] else 3)]
        alpha = planes[3][:, :, None] if rgb[1] else None
        return np.stack([planes[2], planes[0], planes[1]], axis=2), alpha
    layout = _YUV.fullmatch(name)
    assert layout is not None
    bits, (black, scale, chroma) = int(layout[3]), levels(int(layout[3]), full_range)
    y = (_plane(picture, 0, bits) - black) / scale
    shape = (picture.height, picture.width)
    cb, cr = (
        _larger((_plane(picture, i, bits) - np.float32(1 << (bits - 1))) / chroma, layout[2], shape) for i in (1, 2)
    )
    red, blue = LUMA[matrix]
    r, b = y + np.float32(2 - 2 * red) * cr, y + np.float32(2 - 2 * blue) * cb
    g = (y - np.float32(red) * r - np.float32(blue) * b) / np.float32(1 - red - blue)
    alpha = _plane(picture, 3, bits)[:, :, None] / np.float32((1 << bits) - 1) if layout[1] else None
    return np.stack([r, g, b], axis=2), alpha


def picture_of(rgb: Pixels, alpha: Pixels | None, name: str, matrix: Colorspace) -> av.VideoFrame:
    """A picture of a known format of RGB (H, W, 3) and alpha (H, W, 1), in the range of video."""
    height, width = rgb.shape[:2]
    picture = av.VideoFrame(width, height, name)
    coded_rgb = _RGB.fullmatch(name)
    if coded_rgb:
        bits = int(coded_rgb[2] or 8)
        planes = [_codes(rgb[:, :, i] * np.float32((1 << bits) - 1), 0, (1 << bits) - 1) for i in (1, 2, 0)]
    else:
        layout = _YUV.fullmatch(name)
        assert layout is not None
        bits, (black, scale, chroma) = int(layout[3]), levels(int(layout[3]), False)
        red, blue = LUMA[matrix]
        r, g, b = (rgb[:, :, i] for i in range(3))
        y = np.float32(red) * r + np.float32(1 - red - blue) * g + np.float32(blue) * b
        colours = ((b - y) / np.float32(2 - 2 * blue), (r - y) / np.float32(2 - 2 * red))
        # the outermost codes belong to the signal's timing [SMPTE ST 274]
        least, most = 1 << (bits - 8), (1 << bits) - 1 - (1 << (bits - 8))
        middle = np.float32(1 << (bits - 1))
        planes = [_codes(y * scale + black, least, most)]
        planes += [_codes(_smaller(c, layout[2]) * chroma + middle, least, most) for c in colours]
    if "a" in name.partition("p")[0]:
        opaque = np.ones((height, width, 1), np.float32) if alpha is None else alpha
        planes.append(_codes(opaque[:, :, 0] * np.float32((1 << bits) - 1), 0, (1 << bits) - 1))
    for plane, codes in zip(picture.planes, planes, strict=True):
        kind: Any = np.uint8 if bits == 8 else np.dtype("<u2")
        padded = np.zeros((plane.height, plane.line_size // np.dtype(kind).itemsize), kind)
        padded[: codes.shape[0], : codes.shape[1]] = codes
        plane.update(padded.tobytes())
    return picture


def levels(bits: int, full_range: bool) -> tuple[np.float32, np.float32, np.float32]:
    """Code of black, codes from black to white, codes of chroma's whole swing."""
    if full_range:
        most = np.float32((1 << bits) - 1)
        return np.float32(0), most, most
    unit = 1 << (bits - 8)
    return np.float32(16 * unit), np.float32(219 * unit), np.float32(224 * unit)


def _plane(picture: av.VideoFrame, place: int, bits: int) -> Pixels:
    plane: Any = picture.planes[place]
    kind: Any = np.uint8 if bits == 8 else np.dtype("<u2")
    codes = np.frombuffer(plane, kind).reshape(-1, plane.line_size // np.dtype(kind).itemsize)
    return np.asarray(codes[: plane.height, : plane.width], np.float32)


def _codes(plane: Pixels, least: int, most: int) -> NDArray[np.uint16]:
    return np.asarray(np.nan_to_num(plane).clip(least, most) + np.float32(0.5), np.float32).astype(np.uint16)


def _larger(plane: Pixels, sampling: str, shape: tuple[int, int]) -> Pixels:
    """Chroma at full size: it stands at every other pixel of a row and, in 4:2:0, between two rows."""
    if sampling == "444":
        return plane
    if sampling == "420":
        above, below = np.concatenate([plane[:1], plane[:-1]]), np.concatenate([plane[1:], plane[-1:]])
        rows = np.empty((2 * plane.shape[0], plane.shape[1]), np.float32)
        rows[0::2], rows[1::2] = 0.75 * plane + 0.25 * above, 0.75 * plane + 0.25 * below
        plane = rows[: shape[0]]
    after = np.concatenate([plane[:, 1:], plane[:, -1:]], axis=1)
    columns = np.empty((plane.shape[0], 2 * plane.shape[1]), np.float32)
    columns[:, 0::2], columns[:, 1::2] = plane, (plane + after) / 2
    return columns[:, : shape[1]]


def _smaller(plane: Pixels, sampling: str) -> Pixels:
    """The other way: averages around the places where chroma stands."""
    if sampling == "444":
        return plane
    height, width = plane.shape
    wide = np.pad(plane, ((0, height % 2 if sampling == "420" else 0), (1, 1 + width % 2)), mode="edge")
    columns = np.float32(0.25) * (wide[:, 0:-2:2] + 2 * wide[:, 1:-1:2] + wide[:, 2::2])
    return np.asarray((columns[0::2] + columns[1::2]) / 2 if sampling == "420" else columns, np.float32)
