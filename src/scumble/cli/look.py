"""`scumble look make`, `mix` and `info`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from scumble.cli.checks import check_look_output
from scumble.cli.grammar import weighted


def look_make(
    paintings: Annotated[list[str], typer.Argument(metavar="PAINTING[:WEIGHT]...", help="Style pictures.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="LOOK", help="Look file to write.")],
    name: Annotated[str, typer.Option("--name", help="Name of the look; the file's name by default.")] = "",
    universal: Annotated[
        Path | None, typer.Option("--universal", help="Universal generator other than the shipped one.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the look if it is there.")] = False,
) -> None:
    """Make a look from style pictures in one forward pass."""
    from scumble.look.making import make_look
    from scumble.look.shipped import load_universal

    check_look_output(output, overwrite)
    pictures = [(Path(n), w) for n, w in map(weighted, paintings)]
    made = make_look(pictures, name or output.stem, load_universal(universal))
    made.save(output)
    print(f"{output}: look {made.name} ({made.hash})")


def look_mix(
    looks: Annotated[
        list[str], typer.Argument(metavar="LOOK[:WEIGHT]...", help="Look files or names of shipped looks.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="LOOK", help="Look file to write.")],
    name: Annotated[str, typer.Option("--name", help="Name of the look; the file's name by default.")] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the look if it is there.")] = False,
) -> None:
    """Make one look between several of the same universal generator."""
    from scumble.look.mixing import mix_looks
    from scumble.look.shipped import find_look

    check_look_output(output, overwrite)
    parts = [weighted(text) for text in looks]
    mixed = mix_looks([find_look(n) for n, _ in parts], [w for _, w in parts])
    mixed = replace(mixed, facts={**mixed.facts, "name": name or output.stem})
    mixed.save(output)
    print(f"{output}: look {mixed.name} ({mixed.hash})")


def look_info(
    look: Annotated[str, typer.Argument(metavar="LOOK", help="Look file or name of a shipped look.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a look is and where it comes from."""
    from dataclasses import asdict

    from scumble.look.shipped import find_look
    from scumble.network.weights_file import SCHEMA

    opened = find_look(look)
    facts = {
        "name": opened.name,
        "hash": opened.hash,
        "schema": SCHEMA,
        "parameters": int(sum(a.size for a in opened.weights.values())),
        "receptive_field": opened.halo,
        "architecture": asdict(opened.architecture),
        "palette_mean": [round(float(v), 4) for v in opened.palette.mean],
        "facts": opened.facts,
    }
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    shown = {k: v for k, v in facts.items() if k != "facts"} | {k: v for k, v in opened.facts.items() if k != "name"}
    for key, value in shown.items():
        lines = value if isinstance(value, dict) and key == "training" else {"": value}
        for part, fact in lines.items():
            if part != "settings":  # long; --json has them
                words = json.dumps(fact) if isinstance(fact, dict | list | tuple) else fact
                print(f"{f'{key} {part}'.strip():16} {words}")
