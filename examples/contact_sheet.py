"""Paint a few frames of a shot with several looks and lay them out on one sheet.

python examples/contact_sheet.py samples/sintel_walk.mp4 sheet.jpg auvers mackerel identity
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from scumble.core.colour import DISPLAY
from scumble.core.frames import Frame, Pixels
from scumble.core.pixels import resized
from scumble.look.bake import bake
from scumble.look.shipped import find_look
from scumble.look.statistics import shot_statistics
from scumble.media.open import open_plate
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings
from scumble.network.engine import open_engine
from scumble.rendering.frame import LookInFrame, paint_frame
from scumble.rendering.options import RenderSettings
from scumble.rendering.plan import plan


def contact_sheet(plate_path: Path, looks: list[str], count: int, width: int, columns: int) -> Pixels:
    """`columns` looks a row, of each `count` frames spread over the shot, each `width` pixels wide."""
    cells = []
    for name in looks:
        look = find_look(name)
        job = plan(plate_path, look, RenderSettings())
        statistics = shot_statistics(look, job.plate, job.network_size)
        baked = bake(look, statistics)
        painter = open_engine("openvino").painter(baked, "f32")
        numbers = job.plate.frame_range.spread(count)
        height = round(width * job.plate.size[1] / job.plate.size[0])
        painted = [
            np.clip(
                resized(paint_frame([LookInFrame(baked, painter)], frame, job.network_size, 1.0), (width, height)), 0, 1
            )
            for frame in job.plate.read(numbers)
        ]
        cells.append(np.concatenate(painted, axis=1))
    cells += [np.zeros_like(cells[0])] * (-len(cells) % columns)
    rows = [np.concatenate(cells[i : i + columns], axis=1) for i in range(0, len(cells), columns)]
    return np.concatenate(rows, axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plate", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("looks", nargs="+")
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--columns", type=int, default=1)
    given = parser.parse_args()
    sheet = contact_sheet(given.plate, given.looks, given.frames, given.width, given.columns)
    write_picture(given.output, Frame(1, sheet, DISPLAY), WriterSettings(quality=85))
    print(f"{given.output}: {open_plate(given.output).size}")


if __name__ == "__main__":
    main()
