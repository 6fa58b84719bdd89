"""The timeline of an edit in Blender's video sequencer: strips in their places, and the right frames in the picture.

$BPY_PYTHON names a Python that has `bpy`, Blender as a module from PyPI; `scripts/test --full` makes one.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("opentimelineio")

from helpers.command import scumble
from helpers.numbered import number_in, numbered_movie, numbered_sequence

from scumble.media.picture_reader import read_picture

PYTHON = os.environ.get("BPY_PYTHON", "")

pytestmark = [pytest.mark.blender, pytest.mark.skipif(not PYTHON, reason="$BPY_PYTHON names no Python with bpy")]

EXAMPLE = Path(__file__).parents[2] / "examples/blender_timeline.py"

LOOK_AT = """
import bpy, json, sys
bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
scene = bpy.context.scene
scene.render.resolution_x, scene.render.resolution_y = 192, 64
scene.render.resolution_percentage = 100
scene.render.image_settings.file_format = "PNG"
scene.view_settings.view_transform = "Standard"
strips = [
    [s.type, s.channel, s.frame_final_start, s.frame_final_duration]
    for s in sorted(scene.sequence_editor.strips, key=lambda s: (s.channel, s.frame_final_start))
]
for frame in json.loads(sys.argv[3]):
    scene.frame_set(frame)
    scene.render.filepath = f"{sys.argv[2]}/{frame}.png"
    bpy.ops.render.render(write_still=True)
print("FOUND", json.dumps([strips, scene.frame_end, scene.render.fps / scene.render.fps_base]))
"""


def test_a_conformed_timeline_opens_in_blender(tmp_path: Path) -> None:
    numbered_movie(tmp_path / "A001.mov", 60, "01:00:00:00")
    numbered_sequence(tmp_path / "B002/B002.####.png", range(0, 48))
    (tmp_path / "cut.edl").write_text(
        "001  A001  V  C  01:00:00:12 01:00:01:12 01:00:00:00 01:00:01:00\n* SOURCE FILE: A001.mov\n"
        "002  B002  V  C  00:00:00:06 00:00:01:00 01:00:01:00 01:00:01:18\n"
        "003  A001  V  C  01:00:02:00 01:00:02:06 01:00:02:00 01:00:02:06\n* SOURCE FILE: A001.mov\n"
    )
    done = scumble(
        *("edit", tmp_path / "cut.edl", "--rate", "24", "--look", "identity", "--handles", "5", "--no-reports"),
        *("-o", tmp_path / "out", "--progress", "none"),
    )
    assert done.returncode == 0, done.stderr
    blend = tmp_path / "cut.blend"
    subprocess.run([PYTHON, EXAMPLE, tmp_path / "out/timeline.otio", blend], check=True, capture_output=True)
    # the first and last frame of every event, as Blender counts them, and what they show
    wanted = {1: 12, 24: 35, 25: 6, 42: 23, 49: 48, 54: 53}
    said = subprocess.run(
        [PYTHON, "-c", LOOK_AT, blend, tmp_path, json.dumps(list(wanted))], check=True, capture_output=True, text=True
    ).stdout
    (line,) = (line for line in said.splitlines() if line.startswith("FOUND "))
    strips, end, rate = json.loads(line.removeprefix("FOUND "))
    assert strips == [["MOVIE", 1, 1, 24], ["IMAGE", 1, 25, 18], ["MOVIE", 1, 49, 6]]
    assert (end, rate) == (54, 24)
    for frame, number in wanted.items():
        assert number_in(read_picture(tmp_path / f"{frame}.png")[0]) == number, frame
