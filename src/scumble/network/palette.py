"""Colours by algebra: the optimal linear map from a plate's colours to a style's.

T = A^-1/2 (A^1/2 B A^1/2)^1/2 A^-1/2, the Monge-Kantorovich map between Gaussians [Pitie and
Kokaram 2007], A the plate's and B the style's colour covariance. Its singular values are capped from
above, so that grain is not blown up, and along the grey axis from below, so that a plate keeps its
contrast under a flat style; colour may vanish wholly, as under an engraving.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scumble.core.colour import LUMA

Array = NDArray[np.float64]

REFERENCE_SHARE = 0.25  # most weight of the reference photograph in pooled statistics

FLAT = 0.06  # deviation of luma within frames at which that weight is halved

LARGEST = 3.0  # singular value of T

LEAST_GREY = 0.3  # least share of the plate's grey contrast that T keeps

GREY = np.full(3, 3**-0.5)

MOST_GAIN = 8.0  # by which the style's palette is made lighter or darker, in display codes

FLOOR = 1e-5  # added to covariances: about (1/255)^2, a plate without colour has no direction to stretch


@dataclass(frozen=True)
class Palette:
    """Mean (3,) and covariance (3, 3) of colours in the working space."""

    mean: Array
    covariance: Array

    @classmethod
    def measure(cls, pixels: NDArray[np.floating]) -> Palette:
        """From any array whose last axis is RGB."""
        flat = np.asarray(pixels, np.float64).reshape(-1, 3)
        mean = flat.mean(axis=0)
        away = flat - mean
        return cls(mean, away.T @ away / len(flat))

    @classmethod
    def pool(cls, palettes: list[Palette], weights: list[float]) -> Palette:
        """The palette of all pixels together, each part weighted; weights are normalised."""
        share = np.asarray(weights, np.float64) / np.sum(weights)
        mean = sum((w * p.mean for w, p in zip(share, palettes, strict=True)), np.zeros(3))
        square = sum(
            (w * (p.covariance + np.outer(p.mean, p.mean)) for w, p in zip(share, palettes, strict=True)),
            np.zeros((3, 3)),
        )
        return cls(mean, square - np.outer(mean, mean))

    @classmethod
    def blend(cls, palettes: list[Palette], weights: list[float]) -> Palette:
        """Between palettes: means and covariances interpolated, without the spread between the means."""
        share = np.asarray(weights, np.float64) / np.sum(weights)
        mean = sum((w * p.mean for w, p in zip(share, palettes, strict=True)), np.zeros(3))
        covariance = sum((w * p.covariance for w, p in zip(share, palettes, strict=True)), np.zeros((3, 3)))
        return cls(mean, covariance)


@dataclass(frozen=True)
class Colouring:
    """Which colours a painting takes: the style's, unless something of the plate's or of another picture's is kept."""

    keep_color: float = 0.0
    """0 takes the style's colours, 1 keeps the plate's."""
    keep_exposure: float = 0.0
    """0 is as light or dark as the style, 1 as the plate, by a gain that leaves the style's hues."""
    palette: Palette | None = None
    """Colours of another picture instead of the style's."""

    def as_values(self) -> dict[str, object]:
        """Plain values, by which two are compared."""
        own = self.palette and [self.palette.mean.tolist(), self.palette.covariance.tolist()]
        return {"keep_color": self.keep_color, "keep_exposure": self.keep_exposure, "palette": own}


OWN_COLOURS = Colouring()


def reference_share(frames: Sequence[Palette]) -> float:
    """Weight of the reference photograph in the pooled statistics of a shot: the flatter its frames, the more.

    Flat frames without it would have their grain amplified to full contrast; frames that have contrast of
    their own only stray from the style by it. Contrast between frames, as in a fade, is no help to a flat one.
    """
    luma = np.asarray(LUMA)
    variance = float(np.mean([luma @ frame.covariance @ luma for frame in frames]))
    return REFERENCE_SHARE * FLAT**2 / (FLAT**2 + variance)


def exposed(style: Palette, plate: Palette, amount: float) -> Palette:
    """The style's palette under a gain that brings its mean luma to the plate's, by `amount` of 0 to 1 in stops."""
    luma = np.asarray(LUMA)
    ratio = float(luma @ plate.mean) / max(1e-3, float(luma @ style.mean))
    gain = float(np.clip(ratio, 1 / MOST_GAIN, MOST_GAIN)) ** amount
    return Palette(style.mean * gain, style.covariance * gain**2)


def recolouring(plate: Palette, style: Palette, colouring: Colouring = OWN_COLOURS) -> tuple[Array, Array]:
    """T (3, 3) and offset (3,) with p = T x + offset, from the plate's colours to the style's as `colouring` has it.

    `keep_color` 1 gives the identity. The last dimension of x is RGB in the working space.
    """
    style, keep_color = colouring.palette or style, colouring.keep_color
    if colouring.keep_exposure:
        style = exposed(style, plate, colouring.keep_exposure)
    a = plate.covariance + FLOOR * np.eye(3)
    b = style.covariance + FLOOR * np.eye(3)
    u, values, v = np.linalg.svd(exchange(a, b))
    t = u @ np.diag(np.minimum(values, LARGEST)) @ v
    t = t + max(0.0, LEAST_GREY - float(GREY @ t @ GREY)) * np.outer(GREY, GREY)
    offset = style.mean - t @ plate.mean
    return (1 - keep_color) * t + keep_color * np.eye(3), (1 - keep_color) * offset


def exchanged(plate: Palette, style: Palette, colouring: Colouring = OWN_COLOURS) -> tuple[Array, Array]:
    """Matrix (3, 3) from the style's colours to those that `colouring` asks for, and their mean (3,).

    The identity where the style's own are asked for. Nothing is capped: it is of a style's statistics, not of pixels.
    """
    aimed, keep = colouring.palette or style, colouring.keep_color
    if colouring.keep_exposure:
        aimed = exposed(aimed, plate, colouring.keep_exposure)
    if aimed is style and not keep:
        return np.eye(3), style.mean
    floor = FLOOR * np.eye(3)
    t = (1 - keep) * exchange(plate.covariance + floor, aimed.covariance + floor) + keep * np.eye(3)
    wanted = t @ (plate.covariance + floor) @ t
    return exchange(style.covariance + floor, wanted), (1 - keep) * aimed.mean + keep * plate.mean


def exchange(a: Array, b: Array) -> Array:
    """The Monge-Kantorovich map T (3, 3) between Gaussians of covariances A and B: T A T' = B, T symmetric."""
    root, inverse = _power(a, 0.5), _power(a, -0.5)
    return inverse @ _power(root @ b @ root, 0.5) @ inverse


def _power(symmetric: Array, exponent: float) -> Array:
    values, vectors = np.linalg.eigh(symmetric)
    powers: Array = (vectors * np.maximum(values, 1e-12) ** exponent) @ vectors.T
    return powers
