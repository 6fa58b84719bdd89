"""The options of a render, each declared once."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from scumble.core.errors import BadSettings
from scumble.core.keyed import Keyed
from scumble.core.options import check, option, read

if TYPE_CHECKING:  # imported late: they take time, and `scumble --help` reads this file
    from scumble.media.plate import PlateOptions
    from scumble.network.palette import Colouring, Palette

LINES = 720  # the network's default size: what it was trained to see

MOST_OVERSCAN = 16  # times the picture's pixels: a larger data window is a mistake

PLATE, LOOK, COLOUR, MATTES = "Plate and output", "Look", "Colour", "Where it is painted"
STEADY, FILM, REVIEW, RUNNING = "Steadiness", "Files for film", "Review", "Running"
FARM = "Several processes or machines"
PANELS = (PLATE, LOOK, COLOUR, MATTES, STEADY, FILM, REVIEW, RUNNING, FARM)  # in the order of `--help`

Compare = Literal["side", "wipe", "stack"]


def _frames(given: Any) -> tuple[int, ...]:
    from scumble.core.frames import parse_frames

    if isinstance(given, str):
        return parse_frames(given)
    return tuple(sorted({given} if isinstance(given, int) else set(given)))


def _rate(given: Any) -> Fraction:
    from scumble.core.frames import parse_rate

    return given if isinstance(given, Fraction) else parse_rate(str(given))


def _strength(given: Any) -> Any:
    return Keyed.parse(given, "strength") if isinstance(given, str) else given


def lines_of(given: Any) -> Any:
    """Lines at which the network sees a plate; 0 for `full`. Raises BadSettings."""
    if given == "full":
        return 0
    if isinstance(given, str):
        if not (given.isascii() and given.isdigit() and not given.startswith("0") and len(given) < 10):
            raise BadSettings(f"lines {given!r}: give a number of lines, or full")
        return int(given)
    return given


def _memory(given: Any) -> Any:
    from scumble.core.memory import parse_bytes

    return parse_bytes(given) if isinstance(given, str) else given


def _palette(given: Any) -> Any:
    from scumble.look.making import style_picture
    from scumble.network.palette import Palette

    return given if isinstance(given, Palette) else Palette.measure(style_picture(Path(given)))


def _aovs(given: Any) -> tuple[str, ...]:
    from scumble.media.aov import parse_aovs

    if isinstance(given, str):
        return parse_aovs(given)
    return parse_aovs(",".join(given)) if given and all(isinstance(word, str) for word in given) else tuple(given)


def _codecs() -> list[str]:
    from scumble.media.codecs import CODECS

    return list(CODECS)


@dataclass(frozen=True)
class RenderSettings:
    """How a shot is painted."""

    frames: tuple[int, ...] | None = option(
        None, "Frames to paint, as in 1001-1100x2,1150 or 1001-1100:2. All by default; statistics come from the whole plate in any case.",
        panel=PLATE, metavar="RANGE", text=str, read=_frames, api="render", web=str,
    )  # fmt: skip
    first_frame: int | None = option(
        None, "Number of the plate's first frame. Movies start at 1 by default.", panel=PLATE,
        recipe="the painted frames that a look carries, by their numbers", api="paint",
    )  # fmt: skip
    timecode: str = option(
        "", "Timecode of a movie's first frame, where the movie says none.", panel=PLATE, metavar="HH:MM:SS:FF",
        recipe="the timecode in headers and burn-ins",
    )  # fmt: skip
    frame_rate: Fraction | None = option(
        None, "Frames per second of a movie, as in 24 or 24000/1001. A movie keeps its own by default; a sequence gets 24.",
        panel=PLATE, metavar="RATE", text=str, read=_rate, api="render", web=str,
    )  # fmt: skip
    missing: Literal["error", "hold", "skip"] = option(
        "error", "Frames that the sequence lacks: stop, repeat the frame before, or leave them out.",
        panel=PLATE, api="paint",
    )  # fmt: skip
    overwrite: bool = option(
        False, "Replace outputs that exist, whoever made them. Without it, frames with the same recipe are kept.", panel=PLATE
    )  # fmt: skip
    strength: float | Keyed = option(
        1.0, "0 keeps the plate, 1 is the painting. Keys over frames change it, as in 1001:0,1050:1.", panel=LOOK,
        within=(0, 1), recipe="the strength at the frame", metavar="NUMBER|KEYS", text=str, read=_strength, api="paint",
        web=float | str, page="slider",
    )  # fmt: skip
    stroke: float = option(
        1.0, "Size of strokes; 2 doubles them.", panel=LOOK, within=(0.1, 20), recipe=True, api="paint", page="slider",
        shown=(0.25, 4),
    )  # fmt: skip
    lines: int | None = option(
        None, "Lines at which the network sees the plate. At most 720 by default; full is the plate's own.", panel=LOOK,
        metavar="N|full", recipe="the network's size", text=str, read=lines_of, api="paint",
        web=int | Literal["full"] | None,
    )  # fmt: skip
    carry: float = option(
        1.0, "Share of its painted frames that a matched look carries along the shot; 0 is the network alone.", panel=LOOK,
        within=(0, 1), recipe="the looks", api="paint",
    )  # fmt: skip
    on: int = option(
        1, "Paint every so many frames and hold them between, as drawn animation does; 2 is on twos.", panel=LOOK,
        within=(1, 24), unit="frames", recipe=True, api="render",
    )  # fmt: skip
    on_warp: Literal["vectors", "flow"] | None = option(
        None, "Let held frames move with the plate, along its motion vectors or optical flow.", panel=LOOK, recipe=True,
    )  # fmt: skip
    keep_color: float = option(
        0.0, "0 takes the style's colours, 1 keeps the plate's colours under the strokes.", panel=COLOUR, within=(0, 1),
        recipe="the colours", api="paint", page="slider",
    )  # fmt: skip
    keep_exposure: float = option(
        0.0, "0 is as light or dark as the style, 1 as the plate.", panel=COLOUR, within=(0, 1), recipe="the colours",
        api="paint", page="slider",
    )  # fmt: skip
    hold_blacks: bool = option(
        False, "Leave values near the plate's black and white points as they are.", panel=COLOUR, recipe=True, api="paint",
        page="check",
    )  # fmt: skip
    palette: Palette | None = option(
        None, "Take the colours of this picture instead of the style's.", panel=COLOUR, metavar="PICTURE",
        recipe="the colours", text=Path, read=_palette, path="always",
    )  # fmt: skip
    matte: str = option(
        "", "Paint only where this is white: a sequence, movie or still. Alpha is used where it is not all 1, else red.",
        panel=MATTES, metavar="PATH", recipe="the mattes", path="perhaps", api="paint",
    )  # fmt: skip
    invert_matte: bool = option(False, "Paint outside the matte instead.", panel=MATTES, recipe=True, api="paint")
    feather: float = option(
        0.0, "Soften the edges of mattes over so many pixels of the plate.", panel=MATTES, within=(0, 1000), unit="pixels",
        metavar="PIXELS", recipe=True, api="paint",
    )  # fmt: skip
    stabilize: Literal["vectors", "flow"] | None = option(
        None, "Average every frame with its neighbours along the motion: the EXR's motion vectors, or optical flow.",
        panel=STEADY, also=("stabilise",), recipe=True, api="render", page="choice",
    )  # fmt: skip
    window: int = option(
        2, "Frames on each side that the stabiliser averages.", panel=STEADY, within=(1, 3), unit="frames", recipe=True
    )  # fmt: skip
    vectors: str = option(
        "", "Layer of motion vectors in pixels, their direction and the way of their y axis. The names of Blender, Nuke and"
        " Arnold are recognised.", panel=STEADY, metavar="LAYER[:forward|backward][:up|down]", recipe=True,
    )  # fmt: skip
    grain: Literal["keep", "remove"] | None = option(
        None, "Take the plate's grain off before painting. Then give it back (keep) or not (remove).", panel=STEADY,
        recipe=True, api="render", page="choice",
    )  # fmt: skip
    cuts: str | None = option(
        None, "Where shots begin; each shot has its own statistics. auto finds them, none takes the plate for one shot, a"
        " text file lists first frames, one a line. Default: auto for movies, none for sequences.",
        panel=STEADY, metavar="auto|none|FILE", recipe="the statistics", read=str, path="perhaps", api="render",
        web=Literal["auto", "none"] | None,
    )  # fmt: skip
    stats: Path | None = option(
        None, "File of statistics to paint with. If it does not exist, the shot is measured and the file is written.", panel=STEADY,
        metavar="FILE.json", recipe="the statistics", read=Path, path="always",
    )  # fmt: skip
    layer: str = option(
        "", "Colour layer of an EXR, by layer or part; the beauty by default.", panel=FILM, metavar="NAME", recipe=True,
        api="paint",
    )  # fmt: skip
    view: str = option(
        "", "Eye of a stereo EXR, as in left or right. By default all are painted where the output is EXR too, else the"
        " default one.", panel=FILM, metavar="NAME", recipe=True, api="paint",
    )  # fmt: skip
    flat: bool = option(
        False, "Write an EXR as a movie shows it: the painting alone, without the plate's other channels, overscan and eyes.",
        panel=FILM, recipe=True,
    )  # fmt: skip
    out_layer: str = option(
        "", "Write the painting as this layer of the EXR, beside the untouched beauty.", panel=FILM, metavar="NAME",
        recipe=True,
    )  # fmt: skip
    aovs: tuple[str, ...] = option(
        (), "Write parts of the painting as layers of a linear EXR: luma, chroma, detail, matte, or some of them. Not with"
        " --proxy, --compare or --burn-in, nor with --on without --on-warp.",
        panel=FILM, flag="aov", metavar="LIST", recipe=True, text=list[str] | None, read=_aovs,
    )  # fmt: skip
    in_space: str = option(
        "", "Colour space of the plate, as in ACEScg. Its own tags are believed by default.", panel=FILM, metavar="SPACE",
        recipe="the colour spaces", api="paint", page="text",
    )  # fmt: skip
    out_space: str = option(
        "", "Colour space of the output. By default the plate's own, if the format can hold it.", panel=FILM,
        metavar="SPACE", recipe="the colour spaces", api="render",
    )  # fmt: skip
    ocio: str | None = option(
        None, "OpenColorIO configuration. Default: $OCIO, else a built-in ACES 1.3 studio configuration.", panel=FILM,
        metavar="FILE|ocio://NAME", recipe="the colour spaces", read=str, path="perhaps",
    )  # fmt: skip
    codec: str = option(
        "", "Codec of a movie; docs/formats.md lists them with their containers. Default: h264 for 8 bits, else prores-hq in"
        " .mov, hevc-10 in .mp4, ffv1 in .mkv.", panel=FILM, metavar="NAME", api="render", page="choice",
        among=_codecs,
    )  # fmt: skip
    bits: Literal[8, 10, 12, 16, 32] | None = option(
        None, "Bits a channel of pictures; 16 and 32 are half and float in EXR. By default the plate's, as the format can.",
        panel=FILM, metavar="8|10|12|16|32", recipe=True, text=int | None,
    )  # fmt: skip
    quality: int = option(
        85, "Quality of movies, JPEG and WebP.", panel=FILM, within=(0, 100), recipe=True, api="render"
    )  # fmt: skip
    compare: Compare | None = option(
        None, "Put the plate left of the painting (side), above it (stack), or in the left half of the frame (wipe).",
        panel=REVIEW, recipe=True, api="render",
    )  # fmt: skip
    burn_in: bool = option(
        False, "Write shot, frame, timecode and look into the picture.", panel=REVIEW, recipe="the burn-in", api="render"
    )  # fmt: skip
    proxy: Literal[1, 2, 4] = option(
        1, "Write a half or a quarter of the size, with the strokes and colours of the whole.", panel=REVIEW,
        metavar="1|2|4", recipe=True, text=int,
    )  # fmt: skip
    precision: Literal["auto", "f32", "fast"] = option(
        "auto", "f32 is exact on every machine, fast is bf16. auto: fast for 8-bit movies, f32 otherwise.", panel=RUNNING,
        recipe="the precision", api="render",
    )  # fmt: skip
    memory: int | None = option(
        None, "About the most memory that a render takes, as in 4G. Less of it paints large frames in smaller windows: the"
        " same pixels, more slowly. What a frame itself needs is taken in any case.",
        panel=RUNNING, metavar="SIZE", text=str, read=_memory,
    )  # fmt: skip
    engine: str = option("openvino", "What runs the network: openvino or torch.", panel=RUNNING, recipe=True)

    @property
    def plate_options(self) -> PlateOptions:
        """How the plate is to be understood."""
        from scumble.media.ocio import Colours
        from scumble.media.plate import PlateOptions

        colours = Colours(self.ocio)
        if self.ocio is not None:
            colours.check()
        return PlateOptions(self.layer, self.in_space, colours, self.view, self.timecode)

    @property
    def colouring(self) -> Colouring:
        """Which colours the painting takes."""
        from scumble.network.palette import Colouring

        return Colouring(self.keep_color, self.keep_exposure, self.palette)

    def __post_init__(self) -> None:
        from scumble.media.aov import AOVS

        check(self)
        if self.on_warp is not None and self.on == 1:
            raise BadSettings("on-warp moves what is held; give --on 2 with it")
        if self.vectors and "vectors" not in (self.stabilize, self.on_warp):
            raise BadSettings("vectors are for --stabilize vectors and --on-warp vectors; give one of them")
        if self.invert_matte and not self.matte:
            raise BadSettings("invert-matte turns a matte around; give a matte with it, as in --auto-matte person")
        if self.lines is not None and self.lines != 0 and not 16 <= self.lines <= 20000:
            raise BadSettings(f"lines {self.lines}: give a number from 16 to 20000, or full")
        if self.aovs and self.on > 1 and self.on_warp is None:
            raise BadSettings(
                "--aov: a painting that is held belongs to another frame's plate, so that its parts would not mix"
                " with their own; let it move along by --on-warp, or leave --on out"
            )
        if self.out_layer in self.aovs:
            raise BadSettings(f"out-layer {self.out_layer!r} is one of --aov; give another --out-layer")
        if self.flat and (self.aovs or self.out_layer):
            raise BadSettings("a flat picture has no layers: leave --flat, or --aov and --out-layer, out")
        if self.proxy > 1 and self.grain:
            raise BadSettings("grain is taken off at the plate's own size: leave --grain out of a proxy")
        if (self.compare or self.proxy > 1 or self.burn_in) and (self.aovs or self.out_layer):
            raise BadSettings("proxies, comparisons and burn-ins have no layers: leave --aov and --out-layer out")
        if self.out_layer and self.out_space:
            raise BadSettings("an EXR's layers are in one colour space: give --out-layer or --out-space, not both")
        if any(character in self.out_layer for character in "\0/\\") or self.out_layer.strip(".") != self.out_layer:
            raise BadSettings(f"out-layer {self.out_layer!r}: not a name for a layer; write one as in paint")
        unknown = next((name for name in self.aovs if name not in AOVS), None)
        if unknown is not None:
            raise BadSettings(f"aov {unknown!r}: give some of {', '.join(AOVS)}")


def settings_of(given: dict[str, Any]) -> RenderSettings:
    """Settings of values as they stand on a command line. Raises BadSettings."""
    return read(RenderSettings, given, "render")
