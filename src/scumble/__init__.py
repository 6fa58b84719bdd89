"""Scumble: paint over film. A plate and style pictures go in, a steady painted shot comes out.

    from scumble import Look, open_plate, render

docs/python.md shows them at work. They are imported when they are first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from scumble.api import find_look, make_look, mix_looks, open_plate, paint, render
    from scumble.errors import ScumbleError
    from scumble.look import Look
    from scumble.plan import RenderSettings
    from scumble.rendering import FrameDone, Rendered

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
    "FrameDone": "rendering",
    "Look": "look",
    "RenderSettings": "plan",
    "Rendered": "rendering",
    "ScumbleError": "errors",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'scumble' has no attribute {name!r}")
    return getattr(import_module(f"scumble.{_PLACES.get(name, 'api')}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
