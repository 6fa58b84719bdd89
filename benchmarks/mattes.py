"""How steady a found matte is: how far its edge moves from frame to frame beyond the plate's own motion.

python benchmarks/mattes.py samples/sintel_walk.mp4

The difference of a frame's matte and the next one's brought onto it by optical flow, where that can be
followed, summed over the frame and divided by the length of the edge: pixels by which the edge moved.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

from scumble.core.frames import Pixels
from scumble.core.pixels import resized
from scumble.core.working_space import to_working
from scumble.media.open import open_plate
from scumble.media.plate import Plate
from scumble.shot.motion import OpticalFlow, consistent, resized_flow, warp
from scumble.shot.people import LINES, PersonMatte, person_model, refined


def movement(a: Pixels, b: Pixels, there: Pixels, back: Pixels) -> float:
    """Pixels that the edge of matte a (H, W) moves beyond the flow to b."""
    size = (a.shape[1], a.shape[0])
    known = resized(consistent(there, back).astype(np.float32), size) > 0.99
    difference = np.abs(warp(b, resized_flow(there, size), smooth=False) - a) * known
    return float(difference.sum() / max(1.0, edge(a), edge(b)))


def edge(matte: Pixels) -> float:
    """Length in pixels of a matte's edge."""
    across, down = (cv2.Sobel(matte, cv2.CV_32F, i, 1 - i, scale=1 / 8) for i in (1, 0))
    return float(np.hypot(across, down).sum())


def measure(plate: Plate) -> dict[str, tuple[float, float, float]]:
    """Mean and 95th percentile of the movement, and seconds a frame, by kind of matte."""
    motion, alone, fitted = OpticalFlow(), {}, {}
    seconds = {
        "found in each frame alone": 0.0,
        "and fitted to the plate's edges": 0.0,
        "and steadied (what is used)": 0.0,
    }
    names = list(seconds)
    for frame in plate.read(plate.numbers):
        picture = np.clip(to_working(frame.pixels, frame.colour_space).pixels, 0, 1)
        motion.see(frame.number, picture)
        began = time.perf_counter()
        height, width = picture.shape[:2]
        lines = min(LINES, height)
        smaller = resized(picture, (round(width * lines / height), lines))
        mask = person_model().mask(smaller, person_model().figures(smaller))
        mask = np.zeros((lines, round(width * lines / height)), np.float32) if mask is None else mask
        alone[frame.number] = resized(mask, (width, height))
        seconds[names[0]] += time.perf_counter() - began
        fitted[frame.number] = refined(mask, picture)
        seconds[names[1]] += time.perf_counter() - began
    whole, began = PersonMatte(plate), time.perf_counter()
    steady = {n: whole.of(n)[:, :, 0] for n in plate.numbers}
    seconds[names[2]] = time.perf_counter() - began
    found = {}
    for name, mattes in zip(names, (alone, fitted, steady), strict=True):
        moved = [
            movement(mattes[n], mattes[n + 1], motion.flow(n, n + 1), motion.flow(n + 1, n)) for n in plate.numbers[:-1]
        ]
        found[name] = float(np.mean(moved)), float(np.percentile(moved, 95)), seconds[name] / len(plate.numbers)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plate", type=Path)
    plate = open_plate(parser.parse_args().plate)
    print(f"{plate.path.name}, {plate.size[0]}x{plate.size[1]}, {len(plate.numbers)} frames")
    print("| matte | edge moves by (mean) | 95 % below | s a frame |")
    print("|---|---|---|---|")
    for name, (mean, most, seconds) in measure(plate).items():
        print(f"| {name} | {mean:.2f} px | {most:.2f} px | {seconds:.2f} |")


if __name__ == "__main__":
    main()
