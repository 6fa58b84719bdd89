"""Colour spaces by name: of OpenColorIO's built-in ACES configuration, of `$OCIO`, or of a configuration that is named.

Every space leads to one of the two that Scumble paints in: scene-referred ones (linear, log, HDR video)
to linear Rec. 709, display-referred ones to sRGB.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scumble.core.colour import DISPLAY, LINEAR, ColourSpace, linear_to_srgb, srgb_to_linear
from scumble.core.errors import BadSettings

Pixels = NDArray[np.float32]

# an exact name: `ocio://default` and the -latest ones change with the library
CONFIG = "ocio://studio-config-v2.2.0_aces-v1.3_ocio-v2.4"

WHITE = 203 / 100  # diffuse white of HDR video in OCIO's units of 100 nits [ITU-R BT.2408]

# what the two spaces that Scumble paints in are called, too [ASWF Color Interop Forum]
OWN = {
    "srgb": DISPLAY,
    "srgb_rec709_scene": DISPLAY,
    "srgb_rec709_display": DISPLAY,
    "lin_rec709": LINEAR,
    "lin_rec709_scene": LINEAR,
}


class Colours:
    """The spaces of a configuration: `name`d, else of `$OCIO`, else the pinned one. Read when first asked for."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name or os.environ.get("OCIO") or CONFIG

    def check(self) -> None:
        """Raises BadSettings for a configuration that cannot be read."""
        config_of(self.name)

    @property
    def identity(self) -> str:
        """Changes when the configuration does."""
        return str(config_of(self.name).getCacheID())

    def space(self, name: str) -> ColourSpace:
        """A space by its name, alias or role. Raises BadSettings for one that is not in the configuration."""
        if self.name == CONFIG and name.lower() in OWN:
            return OWN[name.lower()]
        config = config_of(self.name)
        in_config = config.getColorSpace(name) if name.isprintable() else None
        if in_config is None:
            if name.lower() in OWN:  # what Scumble itself writes is known whatever the configuration
                return OWN[name.lower()]
            known = [str(s) for s in config.getColorSpaceNames()]
            near = difflib.get_close_matches(name, known, 3, 0.4)
            more = f"; did you mean {', '.join(near)}?" if near else f"; it has {', '.join(known[:12])}"
            raise BadSettings(f"colour space {name[:60]!r} is not in {self.name}{more}")
        if in_config.isData() or in_config.getEncoding() == "data":
            raise BadSettings(f"colour space {name!r} of {self.name} is data, not colour; name another one")
        if self.name == CONFIG:
            aliases = {alias.lower() for alias in in_config.getAliases()}
            own = next((space for alias, space in OWN.items() if alias in aliases), None)
            if own is not None:
                return own
        encoding = _encoding(self.name, config, in_config)
        scene = encoding != "sdr-video"
        white = WHITE if encoding == "hdr-video" else 1.0
        conversion = _Conversion(self.name, in_config.getName(), scene, white)
        conversion.check()
        return ColourSpace(in_config.getName(), "scene" if scene else "display", conversion, encoding == "scene-linear")


def _encoding(name: str, config: Any, space: Any) -> str:
    """scene-linear, log, hdr-video or sdr-video; guessed where a configuration does not say."""
    import PyOpenColorIO

    if space.getEncoding():
        return str(space.getEncoding())
    if config.isColorSpaceLinear(space.getName(), PyOpenColorIO.REFERENCE_SPACE_SCENE):
        return "scene-linear"
    # a log encoding's 1 is far above white; a display's is white
    scene = _processor(name, space.getName(), True).applyRGB([1.0, 1.0, 1.0])
    return "log" if max(scene) > 1.5 else "sdr-video"


@cache
def config_of(name: str) -> Any:
    """A configuration by its name, read once. Raises BadSettings."""
    import PyOpenColorIO

    try:
        return PyOpenColorIO.Config.CreateFromFile(name)
    except (PyOpenColorIO.Exception, PyOpenColorIO.ExceptionMissingFile) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise BadSettings(f"{name}: not an OpenColorIO configuration ({reason}); check --ocio and $OCIO") from error


@dataclass(frozen=True)
class _Conversion:
    """Between a space of a configuration and the one that Scumble paints in."""

    config: str
    name: str
    scene: bool
    white: float

    def check(self) -> None:
        """Raises BadSettings where the configuration knows no way."""
        _processor(self.config, self.name, True)
        _processor(self.config, self.name, False)

    def to_reference(self, pixels: Pixels) -> Pixels:
        """Pixels (..., 3) of the space to linear Rec. 709 or sRGB."""
        light = self._applied(pixels, True)
        if not self.scene:
            return linear_to_srgb(light)
        return light if self.white == 1 else light / np.float32(self.white)

    def from_reference(self, pixels: Pixels) -> Pixels:
        """The inverse of `to_reference`."""
        if not self.scene:
            return self._applied(srgb_to_linear(pixels), False)
        return self._applied(pixels if self.white == 1 else pixels * np.float32(self.white), False)

    def _applied(self, pixels: Pixels, there: bool) -> Pixels:
        return applied(_processor(self.config, self.name, there), pixels)


def applied(processor: Any, pixels: Pixels) -> Pixels:
    """What a processor of OpenColorIO makes of pixels (..., 3), in an array of its own."""
    changed = np.array(pixels, np.float32, order="C")
    if changed.size:
        processor.applyRGB(changed)
    return changed


@cache
def _processor(config_name: str, name: str, there: bool) -> Any:
    import PyOpenColorIO

    own, built_in = config_of(config_name), config_of(CONFIG)
    # light also for display-referred spaces: below 0 its sRGB curve is not the mirrored one of `core.colour`
    reference = "lin_rec709_scene"
    try:
        if config_name == CONFIG:
            ways = (name, reference) if there else (reference, name)
            processor = built_in.getProcessor(*ways)
        elif there:
            processor = PyOpenColorIO.Config.GetProcessorFromConfigs(own, name, built_in, reference)
        else:
            processor = PyOpenColorIO.Config.GetProcessorFromConfigs(built_in, reference, own, name)
        # without the approximations that the default takes for pow and log
        return processor.getOptimizedCPUProcessor(PyOpenColorIO.OPTIMIZATION_LOSSLESS)
    except (PyOpenColorIO.Exception, PyOpenColorIO.ExceptionMissingFile) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise BadSettings(
            f"{config_name}: no way between {name} and {reference} ({reason}); the configuration needs the role"
            " aces_interchange, and spaces that can be inverted"
        ) from error
