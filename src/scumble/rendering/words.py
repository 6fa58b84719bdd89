"""The flags of a render as words of a command line, their paths as seen from elsewhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scumble.core.options import flag_of, options_of
from scumble.rendering.options import RenderSettings

_DECLARED = {flag_of(name, declared): declared.path for name, declared in options_of(RenderSettings).items()}

PATHS = {"input", "output", *(n for n, path in _DECLARED.items() if path == "always")}

PERHAPS = {"look", "style", "matte-look", *(n for n, path in _DECLARED.items() if path == "perhaps")}


def seen_from(name: str, text: str, folder: Path) -> str:
    """A value with its path as seen from the file."""
    if name in PATHS:
        return str(folder / text)
    if name not in PERHAPS:
        return text
    if name == "matte-look":
        matte, equals, look = text.rpartition("=")
        here = seen_from("matte", matte, folder)
        return f"{here}={seen_from('look', look, folder)}" if equals else text
    if name == "matte":
        kind, colon, _ = text.partition(":")
        return text if colon and kind in ("auto", "channel", "crypto") else str(folder / text)
    if name == "ocio" and text.startswith("ocio://"):
        return text
    for tail in ("", *(text[i:] for i, c in enumerate(text) if c in "@:" and i)):  # A@1001, picture.jpg:0.5
        head = text[: len(text) - len(tail)]
        if os.path.isfile(folder / head):
            return f"{folder / head}{tail}"
    return text


def as_words(values: Mapping[str, Any]) -> list[str]:
    """Settings as flags, each one word, paths in full: for another machine's command line.

    That machine may have another $OCIO than this one.
    """
    words = []
    configuration = os.environ.get("OCIO")
    if configuration and "ocio" not in values:
        words.append(f"--ocio={in_full('ocio', configuration)}")
    for name, value in values.items():
        for one in value if isinstance(value, list | tuple) else (value,):
            if one is not False:
                words.append(f"--{name}" if one is True else f"--{name}={in_full(name, one)}")
    return words


def in_full(name: str, value: Any) -> Any:
    """The value of a flag with its path in full."""
    if not isinstance(value, str | Path):
        return value
    here = seen_from(name, str(value), Path.cwd())
    return os.path.abspath(here) if name in PATHS else here
