"""The colour space of a picture file: from a wish, from its own tags, else from its kind."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from scumble.core import colour
from scumble.core.colour import REC_709, ColourSpace, Encoded, Gamma, SrgbCurve, by_chromaticities
from scumble.core.errors import BadPlate, BadSettings
from scumble.media.exr import interop_of
from scumble.media.h273 import LINEAR_CURVE, PRIMARIES, SRGB_CURVE, space_of
from scumble.media.icc import description, model_of, space_of_profile
from scumble.media.ocio import CONFIG, Colours
from scumble.media.picture_reader import PROFILE, Header
from scumble.media.plate import BY_PROFILE, ColourOrigin, PlateOptions
from scumble.media.png_chunks import chunks_of

NEAR = 0.001  # of chromaticities: they are rounded to a thousandth

GAMMAS = {4: 45455, 5: 35714, LINEAR_CURVE: 100000}  # a PNG's gAMA of curves that have a number

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
    said = None if header.is_float else _declared(path, says.get(PROFILE))
    if said is not None:
        return said
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
    # the library says sRGB of every picture without tags
    return colour.DISPLAY, ColourOrigin("display-referred", is_assumed=True)


def _declared(path: Path, profile: Any) -> tuple[ColourSpace, ColourOrigin] | None:
    """What a picture of integers says of its colours, in a PNG's order: cICP, profile, sRGB, gamma and primaries."""
    chunks = chunks_of(path)
    if len(numbers := chunks.get(b"cICP", b"")) == 4:
        known = space_of(numbers[0], numbers[1])
        if known is not None:
            return known, ColourOrigin("its cICP chunk")
        said = f"its cICP chunk names primaries {numbers[0]} and curve {numbers[1]}, which have no space here"
        return colour.DISPLAY, ColourOrigin(said, is_assumed=True, is_doubtful=True)
    if profile is not None and model_of(bytes(profile)) in ("RGB", "GRAY"):
        known = space_of_profile(bytes(profile))
        if known is not None:
            return known, BY_PROFILE
        name = description(bytes(profile)) or "without a name"
        said = f"its ICC profile ({name}) is damaged or of tables, which are not read"
        return colour.DISPLAY, ColourOrigin(said, is_assumed=True, is_doubtful=True)
    if b"sRGB" in chunks:
        return colour.DISPLAY, ColourOrigin("its sRGB chunk")
    gamma, primaries = _numbers(chunks.get(b"gAMA", b""), 1), _numbers(chunks.get(b"cHRM", b""), 8)
    if gamma or primaries:
        try:
            return _by_gamma(gamma[0] if gamma else 0, primaries), ColourOrigin("its gAMA and cHRM chunks")
        except BadPlate as error:
            raise BadPlate(f"{path}: {error}") from error
    return None


def _numbers(chunk: bytes, count: int) -> tuple[int, ...]:
    """The numbers of a chunk; none of one that does not have so many."""
    return struct.unpack(f">{count}I", chunk) if len(chunk) == 4 * count else ()


def _by_gamma(gamma: int, primaries: Sequence[int]) -> ColourSpace:
    """The space of a PNG's gAMA, 0 without one, and cHRM, in hundred thousandths; cHRM begins with the white."""
    chromaticities = tuple(v / 100000 for v in (*primaries[2:], *primaries[:2])) if primaries else REC_709
    number = next((n for n, (_, xy) in PRIMARIES.items() if np.abs(np.subtract(xy, chromaticities)).max() < NEAR), None)
    if number == 1 and primaries and gamma == GAMMAS[4]:  # what writers of sRGB put beside its chunk, or instead of it
        return colour.DISPLAY
    curve = SRGB_CURVE if not gamma else next((n for n, g in GAMMAS.items() if abs(gamma - g) < 100), None)
    if number is not None and curve is not None and (known := space_of(number, curve)) is not None:
        return known
    linear = by_chromaticities(chromaticities)
    name = "primaries " + " ".join(f"{v:.4g}" for v in chromaticities) if number is None else PRIMARIES[number][0]
    if not gamma:
        return ColourSpace(f"sRGB curve {name}", "display", Encoded(SrgbCurve(), linear))
    exponent = 100000 / gamma
    return ColourSpace(f"Gamma {exponent:.4g} {name}", "display", Encoded(Gamma(exponent), linear))


def _known(colours: Colours, name: str) -> ColourSpace:
    """A space that a tag names: a show's own configuration may call it something else. Raises BadSettings."""
    try:
        return colours.space(name)
    except BadSettings:
        return Colours(CONFIG).space(name)


def _are_chromaticities(values: Any) -> bool:
    return isinstance(values, tuple) and len(values) == 8 and all(isinstance(v, float) for v in values)
