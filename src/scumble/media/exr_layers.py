"""The layers of an EXR: which channels are the picture, of which part and which eye."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import OpenImageIO as oiio

from scumble.core.errors import BadPlate

BEAUTY = ("beauty", "combined", "rgba", "rgb", "color", "colour", "main")

# what Nuke calls the channels of a layer
LONG_NAMES = {"red": "R", "green": "G", "blue": "B", "alpha": "A"}


class Chosen(NamedTuple):
    """The colour layer of a picture: its part, and places of red, green, blue and of alpha in it."""

    part: int
    colours: tuple[int, int, int]
    alpha: int | None
    names: tuple[str, ...]  # of all channels of the part


class Part(NamedTuple):
    """What a part of a picture says of itself."""

    name: str
    channels: Sequence[str]
    view: str = ""  # the eye that all of it belongs to


class Parts(NamedTuple):
    """The parts of a picture, and its views: the first is that of channels which name none."""

    parts: Sequence[Part]
    views: Sequence[str] = ()

    def layers(self, place: int, view: str = "") -> dict[str, dict[str, int]]:
        """The layers of a part that belong to a view: places of their channels, R for Nuke's red, by their name."""
        part, default = self.parts[place], self.views[0] if self.views else ""
        layers: dict[str, dict[str, int]] = {}
        for at, channel in enumerate(part.channels):
            own, plain = (part.view, channel) if part.view else self._without_view(channel)
            if (own or default) == (view or default):
                prefix, _, last = plain.rpartition(".")
                layers.setdefault(prefix, {}).setdefault(LONG_NAMES.get(last.lower(), last.upper()), at)
        return layers

    def name_of(self, place: int) -> str:
        """A part's name without its view: `rgba` for `rgba.left`."""
        return self._without_view(f"{self.parts[place].name}.")[1].rstrip(".")

    def _without_view(self, channel: str) -> tuple[str, str]:
        """The view in a channel's name and the rest: `light.left.R` is OpenEXR's way, `left.light.R` is seen too."""
        *prefix, last = channel.split(".")
        for place in (-1, 0):
            if prefix and prefix[place] in self.views:
                view = prefix.pop(place)
                return view, ".".join([*prefix, last])
        return "", channel


def choose(found: Parts, layer: str, path: Path, view: str = "") -> Chosen:
    """The layer `layer` of a view among the parts, else the first with colours. Raises BadPlate.

    Without a name plain R, G, B of the first part go first, then what renderers call the beauty, then any layer
    with all three by name, then a single channel as grey. A part's own name is that of the plain channels in it.
    """
    if view and view not in found.views:
        there = f"it has {', '.join(found.views)}" if found.views else "it has one picture; leave --view out"
        raise BadPlate(f"{path}: no view {view!r}; {there}")
    choices: list[tuple[tuple[int, str, int], Chosen]] = []
    for place, part in enumerate(found.parts):
        for prefix, at in found.layers(place, view).items():
            name = prefix or found.name_of(place)
            if set("RGB") <= at.keys() and layer in ("", name):
                one = Chosen(place, (at["R"], at["G"], at["B"]), at.get("A"), tuple(part.channels))
                choices.append(((_rank(prefix, name, place), name, place), one))
    if choices:
        return min(choices, key=lambda ranked: ranked[0])[1]
    if layer:
        there = ", ".join(layers(found, view)) or "none"
        raise BadPlate(f"{path}: no layer {layer!r} with R, G and B; it has {there}")
    names = found.parts[0].channels
    colourless = [name for name in names if name.rpartition(".")[2].upper() in ("Z", "ZBACK", "U", "V", "ID")]
    if path.suffix.lower() == ".exr" and (
        colourless == list(names) or ("Y" not in names and len(set(names) - {"A"}) > 1)
    ):
        raise BadPlate(f"{path}: no layer with R, G and B, nor one channel of light; it has {', '.join(names[:20])}")
    single = "Y" if "Y" in names else min((name for name in names if name != "A"), default=names[0])
    return Chosen(0, (names.index(single),) * 3, names.index("A") if "A" in names else None, tuple(names))


def _rank(prefix: str, name: str, place: int) -> int:
    """How likely a layer is the picture; 0 is most."""
    if not prefix and place == 0:
        return 0
    last = name.rpartition(".")[2].lower()
    if last in BEAUTY:
        return 1
    if last.startswith(("crypto", "ucrypto")):  # object numbers
        return 4
    return 3 if prefix else 2


def layers(found: Parts, view: str = "") -> list[str]:
    """Names of the layers of a view that have colours, as `--layer` takes them."""
    return [
        prefix or found.name_of(place)
        for place in range(len(found.parts))
        for prefix, at in found.layers(place, view).items()
        if set("RGB") <= at.keys() and (prefix or found.name_of(place))
    ]


def parts_of(source: Any) -> Parts:
    """What the parts of a file say that OpenImageIO has open."""
    parts: list[Part] = []
    several = source.spec().getattribute("multiView") or ()
    while source.seek_subimage(len(parts), 0):
        spec = source.spec()
        name, view = (spec.get_string_attribute(key) for key in ("oiio:subimagename", "view"))
        parts.append(Part(name, [str(channel) for channel in spec.channelnames], view))
    source.seek_subimage(0, 0)
    forget_error()  # the end of the parts is no error
    return Parts(parts, views_of([part.view for part in parts], several))


def views_of(of_parts: Sequence[Any], several: Sequence[Any]) -> tuple[str, ...]:
    """The views of a file, the default one first; none where it has one picture only."""
    named = [str(view) for view in several] if not isinstance(several, str) else [several]
    views = tuple(dict.fromkeys([*named, *(str(view) for view in of_parts if view)]))
    return views if len(views) > 1 else ()


def forget_error() -> None:
    """What the library has to say and nobody asks for it prints at the end."""
    with suppress(UnicodeDecodeError):  # the file's own bytes in its message
        oiio.geterror()
