"""Still pictures and numbered sequences of them, read and written through OpenImageIO."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio

from scumble import colour
from scumble.colour import ColourSpace, by_chromaticities, converted
from scumble.errors import BadOutput, BadPlate, BadSettings
from scumble.files import spool, written_whole
from scumble.frames import NO_MARGIN, Frame, FrameRange, Margin, Metadata, Pixels, format_frames
from scumble.media import STILLS, Plate, PlateOptions, WriterSettings, check_size, formats, other_kind
from scumble.media.exr import MARK, Chosen, choose, encoded, forget_error, interop_of, parts_of, straight
from scumble.media.pattern import Pattern, folder_pattern, parse_pattern
from scumble.media.timecode import from_word, later, to_word
from scumble.ocio import CONFIG, Colours

LINEAR_FORMATS = {".exr"}
PREMULTIPLIED = {".exr"}  # colours are stored multiplied by alpha
DEPTHS = {"uint8": 8, "uint10": 10, "uint12": 12, "uint16": 16, "half": 16, "float": 32}
# OpenImageIO's names for what a format itself has to say, and for what another file could not mean
OWN_ATTRIBUTES = re.compile(
    r"(oiio|openexr|tiff|png|jpeg|webp|scumble)(:.*)?|dpx:(transfer|colorimetric|packing|version|imagedescriptor|"
    r"endof.*|dittokey|signal|timecode|userbits|framerate|inputdevice|.*quantity|.*code(value)?)"
    r"|exif:(color|pixel).*|orientation|icc:.*|compression.*|planarconfig|pixelaspectratio|[xy]?resolution.*|chromaticities|colorinteropid|capdate|datetime|software"
    r"|framespersecond|smpte:.*|reelname|screenwindow.*|multiview|.*thumbnail.*",
    re.IGNORECASE,
)
MOST_APART = 65536  # pixels between the borders of data and display window: more is a damaged header
LOGARITHMIC = ("logarithmic", "printing density")  # what DPX calls scans of film


def open_stills(path: Path, first_frame: int | None = None, options: PlateOptions = PlateOptions()) -> StillsPlate:
    """A pattern, a folder with one sequence, or a single picture. Raises BadPlate."""
    pattern = parse_pattern(path)
    if path.is_dir():
        pattern = folder_pattern(path, STILLS)
    elif pattern is None or path.is_file():
        if path.suffix.lower() not in STILLS:
            raise BadPlate(f"{path}: {path.suffix or 'no suffix'} is not a format that Scumble reads; {formats()}")
        if not path.is_file():
            raise BadPlate(f"{path}: no such file; check its name and folder")
        return StillsPlate(path, "still", {1 if first_frame is None else first_frame: path}, None, options)
    files = pattern.find()
    if not files:
        raise BadPlate(f"{pattern}: no frame of this sequence found; check the folder and the number of digits")
    if first_frame is not None:
        moved = first_frame - min(files)
        files = {number + moved: file for number, file in files.items()}
    return StillsPlate(path, "sequence", files, pattern, options)


class StillsPlate(Plate):
    """See `scumble.media.Plate`."""

    def __init__(
        self,
        path: Path,
        kind: str,
        files: dict[int, Path],
        pattern: Pattern | None = None,
        options: PlateOptions = PlateOptions(),
    ) -> None:
        self.path, self.kind, self.files, self.pattern, self.options = path, kind, files, pattern, options
        self.layer, self.held = options.layer, frozenset[int]()
        self.numbers = tuple(files)
        first = next(iter(files.values()))
        if options.layer and first.suffix.lower() != ".exr":
            raise BadPlate(f"{first}: layers are for EXR; leave --layer out")
        header = read_header(first, options.layer)
        self.size, self.bits, self.has_alpha = header.size, header.bits, header.has_alpha
        self.colour_space, self.colour_note = _space(first, header, options)
        self.frame_rate = header.metadata.frame_rate
        self.pixel_aspect = header.metadata.pixel_aspect

    @property
    def frame_range(self) -> FrameRange:
        """First to last number on disk."""
        return FrameRange(self.numbers[0], self.numbers[-1])

    def holding(self, holes: Sequence[int]) -> StillsPlate:
        """The plate with each missing frame a repetition of the one before it, of the first one at its beginning."""
        files = dict(self.files)
        for hole in holes:
            before = bisect_right(self.numbers, hole) - 1
            files[hole] = self.files[self.numbers[max(0, before)]]
        found = copy(self)
        found.files, found.held = dict(sorted(files.items())), frozenset(holes)
        found.numbers = tuple(found.files)
        return found

    def files_of(self, numbers: Sequence[int]) -> list[Path]:
        """See `scumble.media.Plate.files_of`."""
        return [self.files[n] for n in numbers]

    def metadata(self, number: int) -> Metadata:
        """See `scumble.media.Plate.metadata`."""
        return self._counted(number, read_header(self.files[number], self.layer).metadata)

    def _counted(self, number: int, metadata: Metadata) -> Metadata:
        """A frame that repeats another one has a timecode of its own."""
        if number not in self.held or metadata.timecode is None or metadata.frame_rate is None:
            return metadata
        source = next(n for n in self.numbers if n not in self.held and self.files[n] == self.files[number])
        return replace(metadata, timecode=later(metadata.timecode, number - source, metadata.frame_rate))

    def overscan(self, numbers: Sequence[int], wanted: Sequence[int] = ()) -> Margin:
        """See `scumble.media.Plate.overscan`."""
        found, must = Margin(), set(wanted)
        for number in numbers:
            if self.files[number].suffix.lower() == ".exr":
                try:
                    own = read_header(self.files[number], self.layer).overscan
                except BadPlate:
                    if number in must:
                        raise
                    continue
                found = Margin(*(max(a, b) for a, b in zip(found, own, strict=True)))
        return found

    def read(self, numbers: Sequence[int], margin: Margin = NO_MARGIN) -> Iterator[Frame]:
        """See `scumble.media.Plate.read`."""
        missing = [n for n in numbers if n not in self.files]
        if missing:
            raise BadPlate(
                f"{self.path}: frame {missing[0]} is missing ({format_frames(missing[:50])});"
                f" the plate has {format_frames(self.numbers)}"
            )
        for number in numbers:
            try:
                frame = read_frame(self.files[number], number, self.colour_space, self.layer, margin)
            except BadPlate as error:
                raise BadPlate(f"frame {number}: {error}" if self.pattern else str(error)) from error
            frame = replace(frame, metadata=self._counted(number, frame.metadata))
            height, width = margin.of(frame.pixels).shape[:2]
            if (width, height) != self.size:
                raise BadPlate(
                    f"{self.files[number]}: frame {number} is {width}x{height},"
                    f" the plate {self.size[0]}x{self.size[1]}; a plate has one size: leave it out with --frames"
                )
            yield frame


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
    overscan: Margin
    """Pixels that the data window has beyond the display window."""
    says: Mapping[str, Any]
    """Attributes that speak of colour, and by which an output names how it was made."""


def read_header(path: Path, layer: str = "") -> Header:
    """Raises BadPlate."""
    source, spec, chosen = _opened(path, layer)
    source.close()
    # the display window is the picture; phones turn theirs by a tag
    turned = _orientation(path, spec) >= 5
    size = (spec.full_height, spec.full_width) if turned else (spec.full_width, spec.full_height)
    kind = str(spec.channelformat(chosen.colours[0]))
    bits = int(spec.get_int_attribute("oiio:BitsPerSample", DEPTHS.get(kind, 8)))
    beyond = Margin(*(max(0, side) for side in _window(spec)))
    says = {
        name: spec.getattribute(name)
        for name in ("oiio:ColorSpace", "colorInteropID", "chromaticities", "dpx:Transfer", "Software", MARK)
        if spec.getattribute(name) is not None
    }
    return Header(
        size,
        bits,
        kind in ("half", "float"),
        chosen.alpha is not None,
        _metadata(spec, _is_premultiplied(path, spec)),
        beyond,
        says,
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


def _space(path: Path, header: Header, options: PlateOptions) -> tuple[ColourSpace, str]:
    """A plate's colour space and where that is known from: a wish, its own tags, else its kind."""
    if options.in_space:
        return options.colours.space(options.in_space), "--in-space"
    says = header.says
    if "colorInteropID" in says or "chromaticities" in says:
        options.colours.check()  # a broken $OCIO is said, not passed over
    if path.suffix.lower() in LINEAR_FORMATS:
        interop = str(says.get("colorInteropID", ""))
        if interop and interop not in ("data", "unknown"):
            with suppress(BadSettings):  # an id of another kind of picture; the chromaticities may know better
                return _known(options.colours, interop), "its colorInteropID"
        if "chromaticities" in says and _are_chromaticities(says["chromaticities"]):
            known = interop_of(says["chromaticities"])
            if known is None:
                return by_chromaticities(says["chromaticities"]), "its chromaticities"
            return _known(options.colours, known), "its chromaticities"
        if says.get("oiio:ColorSpace"):  # what Scumble writes where there is no id
            with suppress(BadSettings):
                return _known(options.colours, str(says["oiio:ColorSpace"])), "its tags"
        return colour.LINEAR, "assumed: an EXR without tags"
    transfer = str(says.get("dpx:Transfer", ""))
    if transfer.lower() in LOGARITHMIC:
        return _known(options.colours, "ADX10"), f"its transfer {transfer!r}"
    if header.is_float and path.suffix.lower() in (".tif", ".tiff"):
        return colour.LINEAR, "assumed: floating point"
    if transfer.lower() == "linear" and header.bits >= 16:
        return colour.LINEAR, f"its transfer {transfer!r}"
    if transfer.lower() == "linear":  # FFmpeg says so of every DPX
        return colour.DISPLAY, f"assumed: {header.bits} bits hold no linear light, whatever its transfer says"
    tag = str(says.get("oiio:ColorSpace", ""))
    if tag in ("lin_rec709_scene", "lin_p3d65_scene", "lin_rec2020_scene", "lin_ap1_scene", "srgb_p3d65_scene",
               "srgb_p3d65_display", "g22_adobergb_scene", "g22_rec709_scene", "g18_rec709_scene"):  # fmt: skip
        with suppress(BadSettings):
            return _known(options.colours, tag), "its tags"
    return colour.DISPLAY, "assumed: display-referred"  # the library says sRGB of every picture without tags


