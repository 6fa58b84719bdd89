"""A script that launches the render in OpenCue by its outline library (`opencue-pyoutline`).

Tokens: https://www.opencue.io/docs/reference/tokens/
"""

from __future__ import annotations

import pprint
import shlex

from scumble.farm.queued import Queued

HEAD = '''"""Launch this render in OpenCue; needs opencue-pyoutline. $SHOW names the show."""

import getpass
import os

import outline
import outline.cuerun
from outline.modules.shell import Shell

job = outline.Outline(
    %r,
    shot=%r,
    show=os.environ.get("SHOW", "testing"),
    user=os.environ.get("USER") or getpass.getuser(),
)
'''


def opencue_files(queued: Queued) -> dict[str, str]:
    """The script by its file name."""
    steps = queued.steps
    shot = "".join(c if c.isalnum() else "_" for c in queued.name)
    parts = [HEAD % (f"scumble_{shot}", shot)]
    paint = (*steps.paint, "--frames=#FRAME_START#-#FRAME_END#")
    layers = [("measure", steps.measure, "1", 1), ("paint", paint, queued.frames, queued.farm.frames_a_task())]
    if steps.encode:
        layers.append(("encode", steps.encode, "1", 1))
    before = ""
    for name, command, frames, chunk in layers:
        words = pprint.pformat([shlex.quote(word) for word in command], width=100)  # OpenCue joins them by spaces
        parts.append(f'{name} = Shell("{name}", command={words}, range="{frames}", chunk={chunk})\n')
        if before:
            parts.append(f"{name}.depend_all({before})\n")
        parts.append(f"job.add_layer({name})\n")
        before = name
    parts.append("outline.cuerun.launch(job, use_pycuerun=False)\n")
    return {"submit.py": "\n".join(parts)}
