"""The values of flags: lists, weights, frames, mattes, looks over frames; and flags from a settings file."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

from scumble.cli.apps import ClickException
from scumble.core.errors import BadSettings
from scumble.rendering.options import PANELS
from scumble.shot.matte_spec import MatteSpec


def weighted(text: str) -> tuple[str, float]:
    """`PICTURE` or `PICTURE:WEIGHT`; a file whose own name has a colon is taken as it is."""
    name, colon, number = text.rpartition(":")
    if not colon or os.path.exists(text):  # which, unlike Path.exists, takes any text
        return text, 1.0
    try:
        weight = float(number)
    except ValueError:
        if os.path.exists(name):
            raise BadSettings(f"{text}: the weight {number!r} is not a number; write {name}:0.5") from None
        return text, 1.0
    if not 0 < weight < float("inf"):
        raise BadSettings(f"{text}: a weight is a number above 0, as in {name}:0.5")
    return name, weight


def one_value_each(args: list[str], many: set[str], flags: set[str], positional: int) -> list[str]:
    """`--style A B` as `--style A --style B`, for the options in `many`.

    `positional` words belong to the command itself: when too few stand elsewhere, the last of the
    further words are left for it, as INPUT in `render --style A B INPUT`.
    """
    parts: list[list[str]] = []
    further: list[int] = []
    option, filled = "", False
    for word in args:
        if word.startswith("-") and not word.lstrip("-").isdigit():
            option, filled = ("" if word in flags or "=" in word else word), False
            parts.append([word])
        elif option and not filled:
            filled = option in many
            option = option if filled else ""
            parts.append([word])
        elif option:
            further.append(len(parts))
            parts.append([option, word])
        else:
            positional -= 1
            parts.append([word])
    for place in further[len(further) - max(0, positional) :]:
        parts[place] = parts[place][1:]
    return [word for part in parts for word in part]


class SeveralValues(TyperCommand):
    """A command whose `--style`, `--content`, `--looks`, `--painted` and `--folder` take several words."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        flags = {n for p in self.params if getattr(p, "is_flag", False) for n in (*p.opts, *p.secondary_opts)} | {
            "--help"
        }
        positional = sum(p.param_type_name == "argument" and p.required for p in self.params)
        args = one_value_each(args, {"--style", "--content", "--looks", "--painted", "--folder"}, flags, positional)
        rest: list[str] = super().parse_args(ctx, args)
        return rest


class WithPanels(SeveralValues):
    """A command whose options are grouped by panel, in the order of the panels."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        panels = [getattr(p, "rich_help_panel", None) for p in self.params]
        order = {panel: PANELS.index(panel) if panel in PANELS else -1 for panel in panels}
        self.params.sort(key=lambda p: order[getattr(p, "rich_help_panel", None)])


class WithSettings(WithPanels):
    """A command that takes further flags from the file of `--settings`; its own come first."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        from scumble.cli.settings_file import words_of

        names = {n: p for p in self.params for n in (*p.opts, *p.secondary_opts) if n.startswith("-")}
        given: set[str] = set()
        file = None
        for place, word in enumerate(args):
            name, equals, value = word.partition("=")
            if name == "--settings":
                file = value if equals else next(iter(args[place + 1 : place + 2]), "")
            if name in names:
                given |= {n.lstrip("-") for n in names[name].opts}
        if not file:
            return super().parse_args(ctx, args)
        flags = {n[2:]: bool(getattr(p, "is_flag", False)) for n, p in names.items() if n.startswith("--")}
        switched_off = {n[2:] for p in self.params for n in p.secondary_opts}
        flags = {n: f for n, f in flags.items() if n not in {"help", "settings", "dump-settings", *switched_off}}
        words, source = words_of(Path(file), flags, given)
        if source is not None:
            try:
                return super().parse_args(ctx, [*words, *args])
            except ClickException as error:
                if getattr(getattr(error, "param", None), "param_type_name", "") != "argument":
                    raise
                words.append(source)  # no INPUT on the command line
        return super().parse_args(ctx, [*words, *args])


