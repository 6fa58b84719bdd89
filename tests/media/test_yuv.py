"""Deep planes: the codes that the standards ask for, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from av.video.reformatter import Colorspace

from scumble.media.yuv import picture_of, rgb_of

# Y, Cb, Cr of 10 bits [ITU-R BT.709-6, BT.2020-2: 64 and 940 are black and white, chroma is 512 +- 448]
CODES = {
    ((0, 0, 0), Colorspace.ITU709): (64, 512, 512),
    ((1, 1, 1), Colorspace.ITU709): (940, 512, 512),
    ((1, 0, 0), Colorspace.ITU709): (250, 409, 960),
    ((0, 0, 1), Colorspace.ITU709): (127, 960, 471),
    ((0, 1, 0), Colorspace.BT2020): (658, 189, 100),
    ((1.1, 1.1, 1.1), Colorspace.ITU709): (1019, 512, 512),  # above white, up to what a signal may hold
}


@pytest.mark.parametrize("sampling", ["420", "422", "444"])
@pytest.mark.parametrize(("colour", "matrix"), list(CODES))
def test_codes(colour: tuple[float, ...], matrix: Colorspace, sampling: str) -> None:
    rgb = np.broadcast_to(np.array(colour, np.float32), (6, 8, 3)).copy()
    picture = picture_of(rgb, None, f"yuv{sampling}p10le", matrix)
    planes: list[Any] = [np.frombuffer(plane, "<u2")[0] for plane in picture.planes]  # type: ignore[call-overload]
    assert tuple(int(code) for code in planes) == CODES[colour, matrix]
    if max(colour) <= 1:
        np.testing.assert_allclose(rgb_of(picture, matrix, False)[0], rgb, atol=1.5 / 876)


def test_full_range_is_read_as_such() -> None:
    rgb = np.full((6, 8, 3), 0.5, np.float32)
    picture = picture_of(rgb, None, "yuv444p10le", Colorspace.ITU709)  # grey: code 502
    np.testing.assert_allclose(rgb_of(picture, Colorspace.ITU709, True)[0], 502 / 1023, atol=1e-3)
