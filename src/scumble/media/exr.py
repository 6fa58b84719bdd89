"""EXR: the colour layer of a plate is painted; every other channel, part and attribute goes back as it came.

OpenEXR's own binding is used because it keeps each channel in its own type (32-bit object numbers among
them) and each attribute in its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

from scumble.core.bands import in_bands
from scumble.core.colour import ColourSpace, converted
from scumble.core.errors import BadOutput, BadPlate
from scumble.core.frames import Frame, Metadata, Pixels
from scumble.media.aov import channels_of, layers_of
from scumble.media.exr_chroma import as_rgb
from scumble.media.exr_layers import Chosen, Part, Parts, choose, forget_error, views_of
from scumble.media.plate import WriterSettings
from scumble.media.timecode import fields

HALF_MOST = 65504  # the largest half

# interop ids of linear spaces by the names of the pinned configuration [ASWF Color Interop Forum]
INTEROP = {
    "lin_rec709": "lin_rec709_scene",
    "Linear Rec.709 (sRGB)": "lin_rec709_scene",
    "ACEScg": "lin_ap1_scene",
    "ACES2065-1": "lin_ap0_scene",
    "Linear Rec.2020": "lin_rec2020_scene",
    "Linear P3-D65": "lin_p3d65_scene",
    "Linear AdobeRGB": "lin_adobergb_scene",
}

STAMP = "scumble"  # attribute in which an output names how it was made

# attributes that say what the numbers mean
COLOUR = {"chromaticities", "colorInteropID", "acesImageContainerFlag", "oiio:ColorSpace"}

# what OpenEXR derives from the pixels, and a small picture of what was there before
STRUCTURE = {"channels", "chunkCount", "version", "maxSamplesPerPixel", "preview"}


def straight(pixels: Pixels, alpha: Pixels) -> Pixels:
    """Colours that are not multiplied by alpha (H, W, 1); where nothing is, light that was added stays."""
    return np.where(alpha > 0, pixels / np.maximum(alpha, 1e-8), pixels).astype(np.float32)


def encoded(frame: Frame, space: ColourSpace, settings: WriterSettings, stamp: str, path: Path) -> Any:
    """The file of a frame in `space`, to be written: an `OpenEXR.File`. Raises BadPlate, BadOutput.

    A frame that was read from an EXR gives all that stands beside its colour layer. `path` is for messages.
    """
    import OpenEXR

    pixels = converted(frame.pixels, frame.colour_space, space)
    if frame.source is None or frame.source.suffix.lower() != ".exr":
        kind = np.float32 if settings.bits == 32 else np.float16
        if frame.alpha is not None:
            # straight colours where nothing is are no light, but in a plate that was multiplied they were added
            added = (frame.alpha <= 0) & frame.metadata.premultiplied
            pixels = np.concatenate([np.where(added, pixels, pixels * frame.alpha), frame.alpha], axis=2)
        names = "Y" if settings.grey else "RGBA"[: pixels.shape[2]]
        planes = {c: _typed(pixels[:, :, i], kind) for i, c in enumerate(names)}
        planes |= _aovs(frame, space, settings, kind)
        return OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, **_header(frame, space, stamp)}, planes)
    file = opened(frame.source)
    found = Parts(
        [Part(str(p.header.get("name", "")), sorted(p.channels), str(p.header.get("view", ""))) for p in file.parts],
        views_of([p.header.get("view", "") for p in file.parts], file.parts[0].header.get("multiView", ())),
    )
    for part in file.parts:
        if "timeCode" in part.header and frame.metadata.timecode is not None:  # another one where a frame is repeated
            part.header["timeCode"] = _counted(part.header["timeCode"], frame.metadata)
    channels = [part.channels for part in file.parts]
    for eye in (frame, *frame.eyes):
        chosen = choose(found, settings.layer, frame.source, eye.view)
        own = pixels if eye is frame else converted(eye.pixels, eye.colour_space, space)
        named = eye.view if eye.view not in ("", *found.views[:1]) and not found.parts[chosen.part].view else ""
        canvas = _Canvas(file.parts[chosen.part], channels[chosen.part], chosen, named)
        channels[chosen.part] = _painted(canvas, eye, own, space, settings, path)
    told = space if settings.told or space != frame.colour_space else None
    return OpenEXR.File(
        [
            OpenEXR.Part({**_kept(part.header, told), STAMP: stamp}, own)
            for part, own in zip(file.parts, channels, strict=True)
        ]
    )


def opened(path: Path) -> Any:
    """All parts of an EXR with every channel by itself. Raises BadPlate for one that cannot go back as it came."""
    import OpenEXR

    source = oiio.ImageInput.open(str(path))
    if source is not None and source.seek_subimage(1, 0):
        check_whole(path)  # the binding leaves out parts that it cannot read; a single one has been read before
    forget_error()
    try:
        file = OpenEXR.File(str(path), separate_channels=True)
    except (RuntimeError, TypeError, ValueError) as error:
        raise BadPlate(f"{path}: its channels cannot be passed through ({error}); take another copy of it") from error
    if not file.parts:  # the binding leaves out what it cannot read, without a word
        raise BadPlate(f"{path}: the picture is damaged (no part of it can be read); take another copy of it")
    for part in file.parts:
        (left, top), (right, bottom) = part.header["dataWindow"]
        size = (bottom - top + 1, right - left + 1)
        if part.header.get("type") in (OpenEXR.deepscanline, OpenEXR.deeptile):
            raise BadPlate(f"{path}: has a deep part; flatten it first (Nuke: DeepToImage)")
        for name, channel in part.channels.items():
            whole = (-(-size[0] // channel.ySampling), -(-size[1] // channel.xSampling))
            if channel.pixels is None or channel.pixels.shape[:2] != whole:
                raise BadPlate(f"{path}: channel {name} is damaged; take another copy of it")
        part.channels = as_rgb(part)
    return file


def _aovs(frame: Frame, space: ColourSpace, settings: WriterSettings, kind: Any) -> Mapping[str, NDArray[Any]]:
    """The planes of the parts that are wanted, by channel."""
    if frame.paint is None or not settings.aovs:
        return {}
    paint = replace(frame.paint, pixels=converted(frame.paint.pixels, frame.colour_space, space))
    return layers_of(paint, frame.alpha, space, settings.breadth, settings.aovs, kind)


class _Canvas(NamedTuple):
    """Where an eye is painted: a part as it was read, its channels as they will be written, and its colour layer."""

    part: Any
    channels: Mapping[str, Any]
    chosen: Chosen
    view: str  # that names of new channels have to say

    def named(self, channel: str) -> str:
        """The name of a new channel: OpenEXR puts the view before the last word."""
        layer, _, last = channel.rpartition(".")
        return ".".join(word for word in (layer, self.view, last) if word)


def _painted(
    canvas: _Canvas, frame: Frame, pixels: Pixels, space: ColourSpace, settings: WriterSettings, path: Path
) -> dict[str, Any]:
    """The part's channels with the painting in its colour layer, or in a layer of its own beside it."""
    import OpenEXR

    part, chosen, channels = canvas.part, canvas.chosen, dict(canvas.channels)
    (left, top), (right, bottom) = part.header["dataWindow"]
    (full_left, full_top), _ = part.header["displayWindow"]
    # the frame's first pixel stands at the display window's corner less its margin
    x, y = left - full_left + frame.margin.left, top - full_top + frame.margin.top
    rows, columns = _overlap(y, bottom - top + 1, pixels.shape[0]), _overlap(x, right - left + 1, pixels.shape[1])
    names = [chosen.names[i] for i in chosen.colours]
    grey = len(set(names)) < 3
    inside = (slice(rows.start - y, rows.stop - y), slice(columns.start - x, columns.stop - x))
    planes = [channels[name].pixels[inside] for name in names]
    alpha = None if chosen.alpha is None else channels[chosen.names[chosen.alpha]].pixels[inside]
    is_same_space = space == frame.colour_space
    new = in_bands(lambda *rows: _over(is_same_space, *rows), pixels[rows, columns], alpha, *planes)
    targets = [canvas.named(f"{settings.out_layer}.{c}") for c in "RGB"] if settings.out_layer else []
    aovs = [canvas.named(name) for name in channels_of(settings.aovs)]
    taken = next((t for t in (*targets, *aovs) if t in channels), None)
    if taken:
        remedy = "give another --out-layer" if taken in targets else "leave it out of --aov"
        raise BadOutput(f"{path}: frame {frame.number}: the plate has a channel {taken}; {remedy}")
    asked = {16: np.float16, 32: np.float32}[settings.bits] if settings.wants_bits else None
    kind = asked or (np.float32 if channels[names[0]].pixels.dtype == np.float32 else np.float16)
    for target, values in _aovs(frame, space, settings, kind).items():
        plane = np.zeros(channels[names[0]].pixels.shape, kind)
        plane[inside] = values[rows, columns]
        channels[canvas.named(target)] = OpenEXR.Channel(plane, 1, 1)
    if not settings.out_layer:
        targets = ["R", "G", "B"] if grey else names
        if grey:
            del channels[names[0]]
    for i, (name, target) in enumerate(zip(names, targets, strict=True)):
        own = part.channels[name].pixels.dtype
        plane = part.channels[name].pixels.copy() if asked is None else _typed(part.channels[name].pixels, asked).copy()
        plane[inside] = _typed(new[:, :, i], asked or (np.float16 if own == np.uint32 else own))
        channels[target] = OpenEXR.Channel(plane, 1, 1)
    return channels


