"""A render's flags in a file: TOML whose keys are the long names of the flags; the command line wins.

Paths are as seen from the file, so that it can move with its shot.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import tomlkit

from scumble.core.errors import BadSettings
from scumble.rendering.words import in_full, seen_from

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
            text = seen_from(name, str(one), path.absolute().parent)
            if name == "input":
                source = text
            else:
                words.append(f"--{name}={text}")
    return words, source


def as_toml(values: Mapping[str, Any]) -> str:
    """Settings as `words_of` reads them back, paths in full."""
    document = tomlkit.document()
    for name, value in values.items():
        several = isinstance(value, list | tuple)
        document[name] = [in_full(name, one) for one in value] if several else in_full(name, value)
    return tomlkit.dumps(document)
