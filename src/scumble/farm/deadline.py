"""Jobs for Thinkbox Deadline 10 by its CommandLine plugin, and a script that submits them in their order.

https://docs.thinkboxsoftware.com/products/deadline/10.4/1_User%20Manual/manual/app-command-line.html
"""

from __future__ import annotations

from scumble.farm.queued import Queued

SUBMIT = '''"""Submit the jobs beside this script to Deadline 10; each waits for the one before.

Needs deadlinecommand, in $DEADLINE_PATH or on the path.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

here = pathlib.Path(__file__).resolve().parent
command = os.path.join(os.environ.get("DEADLINE_PATH", ""), "deadlinecommand")
before = None
for step in STEPS:
    info = (here / (step + ".job")).read_text("utf-8")
    if before:
        info += "JobDependencies=" + before + "\\n"
    with tempfile.TemporaryDirectory() as folder:
        job = pathlib.Path(folder, step + ".job")
        job.write_text(info, "utf-8")
        said = subprocess.run([command, str(job), str(here / (step + ".plugin"))], capture_output=True, text=True)
    found = re.search(r"JobID=(\\S+)", said.stdout)
    if found is None:
        sys.exit("deadlinecommand did not take " + step + ": " + said.stdout + said.stderr)
    before = found[1]
    print(step, before)
'''


def deadline_files(queued: Queued) -> dict[str, str]:
    """Texts by file name: two files a job, as deadlinecommand takes them."""
    steps, request = queued.steps, queued.request
    parts = {
        "1_measure": (steps.measure, "0", 1),
        "2_paint": ((*steps.paint, "--frames=<STARTFRAME>-<ENDFRAME>"), queued.frames, queued.farm.frames_a_task()),
    }
    if steps.encode:
        parts["3_encode"] = (steps.encode, "0", 1)
    files = {}
    for step, (command, frames, chunk) in parts.items():
        job = {
            "Plugin": "CommandLine",
            "Name": f"{queued.name} {step.partition('_')[2]}",
            "BatchName": f"Scumble {queued.name}",
            "Frames": frames,
            "ChunkSize": chunk,
            "OutputDirectory0": request.output.parent,
            "OutputFilename0": request.output.name,
        }
        plugin = {
            "Executable": command[0],
            "Arguments": " ".join(map(_quoted, command[1:])),
            "Shell": "default",
            "ShellExecute": False,
            "SingleFramesOnly": False,
        }
        files[f"{step}.job"] = _lines(job)
        files[f"{step}.plugin"] = _lines(plugin)
    files["submit.py"] = SUBMIT.replace("STEPS", repr(list(parts)))
    return files


def _quoted(word: str) -> str:
    """The plugin reads quotes as <QUOTE>."""
    return f"<QUOTE>{word}<QUOTE>" if any(c.isspace() for c in word) else word


def _lines(values: dict[str, object]) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items())
