"""Figures of a painting: how near its style, how true to its content, how steady, how sharp.

Pictures are (H, W, 3) in the working space, about [0, 1]; features are (C, h, w) maps by layer. All
are pure functions; a *fixed function* paints one shot: pixels in, pixels out, statistics frozen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from scumble.core.colour import LUMA

Pixels = NDArray[np.float32]

Maps = Mapping[str, NDArray[np.float32]]

Fixed = Callable[[Pixels], Pixels]

BORDER = 32  # pixels left out around a pan: what enters at the border was not there before


def style_distance(painting: Maps, style: Maps) -> float:
    """Squared difference of channel means and deviations over the style's own, mean of the layers."""
    by_layer = []
    for layer, b in style.items():
        (mean_a, dev_a), (mean_b, dev_b) = _moments(painting[layer]), _moments(b)
        difference = np.square(mean_a - mean_b).mean() + np.square(dev_a - dev_b).mean()
        by_layer.append(difference / (np.square(mean_b).mean() + np.square(dev_b).mean()))
    return float(np.mean(by_layer))


def gram_distance(painting: Maps, style: Maps) -> float:
    """Squared difference of Gram matrices over the style's own size, mean of the layers [Gatys 1508.06576]."""
    by_layer = []
    for layer, b in style.items():
        gram_a, gram_b = _gram(painting[layer]), _gram(b)
        by_layer.append(np.square(gram_a - gram_b).sum() / np.square(gram_b).sum())
    return float(np.mean(by_layer))


def content_distance(painting: Maps, content: Maps, layer: str = "relu4_1") -> float:
    """Mean squared difference of instance-normalised features: structure without style."""
    a, b = (_normalised(maps[layer]) for maps in (painting, content))
    return float(np.square(a - b).mean())


def lpips_like(painting: Maps, content: Maps) -> float:
    """Squared difference of features scaled to length 1 at every place, mean over places and layers.

    LPIPS [Zhang 1801.03924] without its learned weights, hence "like".
    """
    by_layer = []
    for layer, b in content.items():
        x, y = (m / (np.sqrt(np.square(m).sum(0, keepdims=True)) + 1e-10) for m in (painting[layer], b))
        by_layer.append(np.square(x - y).sum(0).mean())
    return float(np.mean(by_layer))


def ssim(painting: Pixels, content: Pixels) -> float:
    """Structural similarity of luma: Gaussian window of 11 pixels, deviation 1.5 [Wang 2004]. 1 is equal."""
    a, b = luma(painting).clip(0, 1), luma(content).clip(0, 1)

    def mean(x: Pixels) -> Pixels:
        return np.asarray(cv2.GaussianBlur(x, (11, 11), 1.5), np.float32)[5:-5, 5:-5]

    m_a, m_b = mean(a), mean(b)
    v_a, v_b, v_ab = mean(a * a) - m_a * m_a, mean(b * b) - m_b * m_b, mean(a * b) - m_a * m_b
    c1, c2 = 0.01**2, 0.03**2
    score = (2 * m_a * m_b + c1) * (2 * v_ab + c2) / ((m_a**2 + m_b**2 + c1) * (v_a + v_b + c2))
    return float(score.mean())


def sharpness(picture: Pixels) -> float:
    """Mean absolute Laplacian of luma, x 255."""
    return float(np.abs(cv2.Laplacian(luma(picture).clip(0, 1), cv2.CV_32F)).mean() * 255)


def pan_error(fixed: Fixed, picture: Pixels, shift: float) -> float:
    """RMS x 255 of the painting of the picture moved by `shift` pixels against the painting moved.

    Both are moved to the left by the same band-limited interpolation; whole pixels are exact. The
    windows have one size; `BORDER` pixels around are left out.
    """
    whole = int(np.ceil(shift)) + 1
    width = picture.shape[1] - whole
    here = fixed(np.ascontiguousarray(picture[:, :width]))
    there = fixed(np.ascontiguousarray(moved(picture, shift)[:, :width]))
    difference = (there - moved(here, shift))[BORDER:-BORDER, BORDER : -BORDER - whole]
    return float(np.sqrt(np.square(difference).mean()) * 255)


def static_half(fixed: Fixed, picture: Pixels, others: tuple[Pixels, Pixels], reach: int) -> float:
    """Largest difference x 255 in a picture's painting when what stands beside it changes.

    `reach` pixels at the seam, which may depend on the neighbour, are left out; statistics are frozen
    inside `fixed`, where it has any.
    """
    one, two = (fixed(np.ascontiguousarray(np.concatenate([picture, other], axis=1))) for other in others)
    kept = picture.shape[1] - reach
    return float(np.abs(one[:, :kept] - two[:, :kept]).max() * 255)


def moved(pixels: Pixels, shift: float) -> Pixels:
    """Pixels (H, W, 3) moved left by `shift` >= 0 pixels; what enters at the right is not defined."""
    whole = int(shift)
    x = np.roll(pixels, -whole, axis=1)
    if whole == shift:
        return x
    # mirrored first: a period without a jump at its ends does not ring
    mirrored = np.concatenate([x, x[:, ::-1]], axis=1)
    spectrum = np.fft.rfft(mirrored, axis=1)
    turn = np.exp(2j * np.pi * np.fft.rfftfreq(mirrored.shape[1]) * (shift - whole))
    back = np.fft.irfft(spectrum * turn[None, :, None], mirrored.shape[1], axis=1)
    return np.ascontiguousarray(back[:, : x.shape[1]], np.float32)


def luma(picture: Pixels) -> Pixels:
    """(H, W, 3) to (H, W)."""
    return np.ascontiguousarray(picture @ np.asarray(LUMA, np.float32))


def _moments(maps: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    flat = maps.reshape(len(maps), -1).astype(np.float64)
    return flat.mean(axis=1), flat.std(axis=1)


def _gram(maps: NDArray[np.float32]) -> NDArray[np.float64]:
    flat = maps.reshape(len(maps), -1).astype(np.float64)
    gram: NDArray[np.float64] = flat @ flat.T / flat.size
    return gram


def _normalised(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    mean, variance = maps.mean(axis=(1, 2), keepdims=True), maps.var(axis=(1, 2), keepdims=True)
    normalised: NDArray[np.float32] = (maps - mean) / np.sqrt(variance + 1e-5)
    return normalised
