"""Which look an event gets: looks.toml, rules by patterns, the later one above the earlier."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from scumble.core.errors import BadSettings
from scumble.core.options import flag_of, options_of
from scumble.edit.events import Event, words_at
from scumble.rendering.options import RenderSettings, settings_of

CONDITIONS = ("shot", "reel", "file", "track", "bin", "marker", "color", "keyword")

OWN = ("look", "style", "skip")

# what an edit says itself
NOT_HERE = ("frames", "first-frame", "frame-rate", "overwrite", "stats")

FLAGS = {flag_of(name, declared).lstrip("-"): name for name, declared in options_of(RenderSettings).items()}


@dataclass(frozen=True)
class Assigned:
    """What an event is painted with; without looks and styles it is left as it is."""

    look: str = ""
    style: tuple[str, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()
    """Of `scumble render`, by their fields."""
    skip: str = ""
    """Why it is not painted."""

    @property
    def settings(self) -> RenderSettings:
        """Raises BadSettings."""
        return settings_of(dict(self.options))


@dataclass(frozen=True)
class Rule:
    """Values for the events of which all conditions hold."""

    conditions: Mapping[str, tuple[str, ...]]
    values: Mapping[str, Any]

    def holds(self, event: Event) -> bool:
        """Whether an event is meant; of a condition's patterns one must fit."""
        return all(
            any(
                fnmatchcase(word.casefold(), pattern.casefold())
                for word in words_of(event, name)
                for pattern in patterns
            )
            for name, patterns in self.conditions.items()
        )


class Assignment:
    """The rules of a looks.toml, or one look for all."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)

    def of(self, event: Event) -> Assigned:
        """What an event gets."""
        values: dict[str, Any] = {}
        for rule in self.rules:
            if not rule.holds(event):
                continue
            if {"look", "style"} & set(rule.values):
                values = {name: value for name, value in values.items() if name not in ("look", "style")}
            values |= rule.values
        if values.get("skip"):
            return Assigned(skip="left out by its rule")
        look, style = str(values.pop("look", "")), values.pop("style", ())
        values.pop("skip", None)
        if not look and not style:
            return Assigned(skip="no rule gives it a look")
        styles = (style,) if isinstance(style, str) else tuple(style)
        return Assigned(look, styles, tuple(sorted(values.items())))


def words_of(event: Event, condition: str) -> Iterable[str]:
    """What an event says to a condition's patterns."""
    metadata = {} if event.clip is None else event.clip.metadata
    markers = () if event.clip is None else event.clip.markers
    match condition:
        case "shot":
            return (event.name, event.id, event.number)
        case "reel":
            return (event.source.reel,)
        case "file":
            return (event.source.url, event.source.url.rpartition("/")[2])
        case "track":
            return (event.track,)
        case "marker":
            return tuple(word for marker in markers for word in (marker.name, marker.comment) if word)
        case "color":  # of the markers, and of the clip itself in Final Cut Pro 7's XML
            labels = metadata.get("fcp_xml", {}).get("labels", {})
            return (*(str(marker.color) for marker in markers), *map(str, labels.values()))
        case "keyword":
            return tuple(metadata.get("scumble", {}).get("keywords", ()))
        case _:
            return words_at(metadata, re.compile("bin", re.IGNORECASE).search)


def one_look(look: str, styles: Sequence[str] = ()) -> Assignment:
    """The same for every event."""
    return Assignment([Rule({}, {"look": look} if look else {"style": list(styles)})])


def read_assignment(path: Path) -> Assignment:
    """The rules of a file. Raises BadSettings naming file and key.

    `[default]` is for all; each `[[rule]]` has conditions (`CONDITIONS`: a pattern or several) and values (look, style,
    skip, and options of `scumble render` by their long names).
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadSettings(f"{path}: cannot be read ({error.strerror}); give a file of looks in TOML") from error
    except (ValueError, RecursionError) as error:
        raise BadSettings(f"{path}: not a file of looks ({error}); see docs/edits.md for one") from error
    unknown = next((key for key in values if key not in ("default", "rule")), None)
    if unknown is not None:
        raise BadSettings(f"{path}: {unknown}: no such table; write [default] and [[rule]]")
    default, given = values.get("default", {}), values.get("rule", [])
    are_rules = isinstance(given, list) and all(isinstance(rule, dict) for rule in given)
    if not isinstance(default, dict) or not are_rules:
        raise BadSettings(f"{path}: write [default] once, and [[rule]] for each rule")
    return Assignment([_rule(path, default, "default"), *(_rule(path, r, f"rule {n}") for n, r in enumerate(given, 1))])


def _rule(path: Path, values: Mapping[str, Any], where: str) -> Rule:
    conditions: dict[str, tuple[str, ...]] = {}
    wanted: dict[str, Any] = {}
    for key, value in values.items():
        name = key.replace("_", "-")
        if name in CONDITIONS and where != "default":
            patterns = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else ()
            if not patterns or not all(isinstance(pattern, str) for pattern in patterns):
                raise BadSettings(f'{path}: {where}: {key} is a pattern or a list of them, as in "A0*"')
            conditions[name] = patterns
        elif name in OWN:
            kinds: dict[str, tuple[type, str]] = {"look": (str, "a name or file"), "skip": (bool, "true or false")}
            kind, meant = kinds.get(name, ((str, list), "a picture or a list of them"))
            parts = value if isinstance(value, list) else [value]
            is_right = isinstance(value, kind) and (name == "skip" or all(isinstance(p, str) and p for p in parts))
            if not is_right or not parts:
                raise BadSettings(f"{path}: {where}: {key} is {meant}")
            wanted[name] = value if name == "skip" else _seen_from(path, value)
        elif name in FLAGS and name not in NOT_HERE:
            declared = options_of(RenderSettings)[FLAGS[name]]
            wanted[FLAGS[name]] = _seen_from(path, value) if declared.path else value
        else:
            known = [*CONDITIONS, *OWN, *(flag for flag in FLAGS if flag not in NOT_HERE)]
            near = difflib.get_close_matches(name, known, 1)
            raise BadSettings(f"{path}: {where}: {key}: no such key{f'; did you mean {near[0]}?' if near else ''}")
    rule = Rule(conditions, wanted)
    try:
        settings_of({name: value for name, value in wanted.items() if name not in OWN})
    except BadSettings as error:
        raise BadSettings(f"{path}: {where}: {error}") from error
    return rule


def _seen_from(path: Path, value: Any) -> Any:
    """Paths as seen from the file, where there is such a file."""
    if isinstance(value, list):
        return [_seen_from(path, one) for one in value]
    beside = path.parent / str(value)
    return str(beside) if isinstance(value, str) and beside.is_file() else value
