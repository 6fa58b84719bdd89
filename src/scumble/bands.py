"""The last touch, by algebra: every band of detail gets the contrast and the colours that it has in the style.

A picture is the sum of its bands: what a blur takes away, again and again with twice the reach, and the
rest ("a trous", with a B3 spline [Starck and Murtagh 2006]). Bands keep the picture's resolution, so that those of
a moved picture are the moved bands, exactly. The painting's bands are brought to the style's covariances by the
Monge-Kantorovich map of each; measured once for a shot, as the layers of the network are, this is a fixed linear
filter of three channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from scumble.palette import Array, Palette, exchange

TAPS = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
DETAILS = 4  # bands of detail, finest first; the rest is one more
REACH = 2 * ((1 << DETAILS) - 1)  # pixels to each side that one depends on
MOST_GAIN, LEAST_GAIN = 2.5, 0.4  # of a band: grain is not blown up, the plate not wiped out
FLOOR = 1e-6  # added to the covariances of bands


@dataclass(frozen=True)
class Bands:
    """Mean colour (3,) and covariances (DETAILS + 1, 3, 3) of a picture's bands in the working space, finest first."""

    mean: Array
    covariance: Array

    @classmethod
    def measure(cls, pixels: NDArray[np.floating]) -> Bands:
        """Of a picture (H, W, 3)."""
        x = np.ascontiguousarray(pixels, np.float32)
        found = []
        for level in range(DETAILS):
            smooth = smoothed(x, level)
            detail = (x - smooth).reshape(-1, 3).astype(np.float64)
            found.append(detail.T @ detail / len(detail))
            x = smooth
        rest = Palette.measure(x)
        return cls(rest.mean, np.stack([*found, rest.covariance]))

    @classmethod
    def pool(cls, parts: Sequence[Bands], weights: Sequence[float]) -> Bands:
        """Of all pictures together, each weighted; weights are normalised."""
        rest = Palette.pool([Palette(p.mean, p.covariance[-1]) for p in parts], list(weights))
        return cls._joined(rest, parts, weights)

    @classmethod
    def blend(cls, parts: Sequence[Bands], weights: Sequence[float]) -> Bands:
        """Between pictures: without the spread between their means, as `Palette.blend`."""
        rest = Palette.blend([Palette(p.mean, p.covariance[-1]) for p in parts], list(weights))
        return cls._joined(rest, parts, weights)

    @classmethod
    def _joined(cls, rest: Palette, parts: Sequence[Bands], weights: Sequence[float]) -> Bands:
        share = np.asarray(weights, np.float64) / np.sum(weights)
        details = np.tensordot(share, np.stack([p.covariance[:-1] for p in parts]), 1)
        return cls(rest.mean, np.concatenate([details, rest.covariance[None]]))

    def recoloured(self, matrix: Array, mean: Array) -> Bands:
        """Bands of the picture whose colours went through `matrix`, around another mean."""
        return Bands(mean, matrix @ self.covariance @ matrix.T)


@dataclass(frozen=True)
class BandMatch:
    """A linear filter: `matrix` (3, 3 (DETAILS + 1)) times a picture and its blurs, plus `offset` (3,)."""

    matrix: NDArray[np.float32]
    offset: NDArray[np.float32]


def band_match(own: Bands, wanted: Bands) -> BandMatch:
    """From a painting's bands to those of its style; gains are held between LEAST_GAIN and MOST_GAIN."""
    floor = FLOOR * np.eye(3)
    maps = []
    for a, b in zip(own.covariance, wanted.covariance, strict=True):
        u, gains, v = np.linalg.svd(exchange(a + floor, b + floor))
        maps.append(u @ np.diag(np.clip(gains, LEAST_GAIN, MOST_GAIN)) @ v)
    # bands are differences of blurs: so are the matrices of blurs, of those of bands
    steps = [maps[0], *(b - a for a, b in pairwise(maps))]
    offset = wanted.mean - maps[-1] @ own.mean
    return BandMatch(np.concatenate(steps, axis=1).astype(np.float32), offset.astype(np.float32))


def smoothed(pixels: NDArray[np.float32], level: int) -> NDArray[np.float32]:
    """The blur that separates band `level` from the coarser ones; edges are repeated."""
    return _filtered(pixels, taps(level), taps(level))


def blurring(side: int) -> NDArray[np.float32]:
    """All blurs up to each level along an axis, as matrices (DETAILS, side, side)."""
    found = [np.eye(side, dtype=np.float32)]
    for level in range(DETAILS):
        found.append(_filtered(found[-1], np.ones(1, np.float32), taps(level)))
    return np.stack(found[1:])


def taps(level: int) -> NDArray[np.float32]:
    """The blur's weights along one axis, holes between them."""
    kernel = np.zeros(4 * (1 << level) + 1, np.float32)
    kernel[:: 1 << level] = TAPS
    return kernel


def _filtered(
    pixels: NDArray[np.float32], across: NDArray[np.float32], down: NDArray[np.float32]
) -> NDArray[np.float32]:
    return np.asarray(cv2.sepFilter2D(pixels, -1, across, down, borderType=cv2.BORDER_REPLICATE), np.float32)