def _known(colours: Colours, name: str) -> ColourSpace:
    """A space that a tag names: a show's own configuration may call it something else. Raises BadSettings."""
    try:
        return colours.space(name)
    except BadSettings:
        return Colours(CONFIG).space(name)


def _are_chromaticities(values: Any) -> bool:
    return isinstance(values, tuple) and len(values) == 8 and all(isinstance(v, float) for v in values)


def read_picture(path: Path, layer: str = "") -> tuple[Pixels, Pixels | None]:
    """RGB (H, W, 3), not premultiplied, and alpha (H, W, 1) or None; float32, upright; integers become [0, 1].

    Of an EXR the display window is read. Raises BadPlate.
    """
    frame = read_frame(path, 0, colour.DISPLAY, layer)
    return frame.pixels, frame.alpha


def read_frame(path: Path, number: int, space: ColourSpace, layer: str = "", margin: Margin = NO_MARGIN) -> Frame:
    """A picture's colour layer as a frame; `margin` is read around its display window. Raises BadPlate.

    Outside the data window the display window is 0; beyond both the last pixels are repeated.
    """
    source, spec, chosen = _opened(path, layer)
    places = [*chosen.colours, *([] if chosen.alpha is None else [chosen.alpha])]
    first = min(places)
    codes = _decoded(path, source, chosen.part, first, max(places) + 1)
    planes: Pixels = codes.reshape(spec.height, spec.width, -1)[:, :, [place - first for place in places]]
    planes = _framed(planes, _window(spec), margin)
    if _orientation(path, spec) != 1:
        planes = _upright(planes, _orientation(path, spec))
    rgb = np.ascontiguousarray(planes[:, :, :3], np.float32)
    alpha = None
    if chosen.alpha is not None:
        alpha = np.ascontiguousarray(planes[:, :, 3:], np.float32)
        if _is_premultiplied(path, spec):
            rgb = straight(rgb, alpha)
    return Frame(number, rgb, space, alpha, _metadata(spec, _is_premultiplied(path, spec)), margin, path)


