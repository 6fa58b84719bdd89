"""Planes of YUV and RGB to RGB and back, to the code that the standards ask for.

FFmpeg's own conversion of deep pictures is off by up to four codes of 10 bits, and cuts off what lies
above white; this one rounds once, and super-whites come through. Planes that were read and are written
with the same numbers have the same codes: each way of chroma is the exact inverse of the other.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]

# red's and blue's part of luma by the numbers of ITU-T H.273 [ITU-R BT.709, BT.601, BT.2020; SMPTE 240M; FCC 73.682]
LUMA = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}

YCGCO = 8

_YUV = re.compile(r"yuvj?(a?)(420|422|444)p(9|10|12|14|16)?(?:le)?")

_RGB = re.compile(r"gbr(a?)p(9|10|12|14|16)?(?:le)?")


def known(name: str) -> bool:
    """Whether pictures of this FFmpeg pixel format are read and written here."""
    return bool(_YUV.fullmatch(name) or _RGB.fullmatch(name))


@cache
def rows_of(matrix: int) -> NDArray[np.float64]:
    """Luma and the two chromas as rows over red, green and blue; `matrix` as ITU-T H.273 numbers it."""
    if matrix == YCGCO:
        return np.array([[0.25, 0.5, 0.25], [-0.25, 0.5, -0.25], [0.5, 0, -0.5]])
    red, blue = LUMA[matrix]
    luma = np.array([red, 1 - red - blue, blue])
    return np.stack([luma, (np.eye(3)[2] - luma) / (2 - 2 * blue), (np.eye(3)[0] - luma) / (2 - 2 * red)])


def rgb_of(picture: av.VideoFrame, matrix: int, full_range: bool) -> tuple[Pixels, Pixels | None]:
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
    bits = int(layout[3] or 8)
    shape, (black, scale, chroma) = (picture.height, picture.width), levels(bits, full_range)
    planes = [_plane(picture, 0, bits), *(_larger(_plane(picture, i, bits), layout[2], shape) for i in (1, 2))]
    to_rgb = np.linalg.inv(rows_of(matrix)) / np.array([scale, chroma, chroma], np.float64)
    middle = np.array([black, 1 << (bits - 1), 1 << (bits - 1)], np.float64)
    pixels = cv2.transform(cv2.merge(planes), np.column_stack([to_rgb, -to_rgb @ middle]))
    alpha = _plane(picture, 3, bits)[:, :, None] / np.float32((1 << bits) - 1) if layout[1] else None
    return np.asarray(pixels, np.float32), alpha


def picture_of(rgb: Pixels, alpha: Pixels | None, name: str, matrix: int, full_range: bool = False) -> av.VideoFrame:
    """A picture of a known format of RGB (H, W, 3) and alpha (H, W, 1)."""
    height, width = rgb.shape[:2]
    picture = av.VideoFrame(width, height, name)
    coded_rgb = _RGB.fullmatch(name)
    if coded_rgb:
        bits = int(coded_rgb[2] or 8)
        planes = [_codes(rgb[:, :, i] * np.float32((1 << bits) - 1), 0, (1 << bits) - 1) for i in (1, 2, 0)]
    else:
        layout = _YUV.fullmatch(name)
        assert layout is not None
        bits = int(layout[3] or 8)
        black, scale, chroma = levels(bits, full_range)
        rows = rows_of(matrix) * np.array([[scale], [chroma], [chroma]], np.float64)
        middle = np.array([[black], [1 << (bits - 1)], [1 << (bits - 1)]], np.float64)
        coded: Pixels = np.asarray(cv2.transform(np.nan_to_num(rgb), np.hstack([rows, middle])), np.float32)
        # the outermost codes of video belong to the signal's timing [SMPTE ST 274]
        spare = 0 if full_range else 1 << (bits - 8)
        least, most = spare, (1 << bits) - 1 - spare
        planes = [_codes(coded[:, :, 0], least, most)]
        planes += [_codes(_smaller(coded[:, :, i], layout[2]), least, most) for i in (1, 2)]
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
    """Chroma at full size: it stands at every other pixel of a row and, in 4:2:0, between two rows.

    Rows are lines through their neighbours, whose average over two rows is the plane's own value.
    """
    if sampling == "444":
        return plane
    if sampling == "420":
        around = np.concatenate([plane[:1], plane, plane[-1:]])
        slope = (around[2:] - around[:-2]) / np.float32(8)
        rows = np.empty((2 * plane.shape[0], plane.shape[1]), np.float32)
        rows[0::2], rows[1::2] = plane - slope, plane + slope
        plane = rows[: shape[0]]
    after = np.concatenate([plane[:, 1:], plane[:, -1:]], axis=1)
    columns = np.empty((plane.shape[0], 2 * plane.shape[1]), np.float32)
    columns[:, 0::2], columns[:, 1::2] = plane, (plane + after) / 2
    return columns[:, : shape[1]]


def _smaller(plane: Pixels, sampling: str) -> Pixels:
    """The inverse of `_larger`, and a low-pass for what was not made by it.

    Along a row that is the low-pass of the 5/3 wavelet [Le Gall and Tabatabai 1988], down a column the average of two.
    """
    if sampling == "444":
        return plane
    even, odd = plane[:, 0::2], plane[:, 1::2]
    after = np.concatenate([even[:, 1:], even[:, -1:]], axis=1)[:, : odd.shape[1]]
    detail = odd - (even[:, : odd.shape[1]] + after) / 2
    detail = np.pad(detail, ((0, 0), (1, even.shape[1] - odd.shape[1])), mode="edge" if odd.shape[1] else "constant")
    columns = even + (detail[:, :-1] + detail[:, 1:]) / 4
    if sampling == "422":
        return np.asarray(columns, np.float32)
    if len(columns) % 2:  # the last row's partner would be the same line further down
        columns = np.concatenate([columns, columns[-1:]])
    return np.asarray((columns[0::2] + columns[1::2]) / 2, np.float32)
