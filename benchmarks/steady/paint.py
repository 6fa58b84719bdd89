"""Frames painted one by one by a peer, in its own environment.

    python benchmarks/steady/paint.py KIND [ARGUMENT...] --frames FOLDER --style STYLE.npy --out FOLDER

KIND is one of benchmarks/subject.py; FOLDER holds NAME.npy, uint8 (H, W, 3), and so will the other.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
import subject


def main() -> None:
    """See the module's head."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", nargs="+")
    parser.add_argument("--frames", type=Path, required=True)
    parser.add_argument("--style", required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    kind, *words = given.kind
    make = {"stl-arbitrary": subject.stl_arbitrary, "microast": subject.microast}[kind]
    style = np.load(given.style)
    given.out.mkdir(exist_ok=True)
    for file in sorted(given.frames.glob("*.npy")):
        painted = np.asarray(make(*words, np.load(file), style)())
        if painted.dtype != np.uint8:  # (1, 3, H, W) in about [0, 1]
            painted = (painted[0].transpose(1, 2, 0).clip(0, 1) * 255 + 0.5).astype(np.uint8)
        np.save(given.out / file.name, painted)


if __name__ == "__main__":
    main()