def _is_premultiplied(path: Path, spec: Any) -> bool:
    """EXR is, PNG is not, TIFF says."""
    if path.suffix.lower() in (".tif", ".tiff"):
        return "A" in spec.channelnames and not spec.get_int_attribute("oiio:UnassociatedAlpha", 0)
    return path.suffix.lower() in PREMULTIPLIED


def _decoded(path: Path, source: Any, part: int, first: int, last: int) -> Any:
    """Channels `first` to before `last` of a part, and the reader closed. Raises BadPlate."""
    try:
        codes, reason = source.read_image(part, 0, first, last, oiio.FLOAT), source.geterror()
    except UnicodeDecodeError:  # the file's own bytes in the library's message
        codes, reason = None, ""
    source.close()
    if codes is None or reason:
        raise BadPlate(f"{path}: the picture is damaged ({_first_line(reason)}); take another copy of it")
    return codes


def _framed(planes: Pixels, window: Margin, margin: Margin) -> Pixels:
    """Pixels of a data window, which reaches `window` beyond the display window, as display window and `margin`."""
    if window == margin:
        return planes
    display = (planes.shape[0] - window.top - window.bottom, planes.shape[1] - window.left - window.right)
    found = np.zeros((display[0] + sum(margin[1::2]), display[1] + sum(margin[::2]), planes.shape[2]), np.float32)
    rows, row = _shared(margin.top - window.top, planes.shape[0], found.shape[0])
    columns, column = _shared(margin.left - window.left, planes.shape[1], found.shape[1])
    found[rows, columns] = planes[row, column]
    # what is neither data nor display window
    known = [
        (min(before, there.start), max(before + length, there.stop))
        for before, length, there in zip((margin.top, margin.left), display, (rows, columns), strict=True)
    ]
    (top, bottom), (left, right) = known
    beyond = ((top, found.shape[0] - bottom), (left, found.shape[1] - right), (0, 0))
    return np.pad(found[top:bottom, left:right], beyond, mode="edge") if np.any(beyond) else found


