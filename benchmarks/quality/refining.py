"""What refining is worth: instant and refined looks of the same paintings, on a frame that none of them was refined on.

    python benchmarks/quality/refining.py --pair SHOT PAINTING [--pair ...] [--steps 500 | --minutes 5] -o FOLDER

The look is refined on the first three quarters of each shot (`--steps`, or some minutes) and judged on its
last frame, by VGG features and by Gabor filters that nobody trained. Pairs that are done already are kept, so that a
stopped run goes on.
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
from scumble.quality.evaluate import NamedPicture, Pixels, gather, open_subject

SCUMBLE = [sys.executable, "-m", "scumble.cli"]

SEEN = 0.75  # of a shot, that is refined on

HELD = 0.001  # run.content_held of the recipe

SIZE = 384  # short side of what is judged


def run(*words: str | Path) -> None:
    """A command of ours."""
    subprocess.run([*SCUMBLE, *map(str, words)], check=True)


def seen_and_last(shot: Path, place: Path) -> tuple[Path, Path]:
    """The first part of a shot as a movie, and its last frame as a picture."""
    numbers = open_plate(shot).numbers
    seen, last = place / "seen.mov", place / "last.png"
    as_it_is = ("render", shot, "--look", "identity", "--progress", "none", "--overwrite")
    run(*as_it_is, "--frames", f"{numbers[0]}-{numbers[round(len(numbers) * SEEN) - 1]}", "-o", seen)
    run(*as_it_is, "--frames", str(numbers[-1]), "-o", place / "last.####.png")
    next(place.glob("last.*.png")).rename(last)
    return seen, last


def judged(
    look: Path, plate: NamedPicture, painting: NamedPicture, features: Features
) -> tuple[dict[str, Any], Pixels]:
    """Figures of a look on the frame, and its picture."""
    picture = open_subject(str(look)).fixed(plate.pixels, painting)(plate.pixels)
    of_picture, of_painting = features(picture), features(painting.pixels)
    figures = {
        "style": metrics.style_distance(of_picture, of_painting),
        "gram": metrics.gram_distance(of_picture, of_painting),
        "filters": metrics.style_distance(filters(picture), filters(painting.pixels)),
        "content": metrics.content_distance(of_picture, features(plate.pixels)),
        "sharpness": metrics.sharpness(picture) / max(1e-6, metrics.sharpness(plate.pixels)),
    }
    return figures, picture


def as_picture(pixels: Pixels) -> Image.Image:
    """8 bits."""
    return Image.fromarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8))


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
    seen, last = seen_and_last(shot, place)
    run("look", "make", painting, "-o", place / "instant.look", "--overwrite")
    if not (place / "refined.look").is_file():
        words = ["--style", painting, "--content", seen, "-o", place / "refined.look"]
        run("look", "train", *words, *limit, "--progress", "none")
    (plate,), (style,) = gather([last], "content", SIZE), gather([painting], "style", SIZE)
    found = {which: judged(place / f"{which}.look", plate, style, features) for which in ("instant", "refined")}
    pictures = [found[which][1] for which in ("instant", "refined")]
    refined_is_a = bool(zlib.crc32(name.encode()) & 1)
    pictures = pictures[::-1] if refined_is_a else pictures
    (folder / "pairs").mkdir(exist_ok=True)
    row = [as_picture(p) for p in (style.pixels, plate.pixels, *pictures)]
    side_by_side(row).save(folder / "pairs" / f"{name}.png")
    return {
        "pair": name,
        "refined_is": "A" if refined_is_a else "B",
        **{k: figures for k, (figures, _) in found.items()},
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
    ratios = [row["refined"]["style"] / row["instant"]["style"] for row in rows]
    better = sum(
        row["refined"]["style"] < row["instant"]["style"]
        and row["refined"]["content"] <= row["instant"]["content"] * (1 + HELD)
        for row in rows
    )
    print(
        f"\n{better} of {len(rows)} better at no more content; style distance {np.mean(ratios):.3f} times, in the mean"
    )


if __name__ == "__main__":
    main()
