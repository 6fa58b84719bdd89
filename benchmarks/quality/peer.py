"""A peer that paints on request, in its own environment: arrays come in by stdin, paintings go out by stdout.

    python benchmarks/quality/peer.py stl-arbitrary | microast FOLDER

Asked with a content and a style picture (two .npy, uint8 (H, W, 3)) it answers with one .npy of the content's size.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
import subject


def main() -> None:
    """See the module's head."""
    kind, *words = sys.argv[1:]
    make = {"stl-arbitrary": subject.stl_arbitrary, "microast": subject.microast}[kind]
    source, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # what a peer prints is no answer
    while size := source.read(8):
        asked = io.BytesIO(source.read(int.from_bytes(size, "little")))
        content, style = np.load(asked), np.load(asked)
        painted: Any = np.asarray(make(*words, padded(content), style)())
        if painted.dtype != np.uint8:  # (1, 3, H, W) in about [0, 1]
            painted = (painted[0].transpose(1, 2, 0).clip(0, 1) * 255 + 0.5).astype(np.uint8)
        data = io.BytesIO()
        np.save(data, painted[: content.shape[0], : content.shape[1]])
        answers.write(len(data.getvalue()).to_bytes(8, "little") + data.getvalue())
        answers.flush()


def padded(picture: np.ndarray) -> np.ndarray:
    """Sides as multiples of 4, which MicroAST would round to."""
    return np.pad(picture, ((0, -picture.shape[0] % 4), (0, -picture.shape[1] % 4), (0, 0)), mode="reflect")


if __name__ == "__main__":
    main()