def _shared(first: int, length: int, size: int) -> tuple[slice, slice]:
    """Where `length` places from `first` on lie in `size`, and which of them those are."""
    start = min(max(0, first), size)
    stop = max(start, min(size, first + length))
    return slice(start, stop), slice(start - first, stop - first) if stop > start else slice(0, 0)


def _orientation(path: Path, spec: Any) -> int:
    """How a picture lies, as EXIF numbers it; what is no such number is upright."""
    found = spec.get_int_attribute("Orientation", 1)
    return found if 1 <= found <= 8 and path.suffix.lower() != ".exr" else 1  # EXR has none


def _upright(planes: Pixels, orientation: int) -> Pixels:
    buffer = oiio.ImageBuf(np.ascontiguousarray(planes))
    buffer.orientation = orientation
    return np.asarray(oiio.ImageBufAlgo.reorient(buffer).get_pixels(oiio.FLOAT), np.float32)


def channel_names(path: Path) -> list[str]:
    """Names of all channels of a picture's parts; `part.name` where several have one of that name. Raises BadPlate."""
    source, _, _ = _opened(path, any_layer=True)
    found = list(_places(parts_of(path, source)))
    source.close()
    return found


def part_names(path: Path) -> list[str]:
    """Names of a picture's parts. Raises BadPlate."""
    source, _, _ = _opened(path, any_layer=True)
    found = [name for name, _ in parts_of(path, source) if name]
    source.close()
    return found


