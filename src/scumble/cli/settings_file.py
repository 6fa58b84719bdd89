"""A render's flags in a file: TOML whose keys are the long names of the flags; the command line wins.

Paths are as seen from the file, so that it can move with its shot.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import tomlkit

from scumble.core.errors import BadSettings
from scumble.core.options import flag_of, options_of
from scumble.rendering.options import RenderSettings

_DECLARED = {flag_of(name, declared): declared.path for name, declared in options_of(RenderSettings).items()}

PATHS = {"input", "output", *(n for n, path in _DECLARED.items() if path == "always")}

PERHAPS = {"look", "style", "matte-look", *(n for n, path in _DECLARED.items() if path == "perhaps")}

# a flag on the left, given on the command line, replaces the file's flags on the right
INSTEAD = (
    ({"look", "style"}, {"look", "style"}),
    ({"matte", "matte-channel", "crypto", "auto-matte"}, {"matte", "matte-channel", "crypto", "auto-matte"}),
    ({"frames"}, {"start", "end", "step"}),
    ({"start", "end", "step"}, {"frames"}),
)


def words_of(path: Path, flags: Mapping[str, bool], given: Collection[str]) -> tuple[list[str], str | None]:
    """The flags of a file as a command line would have them, and the input that it names.

    `flags` are the long names that there are, True for those without a value; `given` those that the
    command line has itself. Raises BadSettings naming file and key.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadSettings(f"{path}: cannot be read ({error.strerror}); give a file of settings in TOML") from error
    except (ValueError, RecursionError) as error:
        raise BadSettings(
            f"{path}: not a file of settings ({error}); scumble render --dump-settings writes one"
        ) from error
    words: list[str] = []
    source = None
    displaced = {name for theirs, ours in INSTEAD if theirs & set(given) for name in ours}
    for key, value in values.items():
        name = key.replace("_", "-")
        if name != "input" and name not in flags:
            near = difflib.get_close_matches(name, [*flags, "input"], 1)
            raise BadSettings(f"{path}: {key}: no such setting{f'; did you mean {near[0]}?' if near else ''}")
        if name in given or name in displaced:
            continue
        if flags.get(name, False):
            if not isinstance(value, bool):
                raise BadSettings(f"{path}: {key}: give true or false")
            words += [f"--{name}"] if value else []
            continue
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, bool) or not isinstance(one, str | int | float):
                raise BadSettings(f"{path}: {key}: give text or a number, or a list of them")
            text = _from_file(name, str(one), path.absolute().parent)
            if name == "input":
                source = text
            else:
                words.append(f"--{name}={text}")
    return words, source


def _from_file(name: str, text: str, folder: Path) -> str:
    """A value with its path as seen from the file."""
    if name in PATHS:
        return str(folder / text)
    if name not in PERHAPS:
        return text
    if name == "matte-look":
        matte, equals, look = text.rpartition("=")
        here = _from_file("matte", matte, folder)
        return f"{here}={_from_file('look', look, folder)}" if equals else text
    if name == "matte":
        kind, colon, _ = text.partition(":")
        return text if colon and kind in ("auto", "channel", "crypto") else str(folder / text)
    if name == "ocio" and text.startswith("ocio://"):
        return text
    for tail in ("", *(text[i:] for i, c in enumerate(text) if c in "@:" and i)):  # A@1001, picture.jpg:0.5
        head = text[: len(text) - len(tail)]
        if os.path.exists(folder / head):
            return f"{folder / head}{tail}"
    return text


def as_toml(values: Mapping[str, Any]) -> str:
    """Settings as `words_of` reads them back, paths in full."""
    document = tomlkit.document()
    for name, value in values.items():
        several = isinstance(value, list | tuple)
        document[name] = [_in_full(name, one) for one in value] if several else _in_full(name, value)
    return tomlkit.dumps(document)


def as_words(values: Mapping[str, Any]) -> list[str]:
    """Settings as flags, each one word, paths in full: for another machine's command line."""
    words = []
    for name, value in values.items():
        for one in value if isinstance(value, list | tuple) else (value,):
            words.append(f"--{name}" if one is True else f"--{name}={_in_full(name, one)}")
    return words


def _in_full(name: str, value: Any) -> Any:
    if not isinstance(value, str | Path):
        return value
    seen_from_file = _from_file(name, str(value), Path.cwd())
    return os.path.abspath(seen_from_file) if name in PATHS else seen_from_file
