"""The picture in docs/how-it-works.md: style, plate, the plate recoloured by algebra, the painting.

python examples/how_it_works.py PLATE OUTPUT.jpg LOOK=PICTURE... [--frame N] [--width PIXELS]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from scumble.core.colour import DISPLAY
from scumble.core.frames import Frame
from scumble.core.pixels import resized
from scumble.core.working_space import to_working
from scumble.look.bake import bake
from scumble.look.shipped import find_look
from scumble.look.statistics import shot_statistics
from scumble.media.open import open_plate
from scumble.media.picture_reader import read_picture
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings
from scumble.network.engine import open_engine
from scumble.rendering.frame import LookInFrame, paint_frame


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plate", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("looks", nargs="+", metavar="LOOK=PICTURE")
    parser.add_argument("--frame", type=int)
    parser.add_argument("--width", type=int, default=480)
    given = parser.parse_args()
    plate = open_plate(given.plate)
    number = given.frame or plate.numbers[len(plate.numbers) // 2]
    (frame,) = plate.read((number,))
    working = to_working(frame.pixels, frame.colour_space).pixels
    engine = open_engine("openvino")
    cell = (given.width, round(given.width * plate.size[1] / plate.size[0]))
    rows = []
    for words in given.looks:
        name, _, picture = words.partition("=")
        look = find_look(name)
        baked = bake(look, shot_statistics(look, plate, plate.size))
        painting = paint_frame([LookInFrame(baked, engine.painter(baked, "f32"))], frame, plate.size, 1.0)
        recoloured = working @ baked.matrix.T + baked.offset
        style, _ = read_picture(Path(picture))
        width = round(style.shape[1] * cell[1] / style.shape[0])
        cells = [np.ones((cell[1], cell[1] * 3 // 2, 3), np.float32)]
        shown = resized(style, (width, cell[1]))[:, : cells[0].shape[1]]
        cells[0][:, : shown.shape[1]] = shown
        cells += [resized(p.astype(np.float32), cell) for p in (working, recoloured, painting)]
        rows.append(np.concatenate(cells, axis=1))
    sheet = np.concatenate(rows)
    write_picture(given.output, Frame(1, sheet.clip(0, 1), DISPLAY), WriterSettings(quality=88))


if __name__ == "__main__":
    main()
