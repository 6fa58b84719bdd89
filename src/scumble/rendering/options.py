"""The options of a render."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from scumble.core.errors import BadSettings
from scumble.core.frames import parse_frames, parse_rate
from scumble.core.keyed import Keys
from scumble.look.making import style_picture
from scumble.media.aov import AOVS, parse_aovs
from scumble.media.ocio import Colours
from scumble.media.plate import PlateOptions
from scumble.network.palette import Colouring, Palette
from scumble.rendering.review import Compare

LINES = 720  # the network's size unless asked otherwise: what it was trained to see

MOST_OVERSCAN = 16  # times the picture's pixels: more is a window that has gone astray


@dataclass(frozen=True)
class RenderSettings:
    """How a shot is painted."""

    frames: tuple[int, ...] | None = None
    """Frames to paint; all by default. Statistics come from the whole plate in any case."""
    first_frame: int | None = None
    """Number of the first frame; movies start at 1 otherwise."""
    frame_rate: Fraction | None = None
    """Frames per second of a movie made from a sequence; the plate's own, else 24."""
    quality: int = 85
    """0 to 100, for movies, JPEG and WebP."""
    strength: float | Keys = 1.0
    """0 keeps the plate, 1 is the painting; mixed in the working space; a number, or keys over frames."""
    keep_color: float = 0.0
    """0 takes the style's colours, 1 keeps the plate's."""
    keep_exposure: float = 0.0
    """0 is as light or dark as the style, 1 as the plate."""
    hold_blacks: bool = False
    """Leave what is near the plate's black and white points as it is."""
    palette: Palette | None = None
    """Colours of another picture instead of the style's."""
    carry: float = 1.0
    """How much of its painted key frames a matched look carries along the shot; 0 is the network alone."""
    stroke: float = 1.0
    """Size of strokes: 2 paints at half as many lines."""
    lines: int | None = None
    """Lines at which the network sees the plate instead of min(height, 720) / stroke; 0 is the plate's own."""
    precision: Literal["auto", "f32", "fast"] = "auto"
    """f32 is exact on every machine; fast is bf16; auto is fast for 8-bit movies only."""
    engine: str = "openvino"
    """Name in `scumble.engine.ENGINES`."""
    cuts: str | None = None
    """auto finds the plate's shots, none takes it for one, a text file lists first frames; auto for movies only."""
    stats: Path | None = None
    """File of statistics to paint with; measured and written when it is not there."""
    stabilize: Literal["vectors", "flow"] | None = None
    """Average every frame with its neighbours along the motion: of the plate's vector channels, or optical flow."""
    window: int = 2
    """Frames on each side that the stabiliser sees, 1 to 3."""
    grain: Literal["keep", "remove"] | None = None
    """Take the plate's grain off before painting, and give it back after (keep) or not (remove)."""
    matte: str = ""
    """Where to paint: PATH of a sequence, movie or still, channel:NAME of the plate, or crypto:NAME[,NAME...]."""
    invert_matte: bool = False
    """Paint outside the matte instead."""
    feather: float = 0.0
    """Pixels of the plate over which the edges of mattes are softened."""
    on: int = 1
    """Paint every so many frames and hold them between, as drawn animation does: 2 is on twos."""
    on_warp: Literal["vectors", "flow"] | None = None
    """Let what is held move with the plate, along its vector channels or optical flow."""
    vectors: str = ""
    """Layer of motion vectors as LAYER[:forward|backward][:up|down]; recognised by its name otherwise."""
    aovs: tuple[str, ...] = ()
    """Parts of the painting to be written as layers of the EXR, of luma, chroma, detail and matte."""
    proxy: Literal[1, 2, 4] = 1
    """Paint at a half or a quarter of the plate's size, with the strokes and colours of the whole."""
    compare: Compare | None = None
    """Put the plate beside the painting (side), above it (stack), or in the left half of the frame (wipe)."""
    burn_in: bool = False
    """Write shot, frame, timecode and look into the picture."""
    layer: str = ""
    """Colour layer of an EXR, by layer or part; the beauty by default."""
    out_layer: str = ""
    """Layer for the painting beside the untouched beauty of an EXR; the beauty itself by default."""
    in_space: str = ""
    """Colour space of the plate, whatever its tags say."""
    out_space: str = ""
    """Colour space of the output; the plate's own where the format can hold it."""
    ocio: str | None = None
    """OpenColorIO configuration; $OCIO, or a built-in ACES one, by default."""
    missing: Literal["error", "hold", "skip"] = "error"
    """What to do about frames that the sequence lacks: stop, repeat the one before, or leave them out."""
    codec: str = ""
    """Codec of a movie, a name in `scumble.media.movie.CODECS`; by suffix and bits by default."""
    overwrite: bool = False
    """Replace outputs that are there, whoever made them."""

    @property
    def plate_options(self) -> PlateOptions:
        """How the plate is to be understood."""
        colours = Colours(self.ocio)
        if self.ocio is not None:
            colours.check()
        return PlateOptions(self.layer, self.in_space, colours)

    @property
    def colouring(self) -> Colouring:
        """Which colours the painting takes."""
        return Colouring(self.keep_color, self.keep_exposure, self.palette)

    def __post_init__(self) -> None:
        for name, known in choices_of().items():
            if getattr(self, name) not in known:
                given = ", ".join(str(choice) for choice in known if choice is not None)
                raise BadSettings(f"{name.replace('_', '-')} {getattr(self, name)!r}: give one of {given}")
        strengths = self.strength.values if isinstance(self.strength, Keys) else (self.strength,)
        if not all(0 <= value <= 1 for value in strengths):
            raise BadSettings(f"strength {self.strength}: give a number from 0 to 1")
        if not 0 <= self.keep_color <= 1:
            raise BadSettings(f"keep-color {self.keep_color}: give a number from 0 to 1")
        if not 0 <= self.keep_exposure <= 1:
            raise BadSettings(f"keep-exposure {self.keep_exposure}: give a number from 0 to 1")
        if not 0 <= self.carry <= 1:
            raise BadSettings(f"carry {self.carry}: give a number from 0 to 1")
        if not 0.1 <= self.stroke <= 20:
            raise BadSettings(f"stroke {self.stroke}: give a number from 0.1 to 20")
        if not 0 <= self.quality <= 100:
            raise BadSettings(f"quality {self.quality}: give a number from 0 to 100")
        if not 1 <= self.on <= 24:
            raise BadSettings(f"on {self.on}: give a number of frames from 1 to 24")
        if self.on_warp is not None and self.on == 1:
            raise BadSettings("on-warp moves what is held; give --on 2 with it")
        if self.vectors and "vectors" not in (self.stabilize, self.on_warp):
            raise BadSettings("vectors are for --stabilize vectors and --on-warp vectors; give one of them")
        if not 1 <= self.window <= 3:
            raise BadSettings(f"window {self.window}: give 1, 2 or 3 frames on each side")
        if not 0 <= self.feather <= 1000:
            raise BadSettings(f"feather {self.feather}: give a number of pixels from 0 to 1000")
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