def _places(parts: Sequence[tuple[str, Sequence[str]]]) -> dict[str, tuple[int, str]]:
    """Part and channel by the name under which a channel is asked for."""
    all_names = [name for _, names in parts for name in names]
    return {
        name if all_names.count(name) == 1 or not part else f"{part}.{name}": (place, name)
        for place, (part, names) in enumerate(parts)
        for name in names
    }


def read_attributes(path: Path) -> dict[str, Any]:
    """All of a header's attributes, of all its parts, by OpenImageIO's names. Raises BadPlate."""
    source, _, _ = _opened(path, any_layer=True)
    found: dict[str, Any] = {}
    place = 0
    while source.seek_subimage(place, 0):
        for p in source.spec().extra_attribs:
            found.setdefault(_text(p.name), _text(p.value))
        place += 1
        if path.suffix.lower() != ".exr":
            break
    source.close()
    forget_error()  # the end of the parts is no error
    return found


def read_channels(path: Path, names: Sequence[str], margin: Margin = NO_MARGIN) -> Pixels:
    """Some channels (H, W, C) of one part of a picture as they are, in the display window and `margin`.

    0 outside the data. Raises BadPlate.
    """
    source, _, _ = _opened(path, any_layer=True)
    parts = parts_of(path, source)
    known = _places(parts)
    # with its part's name a channel is found as well where it needs none
    known |= {f"{part}.{name}": (i, name) for i, (part, own) in enumerate(parts) if part for name in own}
    missing = next((name for name in names if name not in known), None)
    if missing is not None or len({known[name][0] for name in names}) > 1:
        source.close()
        raise BadPlate(f"{path}: no channel {missing or names[-1]}; it has {', '.join(list(_places(parts))[:20])}")
    part, names = known[names[0]][0], [known[name][1] for name in names]
    if len(parts) > 1:
        source.seek_subimage(part, 0)
    spec = source.spec()
    places = [parts[part][1].index(name) for name in names]
    first = min(places)
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


def _opened(path: Path, layer: str = "", any_layer: bool = False) -> tuple[Any, Any, Chosen]:
    """A picture's reader, and header and places of its colour layer, found fit to be read. Raises BadPlate.

    With `any_layer` a picture without colours will do.
    """
    if not path.is_file():
        if path.is_dir():
            raise BadPlate(f"{path}: a folder, not a picture; name a file in it")
        raise BadPlate(f"{path}: no such file; check its name and folder")
    straight = oiio.ImageSpec()
    straight.attribute("oiio:UnassociatedAlpha", 1)  # PNG and TIFF: give the file's own numbers
    source = oiio.ImageInput.open(str(path), straight)
    if source is None:
        reason = _why_not(path)  # asked for in any case: what nobody asks for, the library prints at the end
        raise BadPlate(
            f"{path}: {other_kind(path) or f'not a picture that can be read ({reason}); take another copy of it'}"
        )
    is_exr = path.suffix.lower() == ".exr"  # the pages of a TIFF are no layers
    try:
        names = [str(name) for name in source.spec().channelnames]
        parts = parts_of(path, source) if is_exr else [("", names)]
    except UnicodeDecodeError as error:
        raise BadPlate(f"{path}: the names of its channels are damaged; take another copy of it") from error
    if not parts or not parts[0][1]:
        raise BadPlate(f"{path}: a picture without channels; take another copy of it")
    if is_exr and source.format_name() != "openexr":
        raise BadPlate(f"{path}: named .exr, but a picture of {source.format_name()}; give it the suffix of its format")
    chosen = Chosen(0, (0, 0, 0), None, tuple(parts[0][1])) if any_layer else choose(parts, layer, path)
    if is_exr:
        source.seek_subimage(chosen.part, 0)
    spec = source.spec()
    if spec.deep:  # OpenImageIO's plain reader crashes on these
        raise BadPlate(f"{path}: a deep picture; flatten it first (Nuke: DeepToImage)")
    check_size(path, spec.full_width, spec.full_height)
    check_size(path, spec.width, spec.height)
    apart = max(map(abs, _window(spec)))
    if apart > MOST_APART:
        raise BadPlate(f"{path}: its data lies {apart} pixels off its picture; take another copy of it")
    return source, spec, chosen


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


