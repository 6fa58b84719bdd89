"""Make shipped looks of pictures: python scripts/ship_looks.py PICTURE..., each NAME.ext becomes looks/NAME.look.

They hold the style alone: the shipped universal generator makes the weights of it when a look is opened.
"""

import sys
from pathlib import Path

from scumble.look.making import make_look
from scumble.look.shipped import shipped

for picture in map(Path, sys.argv[1:]):
    file = shipped("looks") / f"{picture.stem}.look"
    file.write_bytes(make_look([(picture, 1.0)]).to_bytes(weights=False))
    print(file, file.stat().st_size)
