"""One picture file read through OpenImageIO: pixels, channels, windows, headers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio

from scumble.core import colour
from scumble.core.colour import ColourSpace
from scumble.core.errors import BadPlate
from scumble.core.files import spool
from scumble.core.frames import NO_MARGIN, Frame, Margin, Metadata, Pixels
from scumble.media.exr import STAMP, opened, straight
from scumble.media.exr_layers import Chosen, Part, Parts, choose, forget_error, parts_of
from scumble.media.plate import check_can_be_read, check_name, check_size, other_kind
from scumble.media.timecode import from_word

PREMULTIPLIED = {".exr"}  # colours are stored multiplied by alpha

DEPTHS = {"uint8": 8, "uint10": 10, "uint12": 12, "uint16": 16, "half": 16, "float": 32}

# OpenImageIO's names for what a format itself has to say, and for what another file could not mean
OWN_ATTRIBUTES = re.compile(
    r"(oiio|openexr|tiff|png|jpeg|webp|scumble)(:.*)?|dpx:(transfer|colorimetric|packing|version|imagedescriptor|"
    r"endof.*|dittokey|signal|timecode|userbits|framerate|inputdevice|.*quantity|.*code(value)?)"
    r"|exif:(color|pixel).*|orientation|icc(profile)?:.*|compression.*|planarconfig|pixelaspectratio|[xy]?resolution.*|chromaticities|colorinteropid|capdate|datetime|software"
    r"|framespersecond|smpte:.*|reelname|screenwindow.*|multiview|.*thumbnail.*",
    re.IGNORECASE,
)

PROFILE = "ICCProfile"

MOST_APART = 65536  # pixels between the borders of data and display window: more is a damaged header


@dataclass(frozen=True)
class Header:
    """What a picture says of itself before its pixels are read."""

    size: tuple[int, int]
    """Width and height of the display window, upright."""
    bits: int
    """Bits a channel, 32 for float; half is 16."""
    is_float: bool
    """Half or float."""
    has_alpha: bool
    """Whether the colour layer has alpha."""
    metadata: Metadata
    window: Margin
    """How far the data window reaches beyond the display window; less than 0 where it ends inside."""
    says: Mapping[str, Any]
    """Attributes that speak of colour, and by which an output names how it was made."""
    views: tuple[str, ...] = ()
    """The eyes of a stereo EXR, the default one first; empty for one picture."""
    channels: frozenset[str] = frozenset()
    """Names of all channels of an EXR, with their parts'."""


def read_header(path: Path, layer: str = "", view: str = "") -> Header:
    """Raises BadPlate."""
    source, spec, chosen = _opened(path, layer, view=view)
    found = parts_of(source) if path.suffix.lower() == ".exr" else Parts([])
    source.close()
    # the display window is the picture; phones turn theirs by a tag
    turned = _orientation(path, spec) >= 5
    size = (spec.full_height, spec.full_width) if turned else (spec.full_width, spec.full_height)
    kind = str(spec.channelformat(chosen.colours[0]))
    bits = int(spec.get_int_attribute("oiio:BitsPerSample", DEPTHS.get(kind, 8)))
    says = {
        name: spec.getattribute(name)
        for name in ("oiio:ColorSpace", "colorInteropID", "chromaticities", "dpx:Transfer", "Software", PROFILE, STAMP)
        if spec.getattribute(name) is not None
    }
    return Header(
        size,
        bits,
        kind in ("half", "float"),
        chosen.alpha is not None,
        _metadata(spec, _is_premultiplied(path, spec)),
        _window(spec),
        says,
        tuple(found.views),
        frozenset(f"{part.name}.{name}" if part.name else name for part in found.parts for name in part.channels),
    )


def _metadata(spec: Any, premultiplied: bool) -> Metadata:
    rate, aspect = spec.getattribute("FramesPerSecond"), spec.get_float_attribute("PixelAspectRatio", 1.0)
    if rate is None and (frames := spec.get_float_attribute("dpx:FrameRate", 0.0)) > 0:
        rate = Fraction(frames).limit_denominator(1001).as_integer_ratio()
    is_rate = isinstance(rate, tuple) and len(rate) == 2 and rate[1] and rate[0] > 0
    reel = spec.get_string_attribute("reelName") or spec.get_string_attribute("dpx:InputDevice")
    frame_rate = Fraction(int(rate[0]), int(rate[1])) if is_rate else None
    return Metadata(
        from_word(spec.getattribute("smpte:TimeCode"), frame_rate),
        frame_rate,
        _text(reel) or None,
        Fraction(aspect).limit_denominator(10000) if 0.01 < aspect < 100 and aspect != 1 else None,
        premultiplied,
        {
            _text(p.name): (str(p.type), _text(p.value))
            for p in spec.extra_attribs
            if not OWN_ATTRIBUTES.fullmatch(p.name)
        },
    )