class StillsWriter:
    """See `scumble.media.Writer`; one picture per frame, by the output's pattern, or a single still."""

    def __init__(self, path: Path, settings: WriterSettings) -> None:
        if path.suffix.lower() not in STILLS:
            raise BadOutput(f"{path}: {path.suffix or 'no suffix'} is not a format that Scumble writes; {formats()}")
        self.path, self.settings = path, settings
        self.pattern: Pattern | None = parse_pattern(path)

    def file(self, number: int) -> Path:
        """Where a frame goes."""
        return self.path if self.pattern is None else self.pattern.path(number)

    def write(self, frame: Frame) -> None:
        """Encode one frame; integers are rounded, float formats keep every value."""
        write_picture(self.file(frame.number), frame, self.settings)

    def close(self) -> None:
        """Every file is whole already."""

    def abort(self) -> None:
        """Frames that are done stay: a farm goes on from them."""


def write_picture(path: Path, frame: Frame, settings: WriterSettings) -> None:
    """Write one picture; its format and depth follow suffix and plate. Raises BadOutput."""
    suffix = path.suffix.lower()
    mark = settings.mark_of(frame.number)
    space = settings.out_space or space_of(path, frame.colour_space, settings.bits, frame.source)
    if suffix == ".exr":
        file = encoded(frame, space, settings, mark, path)
        with spool(suffix) as spooled:
            try:
                file.write(str(spooled))
            except (RuntimeError, TypeError, ValueError) as error:
                raise BadOutput(
                    f"{path}: frame {frame.number} cannot be encoded ({error}); name another plate"
                ) from error
            data = spooled.read_bytes()
    else:
        data = _encoded_by_oiio(path, frame, space, settings, mark)
    with written_whole(path, f"frame {frame.number}") as part:
        part.write_bytes(data)


def space_of(path: Path, plate: ColourSpace, bits: int, source: Path | None) -> ColourSpace:
    """The space in which a picture is written unless asked otherwise.

    The plate's own where the format can hold it and say so, else linear Rec. 709 or sRGB. `source` is
    the picture that the plate was read from, None for movies.
    """
    alike = source is not None and source.suffix.lower() == path.suffix.lower()
    if path.suffix.lower() in LINEAR_FORMATS:
        return plate if plate.is_linear or (alike and plate.kind == "scene") else colour.LINEAR
    if plate.is_linear:
        holds = path.suffix.lower() in (".tif", ".tiff") and bits == 32
        return plate if holds or (alike and path.suffix.lower() == ".dpx") else colour.DISPLAY
    return plate if alike else colour.DISPLAY


