"""Settings files: TOML to frozen dataclasses and back; a wrong key is named with its file.

Each field of a settings class is an option with its sentence (`core/options.py`), so that `--help`, the documentation
and the commented TOML are made from the same words.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import tomlkit

from scumble.core.errors import BadSettings
from scumble.core.options import describe

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def load(path: Path, settings: type[T], changes: Sequence[str] = ()) -> T:
    """Read a TOML file into `settings`, tables into nested dataclasses; absent keys keep their defaults.

    `changes` such as `data.contents=2` (the value in TOML) win over the file.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadSettings(f"{path}: cannot be read ({error.strerror}); give a settings file in TOML") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadSettings(f"{path}: not a TOML file ({error}); mend it there") from error
    for change in changes:
        key, equals, text = change.partition("=")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except (tomllib.TOMLDecodeError, RecursionError):
            value = text  # a word without quotes
        *tables, last = key.strip().split(".")
        if not equals or not last:
            raise BadSettings(f"--set {change!r}: write TABLE.KEY=VALUE, as in data.contents=2")
        if not tables:
            dotted = _dotted(settings)
            near = difflib.get_close_matches(last, dotted, n=1, cutoff=0)
            hint = f"; did you mean {' or '.join(dotted[near[0]])}?" if near else ""
            raise BadSettings(f"--set {change!r}: {last!r} needs its table{hint}")
        alone: dict[str, Any] = {last: value}
        for table in reversed(tables):
            alone = {table: alone}
        try:  # a wrong key or type is the flag's, not the file's
            from_values(alone, settings, f"--set {change!r}")
        except BadSettings as error:
            if not isinstance(error.__cause__, ValueError):  # a range may depend on other values of the file
                raise
        place = values
        for table in tables:
            place = place.setdefault(table, {})
            if not isinstance(place, dict):
                raise BadSettings(f"--set {change!r}: {table!r} is not a table")
        place[last] = value
    return from_values(values, settings, str(path))


def _dotted(settings: type[Any]) -> dict[str, list[str]]:
    """Every key with its tables, as in losses.style, by the key alone."""
    names: dict[str, list[str]] = {}
    for table, hint in get_type_hints(settings).items():
        for field in dataclasses.fields(hint) if dataclasses.is_dataclass(hint) else ():
            names.setdefault(field.name, []).append(f"{table}.{field.name}")
    return names


def from_values(values: Mapping[str, Any], settings: type[T], file: str, table: str = "") -> T:
    """Build `settings` from plain values; raises BadSettings naming file, table and key."""
    hints = get_type_hints(settings)
    known = {f.name for f in dataclasses.fields(settings)}
    where = f"{file}: [{table}]" if table else file
    arguments: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise BadSettings(f"{where} has no key {key!r}{hint}")
        if dataclasses.is_dataclass(hints[key]):
            if not isinstance(value, Mapping):
                raise BadSettings(f"{where}: {key!r} is a table, write [{table}{'.' if table else ''}{key}]")
            arguments[key] = from_values(value, hints[key], file, f"{table}.{key}" if table else key)
        else:
            arguments[key] = _fit(value, hints[key], f"{where} {key}")
    try:
        return settings(**arguments)
    except ValueError as error:  # a class's own range checks
        raise BadSettings(f"{where}: {error}") from error


def _fit(value: Any, wanted: Any, where: str) -> Any:
    """Check one TOML value against a type hint; integers serve as floats, arrays as tuples."""
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _fit(value, next(a for a in arguments if a is not type(None)), where)
    if origin is Literal:
        if value in arguments:
            return value
        raise BadSettings(f"{where} is {value!r}; choose one of {', '.join(map(repr, arguments))}")
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise BadSettings(f"{where} is {value!r}; write a list, as in [1, 2]")
        inner = arguments[0] if len(arguments) == 2 and arguments[1] is Ellipsis else None
        if inner is None and len(value) != len(arguments):
            raise BadSettings(f"{where} takes {len(arguments)} values and has {len(value)}")
        return tuple(_fit(v, inner or arguments[i], where) for i, v in enumerate(value))
    if origin is dict:
        if not isinstance(value, Mapping):
            raise BadSettings(f"{where} is {value!r}; write a table of numbers")
        return {k: _fit(v, arguments[1], f"{where}.{k}") for k, v in value.items()}
    if wanted is float and type(value) in (int, float):
        return float(value)
    if wanted is Path and isinstance(value, str):
        return Path(value)
    if type(value) is wanted:
        return value
    raise BadSettings(f"{where} is {value!r}; it must be of type {getattr(wanted, '__name__', wanted)}")


def to_values(settings: Any) -> dict[str, Any]:
    """Plain values for JSON or TOML; None is left out, paths become text."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            values[field.name] = to_values(value)
        elif value is not None:
            values[field.name] = str(value) if isinstance(value, Path) else value
    return values


def commented(settings: Any) -> str:
    """A settings object as TOML, each key under its sentence; keys without a value are left as comments."""
    document = tomlkit.document()
    for field in dataclasses.fields(settings):
        part = getattr(settings, field.name)
        values, table = to_values(part), tomlkit.table()
        for key, sentence in describe(type(part)).items():
            table.add(tomlkit.comment(sentence))
            if key in values:
                table.add(key, _toml(values[key]))
            else:
                table.add(tomlkit.comment(f"{key} = ..."))
        document.add(field.name, table)
    return tomlkit.dumps(document)


def _toml(value: Any) -> Any:
    """A plain value for tomlkit: tables inside tables stand on one line."""
    if isinstance(value, dict):
        table = tomlkit.inline_table()
        table.update(value)
        return table
    return list(value) if isinstance(value, tuple) else value
