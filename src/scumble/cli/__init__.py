"""The command line, one module a group of commands."""

from scumble.cli.program import main

__all__ = ["main"]
