"""A bundle of Open Job Description 2023-09, as AWS Deadline Cloud takes it and `openjd run` does.

A folder with a template, values for the queue, and the files that go along. All of it is JSON, which both read. Paths
stand in `parameter_values.json` for Deadline Cloud, which maps them to those of its machines, and in `paths.json` for
`openjd run`: a template itself may not hold them.
https://github.com/OpenJobDescription/openjd-specifications/wiki
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scumble.core.errors import BadSettings
from scumble.farm.queued import Queued

MOST_FRAMES = 150  # a chunk of Deadline Cloud

LONGEST_NAME, LONGEST_VALUE = 128, 1024  # characters


def openjd_files(queued: Queued) -> dict[str, str]:
    """Texts of the bundle's files by name. Raises BadSettings for a path that a template cannot hold."""
    paths = _paths(queued)
    documents = {
        "template.json": _template(queued, paths),
        "parameter_values.json": {
            "parameterValues": [
                *({"name": name, "value": path} for name, path in paths.items()),
                {"name": "deadline:targetTaskRunStatus", "value": "READY"},
                {"name": "deadline:priority", "value": 50},
                {"name": "deadline:maxFailedTasksCount", "value": 20},
                {"name": "deadline:maxRetriesPerTask", "value": 3},
            ]
        },
        "paths.json": paths,
        "asset_references.json": {
            "assetReferences": {
                "inputs": {"filenames": [str(path) for path in queued.inputs], "directories": []},
                "outputs": {"directories": [str(path) for path in queued.outputs]},
                "referencedPaths": [],
            }
        },
    }
    if len(queued.frames) > LONGEST_VALUE:
        raise BadSettings(
            f"frames {queued.frames[:40]}...: too many ranges for a template; export fewer frames at a time"
        )
    return {name: json.dumps(document, indent=2) + "\n" for name, document in documents.items()}


def _paths(queued: Queued) -> dict[str, str]:
    """Parameters for all paths in the commands, so that a queue can map them to those of its machines."""
    request = queued.request
    paths = {"Plate": str(request.plate), "Output": str(request.output), "Handed": str(request.folder)}
    for path in queued.steps.paths:
        if path not in paths.values() and request.folder not in Path(path).parents:
            paths[f"File{len(paths) - 2}"] = path
    for path in paths.values():
        if "{{" in path or len(path) > 1024:
            raise BadSettings(f"{path}: a template cannot hold this path; rename it")
    return paths


def _template(queued: Queued, paths: dict[str, str]) -> dict[str, Any]:
    steps = queued.steps
    chunk = min(queued.farm.frames_a_task(), MOST_FRAMES)
    paint = {
        **_step("Paint", (*steps.paint, "--frames={{Task.Param.Frame}}"), paths, ["Measure"]),
        "parameterSpace": {
            "taskParameterDefinitions": [
                {
                    "name": "Frame",
                    "type": "CHUNK[INT]",
                    "range": "{{Param.Frames}}",
                    "chunks": {"defaultTaskCount": "{{Param.FramesATask}}", "rangeConstraint": queued.constraint},
                }
            ]
        },
    }
    encode = [_step("Encode", steps.encode, paths, ["Paint"])] if steps.encode else []
    return {
        "specificationVersion": "jobtemplate-2023-09",
        "extensions": ["TASK_CHUNKING"],
        "name": f"Scumble {queued.name}"[:LONGEST_NAME],
        "parameterDefinitions": [
            *(
                {
                    "name": name,
                    "type": "PATH",
                    "objectType": "DIRECTORY" if name == "Handed" else "FILE",
                    "dataFlow": "NONE",
                }
                for name in paths
            ),
            {"name": "Frames", "type": "STRING", "default": queued.frames, "description": "Frames to paint."},
            {
                "name": "FramesATask",
                "type": "INT",
                "default": chunk,
                "minValue": 1,
                "maxValue": MOST_FRAMES,
                "description": "Starting a task takes a few seconds.",
            },
            {"name": "Scumble", "type": "STRING", "default": "scumble", "description": "The command on the workers."},
        ],
        "steps": [_step("Measure", steps.measure, paths, []), paint, *encode],
    }


def _step(name: str, command: tuple[str, ...], paths: dict[str, str], needs: list[str]) -> dict[str, Any]:
    words = [_with_parameters(word, paths) for word in (*command[1:], "--progress=openjd")]
    dependencies = {"dependencies": [{"dependsOn": other} for other in needs]} if needs else {}
    return {
        "name": name,
        **dependencies,
        "script": {"actions": {"onRun": {"command": "{{Param.Scumble}}", "args": words}}},
    }


def _with_parameters(word: str, paths: dict[str, str]) -> str:
    """A word with the parameter in place of its path; longer paths first, as one may lie inside another."""
    flag, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    for name, path in sorted(paths.items(), key=lambda pair: -len(pair[1])):
        if value == path:
            return f"{flag}{equals}{{{{Param.{name}}}}}"
        if name == "Handed" and Path(path) in Path(value).parents:
            inside = Path(value).relative_to(path).as_posix()
            return f"{flag}{equals}{{{{Param.{name}}}}}/{inside}"
    return word
