"""The colour space of a picture file: from a wish, from its own tags, else from its kind."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from scumble.core import colour
from scumble.core.colour import ColourSpace, by_chromaticities
from scumble.core.errors import BadSettings
from scumble.media.exr import interop_of
from scumble.media.ocio import CONFIG, Colours
from scumble.media.picture_reader import Header
from scumble.media.plate import ColourOrigin, PlateOptions

LINEAR_FORMATS = {".exr"}

LOGARITHMIC = ("logarithmic", "printing density")  # what DPX calls scans of film


def plate_space(path: Path, header: Header, options: PlateOptions) -> tuple[ColourSpace, ColourOrigin]:
    """A plate's colour space and where that is known from: a wish, its own tags, else its kind."""
    if options.in_space:
        return options.colours.space(options.in_space), ColourOrigin("--in-space")
    says = header.says
    if "colorInteropID" in says or "chromaticities" in says:
        options.colours.check()  # a broken $OCIO is refused, not passed over
    if path.suffix.lower() in LINEAR_FORMATS:
        interop = str(says.get("colorInteropID", ""))
        if interop and interop not in ("data", "unknown"):
            with suppress(BadSettings):  # an id of another kind of picture; the chromaticities may know better
                return _known(options.colours, interop), ColourOrigin("its colorInteropID")
        if "chromaticities" in says and _are_chromaticities(says["chromaticities"]):
            known = interop_of(says["chromaticities"])
            if known is None:
                return by_chromaticities(says["chromaticities"]), ColourOrigin("its chromaticities")
            return _known(options.colours, known), ColourOrigin("its chromaticities")
        if says.get("oiio:ColorSpace"):  # what Scumble writes where there is no id
            with suppress(BadSettings):
                return _known(options.colours, str(says["oiio:ColorSpace"])), ColourOrigin("its tags")
        return colour.LINEAR, ColourOrigin("an EXR without tags", is_assumed=True)
    transfer = str(says.get("dpx:Transfer", ""))
    if transfer.lower() in LOGARITHMIC:
        return _known(options.colours, "ADX10"), ColourOrigin(f"its transfer {transfer!r}")
    if header.is_float and path.suffix.lower() in (".tif", ".tiff"):
        return colour.LINEAR, ColourOrigin("floating point", is_assumed=True)
    if transfer.lower() == "linear" and header.bits >= 16:
        return colour.LINEAR, ColourOrigin(f"its transfer {transfer!r}")
    if transfer.lower() == "linear":  # FFmpeg says so of every DPX
        why = f"{header.bits} bits hold no linear light, whatever its transfer says"
        return colour.DISPLAY, ColourOrigin(why, is_assumed=True)
    tag = str(says.get("oiio:ColorSpace", ""))
    if tag in ("lin_rec709_scene", "lin_p3d65_scene", "lin_rec2020_scene", "lin_ap1_scene", "srgb_p3d65_scene",
               "srgb_p3d65_display", "g22_adobergb_scene", "g22_rec709_scene", "g18_rec709_scene"):  # fmt: skip
        with suppress(BadSettings):
            return _known(options.colours, tag), ColourOrigin("its tags")
    # the library says sRGB of every picture without tags
    return colour.DISPLAY, ColourOrigin("display-referred", is_assumed=True)


def _known(colours: Colours, name: str) -> ColourSpace:
    """A space that a tag names: a show's own configuration may call it something else. Raises BadSettings."""
    try:
        return colours.space(name)
    except BadSettings:
        return Colours(CONFIG).space(name)


def _are_chromaticities(values: Any) -> bool:
    return isinstance(values, tuple) and len(values) == 8 and all(isinstance(v, float) for v in values)
