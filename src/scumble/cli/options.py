"""Flags made from declared options: the signature that Typer reads, and the settings that come of it."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import typer

from scumble.cli.terminal import PROGRESS_HELP, Shown, heed
from scumble.core.errors import BadSettings
from scumble.core.options import defaults_of, flag_of, hint_of, options_of, read
from scumble.farm.settings import FarmSettings
from scumble.rendering.options import RenderSettings

ShowAs = Annotated[Shown, typer.Option("--progress", help=PROGRESS_HELP, callback=heed)]


def takes(
    settings: type[Any], only: Collection[str] | None = None, unset: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command whose `**options` are the flags of a settings class: all, or `only` some.

    They arrive by field name, as they stood on the command line; `given` makes settings of them. `unset` flags are
    None where they were not given, so that a settings file has the word.
    """
    names = [n for n in options_of(settings) if only is None or n in only]

    def made(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        flags = [_parameter(settings, name, unset) for name in names]
        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*own, *flags)]
        command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters}
        return command

    return made


def _parameter(settings: type[Any], name: str, unset: bool) -> inspect.Parameter:
    """One flag as Typer reads it."""
    declared = options_of(settings)[name]
    hint = declared.text if declared.text is not None else hint_of(settings, name)
    default = defaults_of(settings)[name]
    flag = flag_of(name, declared)
    words = [f"--{flag}/--no-{flag}" if hint is bool else f"--{flag}", *(f"--{other}" for other in declared.also)]
    more: dict[str, Any] = {"metavar": declared.metavar} if declared.metavar else {}
    text = declared.help
    if declared.within is not None:
        text = f"{text} From {declared.within[0]:g} to {declared.within[1]:g}."
    if declared.text is not None:
        default = f"{default:g}" if isinstance(default, float) else default
        default = None if default in ((), "") else default
        hint = hint if default is not None or _takes_none(hint) else hint | None
    if unset:
        default, hint = None, hint if _takes_none(hint) else hint | None
    panel = declared.panel or None
    annotation = Annotated[hint, typer.Option(*words, help=text, rich_help_panel=panel, **more)]  # type: ignore[valid-type]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _takes_none(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint)


def given(settings: type[Any], options: dict[str, Any]) -> dict[str, Any]:
    """The options that depart from their defaults, for `scumble.core.options.read`."""
    defaults = defaults_of(settings)
    return {n: v for n, v in options.items() if v is not None and v != [] and v != defaults[n]}


Vgg = Annotated[Path | None, typer.Option("--vgg", metavar="FILE", help="Features file instead of the shipped one.")]

MACHINE = ("vgg", "device", "threads", "precision", "seed")  # the options of a training that say on what it runs

HOW_READ = ("layer", "view", "in_space", "ocio")  # the options that say how a plate is to be read


def farm_of(options: dict[str, Any]) -> FarmSettings:
    """What spreads a render, taken out of a command's options. Raises BadSettings."""
    asked = {name: options.pop(name) for name in options_of(FarmSettings)}
    return read(FarmSettings, given(FarmSettings, asked), "render")


def how_read(options: dict[str, Any]) -> Any:
    """The plate options among the flags of a command. Raises BadSettings."""
    names = [name for name in (*HOW_READ, "timecode") if name in options]  # the last where a movie is written
    asked = given(RenderSettings, {name: options[name] for name in names})
    return read(RenderSettings, asked, "plate").plate_options


def refuse_empty(ctx: typer.Context) -> None:
    """A flag that was given without a name is a script's mistake. Raises BadSettings."""
    declared = options_of(RenderSettings)
    for parameter in ctx.command.params:
        name = parameter.name or ""
        if name in declared and declared[name].read not in (None, str):
            continue  # its reader has a better sentence
        source = ctx.get_parameter_source(name)
        if ctx.params.get(name) == "" and source is not None and source.name == "COMMANDLINE":
            raise BadSettings(f"--{name.replace('_', '-')}: empty; give a name, or leave it out")
