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

MOST_PIXELS = 1 << 25  # of a kept painting: 8K, more than any network was shown

MOST_PIXELS_TOGETHER = 1 << 27  # of all paintings of a look


@dataclass(frozen=True)
class PaintedFrame:
    """A painted frame as a look keeps it: number, painting, and a thumbnail (18, 32, 3) of its plate.

    The painting stays packed until it is asked for: a look is opened without its pixels.
    """

    number: int
    png: NDArray[np.uint8]
    """Bytes of a PNG of 16 bits: the painting as codes, how much of it counts in alpha."""
    plate: Pixels

    @classmethod
    def of(cls, number: int, plate: Pixels, painted: Pixels, weight: Pixels) -> PaintedFrame:
        """Made from plate and painting of one size. Values are rounded as the file rounds them."""
        codes = np.round((painted[:, :, ::-1].clip(-0.5, 1.5) + 0.5) * STEP)
        shares = np.round(weight.reshape(*painted.shape[:2], 1).clip(0, 1) * 255)
        _, png = cv2.imencode(".png", np.concatenate([codes, shares], axis=2).astype(np.uint16))
        return cls(number, np.asarray(png, np.uint8).reshape(-1), thumbnail(plate))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What a look's file holds."""
        return {"painted": self.png, "plate": self.plate.astype(np.float16)}

    @classmethod
    def read(cls, number: int, arrays: dict[str, NDArray[Any]]) -> PaintedFrame:
        """From `arrays`. Raises BadInput for what is not a painting."""
        png = np.asarray(arrays["painted"])
        # 16 bits of red, green, blue and alpha: a few bytes may claim to be all of the memory
        head = png[:33].tobytes() if png.ndim == 1 and png.dtype == np.uint8 else b""
        if len(head) < 33 or head[:8] != b"\x89PNG\r\n\x1a\n" or head[12:16] != b"IHDR" or head[24:26] != b"\x10\x06":
            raise BadInput(f"the painting of key frame {number} is no picture")
        key = cls(number, png, np.asarray(arrays["plate"], np.float32))
        if not 1 <= key.pixels <= MOST_PIXELS:
            raise BadInput(
                f"the painting of key frame {number} has {key.pixels} pixels, more than any network is shown"
            )
        if key.plate.shape != (THUMBNAIL[1], THUMBNAIL[0], 3):
            raise BadInput(f"key frame {number} has a thumbnail of shape {key.plate.shape}")
        return key

    @property
    def pixels(self) -> int:
        """How many pixels the painting has."""
        width, height = (int.from_bytes(self.png[i : i + 4].tobytes(), "big") for i in (16, 20))
        return width * height

    @property
    def painted(self) -> Pixels:
        """The painting (H, W, 3) in the working space, at the size at which the network learned. Raises BadInput."""
        return np.ascontiguousarray(self._codes[:, :, 2::-1] / np.float32(STEP) - np.float32(0.5))

    @property
    def weight(self) -> Pixels:
        """Where it was painted (H, W, 1), from 0 to 1. Raises BadInput."""
        return np.asarray(self._codes[:, :, 3:] / np.float32(255), np.float32)

    @property
    def _codes(self) -> Pixels:
        decoded = cv2.imdecode(self.png, cv2.IMREAD_UNCHANGED)
        if decoded is None or decoded.dtype != np.uint16 or decoded.ndim != 3 or decoded.shape[2] != 4:
            raise BadInput(f"the painting of key frame {self.number} cannot be read; match the look again")
        return decoded.astype(np.float32)

    def knows(self, plate: Pixels) -> bool:
        """Whether a frame (H, W, 3) in the working space is the one that was painted over."""
        return float(np.abs(thumbnail(plate) - self.plate).mean()) <= SAME


def thumbnail(plate: Pixels) -> Pixels:
    """The thumbnail of a frame (H, W, 3) in the working space, rounded to float16."""
    return np.asarray(resized(np.nan_to_num(plate).clip(-8, 8), THUMBNAIL).astype(np.float16), np.float32)