def _text(value: Any) -> Any:
    """Text that is not UTF-8 is taken for Latin-1, as old headers are; what is no text stays."""
    if not isinstance(value, str) or not any("\ud800" <= c <= "\udfff" for c in value):
        return value
    return value.encode("utf-8", "surrogateescape").decode("latin-1")


def read_picture(path: Path, layer: str = "") -> tuple[Pixels, Pixels | None]:
    """RGB (H, W, 3), not premultiplied, and alpha (H, W, 1) or None; float32, upright; integers become [0, 1].

    Of an EXR the display window is read. Raises BadPlate.
    """
    frame = read_frame(path, 0, colour.DISPLAY, layer)
    return frame.pixels, frame.alpha


def read_frame(
    path: Path, number: int, space: ColourSpace, layer: str = "", margin: Margin = NO_MARGIN, view: str = ""
) -> Frame:
    """A picture's colour layer as a frame; `margin` is read around its display window. Raises BadPlate.

    Outside the data window the display window is 0; beyond both the last pixels are repeated.
    """
    source, spec, chosen = _opened(path, layer, view=view)
    with closing(source):
        frame = _frame_of(path, source, spec, chosen, space, margin)
    return replace(frame, number=number, view=view)


def read_pages(path: Path, numbers: Mapping[int, int], space: ColourSpace) -> Iterator[Frame]:
    """Pages of a TIFF, in the order of the file: `numbers` has their places by the numbers that they get.

    Raises BadPlate.
    """
    source, first, chosen = _opened(path)
    with closing(source):
        for number, page in sorted(numbers.items(), key=lambda item: item[1]):
            if not source.seek_subimage(page, 0):
                forget_error()
                raise BadPlate(f"{path}: frame {number} cannot be decoded; take another copy of it")
            spec = source.spec()
            if (spec.width, spec.height, spec.nchannels) != (first.width, first.height, first.nchannels):
                raise BadPlate(
                    f"{path}: frame {number} has another size than the first; save it as pictures of one size"
                )
            yield replace(_frame_of(path, source, spec, chosen._replace(part=page), space, NO_MARGIN), number=number)


def sizes_of_pages(path: Path) -> list[tuple[int, int]]:
    """Width and height of every picture in a file. Raises BadPlate."""
    source, _, _ = _opened(path)
    with closing(source):
        sizes: list[tuple[int, int]] = []
        while source.seek_subimage(len(sizes), 0):
            sizes.append((source.spec().width, source.spec().height))
        forget_error()  # the end of the pages is no error
    return sizes


def _frame_of(path: Path, source: Any, spec: Any, chosen: Chosen, space: ColourSpace, margin: Margin) -> Frame:
    """The picture at which a reader stands."""
    places = [*chosen.colours, *([] if chosen.alpha is None else [chosen.alpha])]
    first = min(places)
    codes = _decoded(path, source, chosen.part, first, max(places) + 1)
    planes: Pixels = codes.reshape(spec.height, spec.width, -1)
    if [place - first for place in places] != list(range(planes.shape[2])):
        planes = planes[:, :, [place - first for place in places]]
    planes = _framed(planes, _window(spec), margin)
    if _orientation(path, spec) != 1:
        planes = _upright(planes, _orientation(path, spec))
    rgb = np.ascontiguousarray(planes[:, :, :3], np.float32)
    alpha = None
    if chosen.alpha is not None:
        alpha = np.ascontiguousarray(planes[:, :, 3:], np.float32)
        if _is_premultiplied(path, spec):
            rgb = straight(rgb, alpha)
    return Frame(0, rgb, space, alpha, _metadata(spec, _is_premultiplied(path, spec)), margin, path)


def _is_premultiplied(path: Path, spec: Any) -> bool:
    """EXR is, PNG is not, TIFF says."""
    if path.suffix.lower() in (".tif", ".tiff"):
        return "A" in spec.channelnames and not spec.get_int_attribute("oiio:UnassociatedAlpha", 0)
    return path.suffix.lower() in PREMULTIPLIED


def _decoded(path: Path, source: Any, part: int, first: int, last: int) -> Any:
    """Channels `first` to before `last` of a part. Raises BadPlate."""
    try:
        codes, reason = source.read_image(part, 0, first, last, oiio.FLOAT), source.geterror()
    except UnicodeDecodeError:  # the file's own bytes in the library's message
        codes, reason = None, ""
    if codes is None or reason:
        raise BadPlate(f"{path}: the picture is damaged ({_first_line(reason)}); take another copy of it")
    return codes


