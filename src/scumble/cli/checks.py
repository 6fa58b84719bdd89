"""What commands check before any work: outputs that would be replaced, extras that are missing."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer

from scumble.core.errors import BadInput, BadLook, NotInstalled
from scumble.core.files import check_writable, written_whole


def check_sheet_output(output: Path, overwrite: bool) -> None:
    from scumble.media.plate import STILLS

    if output.suffix.lower() not in STILLS - {".exr", ".dpx"}:
        raise BadInput(f"{output}: a sheet is a picture: name it .png, .jpg, .tif or .webp")
    if output.exists() and not overwrite:
        raise BadInput(f"{output}: is there already; give --overwrite to replace it")
    check_writable(output)


def list_settings(asked: bool) -> None:
    if asked:
        needs_torch()
        from scumble.core.settings import commented
        from scumble.train.settings import TrainSettings

        print(commented(TrainSettings()))
        raise typer.Exit


def check_report_output(output: Path, overwrite: bool) -> None:
    if output.suffix != ".html":
        raise BadInput(f"{output}: a report's file name ends in .html; its JSON goes beside it")
    there = next((p for p in (output, output.with_suffix(".json")) if p.exists()), None)
    if there is not None and not overwrite:
        raise BadInput(f"{there}: is there already; give --overwrite to replace it")
    check_writable(output)


def write_json(path: Path, facts: dict[str, Any]) -> None:
    with written_whole(path) as part:
        part.write_text(json.dumps(facts, indent=2) + "\n", "utf-8")


def override(settings: Any, table: str, **values: Any) -> Any:
    """Settings with values of one table replaced; None leaves a value as it is."""
    given = {k: v for k, v in values.items() if v is not None}
    return replace(settings, **{table: replace(getattr(settings, table), **given)}) if given else settings


def is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ImportError:
        return False


def needs_torch() -> None:
    missing = [name for name in ("torch", "tensorboard", "PIL", "matplotlib", "scenedetect") if not is_installed(name)]
    if missing:
        raise NotInstalled(f"training needs {', '.join(missing)}: pip install 'scumble[train]'")


def check_look_output(output: Path, overwrite: bool) -> None:
    if output.exists() and not overwrite:
        raise BadInput(f"{output}: is there already; give --overwrite to replace it")
    if output.suffix != ".look":
        raise BadLook(f"{output}: a look's file name ends in .look")
    check_writable(output)
