"""A frame that an artist painted over, as a look keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scumble.core.errors import BadInput
from scumble.core.frames import Pixels
from scumble.core.pixels import resized

THUMBNAIL = (32, 18)  # size of a plate's thumbnail: enough to recognise the plate

SAME = 0.06  # largest mean absolute difference of thumbnails at which two plates count as the same

STEP = 1024  # a painting is stored in steps of 1/1024 from -0.5 to 1.5: finer than its source

MOST_KEYS = 64  # in a look

MOST_SIDE = 16384  # pixels of a kept painting


@dataclass(frozen=True)
class PaintedFrame:
    """A painted frame as a look keeps it: number, painting (H, W, 3) in the working space at the size at which the
    network learned, weight (H, W, 1) from 0 to 1 where it was painted, and a thumbnail (18, 32, 3) of its plate."""

    number: int
    painted: Pixels
    weight: Pixels
    plate: Pixels

    @classmethod
    def of(cls, number: int, plate: Pixels, painted: Pixels, weight: Pixels) -> PaintedFrame:
        """Made from plate and painting of one size. Values are rounded as the file rounds them."""
        kept = cls(number, painted, weight.reshape(*painted.shape[:2], 1), thumbnail(plate))
        return cls.read(number, kept.arrays())

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What a look's file holds: the painting as the bytes of a 16-bit PNG, weight in its alpha."""
        codes = np.round((self.painted[:, :, ::-1].clip(-0.5, 1.5) + 0.5) * STEP)
        shares = np.round(self.weight.clip(0, 1) * 255)
        _, png = cv2.imencode(".png", np.concatenate([codes, shares], axis=2).astype(np.uint16))
        return {"painted": np.asarray(png, np.uint8).reshape(-1), "plate": self.plate.astype(np.float16)}

    @classmethod
    def read(cls, number: int, arrays: dict[str, NDArray[Any]]) -> PaintedFrame:
        """From `arrays`. Raises BadInput for what is not a painting."""
        png = np.asarray(arrays["painted"]).astype(np.uint8)
        # the header is checked first: a few bytes may unpack into all of the memory
        sides = [int.from_bytes(png[i : i + 4].tobytes(), "big") for i in (16, 20)]
        if png.ndim != 1 or png.size < 33 or not all(1 <= side <= MOST_SIDE for side in sides):
            raise BadInput(f"the painting of key frame {number} is no picture")
        decoded = cv2.imdecode(png, cv2.IMREAD_UNCHANGED)
        if decoded is None or decoded.dtype != np.uint16 or decoded.ndim != 3 or decoded.shape[2] != 4:
            raise BadInput(f"the painting of key frame {number} cannot be read")
        plate = np.asarray(arrays["plate"], np.float32)
        if plate.shape != (THUMBNAIL[1], THUMBNAIL[0], 3):
            raise BadInput(f"key frame {number} has a thumbnail of shape {plate.shape}")
        codes = decoded.astype(np.float32)
        painted = np.ascontiguousarray(codes[:, :, 2::-1] / np.float32(STEP) - np.float32(0.5))
        return cls(number, painted, codes[:, :, 3:] / np.float32(255), plate)

    def knows(self, plate: Pixels) -> bool:
        """Whether a frame (H, W, 3) in the working space is the one that was painted over."""
        return float(np.abs(thumbnail(plate) - self.plate).mean()) <= SAME


def thumbnail(plate: Pixels) -> Pixels:
    """The thumbnail of a frame (H, W, 3) in the working space, rounded to float16."""
    return np.asarray(resized(np.nan_to_num(plate).clip(-8, 8), THUMBNAIL).astype(np.float16), np.float32)
