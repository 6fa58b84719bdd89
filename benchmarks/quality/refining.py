"""What refining is worth: instant and refined looks of the same paintings, on a frame that none of them was refined on.

    python benchmarks/quality/refining.py --pair SHOT PAINTING [--pair ...] [--steps 500 | --minutes 5] -o FOLDER

The look is refined on the first three quarters of each shot (`--steps`, or some minutes) and judged on its last frame
as `scumble render` paints it, by VGG features and by Gabor filters that nobody trained. Pairs that are done already are
kept, so that a stopped run goes on.
FOLDER/pairs gets a picture of each pair for eyes that do not know: painting, plate, A and B; FOLDER/key.json says
which of them is refined.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from run import filters  # of this folder

from scumble.core.downloads import vgg_path
from scumble.media.open import open_plate
from scumble.network.vgg import Features
from scumble.quality import metrics
from scumble.quality.evaluate import Pixels, gather

SCUMBLE = [sys.executable, "-m", "scumble.cli"]

SEEN = 0.75  # of a shot, that is refined on

SIZE = 384  # short side of what is judged


def run(*words: str | Path) -> None:
    """A command of ours."""
    subprocess.run([*SCUMBLE, *map(str, words)], check=True)


def last_of(shot: Path, look: str | Path, place: Path, name: str) -> Path:
    """The shot's last frame, rendered with a look into a PNG of that name."""
    number = open_plate(shot).numbers[-1]
    words = ("--progress", "none", "--overwrite", "--frames", str(number))
    run("render", shot, "--look", look, *words, "-o", place / f"{name}.####.png")
    picture = place / f"{name}.png"
    next(place.glob(f"{name}.*.png")).replace(picture)
    return picture


def seen_of(shot: Path, place: Path) -> Path:
    """The first part of a shot as a movie."""
    numbers, seen = open_plate(shot).numbers, place / "seen.mov"
    if not seen.is_file():
        frames = f"{numbers[0]}-{numbers[round(len(numbers) * SEEN) - 1]}"
        run("render", shot, "--look", "identity", "--progress", "none", "--frames", frames, "-o", seen)
    return seen


def judged(picture: Pixels, plate: Pixels, painting: Pixels, features: Features) -> dict[str, float]:
    """Figures of a painted frame."""
    of_picture, of_painting = features(picture), features(painting)
    return {
        "style": metrics.style_distance(of_picture, of_painting),
        "gram": metrics.gram_distance(of_picture, of_painting),
        "filters": metrics.style_distance(filters(picture), filters(painting)),
        "content": metrics.content_distance(of_picture, features(plate)),
        "sharpness": metrics.sharpness(picture) / max(1e-6, metrics.sharpness(plate)),
    }


def side_by_side(pictures: list[Image.Image]) -> Image.Image:
    """In a row, at their own sizes."""
    canvas = Image.new("RGB", (sum(p.width + 8 for p in pictures), max(p.height for p in pictures)), "white")
    at = 0
    for picture in pictures:
        canvas.paste(picture, (at, 0))
        at += picture.width + 8
    return canvas


def measure(shot: Path, painting: Path, limit: list[str], folder: Path, features: Features) -> dict[str, Any]:
    """One pair: both looks made, judged and drawn."""
    name = f"{shot.stem}-{painting.stem}"
    place = folder / "work" / name
    place.mkdir(parents=True, exist_ok=True)
    seen, plate = seen_of(shot, place), last_of(shot, "identity", place, "plate")
    run("look", "make", painting, "-o", place / "instant.look", "--overwrite")
    if not (place / "refined.look").is_file():
        words = ["--style", painting, "--content", seen, "-o", place / "refined.look"]
        run("look", "train", *words, *limit, "--progress", "none")
    frames = {which: last_of(shot, place / f"{which}.look", place, which) for which in ("instant", "refined")}
    (style,), (of_plate,) = gather([painting], "style", SIZE), gather([plate], "content", SIZE)
    found = {
        which: judged(gather([frame], "content", SIZE)[0].pixels, of_plate.pixels, style.pixels, features)
        for which, frame in frames.items()
    }
    refined_is_a = bool(zlib.crc32(name.encode()) & 1)
    pictures = list(frames.values())[::-1] if refined_is_a else list(frames.values())
    (folder / "pairs").mkdir(exist_ok=True)
    side_by_side([Image.open(p).convert("RGB") for p in (painting, plate, *pictures)]).save(
        folder / "pairs" / f"{name}.png"
    )
    return {
        "pair": name,
        "refined_is": "A" if refined_is_a else "B",
        **found,
    }


def main() -> None:
    """See the module's head."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pair", nargs=2, action="append", required=True, type=Path, metavar=("SHOT", "PAINTING"))
    limits = parser.add_mutually_exclusive_group()
    limits.add_argument("--steps", type=int, default=500)
    limits.add_argument("--minutes", type=float)
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    kept = given.output / "results.json"
    rows: list[dict[str, Any]] = json.loads(kept.read_text()) if kept.is_file() else []
    limit = ["--minutes", str(given.minutes)] if given.minutes else ["--steps", str(given.steps)]
    features = Features(vgg_path())
    for shot, painting in given.pair:
        if any(row["pair"] == f"{shot.stem}-{painting.stem}" for row in rows):
            continue
        rows.append(measure(shot, painting, limit, given.output, features))
        kept.write_text(json.dumps(rows, indent=1) + "\n")
    (given.output / "key.json").write_text(json.dumps({row["pair"]: row["refined_is"] for row in rows}, indent=1))
    print("| pair | style | gram | filters | content | sharpness |\n|---|---|---|---|---|---|")
    for row in rows:
        cells = [f"{row['instant'][c]:.3f} > {row['refined'][c]:.3f}" for c in row["instant"]]
        print(f"| {row['pair']} | " + " | ".join(cells) + " |")
    for kind in ("filters", "style"):
        ratios = [row["refined"][kind] / row["instant"][kind] for row in rows]
        better = sum(
            ratio < 1 and row["refined"]["content"] <= row["instant"]["content"]
            for ratio, row in zip(ratios, rows, strict=True)
        )
        print(f"\n{kind}: {better} of {len(rows)} nearer at no more content; {np.mean(ratios):.3f} times, in the mean")


if __name__ == "__main__":
    main()
