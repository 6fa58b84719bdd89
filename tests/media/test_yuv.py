"""Planes: the codes that the standards ask for, and back."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import pytest

from scumble.media.yuv import LUMA, YCGCO, picture_of, rgb_of

# Y, Cb, Cr of 10 bits [ITU-R BT.709-6, BT.2020-2: 64 and 940 are black and white, chroma is 512 +- 448]
CODES = {
    ((0, 0, 0), 1): (64, 512, 512),
    ((1, 1, 1), 1): (940, 512, 512),
    ((1, 0, 0), 1): (250, 409, 960),
    ((0, 0, 1), 1): (127, 960, 471),
    ((0, 1, 0), 9): (658, 189, 100),
    ((1.1, 1.1, 1.1), 1): (1019, 512, 512),  # above white, up to what a signal may hold
}


@pytest.mark.parametrize("sampling", ["420", "422", "444"])
@pytest.mark.parametrize(("colour", "matrix"), list(CODES))
def test_codes(colour: tuple[float, ...], matrix: int, sampling: str) -> None:
    rgb = np.broadcast_to(np.array(colour, np.float32), (6, 8, 3)).copy()
    picture = picture_of(rgb, None, f"yuv{sampling}p10le", matrix)
    planes: list[Any] = [np.frombuffer(plane, "<u2")[0] for plane in picture.planes]  # type: ignore[call-overload]
    assert tuple(int(code) for code in planes) == CODES[colour, matrix]
    if max(colour) <= 1:
        np.testing.assert_allclose(rgb_of(picture, matrix, False)[0], rgb, atol=1.5 / 876)


def test_full_range_is_read_as_such() -> None:
    rgb = np.full((6, 8, 3), 0.5, np.float32)
    picture = picture_of(rgb, None, "yuv444p10le", 1)  # grey: code 502
    np.testing.assert_allclose(rgb_of(picture, 1, True)[0], 502 / 1023, atol=1e-3)


@pytest.mark.parametrize("matrix", [*LUMA, YCGCO])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("name", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuva422p12le", "yuv444p16le"])
def test_codes_come_back_whatever_they_are(name: str, full_range: bool, matrix: int) -> None:
    """Colours that no display has, and edges of chroma, too."""
    kind, most = (np.uint8, 256) if name.endswith("p") else (np.dtype("<u2"), 1 << int(name[-4:-2]))
    picture, spare = av.VideoFrame(26, 18, name), 0 if full_range else most // 256
    given = []
    for plane in picture.planes:
        codes = np.random.default_rng(plane.width).integers(spare, most - spare, (plane.height, plane.width))
        padded = np.zeros((plane.height, plane.line_size // np.dtype(kind).itemsize), kind)
        padded[:, : plane.width] = codes
        plane.update(padded.tobytes())
        given.append(codes)
    back = picture_of(*rgb_of(picture, matrix, full_range), name, matrix, full_range)
    for plane, codes in zip(back.planes, given, strict=True):
        found = np.frombuffer(plane, kind).reshape(plane.height, -1)[:, : plane.width]  # type: ignore[call-overload]
        np.testing.assert_array_equal(found, codes)


def test_chroma_that_is_finer_than_its_plane_is_averaged() -> None:
    """Columns of red and blue in turn: the plane has their middle, not every other one."""
    rgb = np.zeros((8, 16, 3), np.float32)
    rgb[:, 0::2, 0], rgb[:, 1::2, 2] = 1, 1
    planes = [np.frombuffer(p, np.uint8).reshape(p.height, -1) for p in picture_of(rgb, None, "yuv420p", 1).planes]  # type: ignore[call-overload]
    middle = [(0.5 - 0.5 * 0.2126 - 0.5 * 0.0722) / 1.8556, (0.5 - 0.5 * 0.2126 - 0.5 * 0.0722) / 1.5748]
    for plane, chroma in zip(planes[1:], middle, strict=True):
        assert np.abs(plane[1:-1, 2:6].astype(int) - (128 + 224 * chroma)).max() <= 1


def test_chroma_between_its_samples_lies_on_a_line() -> None:
    """Blue rises by 4 codes a row of its plane, red by 4 a column: from row to row and column to column by half of it."""
    picture = av.VideoFrame(32, 24, "yuv420p")
    rows, columns = np.mgrid[0:12, 0:16]
    for plane, codes in zip(picture.planes, (np.full((24, 32), 120), 100 + 4 * rows, 90 + 4 * columns), strict=True):
        padded = np.zeros((plane.height, plane.line_size), np.uint8)
        padded[:, : plane.width] = codes
        plane.update(padded.tobytes())
    pixels, _ = rgb_of(picture, 1, True)
    blue, red = np.diff(pixels[4:-4, 8, 2]), np.diff(pixels[8, 4:-4, 0])
    np.testing.assert_allclose(blue, 2 / 255 * 1.8556, rtol=1e-3)
    np.testing.assert_allclose(red, 2 / 255 * 1.5748, rtol=1e-3)