def _encoded_by_oiio(path: Path, frame: Frame, space: ColourSpace, settings: WriterSettings, mark: str) -> bytes:
    suffix = path.suffix.lower()
    pixels, alpha = frame.margin.of(frame.pixels), None if frame.alpha is None else frame.margin.of(frame.alpha)
    takes_alpha = suffix in {".png", ".tif", ".tiff", ".webp"}
    if alpha is not None and not takes_alpha:
        pixels = colour.over_black(pixels, alpha, frame.colour_space)
    pixels = converted(pixels, frame.colour_space, space)
    associated = suffix in (".tif", ".tiff") and frame.metadata.premultiplied
    if alpha is not None and takes_alpha:
        pixels = np.concatenate([pixels * alpha if associated else pixels, alpha], axis=2)
    if settings.grey and suffix != ".dpx":
        pixels = pixels[:, :, :1]
    kind: Any
    if suffix in {".tif", ".tiff"} and settings.bits == 32:
        kind = oiio.FLOAT
    elif suffix == ".dpx":
        # OpenImageIO cuts 16-bit codes down to the file's depth: rounded here, they survive it
        bits = 10 if settings.bits == 8 else min(settings.bits, 16)
        kind, codes = oiio.UINT16, quantised(pixels, bits).astype(np.uint32)
        pixels = (codes << (16 - bits) | codes >> max(0, 2 * bits - 16)).astype(np.uint16)
    elif suffix in {".jpg", ".jpeg", ".webp"} or settings.bits <= 8:
        kind, pixels = oiio.UINT8, quantised(pixels, 8)
    else:
        kind, pixels = oiio.UINT16, quantised(pixels, 16)
    height, width, channels = pixels.shape
    spec = oiio.ImageSpec(width, height, channels, kind)
    _describe(spec, frame, space, suffix)
    spec.attribute("CompressionQuality", settings.quality)
    if suffix == ".dpx":
        spec.attribute("oiio:BitsPerSample", bits)
    # a write time in the header would make every render's bytes different
    spec.attribute("DateTime", "2000:01:01 00:00:00")
    spec.attribute("oiio:UnassociatedAlpha", int(not associated))
    if mark:
        spec.attribute("Software", mark)
    with spool(suffix) as spooled:
        output = oiio.ImageOutput.create(f"picture{suffix}")
        if output is None or not output.open(str(spooled), spec):
            raise BadOutput(f"{path}: frame {frame.number} cannot be encoded ({oiio.geterror().strip()}); write an EXR")
        done = output.write_image(np.ascontiguousarray(pixels))
        reason = output.geterror()
        if not (output.close() and done):
            raise BadOutput(f"{path}: frame {frame.number} cannot be encoded ({reason.strip()}); write an EXR")
        return spooled.read_bytes()


def _describe(spec: Any, frame: Frame, space: ColourSpace, suffix: str) -> None:
    """The frame's metadata in a header; a format leaves out what it has no place for."""
    metadata = frame.metadata
    for name, (kind, value) in metadata.attributes.items():
        # a profile says what the numbers mean: it goes back with the numbers of a picture that had it
        theirs = name in ("ICCProfile", "CICP") and space != frame.colour_space
        if suffix != ".webp" and not theirs and (suffix == ".dpx" or not name.startswith("dpx:")):
            spec.attribute(name, oiio.TypeDesc(kind), value)
    if metadata.timecode is not None:
        spec.attribute(
            "smpte:TimeCode", oiio.TypeDesc("timecode"), (to_word(metadata.timecode, metadata.frame_rate), 0)
        )
    if metadata.frame_rate is not None:
        rate = metadata.frame_rate
        spec.attribute("FramesPerSecond", oiio.TypeDesc("rational"), (rate.numerator, rate.denominator))
        spec.attribute("dpx:FrameRate", float(rate))
    if metadata.reel is not None:
        spec.attribute("reelName", metadata.reel)
        spec.attribute("dpx:InputDevice", metadata.reel)
    if metadata.pixel_aspect is not None:
        spec.attribute("PixelAspectRatio", float(metadata.pixel_aspect))
    if space == colour.DISPLAY:
        spec.attribute("oiio:ColorSpace", "srgb_rec709_scene")
    elif space == colour.LINEAR:
        spec.attribute("oiio:ColorSpace", "lin_rec709_scene")
    if suffix == ".dpx":
        linear = "Linear" if space.is_linear else "ITU-R 709-4"
        spec.attribute("dpx:Transfer", linear if space.kind == "display" or space.is_linear else "Printing density")


def quantised(pixels: Pixels, bits: int) -> Any:
    """[0, 1] to rounded integer codes; NaN becomes 0."""
    top = (1 << bits) - 1
    codes = np.clip(np.nan_to_num(pixels), 0, 1) * np.float32(top) + np.float32(0.5)
    return codes.astype(np.uint8 if bits == 8 else np.uint16)
