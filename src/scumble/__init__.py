"""Scumble: paint over film. A plate and style pictures go in, a steady painted shot comes out.

    from scumble import Look, open_plate, render

docs/python.md shows them at work. They are imported when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from scumble.core.version import __version__ as __version__

if TYPE_CHECKING:
    from scumble.api import find_look, make_look, mix_looks, open_plate, paint, render
    from scumble.core.errors import ScumbleError
    from scumble.look.look import Look
    from scumble.rendering.options import RenderSettings
    from scumble.rendering.run import FrameDone, Rendered

__all__ = [
    "FrameDone",
    "Look",
    "RenderSettings",
    "Rendered",
    "ScumbleError",
    "find_look",
    "make_look",
    "mix_looks",
    "open_plate",
    "paint",
    "render",
]
_PLACES = {
    "FrameDone": "rendering.run",
    "Look": "look.look",
    "RenderSettings": "rendering.options",
    "Rendered": "rendering.run",
    "ScumbleError": "core.errors",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'scumble' has no attribute {name!r}")
    return getattr(import_module(f"scumble.{_PLACES.get(name, 'api')}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