@cache
def choices_of() -> dict[str, tuple[object, ...]]:
    """The settings that are one of a few words, and those words."""
    found = {}
    for name, hint in get_type_hints(RenderSettings).items():
        words = [w for part in (hint, *get_args(hint)) if get_origin(part) is Literal for w in get_args(part)]
        if words:
            found[name] = (*words, *([None] if type(None) in get_args(hint) else []))
    return found


def settings_of(given: dict[str, Any]) -> RenderSettings:
    """Settings of values as they stand on a command line. Raises BadSettings."""
    known = [field.name for field in fields(RenderSettings)]
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise BadSettings(f"render: no setting {name!r}{f'; did you mean {near[0]}?' if near else ''}")
    read: dict[str, Callable[[Any], Any]] = {
        "frames": lambda v: (
            parse_frames(v) if isinstance(v, str) else tuple(sorted({v} if isinstance(v, int) else set(v)))
        ),
        "strength": lambda v: Keys.parse(v, "strength") if isinstance(v, str) else v,
        "lines": lambda v: 0 if v == "full" else v,
        "frame_rate": lambda v: parse_rate(str(v)) if not isinstance(v, Fraction) else v,
        "aovs": lambda v: parse_aovs(v) if isinstance(v, str) else tuple(v),
        "palette": lambda v: v if isinstance(v, Palette) else Palette.measure(style_picture(Path(v))),
        "stats": Path,
        "matte": str,
        "cuts": str,
        "ocio": str,
    }
    values = {k: read[k](v) if k in read and v is not None else v for k, v in given.items()}
    try:
        return RenderSettings(**values)
    except TypeError as error:  # a word where a number should be
        raise BadSettings(f"render: a setting of another kind than its field ({error}); see RenderSettings") from error
