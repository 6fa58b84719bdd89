"""A job script for Pixar's Tractor: https://rmanwiki.pixar.com/display/TRA/Job+Scripting"""

from __future__ import annotations

from scumble.core.errors import BadSettings
from scumble.core.frames import format_frames
from scumble.farm.queued import Queued

SERVICE = "PixarRender"  # what Tractor's own blades offer


def tractor_files(queued: Queued) -> dict[str, str]:
    """The script by its file name. Raises BadSettings for words that Tcl cannot hold in braces."""
    steps = queued.steps
    paints = [
        _task(format_frames(part), (*steps.paint, f"--frames={format_frames(part)}"), "      ") for part in queued.parts
    ]
    lines = [
        "##AlfredToDo 3.0",
        f"Job -title {_braced(f'Scumble {queued.name}')} -serialsubtasks 1 -subtasks {{",
        _task("measure", steps.measure, "  "),
        "  Task {paint} -subtasks {",
        *paints,
        "  }",
        *([_task("encode", steps.encode, "  ")] if steps.encode else []),
        "}",
    ]
    return {"job.alf": "\n".join(lines) + "\n"}


def _task(title: str, command: tuple[str, ...], indent: str) -> str:
    words = " ".join(_braced(word.replace("\\", "/")) for word in command)  # Windows takes both
    return f"{indent}Task {_braced(title)} -cmds {{ RemoteCmd {{{words}}} -service {{{SERVICE}}} }}"


def _braced(word: str) -> str:
    if any(c in word for c in "{}\\"):
        raise BadSettings(f"{word}: Tractor's scripts cannot hold braces and backslashes in names; rename it")
    return f"{{{word}}}"
