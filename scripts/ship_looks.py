"""Make shipped looks of pictures: python scripts/ship_looks.py PICTURE..., each NAME.ext becomes looks/NAME.look.

They hold the style alone: the shipped universal generator makes the weights of it when a look is opened. So a new
generator needs all of them anew: without pictures they are made of their own moments and colours.
"""

import sys
from pathlib import Path

from scumble.look.look import Look
from scumble.look.look_checks import palette_of
from scumble.look.making import look_of_moments, make_look
from scumble.look.shipped import load_universal, shipped
from scumble.network.weights_file import read_arrays


def again(file: Path) -> Look:
    """A shipped look of the generator that is shipped now."""
    arrays, facts = read_arrays(file)
    palette = palette_of(arrays, "palette")
    return look_of_moments(arrays["moments"], palette, facts["name"], facts["sources"], load_universal())


files = sorted(shipped("looks").glob("*.look"))
looks = {picture.stem: make_look([(picture, 1.0)]) for picture in map(Path, sys.argv[1:])}
if not looks:  # identity is made by hand and has no moments
    looks = {file.stem: again(file) for file in files if file.stem != "identity"}
for name, look in looks.items():
    file = shipped("looks") / f"{name}.look"
    file.write_bytes(look.to_bytes(weights=False))
    print(file, file.stat().st_size)
