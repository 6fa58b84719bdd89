"""Footage whose pixels say their frame number: what was conformed can be read back."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from scumble.media.open import open_plate

BITS = 12
BLOCK = 16  # pixels a bit is wide


def bars(number: int) -> NDArray[np.uint8]:
    """A frame number as dark and bright columns, (64, 192, 3)."""
    bits = [number >> bit & 1 for bit in range(BITS)]
    row = np.repeat(np.array(bits, np.uint8) * 200 + 28, BLOCK)
    return np.repeat(np.repeat(row[None, :, None], 64, 0), 3, 2)


def number_in(pixels: NDArray[np.float32]) -> int:
    """The number that a frame (H, W, 3) shows."""
    middle = pixels[pixels.shape[0] // 2, BLOCK // 2 :: BLOCK].mean(axis=1)
    return sum(1 << bit for bit in range(BITS) if middle[bit] > 0.5)


def numbers_in(path: Path) -> list[int]:
    """The numbers that the frames of a movie or sequence show."""
    plate = open_plate(path)
    return [number_in(frame.pixels) for frame in plate.read(plate.numbers)]


def numbered_movie(path: Path, count: int, timecode: str = "", rate: Fraction = Fraction(24), first: int = 0) -> None:
    """A movie whose n-th frame shows first + n."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=rate)
        video.width, video.height, video.pix_fmt = BITS * BLOCK, 64, "yuv420p"
        video.options = {"crf": "10", "preset": "ultrafast"}
        if timecode:
            video.metadata["timecode"] = timecode
        for number in range(first, first + count):
            container.mux(video.encode(av.VideoFrame.from_ndarray(bars(number), "rgb24")))
        container.mux(video.encode())


def numbered_sequence(pattern: Path, numbers: range) -> None:
    """PNGs whose pixels show their own numbers."""
    pattern.parent.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        cv2.imwrite(str(pattern).replace("####", f"{number:04d}"), bars(number))