def _over(is_same_space: bool, new: Pixels, alpha: Pixels | None, *planes: Any) -> Pixels:
    """Painted colours (H, W, 3) for a file whose own are `planes`: where they are the plate's, its very codes."""
    old = np.stack([plane.astype(np.float32) for plane in planes], axis=2)
    before, result = old, new
    if alpha is not None:
        share = alpha.astype(np.float32)[:, :, None]
        before, result = straight(old, share), np.where(share > 0, new * share, new)
    if is_same_space:
        result = np.where((new == before) | (~np.isfinite(new) & ~np.isfinite(before)), old, result)
    return result


def _overlap(first: int, length: int, size: int) -> slice:
    """Of `length` places from `first` those that are in 0 to `size`."""
    return slice(max(0, first), max(0, first, min(size, first + length)))


def _typed(plane: Pixels, kind: Any) -> Any:
    if kind == np.float16:
        plane = np.where(np.isfinite(plane), np.clip(plane, -HALF_MOST, HALF_MOST), plane)
    return np.ascontiguousarray(plane, kind)


def _kept(header: dict[str, Any], changed: ColourSpace | None) -> dict[str, Any]:
    """A part's attributes as they go back; compressions that lose something, and small pictures of it, do not.

    Where painting has `changed` the colour space all parts say so: they may not differ in it.
    """
    import OpenEXR

    kept = {k: v for k, v in header.items() if k not in STRUCTURE}
    if changed is not None:
        kept = {k: v for k, v in kept.items() if k not in COLOUR} | colour_attributes(changed)
    lossy = (
        OpenEXR.DWAA_COMPRESSION,
        OpenEXR.DWAB_COMPRESSION,
        OpenEXR.B44_COMPRESSION,
        OpenEXR.B44A_COMPRESSION,
    )
    if kept.get("compression") in lossy:  # what passes through would lose a second time
        kept["compression"] = OpenEXR.ZIP_COMPRESSION
    if "tiles" in kept:
        kept["tiles"].mode = OpenEXR.ONE_LEVEL
    return {k: v for k, v in kept.items() if v is not None}