def _framed(planes: Pixels, window: Margin, margin: Margin) -> Pixels:
    """Pixels of a data window, which reaches `window` beyond the display window, as display window and `margin`."""
    if window == margin:
        return planes
    display = (planes.shape[0] - window.top - window.bottom, planes.shape[1] - window.left - window.right)
    framed = np.zeros((display[0] + sum(margin[1::2]), display[1] + sum(margin[::2]), planes.shape[2]), np.float32)
    rows, row = _shared(margin.top - window.top, planes.shape[0], framed.shape[0])
    columns, column = _shared(margin.left - window.left, planes.shape[1], framed.shape[1])
    framed[rows, columns] = planes[row, column]
    # what is neither data nor display window
    known = [
        (max(0, min(before, there.start)), min(size, max(before + length, there.stop)))
        for before, length, there, size in zip(
            (margin.top, margin.left), display, (rows, columns), framed.shape[:2], strict=True
        )
    ]
    (top, bottom), (left, right) = known
    beyond = ((top, framed.shape[0] - bottom), (left, framed.shape[1] - right), (0, 0))
    return np.pad(framed[top:bottom, left:right], beyond, mode="edge") if np.any(beyond) else framed


def _shared(first: int, length: int, size: int) -> tuple[slice, slice]:
    """Where `length` places from `first` on lie in `size`, and which of them those are."""
    start = min(max(0, first), size)
    stop = max(start, min(size, first + length))
    return slice(start, stop), slice(start - first, stop - first) if stop > start else slice(0, 0)


def _orientation(path: Path, spec: Any) -> int:
    """How a picture lies, as EXIF numbers it; what is no such number is upright."""
    turn = spec.get_int_attribute("Orientation", 1)
    return turn if 1 <= turn <= 8 and path.suffix.lower() != ".exr" else 1  # EXR has none


def _upright(planes: Pixels, orientation: int) -> Pixels:
    buffer = oiio.ImageBuf(np.ascontiguousarray(planes))
    buffer.orientation = orientation
    return np.asarray(oiio.ImageBufAlgo.reorient(buffer).get_pixels(oiio.FLOAT), np.float32)


def channel_names(path: Path) -> list[str]:
    """Names of all channels of a picture's parts; `part.name` where several have one of that name. Raises BadPlate."""
    source, _, _ = _opened(path, any_layer=True)
    names = list(_places(parts_of(source).parts))
    source.close()
    return names


def part_names(path: Path) -> list[str]:
    """Names of a picture's parts. Raises BadPlate."""
    source, _, _ = _opened(path, any_layer=True)
    names = [part.name for part in parts_of(source).parts if part.name]
    source.close()
    return names


def _places(parts: Sequence[Part]) -> dict[str, tuple[int, str]]:
    """Part and channel by the name under which a channel is asked for."""
    all_names = [name for part in parts for name in part.channels]
    return {
        name if all_names.count(name) == 1 or not part.name else f"{part.name}.{name}": (place, name)
        for place, part in enumerate(parts)
        for name in part.channels
    }


def read_attributes(path: Path) -> dict[str, Any]:
    """All of a header's attributes, of all its parts, by OpenImageIO's names. Raises BadPlate."""
    source, _, _ = _opened(path, any_layer=True)
    attributes: dict[str, Any] = {}
    place = 0
    while source.seek_subimage(place, 0):
        for p in source.spec().extra_attribs:
            attributes.setdefault(_text(p.name), _text(p.value))
        place += 1
        if path.suffix.lower() != ".exr":
            break
    source.close()
    forget_error()  # the end of the parts is no error
    return attributes


def read_channels(path: Path, names: Sequence[str], margin: Margin = NO_MARGIN) -> Pixels:
    """Some channels (H, W, C) of one part of a picture as they are, in the display window and `margin`.

    0 outside the data. Raises BadPlate.
    """
    source, _, _ = _opened(path, any_layer=True)
    parts = parts_of(source).parts
    known = _places(parts)
    # with its part's name a channel is found as well where it needs none
    known |= {f"{part.name}.{name}": (i, name) for i, part in enumerate(parts) if part.name for name in part.channels}
    missing = next((name for name in names if name not in known), None)
    if missing is not None or len({known[name][0] for name in names}) > 1:
        source.close()
        raise BadPlate(f"{path}: no channel {missing or names[-1]}; it has {', '.join(list(_places(parts))[:20])}")
    part, names = known[names[0]][0], [known[name][1] for name in names]
    if len(parts) > 1:
        source.seek_subimage(part, 0)
    spec = source.spec()
    places = [parts[part].channels.index(name) for name in names]
    first = min(places)
    with closing(source):
        codes = _decoded(path, source, part, first, max(places) + 1)
    planes = codes.reshape(spec.height, spec.width, -1)[:, :, [place - first for place in places]]
    return np.ascontiguousarray(_framed(planes, _window(spec), margin), np.float32)


