"""The parts of a painting as layers for comp: luma, chroma and detail sum to it, the matte mixes it with the plate.

In a linear space, with colours multiplied by alpha as the file has them:

    result = plate + matte (luma + chroma + detail - plate)

Luma and detail are grey, the low and the high frequencies of the painting's luminance; chroma is what
is left of its colours, and takes up the others' rounding, so that the sum is the painting's own code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scumble.core.colour import LUMA, ColourSpace
from scumble.core.errors import BadSettings
from scumble.core.frames import Paint, Pixels

AOVS = ("luma", "chroma", "detail", "matte")

STROKE = 4.0  # pixels of the network's picture: standard deviation of the blur that parts luma from detail


def parse_aovs(text: str) -> tuple[str, ...]:
    """A list such as `luma,chroma`, each once, in the order of `AOVS`. Raises BadSettings."""
    given = [part.strip() for part in text.split(",") if part.strip()]
    unknown = next((name for name in given if name not in AOVS), None)
    if unknown is not None or not given:
        raise BadSettings(f"aov {unknown or text!r}: give some of {', '.join(AOVS)}, as in --aov luma,chroma")
    return tuple(name for name in AOVS if name in given)


def channels_of(aovs: Sequence[str]) -> list[str]:
    """The channels that these layers have in a file."""
    return [f"{name}.{c}" for name in aovs for c in ("A" if name == "matte" else "RGB")]


def layers_of(
    paint: Paint, alpha: Pixels | None, space: ColourSpace, breadth: float, aovs: Sequence[str], kind: Any
) -> Mapping[str, NDArray[Any]]:
    """Planes (H, W) by channel of the layers in `aovs`, of a painting in a linear `space`, as numbers of `kind`.

    `breadth` is the standard deviation in pixels below which luminance is detail; `alpha` (H, W, 1)
    multiplies all but the matte. Where nothing is painted all are 0.
    """
    painting = paint.share > 0
    whole = np.asarray(np.isfinite(paint.pixels).all(axis=2, keepdims=True))
    straight = np.where(whole, paint.pixels, np.float32(0))
    linear = straight if space.is_linear and space.conversion is None else space.to_reference(straight)
    luminance = np.ascontiguousarray(linear @ np.asarray(LUMA, np.float32))
    # of the painting as if there were neither matte nor alpha: their edges are no strokes
    low = (_blurred(luminance, breadth) / np.maximum(_blurred(whole[:, :, 0], breadth), np.float32(1e-6)))[:, :, None]
    share, opacity = paint.share, np.ones((1, 1, 1), np.float32) if alpha is None else alpha
    painted = straight * opacity
    most = np.float32(np.finfo(kind).max)

    def coded(values: NDArray[Any]) -> NDArray[Any]:
        return np.where(painting, values.clip(-most, most), 0).astype(kind)

    luma = coded(low * opacity)
    detail = coded(luminance[:, :, None] * opacity - luma.astype(np.float32))
    chroma = coded(painted - luma.astype(np.float32) - detail.astype(np.float32))
    planes = {"luma": np.repeat(luma, 3, 2), "chroma": chroma, "detail": np.repeat(detail, 3, 2), "matte": coded(share)}
    return {
        name: np.ascontiguousarray(planes[layer][:, :, place])
        for layer in aovs
        for place, name in enumerate(channels_of([layer]))
    }


def _blurred(values: NDArray[Any], breadth: float) -> Pixels:
    blurred = cv2.GaussianBlur(values.astype(np.float32), (0, 0), max(breadth, 0.3), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.float32)
