"""The command line's root: the application, its groups of commands, `--version`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from scumble.core.version import __version__

app = typer.Typer(
    name="scumble",
    help="Paint over film: a plate and style pictures go in, a steady painted shot comes out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

look_app = typer.Typer(help="Make, mix, train and inspect looks.", no_args_is_help=True)

data_app = typer.Typer(help="Prepare training data.", no_args_is_help=True)

farm_app = typer.Typer(help="Renders for a studio's own queue.", no_args_is_help=True)

weights_app = typer.Typer(help="Weights that are not shipped.", no_args_is_help=True)

# Typer has carried a Click of its own since 0.2x: this is the base class of its usage errors in either case
ClickException: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")


def _version(asked: bool) -> None:
    if asked:
        print(f"scumble {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None: ...