def _window(spec: Any) -> Margin:
    """How far a data window reaches beyond its display window; less than 0 where it ends inside."""
    return Margin(
        spec.full_x - spec.x,
        spec.full_y - spec.y,
        spec.x + spec.width - spec.full_x - spec.full_width,
        spec.y + spec.height - spec.full_y - spec.full_height,
    )


def embedded_profile(path: Path) -> bytes | None:
    """The ICC profile in a picture, where it has one. Raises BadPlate."""
    source, spec, _ = _opened(path)
    source.close()
    profile = spec.getattribute("ICCProfile")
    return bytes(profile) if profile is not None else None


def _opened(path: Path, layer: str = "", any_layer: bool = False, view: str = "") -> tuple[Any, Any, Chosen]:
    """A picture's reader, and header and places of its colour layer, found fit to be read. Raises BadPlate.

    With `any_layer` a picture without colours will do.
    """
    if not path.is_file():
        if path.is_dir():
            raise BadPlate(f"{path}: a folder, not a picture; name a file in it")
        raise BadPlate(f"{path}: no such file; check its name and folder")
    check_name(path)
    straight = oiio.ImageSpec()
    straight.attribute("oiio:UnassociatedAlpha", 1)  # PNG and TIFF: give the file's own numbers
    source = oiio.ImageInput.open(str(path), straight)
    if source is None:
        reason = _why_not(path)  # asked for in any case: what nobody asks for, the library prints at the end
        if "Subsampled channels" in reason and path.suffix.lower() == ".exr":
            source = _of_chroma(path)
            if source is None:
                raise BadPlate(f"{path}: its channels are not all of one size; write it as RGB, as Nuke does")
    if source is None:
        raise BadPlate(
            f"{path}: {other_kind(path) or f'not a picture that can be read ({reason}); take another copy of it'}"
        )
    is_exr = path.suffix.lower() == ".exr"  # the pages of a TIFF are no layers
    try:
        names = [str(name) for name in source.spec().channelnames]
        found = parts_of(source) if is_exr else Parts([Part("", names)])
    except UnicodeDecodeError as error:
        raise BadPlate(f"{path}: the names of its channels are damaged; take another copy of it") from error
    if not found.parts or not found.parts[0].channels:
        raise BadPlate(f"{path}: a picture without channels; take another copy of it")
    if is_exr and source.format_name() != "openexr":
        raise BadPlate(f"{path}: named .exr, but a picture of {source.format_name()}; give it the suffix of its format")
    if any_layer:
        chosen = Chosen(0, (0, 0, 0), None, tuple(found.parts[0].channels))
    else:
        chosen = choose(found, layer, path, view)
    if is_exr:
        source.seek_subimage(chosen.part, 0)
    spec = source.spec()
    if spec.deep:  # OpenImageIO's plain reader crashes on these
        raise BadPlate(f"{path}: a deep picture; flatten it first (Nuke: DeepToImage)")
    check_size(path, spec.full_width, spec.full_height)
    check_size(path, spec.width, spec.height)
    check_can_be_read(path, spec.width, spec.height)
    apart = max(map(abs, _window(spec)))
    if apart > MOST_APART:
        raise BadPlate(f"{path}: its data lies {apart} pixels off its picture; take another copy of it")
    return source, spec, chosen


def _of_chroma(path: Path) -> Any:
    """The reader of an EXR of luminance and chroma, which OpenImageIO does not read, as RGB; None without one."""
    import OpenEXR

    parts = opened(path).parts
    if any(channel.xSampling * channel.ySampling > 1 for part in parts for channel in part.channels.values()):
        return None
    whole = [OpenEXR.Part({k: v for k, v in p.header.items() if k != "channels"}, p.channels) for p in parts]
    with spool(".exr") as spooled:
        OpenEXR.File(whole).write(str(spooled))
        return oiio.ImageInput.open(str(spooled))


def _why_not(path: Path) -> str:
    try:
        with path.open("rb") as f:
            start = f.read(1)
    except OSError as error:
        return error.strerror or "unreadable"
    try:
        oiio_says = _first_line(oiio.geterror())
    except UnicodeDecodeError:  # the file's own bytes in the library's message
        oiio_says = "damaged"
    if not start:
        return "the file is empty"
    # the library's own sentence repeats the name and asks the reader a question
    return "none of the known formats" if "format reader" in oiio_says else oiio_says


def _first_line(reason: str) -> str:
    return (reason.strip() or "unknown format").splitlines()[0]
