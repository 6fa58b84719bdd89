"""The last touch, by algebra: every band of detail gets the contrast, colours and evenness that it has in the style.

A picture is the sum of its bands: what a blur takes away, again and again with twice the reach, and the
rest ("a trous", with a B3 spline [Starck and Murtagh 2006]). Bands keep the picture's resolution, so that those of
a moved picture are the moved bands, exactly. The painting's bands are brought to the style's covariances by the
Monge-Kantorovich map of each. Then its light and dark go through a curve, the optimal transport between the sizes
that they have here and there: a photograph has few strong edges and little between them, a painting strokes
all over. Measured once for a shot, as the layers of the network are, this is a fixed function of few pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from scumble.palette import Array, Palette, exchange

TAPS = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
DETAILS = 4  # bands of detail, finest first; the rest is one more
REACH = 2 * ((1 << DETAILS) - 1)  # pixels to each side that one depends on
MOST_GAIN, LEAST_GAIN = 2.5, 0.4  # of a band, and of a curve: grain is not blown up, the plate not wiped out
FLOOR = 1e-6  # added to the covariances of bands
# the direction in which details are bent: along the others two per cent of style distance more are to be had, and
# blocks of a movie's subsampled colours come up in flat skies
GREY = np.ones(3) / 3**0.5
SHARES = (0.4, 0.7, 0.9, 0.98)  # of a band's details that are no larger than each of its sizes
EVERY = 3  # from one row and column to the next on which sizes are measured
LEAST_SIZE = 1e-5  # by which sizes are apart at least


@dataclass(frozen=True)
class Bands:
    """Mean colour (3,) and covariances (DETAILS + 1, 3, 3) of a picture's bands in the working space, finest first.

    `sizes` (DETAILS, len(SHARES)) are quantiles of the absolute values of each band's detail along GREY. Those of a
    shot are of its paintings once their covariances are the style's. `bending` is how far curves go towards them.
    """

    mean: Array
    covariance: Array
    sizes: Array | None = None
    bending: float = 1.0

    @classmethod
    def measure(cls, pixels: NDArray[np.floating], sizes: bool = True) -> Bands:
        """Of a picture (H, W, 3)."""
        x = np.ascontiguousarray(pixels, np.float32)
        found, quantiles = [], []
        for level in range(DETAILS):
            smooth = smoothed(x, level)
            detail = (x - smooth).reshape(-1, 3).astype(np.float64)
            found.append(detail.T @ detail / len(detail))
            if sizes:
                quantiles.append(np.quantile(np.abs(detail @ GREY), SHARES))
            x = smooth
        rest = Palette.measure(x)
        covariance = np.stack([*found, rest.covariance])
        return cls(rest.mean, covariance, np.stack(quantiles) if sizes else None)

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
        joined = cls(rest.mean, np.concatenate([details, rest.covariance[None]]))
        bending = np.array([w * p.bending if p.sizes is not None else 0.0 for w, p in zip(share, parts, strict=True)])
        if not bending.any():
            return joined
        # means of quantiles: the distribution between them in the sense of optimal transport
        sizes = sum(w * p.sizes for w, p in zip(bending, parts, strict=True) if p.sizes is not None) / bending.sum()
        return replace(joined, sizes=sizes, bending=float(bending.sum()))

    def recoloured(self, matrix: Array, mean: Array) -> Bands:
        """Bands of the picture whose colours went through `matrix`, around another mean."""
        turned = matrix @ self.covariance @ matrix.T
        sizes = None
        if self.sizes is not None:  # grown as the deviation along GREY has
            own, new = (c[:-1] @ GREY @ GREY for c in (self.covariance, turned))
            sizes = self.sizes * np.sqrt((new + FLOOR) / (own + FLOOR))[:, None]
        return replace(self, mean=mean, covariance=turned, sizes=sizes)


@dataclass(frozen=True)
class Curves:
    """What bends detail: `details` (DETAILS, 3 (DETAILS + 1)) times a picture and its blurs are a value v of each band.

    sum_k bends_k clip(v, -knots_k, knots_k) of every band is added along GREY; `knots` and `bends` (DETAILS, K - 1).
    """

    details: NDArray[np.float32]
    knots: NDArray[np.float32]
    bends: NDArray[np.float32]


@dataclass(frozen=True)
class BandMatch:
    """`matrix` (3, 3 (DETAILS + 1)) times a picture and its blurs, plus `offset` (3,), plus what `curves` add."""

    matrix: NDArray[np.float32]
    offset: NDArray[np.float32]
    curves: Curves | None = None


def band_match(own: Bands, wanted: Bands) -> BandMatch:
    """From a painting's bands to those of its style; gains are held between LEAST_GAIN and MOST_GAIN.

    With curves where both have sizes; what is faint grows no more by both together than by one.
    """
    floor = FLOOR * np.eye(3)
    maps = []
    for a, b in zip(own.covariance, wanted.covariance, strict=True):
        u, gains, v = np.linalg.svd(exchange(a + floor, b + floor))
        maps.append(u @ np.diag(np.clip(gains, LEAST_GAIN, MOST_GAIN)) @ v)
    offset = wanted.mean - maps[-1] @ own.mean
    curves = None
    if own.sizes is not None and wanted.sizes is not None:
        maps_of_details, before = np.stack(maps[:-1]), own.covariance[:-1] + floor
        after = maps_of_details @ before @ maps_of_details.transpose(0, 2, 1)
        grown = np.sqrt((after @ GREY @ GREY) / (before @ GREY @ GREY))
        slopes, knots = curve(own.sizes, wanted.sizes, np.maximum(1, MOST_GAIN / grown))
        slopes = slopes**wanted.bending
        details = np.concatenate([_of_blurs(level, GREY[None] @ maps[level]) for level in range(DETAILS)])
        bends = slopes[:, :-1] - slopes[:, 1:]
        curves = Curves(*(a.astype(np.float32) for a in (details, knots, bends)))
        # the slope beyond the last knot is a matter of the matrix
        beyond = np.eye(3) + (slopes[:, -1, None, None] - 1) * np.outer(GREY, GREY)
        maps[:-1] = list(beyond @ maps_of_details)
    matrix = np.sum([_of_blurs(level, of_band) for level, of_band in enumerate(maps)], axis=0)
    return BandMatch(matrix.astype(np.float32), offset.astype(np.float32), curves)


def _of_blurs(level: int, of_band: Array) -> Array:
    """What is done to a band, as done to blurs: bands are their differences."""
    found = np.zeros((len(of_band), 3 * (DETAILS + 1)))
    found[:, 3 * level : 3 * level + 3] = of_band
    if level < DETAILS:
        found[:, 3 * level + 3 : 3 * level + 6] = -of_band
    return found


def curve(own: Array, wanted: Array, most: Array) -> tuple[Array, Array]:
    """Slopes (..., K) of the curve from sizes (..., K) to those that are wanted, and its K - 1 knots.

    It is odd and linear between knots; slopes are held between LEAST_GAIN and `most` (...,).
    """
    steps, rises = (np.diff(a, axis=-1, prepend=0) for a in (own, wanted))
    slopes = np.clip((rises + LEAST_SIZE) / (steps + LEAST_SIZE), LEAST_GAIN, most[..., None])
    return slopes, own[..., :-1]


def sizes_of(paintings: Iterable[NDArray[np.float32]], share: Sequence[float], match: BandMatch) -> Array:
    """Sizes (DETAILS, K) of the details of pictures (H, W, 3), each weighted, after `match`, which is linear."""
    maps = np.stack([match.matrix[:, 3 * level : 3 * level + 3] for level in range(DETAILS)]).cumsum(0)
    values, weights = [], []
    for pixels, weight in zip(paintings, share, strict=True):
        x, details = np.ascontiguousarray(pixels, np.float32), []
        for level in range(DETAILS):
            smooth = smoothed(x, level)
            detail = (x - smooth)[::EVERY, ::EVERY].reshape(-1, 3)
            details.append(np.abs(detail @ (GREY @ maps[level]).astype(np.float32)))
            x = smooth
        values.append(np.stack(details))
        weights.append(np.full(len(details[0]), weight / len(details[0])))
    return _quantiles(np.concatenate(values, axis=1), np.concatenate(weights))


def _quantiles(values: NDArray[np.float32], weights: Array) -> Array:
    """Of weighted values (DETAILS, P): (DETAILS, K)."""
    order = np.argsort(values, axis=1)
    shares = np.cumsum(weights[order], axis=1) / weights.sum()
    places = np.stack([np.argmax(shares >= share - 1e-9, axis=1) for share in SHARES], axis=-1)
    return np.take_along_axis(np.take_along_axis(values, order, 1), places, 1).astype(np.float64)


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