def settings_dump(ctx: typer.Context) -> str:
    """The flags that were given, on the command line or in a file, as `--settings` reads them."""
    from scumble.cli.settings_file import as_toml

    argument = next(p for p in ctx.command.params if p.param_type_name == "argument")
    return as_toml({"input": ctx.params[argument.name or ""], **flags_given(ctx)})


def flags_given(ctx: typer.Context, without: Collection[str] = ()) -> dict[str, Any]:
    """The flags that were given, on the command line or in a file, by their long names; `without` some."""
    left_out = {"settings_file", "dump_settings", "dry_run", "help", *without}
    return {
        next(n for n in p.opts if n.startswith("--"))[2:]: ctx.params[p.name or ""]
        for p in ctx.command.params
        if p.param_type_name != "argument" and p.name not in left_out
        if ctx.params.get(p.name or "") not in (None, [], (), p.default)
    }


def one_matte(path: str | None, channel: str | None, crypto: list[str] | None, auto: str | None) -> str:
    """The matte of the looks, in the words of `RenderSettings.matte`."""
    given = [
        *([] if path is None else [path]),
        *([] if channel is None else [str(MatteSpec("channel", channel))]),
        *([] if not crypto else [str(MatteSpec("crypto", ",".join(crypto)))]),
        *([] if auto is None else [str(MatteSpec("auto", auto))]),
    ]
    if len(given) > 1:
        raise BadSettings("give one of --matte, --matte-channel, --crypto and --auto-matte")
    return given[0] if given else ""


def looks_in_mattes(words: list[str]) -> list[tuple[str, Any]]:
    from scumble.look.shipped import find_look

    pairs = []
    for word in words:
        matte, equals, look = word.rpartition("=")
        if not equals or not matte or not look:
            raise BadSettings(f"--matte-look {word}: write MATTE=LOOK, as in roto.####.png=auvers")
        pairs.append((matte, find_look(look)))
    return pairs


def keyed_looks(names: list[str]) -> Any:
    """A look, or looks with the frames at which they stand alone."""
    from scumble.core.frames import frame_number
    from scumble.look.shipped import find_look

    if len(names) == 1 and names[0].endswith(".toml"):
        return _looks_of_file(Path(names[0]))
    keyed = []
    for name in names:
        before, at, frame = name.rpartition("@")
        if at and not os.path.exists(name):
            number = frame_number(frame)
            if number is None:
                raise BadSettings(f"--look {name}: write the frame behind the @, as in {before}@1001")
            keyed.append((number, find_look(before)))
        elif len(names) > 1:
            raise BadSettings(f"--look {name}: several looks need a frame each, as in {name}@1001")
        else:
            return find_look(name)
    return keyed


def _looks_of_file(path: Path) -> Any:
    import tomllib

    from scumble.look.shipped import find_look

    try:
        lines = tomllib.loads(path.read_text("utf-8"))
        keyed = [(int(frame), str(name)) for frame, name in lines.items()]
    except (OSError, ValueError, RecursionError) as error:
        raise BadSettings(f'{path}: not a list of looks ({error}); write a line each, as in 1001 = "auvers"') from error
    if not keyed:
        raise BadSettings(f'{path}: names no look; write a line each, as in 1001 = "auvers"')
    beside = path.parent  # files are named as seen from the list
    return [(frame, find_look(str(beside / name) if (beside / name).is_file() else name)) for frame, name in keyed]


def frames_of(
    frames: str | None,
    start: int | None,
    end: int | None,
    step: int,
    whole: Any,
) -> tuple[int, ...] | None:
    from scumble.core.frames import FrameRange, parse_frames

    if frames is not None:
        if start is not None or end is not None or step != 1:
            raise BadSettings("give either --frames or --start, --end and --step")
        return parse_frames(frames)
    if start is None and end is None and step == 1:
        return None
    first, last = whole.first if start is None else start, whole.last if end is None else end
    if not whole.first <= first <= last <= whole.last:
        raise BadSettings(
            f"--start {first} --end {last}: the plate has frames {whole}; give --start and --end inside it"
        )
    return tuple(FrameRange(first, last, step))
