"""The picture in docs/steadiness.md: a frame painted and steadied, its warping error, and where neighbours are trusted.

    python benchmarks/steady/picture.py SCENE_FOLDER

Above: plate, painting, stabilised along the vectors. Below: warping error (x 4) before and after, and trust in the
frame before.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from scumble.core.working_space import to_working
from scumble.look.shipped import find_look
from scumble.media.open import open_plate
from scumble.rendering.options import RenderSettings
from scumble.rendering.run import render
from scumble.rendering.stabiliser import trusted
from scumble.shot.motion import RenderedVectors, consistent, vectors_of, warp

NUMBERS = tuple(range(1006, 1013))
SHOWN = 1010
WIDTH = 480


def main() -> None:
    """See the module's head."""
    plate = open_plate(Path(sys.argv[1]) / "scene.####.exr")
    seen = {f.number: to_working(f.pixels, f.colour_space).pixels for f in plate.read(NUMBERS)}
    motion = RenderedVectors(plate.files, vectors_of(plate.files[SHOWN]))
    for number, pixels in seen.items():
        motion.see(number, pixels)
    there, back = motion.flow(SHOWN, SHOWN - 1), motion.flow(SHOWN - 1, SHOWN)
    assert there is not None
    assert back is not None
    followed = consistent(there, back)
    painted, errors = [], []
    with tempfile.TemporaryDirectory() as folder:
        for name in (None, "vectors"):
            pattern = Path(folder) / f"{name}.####.exr"
            settings = RenderSettings(frames=NUMBERS, stabilize=name)  # type: ignore[arg-type]
            render(plate.path, find_look("mackerel"), pattern, settings)
            frames = {f.number: to_working(f.pixels, f.colour_space).pixels for f in open_plate(pattern).read(NUMBERS)}
            painted.append(frames[SHOWN])
            error = np.abs(frames[SHOWN] - warp(frames[SHOWN - 1], there)).mean(axis=2) * followed
            errors.append(cv2.applyColorMap((error * 4 * 255).clip(0, 255).astype(np.uint8), cv2.COLORMAP_INFERNO))
    trust = trusted(seen[SHOWN], seen[SHOWN - 1], there, back, 1)
    shown = [(p.clip(0, 1)[:, :, ::-1] * 255 + 0.5).astype(np.uint8) for p in (seen[SHOWN], *painted)]
    shown += [*errors, cv2.applyColorMap((trust * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)]
    height = round(WIDTH * trust.shape[0] / trust.shape[1])
    small = [cv2.resize(p, (WIDTH, height), interpolation=cv2.INTER_AREA) for p in shown]
    page = np.concatenate([np.concatenate(small[:3], axis=1), np.concatenate(small[3:], axis=1)])
    cv2.imwrite(str(Path(__file__).parents[2] / "docs" / "steady.jpg"), page, [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
