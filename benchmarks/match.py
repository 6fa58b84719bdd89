"""How near matched looks come to a painting that is known for every frame.

python benchmarks/match.py WORK --toy FOLDER [--filmed samples/sintel_walk.mp4] [--minutes 10] [--keys 1 2 3]

Two shots: `FOLDER` as benchmarks/toy_shot.py renders it in Blender (geometry under ordinary and under toon
materials), and the filmed clip under a painting filter that is anchored to its content. With 1, 2 and 3 of the true
frames as keys: `scumble look match`, and what its network has learned alone, against the nearest key warped by
optical flow and against the instant look of the keys. Figures are means over the frames 8 or more away from any key,
whole, and where the nearest key does not show what is there (its flow there and back disagrees). Written to
WORK/match.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from scumble.core.colour import DISPLAY
from scumble.core.downloads import vgg_path
from scumble.core.frames import Frame, Pixels
from scumble.core.pixels import resized
from scumble.media.open import open_plate
from scumble.media.picture_reader import read_picture
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings
from scumble.network.vgg import Features
from scumble.shot.motion import Mask, OpticalFlow, consistent, resized_flow, warp

FAR = 8  # frames from any key
SIZE = (640, 272)
KEYS = {1: (30,), 2: (15, 46), 3: (10, 30, 50)}
FIGURES = ("LPIPS-like", "PSNR", "difference", "temporal")


def painting(pixels: Pixels) -> Pixels:
    """A painter's filter of fixed parameters: flat, posterised light, contours, marks along its levels, new colours."""
    flat = (pixels.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    for _ in range(2):
        flat = cv2.bilateralFilter(flat, 9, 60, 9)
    light = cv2.cvtColor(flat, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    steps = cv2.GaussianBlur(np.floor(light * 7) / 7 + 0.07, (0, 0), 1.2)[:, :, None]
    contour = np.abs(cv2.Laplacian(cv2.GaussianBlur(light, (0, 0), 1.5), cv2.CV_32F, ksize=5))
    contour = np.clip(contour * 1.5 - 0.05, 0, 1)[:, :, None]
    marks = 0.5 + 0.5 * np.sin(120 * light)[:, :, None]
    dark, middle, bright = np.array([[0.25, 0.1, 0.35], [0.8, 0.35, 0.25], [1.0, 0.85, 0.55]], np.float32)
    ramp = np.where(steps < 0.5, dark + (middle - dark) * steps * 2, middle + (bright - middle) * (steps * 2 - 1))
    chroma = flat.astype(np.float32) / 255 - light[:, :, None]
    return np.clip(ramp + 1.5 * chroma - 0.25 * contour + 0.08 * (marks - 0.5), 0, 1).astype(np.float32)


def filmed(movie: Path, folder: Path) -> None:
    """The clip at `SIZE` and its painting, as sequences."""
    plate = open_plate(movie)
    for frame in plate.read(plate.numbers):
        pixels = np.round(resized(frame.pixels, SIZE).clip(0, 1) * 255) / 255
        for name, shown in (("plate/p", pixels), ("true/t", painting(pixels.astype(np.float32)))):
            target = folder / f"{name}.{frame.number:04d}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            write_picture(target, Frame(frame.number, shown.astype(np.float32), DISPLAY), WriterSettings())


def sequence(folder: Path) -> dict[int, Pixels]:
    """Pictures by the number in their names."""
    return {int(p.stem.rpartition(".")[2]): read_picture(p)[0] for p in sorted(folder.glob("*.png"))}


def distances(a: dict[str, Pixels], b: dict[str, Pixels], size: tuple[int, int]) -> Pixels:
    """Map (H, W) of the squared distance of unit features, mean of the layers."""
    found = []
    for layer, y in b.items():
        u, v = (m / (np.sqrt(np.square(m).sum(0, keepdims=True)) + 1e-10) for m in (a[layer], y))
        found.append(cv2.resize(np.square(u - v).sum(0).astype(np.float32), size, interpolation=cv2.INTER_LINEAR))
    return np.asarray(np.mean(found, axis=0), np.float32)


class Judge:
    """Figures of a painted shot against its true painting."""

    def __init__(
        self, plate: dict[int, Pixels], true: dict[int, Pixels], keys: Sequence[int], features: Features
    ) -> None:
        self.true, self.keys, self.features = true, keys, features
        self.far = [n for n in true if min(abs(n - k) for k in keys) >= FAR]
        self.size = (next(iter(true.values())).shape[1], next(iter(true.values())).shape[0])
        self.motion = OpticalFlow()
        for n, picture in plate.items():
            self.motion.see(n, picture)
        self.of_true = {n: features(true[n]) for n in self.far}

    def nearest(self, n: int) -> int:
        """The key frame nearest to a frame."""
        return min(self.keys, key=lambda k: abs(n - k))

    def flow(self, n: int) -> Pixels:
        """Flow of a frame to its nearest key."""
        return resized_flow(self.motion.flow(n, self.nearest(n)), self.size)

    def unseen(self, n: int) -> Mask:
        """Where the nearest key does not show what is in a frame."""
        back = resized_flow(self.motion.flow(self.nearest(n), n), self.size)
        return np.asarray(~consistent(self.flow(n), back))

    def figures(self, painted: Callable[[int], Pixels]) -> dict[str, dict[str, float]]:
        """Means over the far frames, whole and of their unseen parts."""
        rows: dict[str, list[tuple[float, ...]]] = {"whole": [], "unseen": []}
        kept = {n: painted(n).clip(0, 1) for n in self.far}
        for n in self.far:
            perceived = distances(self.features(kept[n]), self.of_true[n], self.size)
            difference = kept[n] - self.true[n]
            flicker = difference - (kept[n + 1] - self.true[n + 1]) if n + 1 in kept else None
            for name, mask in (("whole", np.ones(self.size[::-1], bool)), ("unseen", self.unseen(n))):
                if not mask.any():
                    continue
                psnr = -10 * np.log10(max(1e-10, float(np.square(difference[mask]).mean())))
                moving = np.nan if flicker is None else 255 * float(np.abs(flicker[mask]).mean())
                rows[name].append(
                    (float(perceived[mask].mean()), psnr, 255 * float(np.abs(difference[mask]).mean()), moving)
                )
        return {
            name: dict(zip(FIGURES, np.nanmean(found, axis=0).tolist(), strict=True)) for name, found in rows.items()
        }


def run(*words: object) -> None:
    """The installed command."""
    subprocess.run([Path(sys.executable).with_name("scumble"), *map(str, words)], check=True)


def measure(
    shot: Path, keys: Sequence[int], minutes: float, threads: int, folder: Path
) -> dict[str, dict[str, dict[str, float]]]:
    """Figures by way; the looks, renders and timings stay in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    pattern = shot / "plate/p.####.png"
    plate, true = sequence(shot / "plate"), sequence(shot / "true")
    painted = [shot / f"true/t.{k:04d}.png" for k in keys]
    run("look", "make", *painted, "-o", folder / "instant.look", "--overwrite")
    look = folder / "matched.look"
    if not look.exists():
        limits = ["--minutes", minutes, "--threads", threads]
        run("look", "match", "--plate", pattern, "--painted", *painted, "-o", look, *limits)
    judge = Judge(plate, true, keys, Features(vgg_path()))
    found = {"key warped": judge.figures(lambda n: warp(true[judge.nearest(n)], judge.flow(n)))}
    for name, carry in (("instant", 1), ("matched", 1), ("learned", 0)):
        shutil.rmtree(folder / name, ignore_errors=True)
        run(
            "render",
            pattern,
            "--look",
            folder / ("instant.look" if name == "instant" else "matched.look"),
            "-o",
            folder / name / "m.####.png",
            "--carry",
            carry,
            "--progress",
            "none",
        )
        pictures = sequence(folder / name)
        found[name] = judge.figures(pictures.__getitem__)
    return found


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("work", type=Path)
    parser.add_argument("--toy", type=Path)
    parser.add_argument("--filmed", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--threads", type=int, default=0, help="of the training; 0 leaves the choice to torch")
    parser.add_argument("--keys", type=int, nargs="+", choices=(1, 2, 3), default=[1, 2, 3])
    options = parser.parse_args()
    shots = {} if options.toy is None else {"toy": options.toy}
    if options.filmed is not None:
        shots["filmed"] = options.work / "filmed"
        if not shots["filmed"].exists():
            filmed(options.filmed, shots["filmed"])
    lines = [
        "| shot, keys | way | " + " | ".join(f"{f}, {part}" for part in ("whole", "unseen") for f in FIGURES) + " |",
        "|---|---|" + "---|" * 8,
    ]
    for name, shot in shots.items():
        for count in options.keys:
            folder = options.work / f"{name}_{count}_{options.minutes:g}min"
            found = measure(shot, KEYS[count], options.minutes, options.threads, folder)
            (folder / "figures.json").write_text(json.dumps(found, indent=1))
            for way, parts in found.items():
                values = [parts[part][figure] for part in ("whole", "unseen") for figure in FIGURES]
                digits = (3, 1, 1, 1) * 2
                cells = " | ".join(f"{v:.{d}f}" for v, d in zip(values, digits, strict=True))
                lines.append(f"| {name}, {count} | {way} | {cells} |")
            print("\n".join(lines), flush=True)
    (options.work / "match.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