def colour_attributes(space: ColourSpace) -> dict[str, Any]:
    """`chromaticities` and `colorInteropID` of a linear space that has them."""
    import OpenEXR

    interop = INTEROP.get(space.name)
    if interop is None:
        return {"oiio:ColorSpace": space.name}
    known = OpenEXR.colorInteropIDToChromaticities(interop)
    return {"colorInteropID": interop, **({"chromaticities": known} if known is not None else {})}


def interop_of(chromaticities: Sequence[float]) -> str | None:
    """The interop id of a linear space by its primaries and white point, where there is one."""
    import OpenEXR

    identifier = OpenEXR.chromaticitiesToColorInteropID(tuple(chromaticities))
    return str(identifier) if identifier else None


def _header(frame: Frame, space: ColourSpace, stamp: str) -> dict[str, Any]:
    """Attributes of a new file: all that the frame knows and EXR has a type for."""
    metadata = frame.metadata
    header: dict[str, Any] = {}
    for name, (kind, value) in metadata.attributes.items():
        if kind in ("string", "float", "int") and not name.lower().startswith(("oiio:", "openexr:", "png:", "tiff:")):
            header[name] = value
    if metadata.frame_rate is not None:
        header["framesPerSecond"] = metadata.frame_rate
    if metadata.reel is not None:
        header["reelName"] = metadata.reel
    if metadata.timecode is not None:
        header["timeCode"] = _timecode(metadata.timecode, metadata.frame_rate)
    if metadata.pixel_aspect is not None:
        header["pixelAspectRatio"] = float(metadata.pixel_aspect)
    return {**header, **colour_attributes(space), STAMP: stamp}


def _timecode(text: str, rate: Fraction | None) -> Any:
    import OpenEXR

    hours, minutes, seconds, frame, second_of_pair = fields(text, rate)
    flags = (";" in text, False, second_of_pair, False, False, False)
    return OpenEXR.TimeCode(hours, minutes, seconds, min(frame, 29), *flags, 0, 0, 0, 0, 0, 0, 0, 0)


def check_whole(path: Path) -> None:
    """Raises BadPlate for a picture of which some part cannot be decoded to its end."""
    source = oiio.ImageInput.open(str(path))
    try:
        place, reason = 0, "" if source is not None else oiio.geterror()
        while source is not None and not reason and (place == 0 or source.seek_subimage(place, 0)):
            codes = source.read_image(place, 0, 0, 1, oiio.HALF)
            reason = source.geterror() or ("" if codes is not None else "not readable")
            place += 1
    except UnicodeDecodeError:  # the file's own bytes in the library's message
        reason = "not readable"
    forget_error()  # the end of the parts is no error
    if reason:
        raise BadPlate(f"{path}: the picture is damaged ({reason.strip().splitlines()[0]}); take another copy of it")


def _counted(own: Any, metadata: Metadata) -> Any:
    """A file's timecode, or the frame's where that is another one; with the file's own user data."""
    assert metadata.timecode is not None
    new = _timecode(metadata.timecode, metadata.frame_rate)
    parts = ("hours", "minutes", "seconds", "frame", "fieldPhase")
    if all(getattr(own, part) == getattr(new, part) for part in parts):
        return own
    new.userData = own.userData
    return new
