"""docs/options.md and the table of options in the README, made from the commands themselves.

`python -m scumble.cli.reference` writes both; a test compares them with what is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from scumble.cli.apps import app
from scumble.core.options import choices_of
from scumble.rendering.options import PANELS

BEGIN, END = "<!-- options: made by scripts/docs -->", "<!-- /options -->"
HEAD = """# Every command and every option

Made by `scripts/docs` from the declarations in the code. `scumble COMMAND --help` prints the same.
"""


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its words, as in `look make`, in the order of `--help`."""
    import scumble.cli.program  # noqa: F401 - where commands are registered

    def below(words: str, group: Any) -> Iterator[tuple[str, Any]]:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from below(f"{words}{name} ", command)
            else:
                yield f"{words}{name}", command

    return below("", typer.main.get_command(app))


def options_page() -> str:
    """The text of docs/options.md."""
    parts = [HEAD]
    for words, command in commands():
        parts.append(f"## scumble {words}\n\n{_prose(command.help or '')}\n")
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        parts += [f"`{_value(p)}`: {_prose(_help_of(p))}\n" for p in arguments]
        panels: dict[str, list[Any]] = {}
        for p in command.params:
            if p.param_type_name != "argument" and p.name != "help":
                panels.setdefault(getattr(p, "rich_help_panel", None) or "Options", []).append(p)
        for panel, options in panels.items():
            parts.append(f"| {panel} | value | default | |\n|---|---|---|---|")
            parts[-1] += "".join("\n" + _row(p) for p in options) + "\n"
    return "\n".join(parts)


def readme_table() -> str:
    """The options of `render` by what they are for, for the README."""
    render = dict(commands())["render"]
    rows = ["| options of `render` | |", "|---|---|"]
    for panel in PANELS:
        names = [_names(p)[0] for p in render.params if getattr(p, "rich_help_panel", None) == panel]
        rows.append(f"| {panel} | {' '.join(f'`{name}`' for name in names)} |")
    return "\n".join([BEGIN, *rows, END])


def with_table(readme: str) -> str:
    """A README with its table of options made anew."""
    before, _, rest = readme.partition(BEGIN)
    return before + readme_table() + rest.partition(END)[2]


def _row(p: Any) -> str:
    value = "" if p.is_flag else _value(p)
    default = f"{p.default:g}" if isinstance(p.default, float) else str(p.default)
    if p.default is None or p.default is False or p.default in ("", [], ()) or callable(p.default):
        default = ""
    cells = (", ".join(f"`{n}`" for n in _names(p)), f"`{value}`" if value else "", default, _prose(_help_of(p)))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _value(p: Any) -> str:
    """What stands for the value: its metavar, its words, or its kind."""
    if p.metavar:
        return str(p.metavar)
    kind = getattr(p, "type", None)
    if kind is None:  # Typer with a Click of its own
        annotation = p.type_descriptor.annotation
        words, name = choices_of(annotation), getattr(annotation, "__name__", "")
    else:
        words, name = getattr(kind, "choices", ()), kind.name
    kinds = {
        "int": "integer",
        "integer range": "integer",
        "float": "number",
        "float range": "number",
        "str": "text",
        "Path": "path",
    }
    return "|".join(map(str, words)) or kinds.get(name, name)


def _names(p: Any) -> list[str]:
    return sorted(p.opts, key=lambda name: (not name.startswith("--"), p.opts.index(name)))


def _help_of(p: Any) -> str:
    return p.help or ""


def _prose(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[3]
    (root / "docs" / "options.md").write_text(options_page(), "utf-8")
    readme = root / "README.md"
    readme.write_text(with_table(readme.read_text("utf-8")), "utf-8")
